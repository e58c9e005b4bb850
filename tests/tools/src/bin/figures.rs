//! `cargo figures`: builds the functions as they are shipped, measures them, and writes `docs/figures.md`.
//!
//! With names of parts (`size crates start memory events pure log trips storm cost`) only these are measured and
//! written, and the others stay as they are. With `--print` nothing is written. `cargo figures scan` measures `pullsafe
//! scan` instead, and writes its table into `docs/scan.md`.

use std::cell::OnceCell;
use std::process::ExitCode;

use pullsafe::clock;
use tools::e2e::{Result, WhatWasTried as _, ensure};
use tools::figures::account::PlayedAccount;
use tools::figures::build::{BUILD, Binaries};
use tools::figures::report::FiguresDocument;
use tools::figures::{crates, load, logs, machine, size, speed, start, storm, tree, trips};

const PARTS: &[&str] = &["size", "crates", "start", "memory", "events", "pure", "log", "trips", "storm", "cost"];

fn main() -> ExitCode {
    // Unoptimised, the SDK's futures need more than the main thread's stack; other threads have what .cargo/config.toml
    // says.
    std::thread::spawn(measured).join().unwrap_or(ExitCode::FAILURE)
}

#[tokio::main]
async fn measured() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if chosen == ["scan"] {
        return finished(tree::write());
    }
    let (options, parts): (Vec<String>, Vec<String>) = chosen.into_iter().partition(|word| word == "--print");
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!(
            "there is no part `{unknown}`; usage: cargo figures [--print] [{}], or cargo figures scan",
            PARTS.join("] [")
        );
        return ExitCode::from(2);
    }
    finished(run(&parts, options.is_empty()).await)
}

fn finished(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(chosen: &[String], write: bool) -> Result<()> {
    let now = clock::system()();
    let mut report =
        FiguresDocument::taken(now.to_string().split('T').next().unwrap_or_default(), &machine::describe());
    // Built when the first part needs them: some parts measure the domain alone.
    let built = OnceCell::new();
    let binaries = || match built.get() {
        Some(binaries) => Ok(binaries),
        None => Binaries::build().map(|binaries| built.get_or_init(|| binaries)),
    };
    for part in PARTS.iter().filter(|part| chosen.is_empty() || chosen.iter().any(|name| name == *part)) {
        match *part {
            "size" => size::measure(binaries()?, &mut report)?,
            "crates" => crates::measure(binaries()?, &mut report)?,
            "start" => start::measure(binaries()?, &PlayedAccount::new(now), &mut report).await?,
            "memory" => load::memory(&binaries()?.function("remediator"), &mut report).await?,
            "events" => load::throughput(&binaries()?.function("remediator"), &mut report).await?,
            "pure" => speed::measure(&mut report)?,
            "log" => logs::measure(&mut report)?,
            "trips" => trips::measure(&mut report).await?,
            "storm" => storm::measure(&mut report).await?,
            "cost" => storm::cost(&mut report).await?,
            other => ensure(false, format!("`{other}` is not measured"))?,
        }
    }
    if write {
        let file = tools::e2e::tools::project().join("docs/figures.md");
        let earlier = if chosen.is_empty() {
            String::new()
        } else {
            std::fs::read_to_string(&file).context("read docs/figures.md")?
        };
        let head = format!(
            "# Figures\n\nMade by `cargo figures`, which builds with `{BUILD}`. A part can be measured alone (`cargo \
             figures storm`)."
        );
        std::fs::write(&file, report.document(&head, &earlier)).context("write docs/figures.md")?;
        println!("\nwritten to docs/figures.md");
    }
    if !report.missed().is_empty() {
        println!("missed: {}", report.missed().join("; "));
    }
    Ok(())
}
