//! The pure part: facts in, decisions out.
//!
//! Nothing here is async, reads a clock, draws a random number, reads the environment, logs, or names a type
//! of an SDK. Time comes in as a [`timestamp::Timestamp`], the outside world as observations. `clippy.toml`
//! forbids the functions that would break this, and the crate builds without its adapters.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cause;
pub mod diagnose;
pub mod reference;
pub mod stopped_task;
pub mod timestamp;
