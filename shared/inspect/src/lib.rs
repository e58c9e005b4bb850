//! Says what would fail if a task definition were deployed now.
//!
//! [`Needs::of`] says what its tasks need before they can start: images, secrets, log groups, a role. [`Seen`] is what
//! the looks found, and [`findings`] says what that means, and how sure it is. Only [`Certainty::Certain`] says that a
//! task would fail; whoever acts on a finding acts on no other. The looks themselves are a feature (`looks`); without
//! it the package is pure.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod finding;
mod judge;
#[cfg(feature = "looks")]
pub mod looks;
mod need;
mod seen;
#[cfg(test)]
mod tests;

pub use finding::{Certainty, InspectFault, InspectFinding};
pub use judge::findings;
pub use need::{LaunchPlatform, LogGroup, Needs, StartSecret, WantedImage};
pub use seen::{ImageSeen, Seen};
