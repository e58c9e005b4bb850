//! `cargo demo`: what happens to an account without pullsafe and with it, replayed and told in a terminal.
//!
//! Each case is a file and a line in [`CASES`]. First its worlds are played to their end on their virtual clocks, then
//! what happened is compared with what has to happen, then it is told. What is told is read from the replay, so that a
//! demo which ends well is also a passed test. Nothing here waits: the pauses between lines are the caller's.

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
    /// The terminal, or what stands for it, took no more.
    #[error("the story could not be written: {0}")]
    Write(#[from] io::Error),
    /// The replay did not go as the case did, or pullsafe did not cure it.
    #[error("the replay went wrong: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

/// What a case leaves: the report of its incident, where one is worth a page.
pub type CaseReport = Result<Option<Report>, DemoError>;

/// A case that can be played.
pub struct DemoCase {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    tell: for<'a, 'b> fn(&'a mut DemoStage<'b>) -> Pin<Box<dyn Future<Output = CaseReport> + 'a>>,
}

impl DemoCase {
    /// Plays it, tells it, and says whether it went as it should.
    ///
    /// # Errors
    /// If a line cannot be written, or the outcome is not the expected one; the story is told in that case too.
    pub async fn run(&self, stage: &mut DemoStage<'_>) -> CaseReport {
        // Standard output is the story's.
        pullsafe_aws::telemetry::send_metrics_to(|_| {});
        (self.tell)(stage).await
    }
}

/// Every case, the first by default.
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
