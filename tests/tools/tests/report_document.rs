//! Checks that docs/report.md shows what the program really writes.

use pullsafe_report::markdown;

/// The example in the documents is the report that `cargo demo` ends with. `UPDATE_DOCS=1` rewrites it.
#[tokio::test]
async fn the_example_in_the_documents_is_not_stale() {
    let report = tools::demo::case_a::replay::with_pullsafe().await.report().expect("an incident");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    let begin = "<!-- generated: report -->\n";
    let (before, found) = document.split_once(begin).expect("docs/report.md has the mark of its generated part");
    let text = markdown::report(&report);
    if found != text {
        assert!(
            std::env::var_os("UPDATE_DOCS").is_some(),
            "docs/report.md is stale; run UPDATE_DOCS=1 cargo test -p tools --test report_document"
        );
        std::fs::write(path, format!("{before}{begin}{text}")).expect("docs/report.md can be written");
    }
}
