//! The plan of a run: what moves, what is current, what cannot be, and what has to wait for the quota.
//!
//! Docker Hub counts GETs of manifests. An image whose digest another source holds is expected to cost nothing; if
//! every other source fails it costs one for its manifest and one for each below it, which is the worst case that the
//! plan names. The quota is given out in order: first what runs in ECS, then what has been behind for longest. Who does
//! not get enough waits for the next run, and so does everybody behind it that needs quota, or a large image would
//! starve behind many small ones.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use self::want::Want;
use crate::decide::config::MirrorConfig;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

/// Of the quota so much stays for what is asked for between the runs, in parts of a hundred.
const KEPT_BACK_PERCENT: u64 = 10;
/// A copy that was asked for is not asked for again for so long.
pub const ASK_AGAIN_SECONDS: i64 = 2 * 3600;
/// Bytes of an index for each manifest that it names: fewer than any index has, so that the guess is not too low.
const BYTES_PER_CHILD: u64 = 300;

/// What the source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtSource {
    /// The image means this now.
    Is(SourceImage),
    /// There is no such image.
    Absent,
    /// It could not be found out, and why.
    Unknown(String),
}

/// An image at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    /// The digest.
    pub digest: Digest,
    /// The media type of its manifest, where the registry says.
    pub media_type: String,
    /// The size of its manifest, where the registry says.
    pub manifest_size: Option<u64>,
    /// The manifests below it, where they were counted.
    pub children: Option<u32>,
    /// When it was pushed, where that is known.
    pub pushed_at: Option<Timestamp>,
    /// Whether a source without a quota holds this digest.
    pub elsewhere: bool,
    /// What the target holds, if it was made of this image by choosing some of its platforms.
    pub made: Option<Digest>,
}

/// What the target holds under the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtTarget {
    /// Nothing.
    Absent,
    /// This, ready to be pulled.
    Holds(Digest),
    /// This, in the archive, from where it cannot be pulled.
    Archived(Digest),
    /// It could not be found out, and why.
    Unknown(String),
}

/// An image with what was found at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSides {
    /// The image.
    pub want: Want,
    /// At the source.
    pub source: AtSource,
    /// At the target.
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
    /// The window.
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

/// What becomes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyDecision {
    /// It is copied.
    Copy,
    /// It would be copied, and was asked for not long ago.
    Asked,
    /// It would be copied; the quota does not suffice.
    Later,
    /// The target holds it.
    Current,
    /// The target holds something else under a tag that cannot be changed.
    Blocked,
    /// The source has no such image.
    Absent,
    /// What to do is not known, and why.
    Unknown(String),
}

impl CopyDecision {
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
    /// The image.
    pub want: Want,
    /// What becomes of it.
    pub action: CopyDecision,
    /// What it means at the source, where that is known.
    pub digest: Option<Digest>,
    /// What the target holds instead.
    pub holds: Option<Digest>,
    /// Whether the target's copy lies in the archive.
    pub archived: bool,
    /// Pulls that are expected.
    pub expected_pulls: u64,
    /// Pulls if every other source fails.
    pub worst_pulls: u64,
    /// Since when the mirror has been behind, where it is.
    pub behind_since: Option<Timestamp>,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MirrorPlan {
    /// Every image: what is copied first, in its order.
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
    /// Copies that were asked for: the target, what it is to become, and when.
    pub asked: BTreeMap<String, (Digest, Timestamp)>,
    /// Images that nothing wants, since when, and in how many runs.
    pub unwanted: BTreeMap<String, (Timestamp, u32)>,
    /// The faults of the configuration that people were told about.
    pub told: Option<String>,
    /// What kept unwanted images from being deleted in the last run, and whether people know.
    pub stuck: Option<(String, bool)>,
}

/// Makes the plan.
pub fn plan(seen: Vec<ImageSides>, budget: Option<HubBudget>, memory: &Memory, now: Timestamp) -> MirrorPlan {
    let mut items: Vec<PlannedImage> = seen.into_iter().map(|seen| item(seen, memory, now)).collect();
    items.sort_by_cached_key(rank);
    let mut to_spend = budget.map(|budget| budget.to_spend());
    // A cost that the quota can never meet must not wait for ever.
    let most = budget.map_or(u64::MAX, |budget| budget.limit - budget.kept_back());
    let mut paid: HashSet<Digest> = HashSet::new();
    let mut waiting = false;
    for item in items.iter_mut().filter(|item| item.action == CopyDecision::Copy) {
        // Under another tag the same image is copied once.
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

/// The order of the plan: the actions, then what runs in ECS, then what is behind for longest.
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
    // Of a tag that moved it is known since when; what was never there is missing since it was first missed.
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

/// The manifests below an image: counted, or guessed from the size of the index, never too few.
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

    /// How many images have this action.
    pub fn count(&self, action: &str) -> u64 {
        self.items.iter().map(|item| u64::from(item.action.as_str() == action)).sum()
    }

    /// The pulls of what is copied: those expected, and those in the worst case.
    pub fn pulls(&self) -> (u64, u64) {
        self.copies()
            .fold((0, 0), |(expected, worst), item| (expected + item.expected_pulls, worst + item.worst_pulls))
    }

    /// For how many seconds the image that has been behind for longest has been so. What is blocked is left out: that
    /// is for a person to decide, and would be behind for ever.
    pub fn oldest_behind_seconds(&self, now: Timestamp) -> u64 {
        let oldest = self
            .items
            .iter()
            .filter(|item| item.action != CopyDecision::Blocked)
            .filter_map(|item| item.behind_since)
            .min();
        oldest.map_or(0, |since| u64::try_from(now.seconds_since(since)).unwrap_or_default())
    }

    /// Whether everything that is wanted could be looked at and is, or will be, there.
    pub fn is_complete(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.action, CopyDecision::Copy | CopyDecision::Asked | CopyDecision::Current))
    }

    /// What to remember after this plan was made, with `asked` what was asked for because of it. What nobody wants any
    /// more is forgotten.
    pub fn remember(&self, memory: &Memory, asked: &[&PlannedImage], now: Timestamp) -> Memory {
        let key = |item: &PlannedImage| item.want.target.to_string();
        let behind = self.items.iter().filter_map(|item| match &item.action {
            // What could not be looked at may still be behind.
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

/// Copies that belong into one job: of one repository, for they share layers and a lease on the target, and not so many
/// that they take longer than a function may.
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
