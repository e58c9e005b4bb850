//! What a copy decides, without doing it: which limit a 429 means and when to come back, how many requests may be under
//! way, which source is left alone for how long.
//!
//! Time comes in as a [`std::time::Duration`] since a moment of the caller's choice, or as a timestamp.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod breaker;
pub mod limiter;
pub mod throttle;
