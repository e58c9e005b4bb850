//! What a copy decides, without doing it: which limit a 429 means and when to come back, how many requests may be under
//! way, which source is left alone for how long, when a blob is read ahead, what an index looks like with fewer platforms.
//!
//! Time comes in as a [`std::time::Duration`] since a moment of the caller's choice, or as a timestamp.

pub mod ahead;
pub mod allowance;
pub mod breaker;
pub mod limiter;
pub mod platforms;
pub mod throttle;
