//! The report as SARIF 2.1.0, which code scanning services read.

use std::collections::BTreeMap;

use pullsafe::foreign;
use pullsafe_find::finding::{Finding, Level};
use pullsafe_find::walk::Scanned;
use serde_json::{Value, json};

use super::advice;
use crate::rewrite::{FileEdit, NewRegistry};

const PULL: &str = "docker-hub-pull";
const UNDECIDED: &str = "undecided-registry";
const UNREADABLE: &str = "unreadable-file";
const ODD: &str = "odd-part";
const HELP: &str = "https://docs.docker.com/docker-hub/usage/pulls/";
const SYNTAX: &str = "https://docs.docker.com/reference/compose-file/interpolation/";

/// One run: each pull from Docker Hub is a warning, what a variable decides a note, a file that cannot be read an
/// error. With a `target` a pull comes with its fix.
pub fn sarif(scanned: &Scanned, target: Option<&NewRegistry>) -> String {
    let mut results: Vec<Value> = Vec::new();
    for finding in &scanned.findings {
        let (rule, level) = match (finding.is_docker_hub(), finding.registry) {
            (true, _) => (PULL, "warning"),
            (false, None) => (UNDECIDED, "note"),
            (false, Some(_)) => continue,
        };
        let mut result = result(rule, level, &advice(finding), &finding.file, finding.line, Some(finding.column));
        result["properties"] = json!({
            "place": finding.place,
            "written": finding.written,
            "reference": finding.reference,
            "official": finding.official,
            "pinned": finding.pinned,
            "certain": finding.certain,
        });
        // The line may move and the finding is still the same.
        result["partialFingerprints"] = json!({"image/v1": format!("{}:{}", finding.file, finding.reference)});
        if let Some(fix) = target.and_then(|target| fix(finding, target)) {
            result["fixes"] = json!([fix]);
        }
        results.push(result);
    }
    for problem in &scanned.problems {
        let (rule, level) = if problem.level == Level::Unreadable {
            (UNREADABLE, "error")
        } else {
            (ODD, "warning")
        };
        results.push(result(rule, level, &problem.message, &problem.file, problem.line.max(1), None));
    }
    let rule = |id: &str, text: &str, help: &str| json!({"id": id, "shortDescription": {"text": text}, "helpUri": help, "help": {"text": format!("{text} See {help}")}});
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pullsafe",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule(PULL, "An image is pulled from Docker Hub, which limits how many may be.", HELP),
                    rule(UNDECIDED, "A variable without a value decides which registry an image is pulled from.", SYNTAX),
                    rule(UNREADABLE, "A file could not be read: images in it may be missed.", HELP),
                    rule(ODD, "A part of a file is odd.", HELP),
                ],
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    foreign::json(&format!("{document:#}\n"))
}

/// The edits that move an image, by file.
fn fix(finding: &Finding, target: &NewRegistry) -> Option<Value> {
    let (edits, reference) = target.edits(finding).ok()?;
    let mut files: BTreeMap<String, Vec<FileEdit>> = BTreeMap::new();
    for (file, edit) in edits {
        files.entry(file).or_default().push(edit);
    }
    let changes: Vec<Value> = files
        .iter()
        .map(|(file, edits)| {
            let replacement = |edit: &FileEdit| {
                json!({
                    "deletedRegion": {"byteOffset": edit.start, "byteLength": edit.end - edit.start},
                    "insertedContent": {"text": edit.text},
                })
            };
            json!({"artifactLocation": {"uri": uri(file)}, "replacements": edits.iter().map(replacement).collect::<Vec<_>>()})
        })
        .collect();
    Some(json!({"description": {"text": plain(&format!("Pull {reference} instead"))}, "artifactChanges": changes}))
}

fn result(rule: &str, level: &str, message: &str, file: &str, line: usize, column: Option<usize>) -> Value {
    let mut region = json!({"startLine": line});
    if let Some(column) = column {
        region["startColumn"] = json!(column);
    }
    json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": plain(message)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": region}}],
    })
}

/// A message is plain text, but for links in brackets.
fn plain(text: &str) -> String {
    foreign::log_line(text).replace('[', "\\[").replace(']', "\\]")
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
