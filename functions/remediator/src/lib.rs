//! The remediator: hears what happens to services and images, finds the cause, and cures what can be cured safely.
//!
//! [`remediator_decide`] says what is done about which failure and is pure; this package looks and acts (`flow.rs`
//! first).

pub mod act;
mod ahead;
mod answer;
mod ask;
pub mod aws;
mod batch;
pub mod build;
mod changed;
mod door;
mod drill;
mod due;
pub mod evidence;
mod flow;
mod held;
mod judge;
mod lease;
mod leave;
pub mod observe;
mod outbreak;
mod outlook;
mod radar;
mod recent;
mod refuse;
mod stop;
mod stray;
mod tally;
mod tell;
pub mod work;

pub use flow::Remediator;
pub use tally::Tally;
