//! The files of the corpus, damaged: whatever is cut, flipped or repeated, there is an answer, and soon.

use pullsafe_scan::rewrite::Official;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use pullsafe_find::detect::scan_text;
use pullsafe_find::disk::text_of;
use pullsafe_scan::rewrite::{NewRegistry, plan};

/// Far more than the largest of these files takes unoptimised on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

fn corpus() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("find/tests/corpus");
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, text_of(fs::read(path).unwrap()));
            }
        }
    }
    files
}

#[derive(Debug, Clone)]
enum Damage {
    Cut(Index, Index),
    Flip(Index, u8),
    Repeat(Index, Index, usize),
    Insert(Index, &'static str),
    Swap(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let tokens = vec![
        "\n", "\r", "\t", " ", "${", "}", "${X:-", "{{", "}}", "{%", "%}", "<<EOF\n", "\\\n", "\"", "'", "`", "#",
        ": ", "- ", "&a ", "*a", "!Sub ", "!If [", "]", "{", "|\n", ">-\n", "---\n", "\u{feff}", "\u{E000}", "\0", "é",
        "$(", "$[[", "<<: *a\n", "@", "/", ":",
    ];
    let index = any::<Index>;
    prop_oneof![
        (index(), index()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (index(), index(), 2usize..200).prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
        (index(), select(tokens)).prop_map(|(at, token)| Damage::Insert(at, token)),
        (index(), index()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(length), to.index(length));
            from.min(to)..from.max(to)
        };
        match damage {
            Damage::Cut(from, to) => drop(bytes.drain(range(from, to))),
            Damage::Flip(at, byte) => bytes[at.index(length)] ^= byte,
            Damage::Repeat(from, to, times) => {
                let range = range(from, to);
                let part = bytes[range.start..range.end.min(range.start + 400)].repeat(*times);
                bytes.splice(range.start..range.start, part);
            }
            Damage::Insert(at, token) => drop(bytes.splice(at.index(length)..at.index(length), token.bytes())),
            Damage::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        }
        bytes.truncate(64 << 10);
    }
    text_of(bytes)
}

#[test]
fn damaged_files_are_survived() {
    let files = corpus();
    let names: Vec<String> = files.keys().cloned().collect();
    let target = NewRegistry::new(Some("registry.example.com"), "docker-hub", Official::AsOthers).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    });
    let strategy = (select(names), prop::collection::vec(damage(), 1..6));
    runner
        .run(&strategy, |(name, damages)| {
            let mut files = files.clone();
            let text = damaged(&files[&name], &damages);
            files.insert(name.clone(), text.clone());
            let start = Instant::now();
            let (findings, _) = scan_text(&name, &text, &files);
            let scanned = start.elapsed();
            for finding in &findings {
                prop_assert!(finding.line > 0 && finding.column > 0);
            }
            let _ = plan(&findings, &[], &target, &files);
            let planned = start.elapsed();
            prop_assert!(
                planned < LIMIT,
                "{name}: {scanned:?} to scan, {planned:?} to plan, {} findings in\n{text}",
                findings.len()
            );
            Ok(())
        })
        .unwrap();
}
