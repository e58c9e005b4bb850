//! `cargo demo`: the rate-limit loop, left alone and cured, told in this terminal. It ends with status 1 if it does not end well.
//!
//! `--fast` leaves out the pauses, as does an output that is not a terminal. `NO_COLOR` is honoured.

use std::io::{BufWriter, IsTerminal as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use pullsafe_incident::report::{Report, html};
use tools::demo::{Stage, run};
use tools::figures::build::target;

/// Writes the report for a browser into the target folder.
fn keep(report: &Report) -> std::io::Result<PathBuf> {
    let file = target().join("demo-report.html");
    std::fs::write(&file, html::page("pullsafe: incidents", std::slice::from_ref(report)))?;
    Ok(file)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let fast = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--fast" => true,
        _ => {
            eprintln!("usage: cargo demo [--fast]");
            return ExitCode::from(2);
        }
    };
    let terminal = stdout().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut pause = |time: Duration| {
        if terminal && !fast {
            std::thread::sleep(time);
        }
    };
    let mut out = BufWriter::new(stdout());
    match run(&mut Stage::new(&mut out, colours, &mut pause)).await {
        Ok(report) => match keep(&report) {
            Ok(file) => {
                println!("\n The whole report, for a browser: {}", file.display());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("cargo demo: the report could not be written: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("cargo demo: {error}");
            ExitCode::FAILURE
        }
    }
}
