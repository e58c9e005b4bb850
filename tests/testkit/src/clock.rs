//! One clock for every stand-in, moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pullsafe::timestamp::Timestamp;

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Debug, Clone)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// A clock that shows this moment.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.millis())))
    }

    /// The moment that the clock shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves the clock forward by whole seconds.
    pub fn advance(&self, seconds: i64) {
        self.advance_millis(seconds * 1000);
    }

    /// Moves the clock forward by milliseconds.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves the clock to a moment, unless that has already passed.
    pub fn advance_to(&self, moment: Timestamp) {
        self.0.fetch_max(moment.millis(), Ordering::SeqCst);
    }
}
