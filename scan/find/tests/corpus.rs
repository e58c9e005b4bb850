//! The corpus: files as repositories have them, by format. For each format, `expected.txt` says what a scan has to
//! find.
//!
//! It has one line for each finding: `file:line:column place registry reference [official] [pinned] [?VARIABLE]`, and
//! one for each problem: `! file:line: part of the message`. `-` stands for a registry that a variable decides.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pullsafe_find::finding::Finding;
use pullsafe_find::walk::{Options, Scanned, scan};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn formats() -> Vec<PathBuf> {
    let mut formats: Vec<PathBuf> = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    formats.sort();
    formats
}

fn row(finding: &Finding, root: &str) -> String {
    let registry = finding.registry.map_or("-", |registry| registry.as_str());
    let mut row = format!(
        "{}:{}:{} {} {registry} {}",
        finding.file.strip_prefix(root).unwrap().trim_start_matches('/'),
        finding.line,
        finding.column,
        finding.place.as_str(),
        finding.reference
    );
    for (applies, word) in [(finding.official, "official"), (finding.pinned, "pinned")] {
        if applies {
            row.push_str(&format!(" {word}"));
        }
    }
    for variable in &finding.variables {
        row.push_str(&format!(" ?{variable}"));
    }
    row
}

fn scanned(format: &Path) -> Scanned {
    scan(&[format.to_path_buf()], Options::default()).unwrap()
}

#[test]
fn finds_what_the_corpus_pulls_and_nothing_else() {
    let (mut right, mut found, mut wanted, mut files) = (0, 0, 0, 0);
    let mut faults = Vec::new();
    for format in formats() {
        let root = format.to_str().unwrap();
        let scanned = scanned(&format);
        files += scanned.seen - 1;
        let text = fs::read_to_string(format.join("expected.txt")).unwrap();
        let expected: BTreeSet<String> =
            text.lines().filter(|line| !line.starts_with('!')).map(str::to_owned).collect();
        let real: BTreeSet<String> = scanned.findings.iter().map(|finding| row(finding, root)).collect();
        right += real.intersection(&expected).count();
        found += real.len();
        wanted += expected.len();
        faults.extend(real.difference(&expected).map(|row| format!("{root}: found, not expected: {row}")));
        faults.extend(expected.difference(&real).map(|row| format!("{root}: expected, not found: {row}")));
        let mut problems: Vec<String> = scanned
            .problems
            .iter()
            .map(|problem| problem.to_string().replace(&format!("{root}/"), ""))
            .collect();
        for line in text.lines().filter_map(|line| line.strip_prefix("! ")) {
            match problems.iter().position(|problem| problem.contains(line)) {
                Some(index) => drop(problems.remove(index)),
                None => faults.push(format!("{root}: problem expected: {line}")),
            }
        }
        faults.extend(problems.into_iter().map(|problem| format!("{root}: problem not expected: {problem}")));
    }
    println!(
        "{files} files, {wanted} images: precision {:.3}, recall {:.3}",
        right as f64 / found as f64,
        right as f64 / wanted as f64
    );
    assert!(files >= 150, "the corpus has {files} files");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
