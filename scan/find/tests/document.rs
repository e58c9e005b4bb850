//! What `docs/scan.md` says about the formats is generated from their rows. This test fails when the document is stale.
//!
//! To write the document anew: `UPDATE_DOCS=1 cargo test -p pullsafe-find --test document`.

use std::path::Path;

use pullsafe_find::detect::{formats_order, formats_table};

#[test]
fn the_document_says_what_the_rows_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scan.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let wanted = with(&with(&written, "formats", &formats_table()), "order", &formats_order());
    if written == wanted {
        return;
    }
    // This is the only way to change these sections; a test run without the variable never writes.
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        panic!("docs/scan.md is stale: UPDATE_DOCS=1 cargo test -p pullsafe-find --test document");
    }
}

/// The text with the content between a section's marks replaced.
fn with(text: &str, section: &str, content: &str) -> String {
    let (begin, end) = (
        format!("<!-- {section}: made from the rows of scan/find/src/format -->\n"),
        format!("<!-- end of {section} -->"),
    );
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/scan.md has no place for {section}"));
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{content}{end}{after}")
}
