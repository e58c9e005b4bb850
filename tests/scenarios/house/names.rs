//! Types: each name belongs to one type, so that a reader who meets `Verdict` knows which one it is.

use std::collections::BTreeMap;

use crate::modules::{SOURCES, modules};
use crate::project;

/// Names that several types may have, and why.
const SHARED: &[(&str, &str)] = &[("Arguments", "each subcommand has its own, and is written `scan::Arguments`")];

/// The name of the type that a line declares, if it declares one. Associated types, and types that a macro declares, do
/// not count.
fn declared(line: &str) -> Option<&str> {
    let (visibility, rest) = match line.trim_start().strip_prefix("pub") {
        Some(rest) => rest.split_once(' ')?,
        None => ("", line.trim_start()),
    };
    let (keyword, rest) = rest.split_once(' ')?;
    let declares = match keyword {
        "struct" | "enum" | "union" => visibility.is_empty() || visibility.starts_with('('),
        "trait" | "type" => !line.starts_with(' '),
        _ => false,
    };
    let end = rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
    declares.then_some(&rest[..end]).filter(|name| name.starts_with(char::is_uppercase))
}

#[test]
fn no_two_types_share_a_name() {
    let mut declarations = BTreeMap::<String, Vec<String>>::new();
    for package in SOURCES {
        let mut found = BTreeMap::new();
        modules(&project().join(package).join("src"), &Vec::new(), &mut found);
        for (module, text) in &found {
            for name in text.lines().filter_map(declared) {
                declarations.entry(name.to_owned()).or_default().push(format!("{package}: {}", module.join("::")));
            }
        }
    }
    assert!(declarations.len() > 500, "only {} types were read", declarations.len());
    let twice: Vec<_> = declarations
        .iter()
        .filter(|(name, places)| places.len() > 1 && !SHARED.iter().any(|(shared, _)| shared == name))
        .collect();
    assert!(twice.is_empty(), "one name, several types: {twice:#?}");
}

#[test]
fn a_declaration_is_read_from_its_line() {
    for (line, name) in [
        ("pub struct Plan {", Some("Plan")),
        ("    pub(super) enum Kind<'a> {", Some("Kind")),
        ("struct Found([u64; 4]);", Some("Found")),
        ("pub(crate) trait Looks: Sync {", Some("Looks")),
        ("pub type Items = Vec<Item>;", Some("Items")),
        ("    type Error = Failure;", None),
        ("pub fn enum_of(name: &str) -> bool {", None),
    ] {
        assert_eq!(declared(line), name, "{line}");
    }
}
