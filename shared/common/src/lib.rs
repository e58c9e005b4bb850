//! The common ground of the pullsafe crates: what every function and the command line speak about.
//!
//! Nothing here is async, draws a random number, reads the environment, logs, or names a type of an SDK. Only [`clock`]
//! reads the time; everything else is given it as a [`timestamp::Timestamp`].

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod arn;
pub mod clock;
pub mod console;
pub mod count;
pub mod digest;
pub mod ecr;
pub mod foreign;
pub mod glob;
pub mod host;
pub mod internet;
mod invalid;
pub mod lookup;
pub mod manifest;
pub mod mirror_job;
pub mod naming;
pub mod notice;
pub mod permission;
pub mod platforms;
pub mod proof;
pub mod reference;
pub mod region;
pub mod repository;
pub mod settings;
pub mod similar;
pub mod stack;
pub mod tags;
pub mod timestamp;
