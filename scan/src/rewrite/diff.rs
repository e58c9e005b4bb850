//! Edits as a unified diff that `git apply` and `patch -p1` take.

use similar::TextDiff;

use super::{Edit, apply};

/// The diff of one file.
pub fn unified(path: &str, before: &str, edits: &[Edit]) -> String {
    let after = apply(before.as_bytes(), edits);
    let after = String::from_utf8_lossy(&after);
    let path = path.trim_start_matches('/');
    TextDiff::from_lines(before, &after).unified_diff().context_radius(3).header(&format!("a/{path}"), &format!("b/{path}")).to_string()
}
