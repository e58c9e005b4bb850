//! Answers of a moment ago, kept for the next look. In a storm the services of a cluster are looked at in the same
//! seconds, and many of them run the same task definition under the same role; ECS answers twenty calls of a kind a
//! second, IAM about ten. Looks use what is kept here; a step that is about to act asks anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pullsafe::timestamp::Timestamp;

/// How many seconds an answer is used again.
const KEPT_SECONDS: i64 = 30;

/// Answers by what was asked about. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Recent<T>(Arc<Mutex<BTreeMap<String, (Timestamp, T)>>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Recent<T> {
    /// Returns the answer of a moment ago, or asks now.
    ///
    /// # Errors
    /// Those of `question`. A failure is not kept.
    pub(crate) async fn or_ask<E>(
        &self,
        about: &str,
        now: Timestamp,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let is_fresh = |at: Timestamp| (0..KEPT_SECONDS).contains(&now.seconds_since(at));
        // A panic elsewhere cannot leave the map half changed.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(about).cloned();
        if let Some((_, answer)) = known.filter(|(at, _)| is_fresh(*at)) {
            return Ok(answer);
        }
        let answer = question.await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| is_fresh(*at));
        kept.insert(about.to_owned(), (now, answer.clone()));
        Ok(answer)
    }
}
