//! The report as SARIF 2.1.0, which code scanning services read.

use serde_json::{Value, json};

use super::advice;
use crate::walk::Scanned;

const PULL: &str = "docker-hub-pull";
const UNDECIDED: &str = "undecided-registry";
const UNREADABLE: &str = "unreadable-file";

/// One run: each pull from Docker Hub is a warning, what a variable decides a note, what cannot be read an error.
pub fn sarif(scanned: &Scanned) -> String {
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
        results.push(result);
    }
    for problem in &scanned.problems {
        results.push(result(UNREADABLE, "error", &problem.message, &problem.file, problem.line.max(1), None));
    }
    let rule = |id: &str, text: &str| json!({"id": id, "shortDescription": {"text": text}});
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pullsafe",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule(PULL, "An image is pulled from Docker Hub."),
                    rule(UNDECIDED, "A variable without a value decides which registry an image is pulled from."),
                    rule(UNREADABLE, "A file could not be read in full."),
                ],
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn result(rule: &str, level: &str, message: &str, file: &str, line: usize, column: Option<usize>) -> Value {
    let mut region = json!({"startLine": line});
    if let Some(column) = column {
        region["startColumn"] = json!(column);
    }
    json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": region}}],
    })
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
