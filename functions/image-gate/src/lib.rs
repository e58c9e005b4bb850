//! The image gate: the custom resource `Custom::PullsafeImage`, which lets a stack go on once an image exists.
//!
//! [`decide`] says when a stack is answered what and is pure; the rest looks, parks and answers. Without the feature
//! `shell` only the decisions are built.
//!
//! One program, deployed as two functions; the event's shape says which of them it is.
//!
//! - The **gate** gets CloudFormation's requests, directly or through a topic. It looks; if the image is absent, it
//!   parks the request in the table, looks once more (a push may have come between) and ends. It never waits in a
//!   running function, unless parking is impossible: then it looks again and again until shortly before its end, and
//!   answers FAILED.
//! - The **waker** gets what brings images, the sweep of every minute, the delayed messages that precede the end of a
//!   wait, and the requests that the gate failed at, which it takes up as the gate would have. It looks where somebody
//!   waits, once for a repository, and answers.
//!
//! One request gets one answer, whatever happens: a bad property, a panic and a timeout are answered FAILED with a
//! reason. The answer is decided under a claim on the request's row and stored in it, so that whoever repeats it sends
//! the same bytes. A Delete is answered first of all and needs no permission.

pub mod decide;

#[cfg(feature = "shell")]
mod deliver;
#[cfg(feature = "shell")]
mod dispatch;
#[cfg(feature = "shell")]
mod gate;
#[cfg(feature = "shell")]
mod look;
#[cfg(feature = "shell")]
mod poll;
#[cfg(feature = "shell")]
mod requested;
#[cfg(feature = "shell")]
mod response_url;
#[cfg(feature = "shell")]
mod rollback;
#[cfg(feature = "shell")]
mod sight;
#[cfg(feature = "shell")]
mod stacks;
#[cfg(feature = "shell")]
pub mod table;
#[cfg(feature = "shell")]
mod timers;
#[cfg(feature = "shell")]
mod waker;

#[cfg(feature = "shell")]
pub use gate::{GateContext, GateError, ImageGate};
#[cfg(feature = "shell")]
pub use response_url::UndeliveredResponse;
