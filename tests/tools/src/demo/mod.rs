//! `cargo demo`: replays what happens to an account without pullsafe and with it, and tells it in a terminal.
//!
//! Each case is a file and a line in [`CASES`]. Its worlds are played to their end on virtual clocks, told, and
//! compared with what has to happen. Everything told is read from the replay, so a demo that succeeds is also a passed
//! test. Nothing here waits: the caller makes the pauses between lines.

pub mod case_a;
mod case_d;
pub mod recording;
pub mod stage;
mod storm;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;

use pullsafe_report::Report;

pub use stage::DemoStage;

/// Why the demo did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The output could not be written.
    #[error("the story could not be written: {0}")]
    Write(#[from] io::Error),
    /// The replay differs from the case, or pullsafe did not cure the service.
    #[error("the replay went wrong: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

/// The result of a case: the report of its incident, where it has one worth a page.
pub type CaseReport = Result<Option<Report>, DemoError>;

/// A case that can be played.
pub struct DemoCase {
    /// Its name after `--case`.
    pub name: &'static str,
    /// One line that says what the case is about.
    pub about: &'static str,
    tell: for<'a, 'b> fn(&'a mut DemoStage<'b>) -> Pin<Box<dyn Future<Output = CaseReport> + 'a>>,
}

impl DemoCase {
    /// Plays the case, tells it, and checks that it went as it should.
    ///
    /// # Errors
    /// If a line cannot be written, or the outcome is not the expected one; the story has then been told, too.
    pub async fn run(&self, stage: &mut DemoStage<'_>) -> CaseReport {
        // Standard output is for the story, so metrics go nowhere.
        pullsafe_aws::telemetry::send_metrics_to(|_| {});
        (self.tell)(stage).await
    }
}

/// Every case; the first is the default.
pub const CASES: &[DemoCase] = &[
    DemoCase {
        name: "a",
        about: "the rate-limit loop: Docker Hub answers 429, and every failed task spends more",
        tell: |stage| Box::pin(case_a::tell(stage)),
    },
    DemoCase {
        name: "d",
        about: "chicken and egg: the service is created before its image is pushed",
        tell: |stage| Box::pin(case_d::tell(stage)),
    },
    DemoCase {
        name: "storm",
        about: "the quota of one address is gone, and forty services meet it at once",
        tell: |stage| Box::pin(storm::tell(stage)),
    },
];
