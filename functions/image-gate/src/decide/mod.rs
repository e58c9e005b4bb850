//! The image gate: what a stack asks for, what is remembered while it waits, and when it is answered what.
//!
//! A request is **waiting**, then **answering** under a lease with the decided body stored, then **answered**; a Delete
//! makes it **cancelled**. Every step is a new [`wait::Wait`] with the next version, which the store takes only in
//! place of the one before it: of two that want to answer, one does, and whoever repeats an answer sends the bytes that
//! were stored.
//!
//! CloudFormation gives up at a moment that is known ([`deadline`]). Shortly before it two delayed messages wake the
//! waker, so that a request is answered in time even if one of them is lost or its run dies; a sweep every minute sends
//! them.

pub mod answer;
pub mod deadline;
pub mod ecr_errors;
pub mod foreign;
pub mod hint;
pub mod key;
pub mod look;
pub mod mirrored;
pub mod place;
mod platforms;
pub mod properties;
pub mod reason;
pub mod refusal;
mod repository_name;
pub mod request;
pub mod sight;
mod source;
pub mod url;
pub mod verdict;
pub mod wait;
pub mod wanted;
