//! A registry that is only a table: which digest each tag has, and how a pull of it ends. It has a quota for Docker Hub
//! in virtual time, which all tasks behind one NAT gateway share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;

use super::pull_texts;
use super::puller::{PullOutcome, Puller, full_name};
use crate::clock::VirtualClock;

/// A limit on manifest requests to Docker Hub from one address, over a rolling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptedQuota {
    pub limit: usize,
    pub window_seconds: i64,
}

impl ScriptedQuota {
    /// Docker Hub's quota for anonymous callers: 100 requests in 6 hours.
    pub const ANONYMOUS: Self = Self { limit: 100, window_seconds: 6 * 60 * 60 };
}

/// One attempt, as the registry sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRecord {
    pub at: Timestamp,
    /// The image as the attempt named it.
    pub image: String,
    /// The role that asked.
    pub role: Option<String>,
    /// Whether a manifest was served, so that the attempt counted against a quota.
    pub counted: bool,
    pub outcome: PullOutcome,
}

#[derive(Default)]
struct ScriptedTable {
    /// The digest of each tag, by full reference with its tag.
    tags: BTreeMap<String, String>,
    /// Repository and digest of every manifest in the table.
    digests: BTreeSet<(String, String)>,
    /// What goes wrong after the manifest was served, by full reference without digest.
    broken: BTreeMap<String, String>,
    /// Full names of repositories that refuse everyone.
    forbidden: BTreeSet<String>,
    quota: Option<ScriptedQuota>,
    spent: VecDeque<Timestamp>,
    records: Vec<PullRecord>,
}

/// A puller with a script that can be changed while tasks run. Clones share it.
#[derive(Clone)]
pub struct ScriptedPuller {
    clock: VirtualClock,
    table: Arc<Mutex<ScriptedTable>>,
}

impl ScriptedPuller {
    /// A puller that knows no image.
    pub fn new(clock: VirtualClock) -> Self {
        Self { clock, table: Arc::default() }
    }

    /// Pushes an image: the tag has this digest from now on. Its old image stays reachable by digest.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn push(&self, image: &str, digest: &str) {
        let reference = parse(image);
        let mut table = self.table();
        table.digests.insert((repository(&reference), digest.to_owned()));
        table.tags.insert(tagged(&reference), digest.to_owned());
    }

    /// Removes a tag.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn remove_tag(&self, image: &str) {
        self.table().tags.remove(&tagged(&parse(image)));
    }

    /// Deletes a manifest, as a lifecycle policy deletes one that has lost its tag.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn remove_digest(&self, image: &str, digest: &str) {
        self.table().digests.remove(&(repository(&parse(image)), digest.to_owned()));
    }

    /// From now on the manifest is served, and so counts, but the pull fails with this message. `None` repairs it.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn set_broken(&self, image: &str, message: Option<&str>) {
        let key = tagged(&parse(image));
        let mut table = self.table();
        match message {
            Some(message) => table.broken.insert(key, message.to_owned()),
            None => table.broken.remove(&key),
        };
    }

    /// Makes the repository of `image` answer 403 from now on, or no longer.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn set_forbidden(&self, image: &str, forbidden: bool) {
        let key = repository(&parse(image));
        let mut table = self.table();
        if forbidden {
            table.forbidden.insert(key)
        } else {
            table.forbidden.remove(&key)
        };
    }

    /// Limits pulls from Docker Hub, or lifts the limit.
    pub fn set_quota(&self, quota: Option<ScriptedQuota>) {
        self.table().quota = quota;
    }

    /// Counts requests that other clients behind the same address made at a moment.
    pub fn spend(&self, count: usize, at: Timestamp) {
        let mut table = self.table();
        table.spent.extend(std::iter::repeat_n(at, count));
        table.spent.make_contiguous().sort();
    }

    /// How many requests count against the quota now.
    pub fn spent(&self) -> usize {
        let now = self.clock.now();
        let mut table = self.table();
        table.forget(now);
        table.spent.len()
    }

    /// Every attempt so far, oldest first.
    pub fn records(&self) -> Vec<PullRecord> {
        self.table().records.clone()
    }

    fn attempt(&self, image: &str, role: Option<&str>) -> PullOutcome {
        let at = self.clock.now();
        let mut table = self.table();
        let (outcome, counted) = match image.parse::<Reference>() {
            Ok(reference) => table.answer(&reference, at),
            Err(error) => (PullOutcome::Failed { message: format!("invalid reference format: {error}") }, false),
        };
        let record = PullRecord {
            at,
            image: image.to_owned(),
            role: role.map(str::to_owned),
            counted,
            outcome: outcome.clone(),
        };
        table.records.push(record);
        outcome
    }

    fn table(&self) -> MutexGuard<'_, ScriptedTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Puller for ScriptedPuller {
    fn pull<'a>(&'a self, image: &'a str, _platform: &'a str, role: Option<&'a str>) -> BoxFuture<'a, PullOutcome> {
        // Every image in the table exists for every platform.
        let outcome = self.attempt(image, role);
        Box::pin(async move { outcome })
    }
}

impl ScriptedTable {
    /// The outcome of a pull, and whether a manifest was served.
    fn answer(&mut self, reference: &Reference, now: Timestamp) -> (PullOutcome, bool) {
        let failed = |message: String| (PullOutcome::Failed { message }, false);
        let full = full_name(reference);
        let name = repository(reference);
        if self.forbidden.contains(&name) {
            return failed(pull_texts::forbidden(&full, reference.registry(), reference.tag_or_digest()));
        }
        self.forget(now);
        let limit = self.quota.filter(|_| reference.is_docker_hub()).map(|quota| quota.limit);
        if limit.is_some_and(|limit| self.spent.len() >= limit) {
            return failed(pull_texts::quota_spent());
        }
        let digest = match reference.digest() {
            Some(digest) => Some(digest.as_str().to_owned()),
            None => self.tags.get(&tagged(reference)).cloned(),
        };
        let Some(digest) = digest.filter(|digest| self.digests.contains(&(name, digest.clone()))) else {
            return failed(pull_texts::not_found(&full));
        };
        if reference.is_docker_hub() {
            self.spent.push_back(now);
        }
        let outcome = match self.broken.get(&tagged(reference)) {
            Some(message) => PullOutcome::Failed { message: message.clone() },
            None => PullOutcome::Pulled { digest },
        };
        (outcome, true)
    }

    fn forget(&mut self, now: Timestamp) {
        let Some(quota) = self.quota else { return };
        self.spent.retain(|at| now.seconds_since(*at) < quota.window_seconds);
    }
}

fn parse(image: &str) -> Reference {
    image.parse().expect("a script names images by valid references")
}

fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

/// The full reference by tag, even if it names a digest too.
fn tagged(reference: &Reference) -> String {
    format!("{}:{}", repository(reference), reference.tag().unwrap_or("latest"))
}
