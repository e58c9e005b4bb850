//! One clock for everything that pretends to be outside, moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pullsafe::timestamp::Timestamp;

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Debug, Clone)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// A clock that shows this moment.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.millis())))
    }

    /// The moment it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward by whole seconds.
    pub fn advance(&self, seconds: i64) {
        self.advance_millis(seconds * 1000);
    }

    /// Moves it forward by milliseconds.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves it to a moment, unless that has already passed.
    pub fn advance_to(&self, moment: Timestamp) {
        self.0.fetch_max(moment.millis(), Ordering::SeqCst);
    }
}
