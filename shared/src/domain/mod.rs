//! The pure part: facts in, decisions out.
//!
//! Nothing here is async, reads a clock, draws a random number, reads the environment, logs, or names a type
//! of an SDK. Time comes in as a [`timestamp::Timestamp`], the outside world as an [`observation::Observation`].
//! `clippy.toml` forbids the functions that would break this, and the crate builds without its adapters.
//!
//! In reading order: an [`event`] is parsed, a stop is diagnosed into a [`cause::Diagnosis`] and added to the
//! service's [`incident`], the [`remedy`] list makes a [`plan`] of it, and a [`notice`] tells about it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod event;

pub mod cause;
pub mod diagnose;
pub mod log;
pub mod probe;
pub mod stopped_task;

pub mod foreign;
pub mod incident;
pub mod recovery;
pub mod waiting;

pub mod observation;
pub mod service;
pub mod task_definition;

pub mod build_remedy;
pub mod plan;
pub mod remedy;

pub mod mirror;

pub mod notice;
pub mod report;

pub mod gate;

pub mod permission;
pub mod settings;

pub mod copy;

pub mod arn;
pub mod manifest;
pub mod reference;
pub mod timestamp;
pub mod yaml;
