//! The plan of a run: which images are copied, which are current, which cannot be copied, and which wait for the quota.
//!
//! Docker Hub counts GETs of manifests. An image whose digest another source holds is expected to cost nothing. If
//! every other source fails, it costs one GET for its manifest and one for each manifest below it; the plan names this
//! worst case. The quota is given out in order: first to what runs in ECS, then to what has been behind for longest. An
//! image that does not get enough waits for the next run, and so does every image behind it that needs quota. Otherwise
//! a large image would starve behind many small ones.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use self::want::Want;
use crate::decide::config::MirrorConfig;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

/// How much of the quota is kept back for requests between the runs, in per cent.
const KEPT_BACK_PERCENT: u64 = 10;
/// For how long a copy that was asked for is not asked for again.
pub const ASK_AGAIN_SECONDS: i64 = 2 * 3600;
/// Bytes of an index for each manifest that it names: fewer than any index has, so that the estimate is not too low.
const BYTES_PER_CHILD: u64 = 300;

/// What the source says about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtSource {
    /// The reference means this image now.
    Is(SourceImage),
    /// There is no such image.
    Absent,
    /// The look failed, and why.
    Unknown(String),
}

/// An image at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    pub digest: Digest,
    /// The media type of its manifest, where the registry says.
    pub media_type: String,
    /// The size of its manifest, where the registry says.
    pub manifest_size: Option<u64>,
    /// How many manifests are below it, where they were counted.
    pub children: Option<u32>,
    /// When it was pushed, where that is known.
    pub pushed_at: Option<Timestamp>,
    /// Whether a source without a quota holds this digest.
    pub elsewhere: bool,
    /// The digest that the target holds, if it was made from this image by choosing some of its platforms.
    pub made: Option<Digest>,
}

/// What the target holds under the image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtTarget {
    /// Nothing.
    Absent,
    /// This digest, ready to be pulled.
    Holds(Digest),
    /// This digest, in the archive, from where it cannot be pulled.
    Archived(Digest),
    /// The look failed, and why.
    Unknown(String),
}

/// An image with what was found at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSides {
    pub want: Want,
    pub source: AtSource,
    pub target: AtTarget,
    /// Whether the target's tag cannot be changed.
    pub frozen: bool,
}

/// Docker Hub's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HubBudget {
    /// Pulls in the window.
    pub limit: u64,
    /// Pulls that are left.
    pub remaining: u64,
    /// The length of the window.
    pub window_seconds: u64,
}

impl HubBudget {
    /// What a run may spend.
    pub const fn to_spend(&self) -> u64 {
        self.remaining.saturating_sub(self.kept_back())
    }

    /// What stays for requests between the runs.
    pub const fn kept_back(&self) -> u64 {
        self.limit * KEPT_BACK_PERCENT / 100
    }
}

/// What the plan does with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyDecision {
    /// It is copied.
    Copy,
    /// It would be copied, but the copy was asked for not long ago.
    Asked,
    /// It would be copied, but the quota does not suffice.
    Later,
    /// The target holds it already.
    Current,
    /// The target holds something else under a tag that cannot be changed.
    Blocked,
    /// The source has no such image.
    Absent,
    /// What to do is not known; the text says why.
    Unknown(String),
}

impl CopyDecision {
    /// Something of which nothing is known, to ask for what is like it.
    pub const NOT_KNOWN: Self = Self::Unknown(String::new());

    /// Whether it is the same action. Why something is not known does not matter.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The name in output.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Asked => "asked",
            Self::Later => "later",
            Self::Current => "current",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// An image of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedImage {
    pub want: Want,
    pub action: CopyDecision,
    /// The digest at the source, where it is known.
    pub digest: Option<Digest>,
    /// The digest that the target holds under the name, if any.
    pub holds: Option<Digest>,
    /// Whether the target's copy lies in the archive.
    pub archived: bool,
    /// Pulls that are expected.
    pub expected_pulls: u64,
    /// Pulls if every other source fails.
    pub worst_pulls: u64,
    /// Since when the mirror has been behind with this image, if it is behind.
    pub behind_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MirrorPlan {
    /// Every image: those to be copied come first, in the order of copying.
    pub items: Vec<PlannedImage>,
    /// The quota, where there is one.
    pub budget: Option<HubBudget>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What is remembered between the runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Since when each target has been behind.
    pub behind: BTreeMap<String, Timestamp>,
    /// Copies that were asked for, by target: the digest that it is to get, and when the copy was asked for.
    pub asked: BTreeMap<String, (Digest, Timestamp)>,
    /// Images that nothing wants, since when, and in how many runs.
    pub unwanted: BTreeMap<String, (Timestamp, u32)>,
    /// The faults of the configuration that people were told about.
    pub told: Option<String>,
    /// What kept unwanted images from being deleted in the last run, and whether people know.
    pub stuck: Option<(String, bool)>,
}

/// Decides for every image what happens to it, and gives out the quota in order.
pub fn plan(seen: Vec<ImageSides>, budget: Option<HubBudget>, memory: &Memory, now: Timestamp) -> MirrorPlan {
    let mut items: Vec<PlannedImage> = seen.into_iter().map(|seen| item(seen, memory, now)).collect();
    items.sort_by_cached_key(rank);
    let mut to_spend = budget.map(|budget| budget.to_spend());
    // The cost is capped: an image that needs more than the quota can ever give must not wait for ever.
    let most = budget.map_or(u64::MAX, |budget| budget.limit - budget.kept_back());
    let mut paid: HashSet<Digest> = HashSet::new();
    let mut waiting = false;
    for item in items.iter_mut().filter(|item| item.action == CopyDecision::Copy) {
        // The same image under another tag is copied only once.
        let once = item.digest.clone().is_some_and(|digest| paid.contains(&digest));
        let cost = if once { 0 } else { item.expected_pulls.min(most) };
        if once {
            (item.expected_pulls, item.worst_pulls) = (0, 0);
        }
        let enough = to_spend.is_none_or(|left| cost <= left);
        if cost > 0 && (waiting || !enough) {
            waiting = true;
            item.action = CopyDecision::Later;
            continue;
        }
        to_spend = to_spend.map(|left| left - cost);
        paid.extend(item.digest.clone());
    }
    items.sort_by_cached_key(rank);
    MirrorPlan { items, budget, warnings: Vec::new() }
}

/// The order of the plan: by action, then what runs in ECS first, then what has been behind for longest.
fn rank(item: &PlannedImage) -> (u8, bool, Option<Timestamp>, String) {
    let action = match item.action {
        CopyDecision::Copy => 0,
        CopyDecision::Asked => 1,
        CopyDecision::Later => 2,
        CopyDecision::Blocked => 3,
        CopyDecision::Absent => 4,
        CopyDecision::Unknown(_) => 5,
        CopyDecision::Current => 6,
    };
    (action, item.want.used_by.is_empty(), item.behind_since, item.want.target.to_string())
}

fn item(seen: ImageSides, memory: &Memory, now: Timestamp) -> PlannedImage {
    let key = seen.want.target.to_string();
    let (source, target, want) = (seen.source, seen.target, seen.want);
    let (holds, archived) = match &target {
        AtTarget::Holds(digest) => (Some(digest.clone()), false),
        AtTarget::Archived(digest) => (Some(digest.clone()), true),
        AtTarget::Absent | AtTarget::Unknown(_) => (None, false),
    };
    let image = match source {
        AtSource::Is(image) => image,
        AtSource::Absent => return PlannedImage::without_source(want, CopyDecision::Absent, holds, archived),
        AtSource::Unknown(why) => {
            return PlannedImage::without_source(want, CopyDecision::Unknown(why), holds, archived);
        }
    };
    let asked = memory
        .asked
        .get(&key)
        .is_some_and(|(digest, at)| *digest == image.digest && now.seconds_since(*at) < ASK_AGAIN_SECONDS);
    let action = match &target {
        AtTarget::Unknown(why) => CopyDecision::Unknown(why.clone()),
        AtTarget::Holds(digest) if *digest == image.digest || image.made.as_ref() == Some(digest) => {
            CopyDecision::Current
        }
        AtTarget::Holds(_) | AtTarget::Archived(_) if seen.frozen => CopyDecision::Blocked,
        AtTarget::Absent | AtTarget::Holds(_) | AtTarget::Archived(_) if asked => CopyDecision::Asked,
        AtTarget::Absent | AtTarget::Holds(_) | AtTarget::Archived(_) => CopyDecision::Copy,
    };
    let worst = if want.source.is_docker_hub() { 1 + children(&image) } else { 0 };
    let moves = matches!(action, CopyDecision::Copy | CopyDecision::Asked | CopyDecision::Later);
    let behind =
        matches!(action, CopyDecision::Copy | CopyDecision::Asked | CopyDecision::Later | CopyDecision::Blocked);
    // A tag that moved has been behind since it was pushed at the source; one that was never there, since it was first
    // missed.
    let began = if holds.is_some() { image.pushed_at } else { None };
    let since = memory.behind.get(&key).copied().or(began).unwrap_or(now).min(now);
    PlannedImage {
        expected_pulls: if moves && !image.elsewhere { worst } else { 0 },
        worst_pulls: if moves { worst } else { 0 },
        behind_since: behind.then_some(since),
        digest: Some(image.digest),
        want,
        action,
        holds,
        archived,
    }
}

impl PlannedImage {
    fn without_source(want: Want, action: CopyDecision, holds: Option<Digest>, archived: bool) -> Self {
        Self {
            want,
            action,
            digest: None,
            holds,
            archived,
            expected_pulls: 0,
            worst_pulls: 0,
            behind_since: None,
        }
    }
}

/// The number of manifests below an image: counted, or estimated from the size of the index, never too low.
fn children(image: &SourceImage) -> u64 {
    let is_index = image.media_type.contains("index") || image.media_type.contains("list");
    match (image.children, is_index || image.media_type.is_empty()) {
        (Some(children), _) => u64::from(children),
        (None, true) => image.manifest_size.unwrap_or(5_000).div_ceil(BYTES_PER_CHILD),
        (None, false) => 0,
    }
}

impl MirrorPlan {
    /// What is to be copied, in order.
    pub fn copies(&self) -> impl Iterator<Item = &PlannedImage> {
        self.items.iter().filter(|item| item.action == CopyDecision::Copy)
    }

    /// How many images have this action. Why something is not known does not matter.
    pub fn count(&self, action: &CopyDecision) -> u64 {
        self.items.iter().map(|item| u64::from(item.action.is_like(action))).sum()
    }

    /// The pulls of what is copied: those expected, and those in the worst case.
    pub fn pulls(&self) -> (u64, u64) {
        self.copies()
            .fold((0, 0), |(expected, worst), item| (expected + item.expected_pulls, worst + item.worst_pulls))
    }

    /// For how many seconds the image that is furthest behind has been behind. Blocked images are left out: a person
    /// has to decide about them, and they would be behind for ever.
    pub fn oldest_behind_seconds(&self, now: Timestamp) -> u64 {
        let oldest = self
            .items
            .iter()
            .filter(|item| item.action != CopyDecision::Blocked)
            .filter_map(|item| item.behind_since)
            .min();
        oldest.map_or(0, |since| u64::try_from(now.seconds_since(since)).unwrap_or_default())
    }

    /// Whether every wanted image could be looked at and is, or will be, in the mirror.
    pub fn is_complete(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.action, CopyDecision::Copy | CopyDecision::Asked | CopyDecision::Current))
    }

    /// What to remember after this plan; `asked` has the items whose copies were asked for because of it. An image that
    /// nobody wants any more is forgotten.
    pub fn remember(&self, memory: &Memory, asked: &[&PlannedImage], now: Timestamp) -> Memory {
        let key = |item: &PlannedImage| item.want.target.to_string();
        let behind = self.items.iter().filter_map(|item| match &item.action {
            // An image that could not be looked at may still be behind.
            CopyDecision::Unknown(_) | CopyDecision::Absent => Some((key(item), *memory.behind.get(&key(item))?)),
            CopyDecision::Copy
            | CopyDecision::Asked
            | CopyDecision::Later
            | CopyDecision::Blocked
            | CopyDecision::Current => Some((key(item), item.behind_since?)),
        });
        let still = self
            .items
            .iter()
            .filter(|item| item.action == CopyDecision::Asked)
            .filter_map(|item| memory.asked.get_key_value(&key(item)));
        let new = asked.iter().filter_map(|item| Some((key(item), (item.digest.clone()?, now))));
        Memory {
            behind: behind.collect(),
            asked: still.map(|(key, asked)| (key.clone(), asked.clone())).chain(new).collect(),
            unwanted: memory.unwanted.clone(),
            told: memory.told.clone(),
            stuck: memory.stuck.clone(),
        }
    }
}

/// Groups copies into jobs. A job has images of one repository, because they share layers and a lease on the target,
/// and at most `most` of them, so that it does not take longer than a function may. Images that ECS uses never share a
/// job with others.
pub fn batches<'a>(copies: impl Iterator<Item = &'a PlannedImage>, most: usize) -> Vec<Vec<&'a PlannedImage>> {
    let mut batches: Vec<Vec<&PlannedImage>> = Vec::new();
    for item in copies {
        let fits = |batch: &Vec<&PlannedImage>| {
            batch.len() < most
                && batch.first().is_some_and(|first| {
                    first.want.target.repository() == item.want.target.repository()
                        && first.want.used_by.is_empty() == item.want.used_by.is_empty()
                })
        };
        match batches.iter_mut().find(|batch| fits(batch)) {
            Some(batch) => batch.push(item),
            None => batches.push(vec![item]),
        }
    }
    batches
}

/// The repositories that hold, or will hold, what is wanted.
pub fn repositories<'a>(config: &MirrorConfig, wants: impl Iterator<Item = &'a Want>) -> Vec<String> {
    let mut names: Vec<String> = wants.map(|want| want.target.repository().to_owned()).collect();
    names.extend(config.images.iter().map(|rule| config.repository_for(&rule.source)));
    names.sort();
    names.dedup();
    names
}

pub mod prune;
pub mod select;
pub mod text;
pub mod unfinished;
pub mod want;
