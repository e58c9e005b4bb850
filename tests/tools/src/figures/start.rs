//! From the start of a process to its first request for an event.

use std::time::Duration;

use super::account::PlayedAccount;
use super::build::Binaries;
use super::report::{FiguresDocument, Goal};
use crate::e2e::{Result, WhatWasTried as _};
use testkit::runtime_api::{FunctionConfig, Runtime};

/// How often each binary is started.
pub const ROUNDS: usize = 40;
/// The most that a function may take, in starts of the bare function.
const MOST: f64 = 1.3;

/// Starts the functions and the bare one in turn, and compares.
///
/// # Errors
/// If one does not start.
pub async fn measure(binaries: &Binaries, account: &PlayedAccount, report: &mut FiguresDocument) -> Result<()> {
    report.section("Start");
    report.prose(&format!(
        "From the start of the process to its first request for an event, beside a function that does nothing \
         (`tests/testkit/src/bin/bare.rs`, \
         same runtime, same profile): {ROUNDS} starts of each, in turn, in one run, all with the same environment. \
         The ratio is that of the medians."
    ));
    let (_served, config) = account.serve(&binaries.bare()).await?;
    let names = ["bare", "remediator", "mirror", "image-gate", "widget", "probe"];
    let mut times: [Vec<Duration>; 6] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..names.len() {
            // Nobody always comes after the same one.
            let which = (turn + round) % names.len();
            let bootstrap = if which == 0 { binaries.bare() } else { binaries.function(names[which]) };
            let runtime = Runtime::start(&FunctionConfig { bootstrap, ..config.clone() })
                .await
                .context(format!("start {}", names[which]))?;
            times[which].push(runtime.time_to_first_next());
            runtime.stop().await.context("stop it")?;
        }
    }
    let bare = median(&mut times[0]);
    for (name, times) in names.iter().zip(&mut times) {
        let median = median(times);
        let ratio = median.as_secs_f64() / bare.as_secs_f64();
        let milliseconds =
            |time: Option<&Duration>| format!("{:.1}", time.copied().unwrap_or_default().as_secs_f64() * 1000.0);
        let range = format!(
            "{} ms (from {} to {})",
            milliseconds(Some(&median)),
            milliseconds(times.first()),
            milliseconds(times.last())
        );
        match *name {
            "bare" => report.figure("bare", &range, None),
            name => report.figure(name, &format!("{range}, {ratio:.2} × bare"), Goal::at_most(MOST, "× bare", ratio)),
        }
    }
    Ok(())
}

/// Sorts, and takes the middle.
pub(super) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
