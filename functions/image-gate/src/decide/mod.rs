//! The image gate's decisions: what a stack asks for, what is remembered while it waits, and when it gets which answer.
//!
//! A request is **waiting**, then **answering** under a lease with the decided body stored, then **answered**; a Delete
//! makes it **cancelled**. Every step makes a new [`wait::Wait`] with the next version, which the store takes only in
//! place of the version before it. So of two runs that want to answer, only one does, and a run that repeats an answer
//! sends the bytes that were stored.
//!
//! It is known when CloudFormation gives up ([`deadline`]). Shortly before that, two delayed messages wake the waker,
//! so that a request is answered in time even if one of them is lost or its run dies. A sweep every minute sends them,
//! and so does the run that parks a request near its end.

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
