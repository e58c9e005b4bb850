//! What a copy decides, without doing it: which limit a 429 means and when to come back, how many requests may be under
//! way, and for how long a failed source is left alone.
//!
//! Time comes in as a [`std::time::Duration`] since a moment that the caller chooses, or as a timestamp.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod breaker;
pub mod limiter;
pub mod throttle;
