//! Evaluates one run of a policy.

use std::collections::{BTreeMap, BTreeSet};

use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;

use crate::image::{Image, StorageClass};
use crate::policy::{Action, Count, Policy, Rule};

/// What one run of a policy does with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEffect {
    /// No rule selects it.
    Unselected,
    /// A rule selects it but leaves it, so that no later rule may touch it.
    Kept {
        /// The rule's priority.
        rule: u32,
    },
    /// A rule acts on it.
    Acted {
        /// The rule's priority.
        rule: u32,
        /// What it does.
        action: Action,
    },
    /// A rule would act on it, but an index that is still there names it.
    Held {
        /// The rule's priority.
        rule: u32,
        /// What it would do.
        action: Action,
        /// The digest of the index.
        by: Digest,
    },
    /// It goes with the image that it is attached to.
    WithSubject {
        /// What is done with both.
        action: Action,
    },
}

impl PolicyEffect {
    /// What is done with the image in this run; `None` if it stays as it is.
    pub const fn action(&self) -> Option<Action> {
        match self {
            Self::Acted { action, .. } | Self::WithSubject { action } => Some(*action),
            Self::Unselected | Self::Kept { .. } | Self::Held { .. } => None,
        }
    }
}

/// What a policy does with each image of a repository in a run at this moment, in the order of the images.
///
/// All rules are evaluated at once, over all images: a rule also counts the images that another rule marks. An image is
/// marked by the first rule that selects it, or by none.
pub fn evaluate(policy: &Policy, images: &[Image], now: Timestamp) -> Vec<PolicyEffect> {
    let beyond = policy.rules().iter().map(|rule| (rule.priority, beyond(rule, images)));
    let beyond: BTreeMap<u32, BTreeSet<usize>> = beyond.collect();
    let indexes = indexes(images);
    let mut verdicts: Vec<PolicyEffect> = images
        .iter()
        .enumerate()
        .map(|(place, image)| {
            let Some(rule) = policy.rule_for(image) else {
                return PolicyEffect::Unselected;
            };
            let priority = rule.priority;
            let marked = rule.due(image).map_or_else(|| beyond[&priority].contains(&place), |due| now > due);
            if !marked {
                return PolicyEffect::Kept { rule: priority };
            }
            let action = rule.action;
            match holder(&indexes, images, image, action) {
                Some(index) => PolicyEffect::Held { rule: priority, action, by: index.digest.clone() },
                None => PolicyEffect::Acted { rule: priority, action },
            }
        })
        .collect();
    follow(images, &indexes, &mut verdicts);
    verdicts
}

/// The places of the images that a rule would act on because there are too many; the youngest are kept.
fn beyond(rule: &Rule, images: &[Image]) -> BTreeSet<usize> {
    match rule.count {
        Count::MoreThan(most) => {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            youngest_first(rule, images).into_iter().skip(most).collect()
        }
        Count::DaysSincePushed(_) | Count::DaysSincePulled(_) | Count::DaysSinceTransitioned(_) => BTreeSet::new(),
    }
}

/// The places of the images that a rule selects, the youngest first. ECR does not say how it orders images that were
/// pushed at the same time; here the digest decides, so that the answer is always the same.
pub(crate) fn youngest_first(rule: &Rule, images: &[Image]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..images.len()).filter(|place| rule.selects(&images[*place])).collect();
    places.sort_by(|one, other| {
        let key = |place: &usize| (images[*place].since_pushed(), &images[*place].digest);
        key(other).cmp(&key(one))
    });
    places
}

/// For each digest that an index names, the places of the indexes that name it.
pub(crate) fn indexes(images: &[Image]) -> BTreeMap<&Digest, Vec<usize>> {
    let mut found: BTreeMap<&Digest, Vec<usize>> = BTreeMap::new();
    for (place, image) in images.iter().enumerate() {
        for member in image.members.iter().filter(|member| **member != image.digest) {
            found.entry(member).or_default().push(place);
        }
    }
    found
}

/// An index that keeps an image from this action: any index that names it, or, for archiving, any that is not archived
/// yet.
fn holder<'a>(
    indexes: &BTreeMap<&Digest, Vec<usize>>,
    images: &'a [Image],
    image: &Image,
    action: Action,
) -> Option<&'a Image> {
    let named_by = indexes.get(&image.digest).into_iter().flatten().map(|place| &images[*place]);
    named_by
        .filter(|index| action == Action::Expire || index.class == StorageClass::Standard)
        .min_by_key(|index| &index.digest)
}

/// What is attached to an image goes with it, and so does what is attached to that. What an index names stays.
fn follow(images: &[Image], indexes: &BTreeMap<&Digest, Vec<usize>>, verdicts: &mut [PolicyEffect]) {
    let mut attached: BTreeMap<&Digest, Vec<usize>> = BTreeMap::new();
    for (place, image) in images.iter().enumerate() {
        if let Some(subject) = &image.subject {
            attached.entry(subject).or_default().push(place);
        }
    }
    let mut open: Vec<usize> = (0..images.len()).filter(|place| verdicts[*place].action().is_some()).collect();
    while let Some(gone) = open.pop() {
        let Some(action) = verdicts[gone].action() else {
            continue;
        };
        for place in attached.get(&images[gone].digest).into_iter().flatten() {
            let decided = matches!(
                verdicts[*place],
                PolicyEffect::Acted { .. } | PolicyEffect::WithSubject { .. } | PolicyEffect::Held { .. }
            );
            let is_there = action == Action::Archive && images[*place].class == StorageClass::Archive;
            if !decided && !is_there && !indexes.contains_key(&images[*place].digest) {
                verdicts[*place] = PolicyEffect::WithSubject { action };
                open.push(*place);
            }
        }
    }
}
