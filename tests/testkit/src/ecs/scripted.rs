//! A registry that is only a table: which tag means which digest, and how a pull of it goes. With a quota for Docker
//! Hub in virtual time, shared by every task behind one NAT gateway.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;

use super::pull_texts;
use super::puller::{PullOutcome, Puller, full_name};
use crate::clock::VirtualClock;

/// A limit of manifest requests to Docker Hub from one address, over a rolling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptedQuota {
    /// The requests allowed within the window.
    pub limit: usize,
    /// The length of the window.
    pub window_seconds: i64,
}

impl ScriptedQuota {
    /// What Docker Hub gives to anonymous callers: 100 in 6 hours.
    pub const ANONYMOUS: Self = Self { limit: 100, window_seconds: 6 * 60 * 60 };
}

/// One attempt, as the registry saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRecord {
    /// When.
    pub at: Timestamp,
    /// The image as it was asked for.
    pub image: String,
    /// The role that asked.
    pub role: Option<String>,
    /// Whether it was served a manifest, and so counted against a quota.
    pub counted: bool,
    /// How it ended.
    pub outcome: PullOutcome,
}

#[derive(Default)]
struct ScriptedTable {
    /// By full reference with its tag: the digest.
    tags: BTreeMap<String, String>,
    /// Repository and digest of every manifest that is there.
    digests: BTreeSet<(String, String)>,
    /// By full reference without digest: what goes wrong after the manifest was served.
    broken: BTreeMap<String, String>,
    /// Full names of repositories that refuse everybody.
    forbidden: BTreeSet<String>,
    quota: Option<ScriptedQuota>,
    spent: VecDeque<Timestamp>,
    records: Vec<PullRecord>,
}

/// A puller with a script that can be changed while it runs. Clones share it.
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

    /// Pushes: the tag means this digest from now on; what it meant before stays reachable by digest.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn push(&self, image: &str, digest: &str) {
        let reference = parse(image);
        let mut table = self.table();
        table.digests.insert((repository(&reference), digest.to_owned()));
        table.tags.insert(tagged(&reference), digest.to_owned());
    }

    /// Takes a tag away.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn remove_tag(&self, image: &str) {
        self.table().tags.remove(&tagged(&parse(image)));
    }

    /// Deletes a manifest, as a lifecycle policy does with one that has lost its tag.
    ///
    /// # Panics
    /// If `image` is not a reference.
    pub fn remove_digest(&self, image: &str, digest: &str) {
        self.table().digests.remove(&(repository(&parse(image)), digest.to_owned()));
    }

    /// From now on the manifest is served, and so counted, but the pull fails with this message; `None` mends it.
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

    /// From now on the repository of `image` answers 403, or no longer.
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

    /// Counts requests that others behind the same address made at a moment.
    pub fn spend(&self, count: usize, at: Timestamp) {
        let mut table = self.table();
        table.spent.extend(std::iter::repeat_n(at, count));
        table.spent.make_contiguous().sort();
    }

    /// Requests that count against the quota now.
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
        // What the table holds is there for every platform.
        let outcome = self.attempt(image, role);
        Box::pin(async move { outcome })
    }
}

impl ScriptedTable {
    /// The outcome, and whether a manifest was served.
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

/// The full reference by tag, also of one that names a digest too.
fn tagged(reference: &Reference) -> String {
    format!("{}:{}", repository(reference), reference.tag().unwrap_or("latest"))
}
