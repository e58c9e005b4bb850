//! The mirror: keeps byte-identical copies of images in ECR private.
//!
//! [`decide`] says what is mirrored and is pure; the rest looks and copies (`flow.rs` first). Without the feature
//! `shell` only the decisions are built.

pub mod decide;

#[cfg(feature = "shell")]
pub mod aws;
#[cfg(feature = "shell")]
mod configuration;
#[cfg(feature = "shell")]
mod flow;
#[cfg(feature = "shell")]
pub mod look;
#[cfg(feature = "shell")]
mod planner;
#[cfg(feature = "shell")]
mod work;

#[cfg(feature = "shell")]
pub use flow::MirrorFunction;
#[cfg(feature = "shell")]
pub use work::error::JobError;
#[cfg(feature = "shell")]
pub use work::job::Job;
#[cfg(feature = "shell")]
pub use work::rules::BrokenRule;
