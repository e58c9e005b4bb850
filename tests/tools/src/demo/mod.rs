//! `cargo demo`: case A replayed twice, told in a terminal.
//!
//! First both worlds are played to their end on their virtual clocks (`replay.rs`), then what happened is compared with
//! what the case's record says (`check.rs`), then it is told (`story.rs`). What is told is read from the replay, so that a
//! demo which ends well is also a passed test. Nothing here waits: the pauses between lines are the caller's.

pub mod check;
mod plot;
pub mod replay;
pub mod stage;
mod story;

#[cfg(test)]
mod tests;

use std::io;

use pullsafe_incident::report::Report;

pub use replay::Replay;
pub use stage::Stage;

/// Why the demo did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The terminal, or what stands for it, took no more.
    #[error("the story could not be written: {0}")]
    Write(#[from] io::Error),
    /// The replay did not go as the case did, or pullsafe did not cure it.
    #[error("the replay went wrong: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

/// Plays both worlds, tells the story, and says whether it went as it should. Gives the report of the incident.
///
/// # Errors
/// If a line cannot be written, or the outcome is not the expected one; the story is told in that case too.
pub async fn run(stage: &mut Stage<'_>) -> Result<Report, DemoError> {
    // Standard output is the story's.
    pullsafe_aws::telemetry::send_metrics_to(|_| {});
    story::opening(stage)?;
    let left = replay::without_pullsafe().await;
    let right = replay::with_pullsafe().await;
    story::left_alone(stage, &left)?;
    story::with_pullsafe(stage, &right)?;
    plot::draw(stage, &left, &right)?;
    story::notices(stage, &right)?;
    let report = right.report();
    if let Some(report) = &report {
        story::report(stage, report)?;
    }
    let mut faults = check::faults(&left, &right);
    faults.extend(report.is_none().then(|| "there is no incident to report".to_owned()));
    match report {
        Some(report) if faults.is_empty() => {
            story::closing(stage, &left, &right)?;
            Ok(report)
        }
        Some(_) | None => Err(DemoError::Wrong(faults)),
    }
}
