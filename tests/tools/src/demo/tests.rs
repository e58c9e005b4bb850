//! The stage, and every case told into a string.

use std::path::Path;

use pullsafe::timestamp::Timestamp;

use super::stage::{Paint, wrap};
use super::{CASES, DemoStage, recording};

/// Case A has a test of its own.
#[tokio::test]
async fn every_case_ends_well() {
    for case in CASES.iter().skip(1) {
        let (mut out, mut working) = (Vec::new(), Vec::new());
        let told = case
            .run(&mut DemoStage::new(&mut out, false, &mut |_| (), &mut |what: &str| working.push(what.to_owned())))
            .await;
        let story = String::from_utf8(out).unwrap();
        assert!(told.is_ok(), "{}: {:?}\n{story}", case.name, told.err());
        assert!(!story.contains('\x1b') && !story.contains("_aws"), "{story}");
        assert_eq!(working.last().map(String::as_str), Some(""), "what is being done is taken back");
    }
}

/// The picture in the README is of what the demo tells today. `UPDATE_DOCS=1` records it anew.
#[tokio::test]
async fn the_recording_is_of_this_demo() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/demo.svg");
    let svg = recording::record().await.unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &svg).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap_or_default(),
        svg,
        "docs/demo.svg is stale: UPDATE_DOCS=1 cargo test --workspace"
    );
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let told = |colours: bool| {
        let mut out = Vec::new();
        let (mut pause, mut progress) = (|_| (), |_: &str| ());
        let mut stage = DemoStage::new(&mut out, colours, &mut pause, &mut progress);
        stage.heading("Heading").unwrap();
        stage.row(Timestamp::from_millis(1_768_506_421_000), Paint::Red, "text", 44).unwrap();
        stage.detail(Paint::Dim, "more").unwrap();
        String::from_utf8(out).unwrap()
    };
    let (plain, coloured) = (told(false), told(true));
    assert!(coloured.contains("\x1b[31m") && coloured != plain);
    let bare = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m"]
        .iter()
        .fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(bare, plain);
    assert!(plain.contains(" 19:47  text ") && plain.contains(" ███████░░░░░░░ 44"), "{plain}");
}

#[test]
fn lines_are_wrapped_between_words() {
    assert_eq!(wrap("one two three\n  four five", 9), ["one two", "three", "  four", "  five"]);
    assert_eq!(wrap("a longer-than-the-line b", 6), ["a", "longer-than-the-line", "b"]);
}
