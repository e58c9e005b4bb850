//! The report for tools: one JSON document.

use pullsafe::foreign;
use pullsafe_find::walk::Scanned;
use serde_json::json;

use super::Summary;

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
