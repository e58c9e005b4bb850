//! The image gate: the custom resource `Custom::PullsafeImage`, which lets a stack go on once an image exists.
//!
//! One program, deployed as two functions; the event's shape says which of them it is.
//!
//! - The **gate** gets CloudFormation's requests, directly or through a topic. It looks; if the image is absent, it parks the
//!   request in the table, looks once more (a push may have come between) and ends. It never waits in a running function,
//!   unless parking is impossible: then it looks again and again until shortly before its end, and answers FAILED.
//! - The **waker** gets what brings images, the sweep of every minute, the delayed messages that precede the end of a wait, and the
//!   requests that the gate failed at, which it takes up as the gate would have. It looks where somebody waits, once for a
//!   repository, and answers.
//!
//! One request gets one answer, whatever happens: a bad property, a panic and a timeout are answered FAILED with a reason. The
//! answer is decided under a claim on the request's row and stored in it, so that whoever repeats it sends the same bytes. A
//! Delete is answered first of all and needs no permission.

mod deliver;
mod dispatch;
mod gate;
mod look;
mod poll;
mod requested;
mod response_url;
mod rollback;
mod sight;
mod timers;
mod waker;

pub use gate::{Gate, GateError, Settings};
pub use response_url::Unanswered;
