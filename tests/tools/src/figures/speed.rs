//! Decisions a second: what criterion found in `shared/benches/decide.rs`.

use std::fs;

use serde_json::Value;

use super::build::{cargo, target};
use super::report::{FiguresDocument, Goal, rounded};
use crate::e2e::{Result, WhatWasTried as _};

/// The command, for the document.
pub const BENCH: &str = "cargo bench -p remediator-decide --bench decide";

/// A bench, what it is called in the document, and how many a second are wanted.
const BENCHES: &[(&str, &str, Option<u32>)] = &[
    (
        "decide/from-event-to-plan",
        "decisions: event -> diagnosis -> incident -> plan (a move)",
        Some(100_000),
    ),
    ("decide/from-bytes-to-plan", "the same, from the event's bytes", None),
    ("decide/parse-alone", "of that: reading the event", None),
    (
        "diagnose/corpus-without-logs",
        "diagnoses, over the corpus, stops without logs (what the remediator does)",
        Some(50_000),
    ),
    ("diagnose/corpus", "diagnoses, over the whole corpus, with logs", Some(50_000)),
];

/// Runs the benches and reads their estimates.
///
/// # Errors
/// If they do not run.
pub fn measure(report: &mut FiguresDocument) -> Result<()> {
    cargo(BENCH.split_whitespace().skip(1).chain(["--", "--noplot", "--quiet"]))?;
    report.section("The pure path");
    report.prose(&format!(
        "`{BENCH}`, on one core, with the profile that the functions are shipped with (dependencies optimised for \
         size, `pullsafe` for speed). The observation is given. \
         Medians."
    ));
    for (bench, what, wanted) in BENCHES {
        let second = per_second(bench)?;
        let goal = wanted.and_then(|wanted| Goal::at_least(wanted, "a second", second));
        report.figure(what, &format!("{} a second", rounded(second)), goal);
    }
    Ok(())
}

fn per_second(bench: &str) -> Result<f64> {
    let folder = target().join("criterion").join(bench).join("new");
    let read = |file: &str| -> Result<Value> {
        let file = folder.join(file);
        let text = fs::read_to_string(&file).context(format!("read {}", file.display()))?;
        serde_json::from_str(&text).context(format!("read {}", file.display()))
    };
    let nanoseconds = read("estimates.json")?["median"]["point_estimate"]
        .as_f64()
        .context("criterion estimates a median")?;
    let elements = read("benchmark.json")?["throughput"]["Elements"].as_f64().unwrap_or(1.0);
    Ok(elements * 1e9 / nanoseconds)
}
