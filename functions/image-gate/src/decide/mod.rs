//! The image gate: what a stack asks for, what is remembered while it waits, and when it is answered what.
//!
//! A request is **waiting**, then **answering** under a lease with the decided body stored, then **answered**; a Delete makes
//! it **cancelled**. Every step is a new [`wait::Wait`] with the next version, which the store takes only in place of the one
//! before it: of two that want to answer, one does, and whoever repeats an answer sends the bytes that were stored.
//!
//! CloudFormation gives up at a moment that is known ([`deadline`]). A sweep every minute answers whatever would not live to
//! see the next one and one more, so that a request is answered in time even if a sweep dies.

pub mod answer;
pub mod deadline;
pub mod hint;
pub mod key;
pub mod look;
pub mod place;
pub mod reason;
pub mod request;
pub mod url;
pub mod wait;
