//! Chooses where content comes from: alternates first, each behind a breaker, the source itself last.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::{CopyRequest, lock};
use crate::decide::breaker::Breaker;
use crate::decide::throttle::quota_returns_within;
use crate::error::RegistryError;
use pullsafe::reference::{Reference, pull_quota};

/// What is known about sources, for all copies of a process.
#[derive(Debug)]
pub(crate) struct Sources {
    started: Instant,
    /// By registry, or by repository where a failure says nothing about the registry's others.
    breakers: Mutex<HashMap<String, Breaker>>,
    /// The registries whose pull quota is used up: until when no request that counts is sent, and their error.
    used_up: Mutex<HashMap<String, (Instant, RegistryError)>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            breakers: Mutex::default(),
            used_up: Mutex::default(),
        }
    }
}

impl Sources {
    /// Returns the repositories to ask, in order. The source itself is always among them.
    pub(crate) fn ladder(&self, request: &CopyRequest) -> Vec<Reference> {
        let now = self.started.elapsed();
        let mut breakers = lock(&self.breakers);
        let mut admits = |key: &str| breakers.get_mut(key).is_none_or(|breaker| breaker.admits(now));
        let alternates = request
            .alternates
            .iter()
            .filter(|alternate| admits(&repository(alternate)) && admits(alternate.registry()));
        alternates.chain([&request.source]).cloned().collect()
    }

    /// Notes that a source failed. That it lacks something says nothing about the next request.
    pub(crate) fn failed(&self, source: &Reference, error: &RegistryError) {
        let (key, said) = match error {
            RegistryError::NotFound { .. } | RegistryError::OutOfTime { .. } | RegistryError::TagImmutable { .. } => {
                return;
            }
            RegistryError::Limited { retry_after, limit, .. } => {
                let hour = Duration::from_secs(3600);
                (
                    source.registry().to_owned(),
                    retry_after.or(limit.lasts().then_some(hour)).map(|wait| wait.min(hour)),
                )
            }
            RegistryError::Unavailable { .. }
            | RegistryError::Connection { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::TooSlow { .. } => (source.registry().to_owned(), None),
            RegistryError::Invalid(_)
            | RegistryError::Denied { .. }
            | RegistryError::Credentials { .. }
            | RegistryError::Refused { .. }
            | RegistryError::Content { .. }
            | RegistryError::Answer { .. } => (repository(source), None),
        };
        tracing::info!(source = %source.registry(), %error, "a source failed; others are asked first for a while");
        lock(&self.breakers).entry(key).or_default().failed(self.started.elapsed(), said);
    }

    /// Notes that a source gave what it was asked for.
    pub(crate) fn worked(&self, source: &Reference) {
        let mut breakers = lock(&self.breakers);
        for key in [repository(source).as_str(), source.registry()] {
            if let Some(breaker) = breakers.get_mut(key) {
                breaker.worked();
            }
        }
    }

    /// Returns the error of a registry whose pull quota is used up, as long as no request that counts may be sent.
    pub(crate) fn used_up(&self, registry: &str) -> Option<RegistryError> {
        let used_up = lock(&self.used_up);
        used_up.get(registry).filter(|(until, _)| Instant::now() < *until).map(|(_, error)| error.clone())
    }

    /// Notes a quota that is used up. It comes back pull by pull, so the registry is asked again after a while, not
    /// only after the whole window.
    pub(crate) fn note_quota(&self, registry: &str, error: &RegistryError) {
        if let RegistryError::Limited { quota, retry_after, .. } = error
            && error.is_pull_quota()
        {
            let window = quota.as_ref().map_or(pull_quota::WINDOW_SECONDS, |quota| quota.window_seconds);
            let rest = quota_returns_within(window, *retry_after).min(Duration::from_secs(window / 24));
            lock(&self.used_up).insert(registry.to_owned(), (Instant::now() + rest, error.clone()));
        }
    }
}

fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}
