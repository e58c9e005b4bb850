//! The image gate: the custom resource `Custom::PullsafeImage`, which lets a stack go on once an image exists.
//!
//! [`decide`] says when a stack is answered what and is pure; the rest looks, parks and answers ([`flow`] first). Without the feature
//! `shell` only the decisions are built.

pub mod decide;

#[cfg(feature = "shell")]
mod deliver;
#[cfg(feature = "shell")]
mod flow;
#[cfg(feature = "shell")]
mod look;
#[cfg(feature = "shell")]
mod poll;
#[cfg(feature = "shell")]
mod requested;
#[cfg(feature = "shell")]
mod response_url;
#[cfg(feature = "shell")]
pub mod table;
#[cfg(feature = "shell")]
mod waker;

#[cfg(feature = "shell")]
pub use flow::{ALLOW_LOCAL_VARIABLE, Gate, GateError, Settings};
#[cfg(feature = "shell")]
pub use response_url::Unanswered;
