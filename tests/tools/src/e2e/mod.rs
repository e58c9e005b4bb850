//! The end-to-end run: the real template and the real release binaries on an emulated AWS, with a real registry as
//! Docker Hub. Every call between them goes over the wire.
//!
//! What the emulator lacks: Application Auto Scaling, for which [`scaling`] stands in, and events of ECS and ECR, which
//! the scenarios send by invoking the remediator, as its rules would. It fires rules by their schedule, and the
//! mirror's does. IAM's policy simulation is the emulator's own.
//!
//! What it needs it installs into `.e2e/` in the project's folder; what it starts it stops, also when it fails.
//! `cargo e2e` is `src/bin/e2e.rs`; the scenarios that it plays are in [`scenarios`].

pub mod emulator;
pub mod http;
pub mod hub;
pub mod package;
pub mod process;
pub mod recorder;
pub mod report;
pub mod scaling;
pub mod scenarios;
pub mod stack;
pub mod tools;

use std::fmt::Display;

/// Why a step failed, for a person to read: what was tried, then what went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StepFailure(pub String);

/// What a step of the run gives.
pub type Result<T, E = StepFailure> = std::result::Result<T, E>;

/// Turns any error into a [`Failure`] that says what was tried.
pub trait WhatWasTried<T> {
    /// Adds what was tried.
    ///
    /// # Errors
    /// The same error, with the addition.
    fn context(self, tried: impl Display) -> Result<T>;
}

impl<T, E: std::error::Error> WhatWasTried<T> for std::result::Result<T, E> {
    fn context(self, tried: impl Display) -> Result<T> {
        self.map_err(|error| {
            let mut text = format!("{tried}: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            StepFailure(text)
        })
    }
}

impl<T> WhatWasTried<T> for Option<T> {
    fn context(self, tried: impl Display) -> Result<T> {
        self.ok_or_else(|| StepFailure(tried.to_string()))
    }
}

/// Fails with a text unless the condition holds.
///
/// # Errors
/// If it does not hold.
pub fn ensure(condition: bool, otherwise: impl Display) -> Result<()> {
    condition.then_some(()).context(otherwise)
}
