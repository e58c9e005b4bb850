//! What is decided: which second looks a stop is worth, what a look at the world must find, which remedy acts and why
//! the others do not.
//!
//! Pure: nothing here is async, reads a clock or the environment, draws a random number, logs, or names a type of an
//! SDK.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod belongs;
pub mod build_offer;
pub mod count;
pub mod door;
pub mod limit;
pub mod log;
pub mod observation;
pub mod outlook;
pub mod probe;
pub mod recovery;
pub mod refusal;
pub mod remedy;
pub mod service;
pub mod state;
pub mod stray;
