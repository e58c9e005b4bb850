//! What reading a long log costs: `shared/diagnosis/examples/long_log.rs`, in a process of its own.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::report::{FiguresDocument, Goal, megabytes};
use crate::e2e::tools::project;
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// The command, for the document.
pub const COMMAND: &str = "cargo run --release -p pullsafe-diagnosis --example long_log";

/// How much the process may grow, in megabytes.
const MOST: f64 = 32.0;

/// Reads the log, and takes what the process says of itself.
///
/// # Errors
/// If it does not run.
pub fn measure(report: &mut FiguresDocument) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(project()).args(COMMAND.split_whitespace().skip(1)).stderr(Stdio::inherit());
    let output = command.output().context("run the example")?;
    ensure(output.status.success(), format!("{command:?}: {}", output.status))?;
    let found: Value = serde_json::from_slice(&output.stdout).context("read what the example says")?;
    ensure(found["signature"] == "module-missing", format!("the telling line was not found: {found}"))?;
    let peak = found["peak_above_start_bytes"].as_u64().context("the peak of the process")?;
    let bytes = found["bytes"].as_u64().context("the length of the log")?;
    report.section("A long log");
    report.prose(&format!(
        "`{COMMAND}`: {} MB of plain text, one-line JSON and coloured lines, newest page first, in pages of 1 MB; the \
         line that tells stands in the middle. What the functions read of \
         one stop is at most 4 MB.",
        megabytes(bytes).round()
    ));
    report.figure(
        "peak of the process above its start (VmHWM)",
        &format!("{} MB", megabytes(peak)),
        Goal::at_most(MOST, "MB", peak as f64 / 1e6),
    );
    if let Some(seconds) = found["processor_seconds"].as_f64() {
        report.figure("time on the processor, the making of the lines included", &format!("{seconds:.1} s"), None);
    }
    Ok(())
}
