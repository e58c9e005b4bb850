//! Files: no file imports one that, in the end, imports it.
//!
//! A file and the files below it may name each other, because that is how Rust divides a module: `mod.rs` re-exports
//! its children, and a child uses what its parent declares. Every other circle fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::project;

/// The sources that are checked.
pub(crate) const SOURCES: &[&str] = &[
    "shared/common",
    "shared/events",
    "shared/registry",
    "shared/signatures",
    "shared/diagnosis",
    "shared/incident",
    "shared/inspect",
    "shared/report",
    "shared/aws",
    "shared/lifecycle",
    "shared/radar",
    "shared/yaml",
    "functions/remediator",
    "functions/remediator/decide",
    "functions/mirror",
    "functions/image-gate",
    "functions/widget",
    "functions/probe",
    "scan",
    "scan/find",
    "scan/syntax",
    "cli",
];

/// How many lines a package may have, tests aside. A larger one has more than one purpose.
const LARGEST: usize = 8_000;

pub(crate) type Module = Vec<String>;

/// Collects every module below a folder, with its text without the tests.
pub(crate) fn modules(folder: &Path, path: &Module, found: &mut BTreeMap<Module, String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.map(|entry| entry.expect("an entry can be read").path()) {
        let name = entry.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name == "tests" {
            continue;
        }
        if entry.is_dir() {
            modules(&entry, &[path.clone(), vec![name]].concat(), found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let root = ["mod", "lib", "main"].contains(&name.as_str());
            let module = if root { path.clone() } else { [path.clone(), vec![name]].concat() };
            let text = fs::read_to_string(&entry).expect("a source can be read");
            let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.insert(module, code.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths in a text that begin with `crate`, `super` or `self`, both in `use` (with the braces expanded) and in
/// code.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for statement in text.split(';') {
        let mut at = 0;
        while let Some(next) =
            ["crate::", "super::", "self::"].iter().filter_map(|start| statement[at..].find(start)).min()
        {
            let begin = at + next;
            let rest = &statement[begin..];
            let end = rest
                .find(|character: char| !(character.is_alphanumeric() || "_:".contains(character)))
                .unwrap_or(rest.len());
            let head: Vec<String> =
                rest[..end].split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            if let Some(inner) = rest[end..].strip_prefix('{') {
                let inner = inner.split('}').next().unwrap_or_default();
                let members = inner
                    .split([',', '{'])
                    .map(|member| member.trim().split("::").next().unwrap_or_default().to_owned());
                found.extend(members.map(|member| [head.clone(), vec![member]].concat()));
            }
            found.push(head);
            at = begin + end.max(1);
        }
    }
    found
}

fn target(from: &Module, path: &[String], all: &BTreeMap<Module, String>) -> Option<Module> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let full: Module = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "super" => [&from[..from.len().checked_sub(ups)?], &path[ups..]].concat(),
        _ => [from.as_slice(), &path[1..]].concat(),
    };
    (1..=full.len()).rev().map(|length| full[..length].to_vec()).find(|module| all.contains_key(module))
}

/// The modules of a folder that reach themselves through imports. Imports between a parent and its children do not
/// count.
fn circles(folder: &str) -> Vec<String> {
    let mut all = BTreeMap::new();
    modules(&project().join(folder).join("src"), &Vec::new(), &mut all);
    let family = |one: &Module, other: &Module| one.starts_with(other) || other.starts_with(one);
    let edges: BTreeMap<&Module, BTreeSet<Module>> = all
        .iter()
        .map(|(from, text)| {
            let found = paths(text).into_iter().filter_map(|path| target(from, &path, &all));
            (from, found.filter(|to| !family(from, to)).collect())
        })
        .collect();
    let mut found = Vec::new();
    for (from, first) in &edges {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Module> = first.iter().collect();
        while let Some(module) = open.pop() {
            if seen.insert(module) {
                open.extend(edges.get(module).into_iter().flatten());
            }
        }
        if seen.contains(*from) {
            found.push(format!("{folder}: {}", from.join("::")));
        }
    }
    found
}

/// How many lines the sources below a folder have, tests aside.
fn lines(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let of = |entry: PathBuf| match entry.file_stem().and_then(|name| name.to_str()) {
        Some("tests") => 0,
        _ if entry.is_dir() => lines(&entry),
        _ if entry.extension().is_some_and(|extension| extension == "rs") => {
            let text = fs::read_to_string(&entry).expect("a source can be read");
            text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count()
        }
        _ => 0,
    };
    entries.map(|entry| of(entry.expect("an entry can be read").path())).sum()
}

#[test]
fn no_package_is_larger_than_a_person_can_keep_in_mind() {
    for folder in SOURCES {
        let count = lines(&project().join(folder).join("src"));
        assert!(
            count > 0 && count <= LARGEST,
            "{folder} has {count} lines: find its seam (ARCHITECTURE.md), at most {LARGEST}"
        );
    }
}

/// Files below a folder that no module includes: the compiler does not see them.
fn left_out(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for path in fs::read_dir(next)
            .expect("a folder can be read")
            .map(|entry| entry.expect("an entry can be read").path())
        {
            match path.is_dir() {
                true => waiting.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
                false => {}
            }
        }
    }
    let whole: String = files.iter().map(|file| fs::read_to_string(file).expect("a source can be read")).collect();
    let taken_in = |name: &str| {
        ["lib", "main", "mod"].contains(&name)
            || whole.contains(&format!("mod {name};"))
            || whole.contains(&format!("{name}.rs\""))
    };
    let own = |file: &PathBuf| file.parent().is_some_and(|parent| parent.ends_with("bin"));
    files.retain(|file| !own(file) && !file.file_stem().and_then(|name| name.to_str()).is_some_and(taken_in));
    files
}

#[test]
fn no_file_is_left_out_of_its_package() {
    let found: Vec<PathBuf> = SOURCES.iter().flat_map(|folder| left_out(&project().join(folder).join("src"))).collect();
    assert!(found.is_empty(), "a file without its line `mod ...;`: {found:?}");
}

#[test]
fn files_do_not_import_in_circles() {
    let found: Vec<String> = SOURCES.iter().flat_map(|folder| circles(folder)).collect();
    assert!(found.is_empty(), "files that import each other in a circle:\n{}", found.join("\n"));
}
