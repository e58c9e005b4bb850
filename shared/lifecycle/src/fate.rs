//! What happens to each image if the repository changes by pushes only.

use std::collections::BTreeMap;

use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;

use crate::evaluate::{indexes, youngest_first};
use crate::image::{Image, StorageClass};
use crate::policy::{Action, Count, Policy};

/// What a policy will do with an image, and when at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: no rule selects it, or an index that stays names it.
    Safe,
    /// A rule acts on it once the time has come and the pushes have happened; ECR does so within a day.
    Touched {
        /// The rule's priority.
        rule: u32,
        /// What it does.
        action: Action,
        /// The rule acts later than this.
        not_before: Timestamp,
        /// The rule acts after this many pushes of images that it selects; with 0 the next run is enough.
        pushes: u32,
    },
}

impl Fate {
    /// Whether this fate comes no sooner than another one, whatever happens.
    pub fn is_no_sooner_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Safe, _) => true,
            (Self::Touched { .. }, Self::Safe) => false,
            (Self::Touched { not_before, pushes, .. }, Self::Touched { not_before: then, pushes: so_many, .. }) => {
                not_before >= then && pushes >= so_many
            }
        }
    }

    /// After how many pushes and when it comes; what is due already is due at once. `None` if it never comes.
    fn soon(&self, now: Timestamp) -> Option<(u32, Timestamp)> {
        match self {
            Self::Safe => None,
            Self::Touched { not_before, pushes, .. } => Some((*pushes, now.max(*not_before))),
        }
    }
}

/// What happens to each image, in their order, as seen at this moment.
pub fn fates(policy: &Policy, images: &[Image], now: Timestamp) -> Vec<Fate> {
    let places = images.iter().enumerate().map(|(place, image)| (&image.digest, place)).collect();
    let (own, known) = (own(policy, images, now), vec![FateSlot::Open; images.len()]);
    let mut seer = Seer {
        policy,
        images,
        now,
        indexes: indexes(images),
        places,
        own,
        known,
    };
    (0..images.len()).map(|place| seer.fate(place)).collect()
}

/// What the rules alone do with each image, without regard to indexes and subjects.
fn own(policy: &Policy, images: &[Image], now: Timestamp) -> Vec<Fate> {
    let mut pushes: BTreeMap<(u32, usize), u32> = BTreeMap::new();
    for rule in policy.rules() {
        if let Count::MoreThan(most) = rule.count {
            for (rank, place) in youngest_first(rule, images).into_iter().enumerate() {
                pushes.insert((rule.priority, place), most.saturating_sub(u32::try_from(rank).unwrap_or(u32::MAX)));
            }
        }
    }
    let fate = |(place, image): (usize, &Image)| {
        let Some(rule) = policy.rule_for(image) else {
            return Fate::Safe;
        };
        let left = pushes.get(&(rule.priority, place)).copied().unwrap_or(0);
        Fate::Touched {
            rule: rule.priority,
            action: rule.action,
            not_before: rule.due(image).unwrap_or(now),
            pushes: left,
        }
    };
    images.iter().enumerate().map(fate).collect()
}

#[derive(Clone, Copy)]
enum FateSlot {
    Open,
    Asked,
    Told(Fate),
}

struct Seer<'a> {
    policy: &'a Policy,
    images: &'a [Image],
    now: Timestamp,
    indexes: BTreeMap<&'a Digest, Vec<usize>>,
    places: BTreeMap<&'a Digest, usize>,
    own: Vec<Fate>,
    known: Vec<FateSlot>,
}

impl Seer<'_> {
    fn fate(&mut self, place: usize) -> Fate {
        match self.known[place] {
            FateSlot::Told(fate) => return fate,
            // Images that name each other in a circle would hold each other, but digests make such a circle impossible.
            FateSlot::Asked => return Fate::Safe,
            FateSlot::Open => self.known[place] = FateSlot::Asked,
        }
        let image = &self.images[place];
        let fate = match image.subject.as_ref().and_then(|subject| self.places.get(subject)).copied() {
            _ if self.indexes.contains_key(&image.digest) => self.held_by_indexes(place),
            Some(subject) => self.with_subject(place, subject),
            None => self.own[place],
        };
        self.known[place] = FateSlot::Told(fate);
        fate
    }

    /// An attached image goes by its own rule or with its subject, whichever is sooner.
    fn with_subject(&mut self, place: usize, subject: usize) -> Fate {
        let (own, other) = (self.own[place], self.fate(subject));
        match (own.soon(self.now), other.soon(self.now)) {
            (_, None) => own,
            (None, Some(_)) => other,
            (Some(own_time), Some(time)) => {
                if time < own_time {
                    other
                } else {
                    own
                }
            }
        }
    }

    /// An image that indexes name is touched when its rule says so and none of these indexes keeps it any more.
    fn held_by_indexes(&mut self, place: usize) -> Fate {
        let Fate::Touched { rule, action, mut not_before, mut pushes } = self.own[place] else {
            return Fate::Safe;
        };
        for index in self.indexes.get(&self.images[place].digest).cloned().unwrap_or_default() {
            if action == Action::Archive && self.images[index].class == StorageClass::Archive {
                continue;
            }
            let Some((at, after)) = self.leaves(index, action) else {
                return Fate::Safe;
            };
            not_before = not_before.max(at);
            pushes = pushes.max(after);
        }
        Fate::Touched { rule, action, not_before, pushes }
    }

    /// When an index no longer keeps what it names from this action; `None` if it always does.
    fn leaves(&mut self, index: usize, action: Action) -> Option<(Timestamp, u32)> {
        let Fate::Touched { action: first, not_before, pushes, .. } = self.fate(index) else {
            return None;
        };
        if first == action || first == Action::Expire {
            return Some((not_before, pushes));
        }
        // The index is archived first, and then has to be deleted from the archive.
        let archived = Image {
            class: StorageClass::Archive,
            archived_at: Some(not_before),
            ..self.images[index].clone()
        };
        let rule = self.policy.rule_for(&archived)?;
        Some((rule.due(&archived)?, pushes))
    }
}
