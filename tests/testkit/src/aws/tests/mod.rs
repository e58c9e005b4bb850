//! The fake, driven by the real SDK clients.

mod control;
mod dynamodb;
mod faults;
mod json;
mod messaging;

use pullsafe::timestamp::Timestamp;

use crate::clock::VirtualClock;

/// A clock at the time of case A.
fn clock() -> VirtualClock {
    VirtualClock::at(Timestamp::parse("2026-01-15T19:47:01Z").unwrap())
}
