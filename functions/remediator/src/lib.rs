//! The remediator: hears what happens to services and images, finds the cause, and cures what can be cured safely.
//!
//! [`decide`] says what is done about which failure and is pure; the rest looks and acts (`flow.rs` first). Without the
//! feature `shell` only the decisions are built.

pub mod decide;

#[cfg(feature = "shell")]
pub mod act;
#[cfg(feature = "shell")]
mod answer;
#[cfg(feature = "shell")]
mod ask;
#[cfg(feature = "shell")]
pub mod aws;
#[cfg(feature = "shell")]
mod batch;
#[cfg(feature = "shell")]
pub mod build;
#[cfg(feature = "shell")]
mod door;
#[cfg(feature = "shell")]
mod drill;
#[cfg(feature = "shell")]
pub mod evidence;
#[cfg(feature = "shell")]
mod flow;
#[cfg(feature = "shell")]
mod held;
#[cfg(feature = "shell")]
mod leave;
#[cfg(feature = "shell")]
pub mod observe;
#[cfg(feature = "shell")]
mod outbreak;
#[cfg(feature = "shell")]
mod outlook;
#[cfg(feature = "shell")]
mod radar;
#[cfg(feature = "shell")]
mod recent;
#[cfg(feature = "shell")]
mod refuse;
#[cfg(feature = "shell")]
mod stray;
#[cfg(feature = "shell")]
mod tally;
#[cfg(feature = "shell")]
mod tell;
#[cfg(feature = "shell")]
pub mod work;

#[cfg(feature = "shell")]
pub use flow::Remediator;
#[cfg(feature = "shell")]
pub use tally::Tally;
