//! `cargo demo`: an account without pullsafe and with it, told in this terminal. It ends with status 1 if it does not
//! end well.
//!
//! `--case NAME` plays another case than the rate-limit loop. `--fast` leaves out the pauses, as does an output that is
//! not a terminal. `--record FILE` writes the rate-limit loop as a picture that moves. `NO_COLOR` is honoured. It may
//! be stopped and played again: it keeps nothing but the report's page.

use std::io::{BufWriter, IsTerminal as _, Write as _, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use pullsafe_report::{Report, html};
use tools::demo::{CASES, DemoCase, DemoStage, recording};
use tools::figures::build::target;

/// What a person would run next.
const NEXT: &str = " What next:
   cargo run -p pullsafe-cli -- diagnose CLUSTER/SERVICE   why does yours not start? It reads, and changes nothing
   cargo run -p pullsafe-cli -- scan PATH                  which images of a repository come from Docker Hub
   sam deploy --guided                                     the stack; it observes, and changes nothing of yours \
   (docs/deploy.md)";

enum Wanted {
    Play { case: &'static DemoCase, fast: bool },
    Record(PathBuf),
}

fn wanted(arguments: &[String]) -> Option<Wanted> {
    let (mut case, mut fast, mut rest) = (CASES.first()?, false, arguments.iter());
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--fast" => fast = true,
            "--case" => {
                let name = rest.next()?;
                case = CASES.iter().find(|case| case.name == *name)?;
            }
            "--record" if arguments.len() == 2 => return rest.next().map(|file| Wanted::Record(PathBuf::from(file))),
            _ => return None,
        }
    }
    Some(Wanted::Play { case, fast })
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo demo [--case NAME] [--fast], or cargo demo --record FILE. The cases:");
    for case in CASES {
        eprintln!("  {:<6}{}", case.name, case.about);
    }
    ExitCode::from(2)
}

/// Writes the report for a browser into the target folder.
fn keep(report: &Report) -> std::io::Result<PathBuf> {
    let file = target().join("demo-report.html");
    std::fs::write(&file, html::page("pullsafe: incidents", std::slice::from_ref(report)))?;
    Ok(file)
}

async fn play(case: &DemoCase, fast: bool) -> Result<(), String> {
    let terminal = stdout().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut pause = |time: Duration| {
        if terminal && !fast {
            std::thread::sleep(time);
        }
    };
    let mut progress = |what: &str| {
        if stderr().is_terminal() {
            let line = if what.is_empty() { String::new() } else { format!(" playing {what} ...") };
            // A line that is taken back is no part of the story.
            let _ = write!(stderr(), "\r\x1b[K{line}");
        }
    };
    let mut out = BufWriter::new(stdout());
    let report = case
        .run(&mut DemoStage::new(&mut out, colours, &mut pause, &mut progress))
        .await
        .map_err(|error| error.to_string())?;
    out.flush().map_err(|error| error.to_string())?;
    if let Some(report) = &report {
        let file = keep(report).map_err(|error| format!("the report could not be written: {error}"))?;
        println!("\n The whole report, for a browser: {}", file.display());
    }
    println!("\n{NEXT}");
    let others: Vec<String> = CASES
        .iter()
        .filter(|other| other.name != case.name)
        .map(|other| format!("--case {}", other.name))
        .collect();
    println!("   cargo demo {:<45} the other cases", others.join(", or "));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match wanted(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Some(Wanted::Play { case, fast }) => play(case, fast).await,
        Some(Wanted::Record(file)) => match recording::record().await {
            Ok(svg) => std::fs::write(&file, svg).map_err(|error| format!("{}: {error}", file.display())),
            Err(error) => Err(error.to_string()),
        },
        None => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo demo: {error}");
            ExitCode::FAILURE
        }
    }
}
