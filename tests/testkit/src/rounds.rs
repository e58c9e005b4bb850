//! How deep a program's calls go: a call is one deeper than the deepest that was answered before it was made.
//!
//! With the same latency on every call, what is asked side by side is one round trip, however many calls it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts the round trips of everything that passes here. Clones count together.
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
    /// With this latency on every call, in real time.
    pub fn new(latency: Duration) -> Self {
        Self { latency, state: Arc::default() }
    }

    /// Lets a call pass, after the latency.
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
