//! How many calls of a program follow one another: the depth of a call is one more than the deepest call that was
//! answered before it was made.
//!
//! With the same latency on every call, calls that are made side by side take one round trip, however many they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts the round trips of all calls that pass here. Clones share the count.
#[derive(Debug, Clone)]
pub struct Rounds {
    latency: Duration,
    state: Arc<Mutex<RoundsState>>,
}

#[derive(Debug, Default)]
struct RoundsState {
    answered: usize,
    calls: Vec<(String, usize)>,
}

impl Rounds {
    /// Gives every call this latency, in real time.
    pub fn new(latency: Duration) -> Self {
        Self { latency, state: Arc::default() }
    }

    /// Lets a call pass after its latency.
    pub async fn pass(&self, call: String) {
        let depth = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let depth = state.answered + 1;
            state.calls.push((call, depth));
            depth
        };
        tokio::time::sleep(self.latency).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answered = state.answered.max(depth);
    }

    /// Every call so far with its depth, from 1, in the order of arrival.
    pub fn calls(&self) -> Vec<(String, usize)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }
}
