//! Answers of slow reads, which the looks of the next minutes use instead of asking again.
//!
//! Only answers that allow an act are kept, so that whoever mends a role or pushes an image need not wait until an old
//! answer is forgotten. The answers are written together with other changes, and never by themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

/// How long a role counts as allowed to pull. A role seldom loses that within minutes, and a task that fails for it is
/// told as any other. IAM's simulation is the slowest read of a look and the first to be throttled when many are made.
const PULL_SECONDS: i64 = 10 * 60;
/// How long the digest of a tag is kept. The tag may move, but its digest of five minutes ago is what the service's own
/// tries of that time would have run.
const DIGEST_SECONDS: i64 = 5 * 60;

/// The answers, each with the moment of its question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedAnswers {
    /// Roles, each with a repository that it may pull from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pulls: Vec<(String, String, Timestamp)>,
    /// The digests of Docker Hub's images, by the references as they are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    digests: BTreeMap<String, (Digest, Timestamp)>,
}

impl CachedAnswers {
    pub fn is_empty(&self) -> bool {
        self.pulls.is_empty() && self.digests.is_empty()
    }

    /// Returns the answers that still hold.
    #[must_use]
    pub fn fresh(&self, now: Timestamp) -> Self {
        let mut fresh = self.clone();
        fresh.pulls.retain(|(_, _, at)| now.seconds_since(*at) < PULL_SECONDS);
        fresh.digests.retain(|_, (_, at)| now.seconds_since(*at) < DIGEST_SECONDS);
        fresh
    }

    /// Whether a role is known to be allowed to pull from a repository.
    pub fn may_pull(&self, role: &str, repository: &str) -> bool {
        self.pulls.iter().any(|(known, place, _)| known == role && place == repository)
    }

    /// Returns the digest that an image is known to have.
    pub fn digest(&self, image: &str) -> Option<&Digest> {
        self.digests.get(image).map(|(digest, _)| digest)
    }

    /// Keeps that a role may pull from a repository. An answer that still holds keeps its moment: it was not asked for
    /// again.
    pub fn allow(&mut self, role: &str, repository: &str, now: Timestamp) {
        *self = self.fresh(now);
        if !self.may_pull(role, repository) {
            self.pulls.push((role.to_owned(), repository.to_owned(), now));
        }
    }

    /// Keeps the digest of an image. An answer that still holds keeps its moment.
    pub fn keep_digest(&mut self, image: &str, digest: &Digest, now: Timestamp) {
        *self = self.fresh(now);
        self.digests.entry(image.to_owned()).or_insert_with(|| (digest.clone(), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_768_504_620_000);

    #[test]
    fn an_answer_holds_from_its_question_on_and_is_not_made_younger() {
        let (mut kept, digest) = (CachedAnswers::default(), Digest::of(b"image"));
        kept.allow("role", "docker-hub/library/redis", NOW);
        kept.keep_digest("redis:7", &digest, NOW);
        kept.allow("role", "docker-hub/library/redis", NOW.plus_seconds(200));
        kept.keep_digest("redis:7", &Digest::of(b"other"), NOW.plus_seconds(200));
        let later = kept.fresh(NOW.plus_seconds(299));
        assert_eq!(
            (later.may_pull("role", "docker-hub/library/redis"), later.digest("redis:7")),
            (true, Some(&digest))
        );
        assert!(
            !later.may_pull("other", "docker-hub/library/redis") && !later.may_pull("role", "docker-hub/library/nginx")
        );
        let later = kept.fresh(NOW.plus_seconds(300));
        assert_eq!((later.may_pull("role", "docker-hub/library/redis"), later.digest("redis:7")), (true, None));
        assert!(kept.fresh(NOW.plus_seconds(600)).is_empty());
    }
}
