//! The report for tools: one JSON document.

use pullsafe::foreign;
use serde_json::json;

use super::Summary;
use crate::walk::Scanned;

/// `{"findings": [...], "problems": [...], "elsewhere": [...], "skipped": [...], "unread": {...}, "summary": {...}}`.
pub fn json(scanned: &Scanned) -> String {
    let document = json!({
        "findings": scanned.findings,
        "problems": scanned.problems,
        "elsewhere": scanned.elsewhere,
        "skipped": scanned.skipped,
        "unread": scanned.unread,
        "summary": Summary::of(scanned),
    });
    foreign::json(&format!("{document:#}\n"))
}
