//! The report for tools: one JSON document.

use serde_json::json;

use super::Summary;
use crate::walk::Scanned;

/// `{"findings": [...], "problems": [...], "skipped": [...], "summary": {...}}`.
pub fn json(scanned: &Scanned) -> String {
    let document = json!({
        "findings": scanned.findings,
        "problems": scanned.problems,
        "skipped": scanned.skipped,
        "summary": Summary::of(scanned),
    });
    format!("{document:#}\n")
}
