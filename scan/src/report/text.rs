//! The report for people.

use std::fmt::Write as _;

use super::Summary;
use crate::finding::Finding;
use crate::walk::Scanned;

/// One line for each finding, Docker Hub's first in each file; then what could not be read; then the counts.
///
/// Without `all` only what concerns Docker Hub is listed, and what a variable leaves open.
pub fn text(scanned: &Scanned, all: bool) -> String {
    let mut text = String::new();
    for finding in scanned.findings.iter().filter(|finding| all || finding.is_docker_hub() || finding.registry.is_none()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}:{}:{}: {}", finding.file, finding.line, finding.column, line(finding));
    }
    for problem in &scanned.problems {
        let _ = writeln!(text, "{problem}");
    }
    for skipped in scanned.skipped.iter().filter(|_| all) {
        let _ = writeln!(text, "{}: skipped: {}", skipped.file, skipped.reason);
    }
    let summary = Summary::of(scanned);
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = write!(
        text,
        "{} in {}, {} from Docker Hub",
        count(summary.findings, "image"),
        count(summary.files_read, "file"),
        summary.docker_hub
    );
    if summary.undecided > 0 {
        let _ = write!(text, ", {} undecided", summary.undecided);
    }
    if !scanned.problems.is_empty() {
        let _ = write!(text, ", {}", count(scanned.problems.len(), "problem"));
    }
    if !scanned.skipped.is_empty() {
        let _ = write!(text, ", {} skipped", count(scanned.skipped.len(), "file"));
    }
    text.push('\n');
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn line(finding: &Finding) -> String {
    let registry = finding.registry.map_or("undecided", |registry| registry.as_str());
    let mut line = format!("{registry} {}", finding.reference);
    for (applies, word) in [(finding.official, "official"), (finding.pinned, "pinned")] {
        if applies {
            let _ = write!(line, " {word}");
        }
    }
    let _ = write!(line, " ({})", finding.place.as_str());
    if !finding.variables.is_empty() {
        let _ = write!(line, ": no value for {}", finding.variables.join(", "));
    }
    line
}
