//! Whether one more tag keeps an image, and which change of the policy would.
//!
//! A tag is said to keep an image only if nothing can touch the image any more, whatever is pushed later. If another
//! image goes sooner because of the tag, that is reported.

use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::fate::{Fate, fates};
use crate::image::{Image, StorageClass};
use crate::policy::{Count, Policy, TagSelection};

/// The prefix of the tags that keep an image.
pub const PREFIX: &str = "pullsafe-keep-";

/// How many images are kept by the rule that [`change`] puts first.
const MOST_KEPT: u32 = 1000;

/// What a tag does for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It does not keep the image for good.
    None,
    /// It keeps the image, whatever happens in the repository, and these others go sooner because of it.
    Keeps {
        /// The images that go sooner; empty if there are none.
        at_the_cost_of: Vec<Digest>,
    },
}

/// What this tag does for the image with this digest under this policy.
///
/// The tag has to begin with [`PREFIX`]: only then does nobody else set such tags, so that a rule for them cannot fill
/// up unnoticed.
pub fn effect(policy: &Policy, images: &[Image], digest: &Digest, tag: &str, now: Timestamp) -> Effect {
    let Some(place) = images.iter().position(|image| image.digest == *digest) else {
        return Effect::None;
    };
    if images[place].class == StorageClass::Archive || !tag.starts_with(PREFIX) {
        return Effect::None;
    }
    let mut tagged = images.to_vec();
    if !tagged[place].tags.iter().any(|own| own == tag) {
        tagged[place].tags.push(tag.to_owned());
    }
    let after = fates(policy, &tagged, now);
    if after[place] != Fate::Safe && !is_shielded(policy, &tagged, place) {
        return Effect::None;
    }
    let before = fates(policy, images, now);
    let pays = |other: &usize| *other != place && !after[*other].is_no_sooner_than(&before[*other]);
    Effect::Keeps {
        at_the_cost_of: (0..images.len()).filter(pays).map(|other| images[other].digest.clone()).collect(),
    }
}

/// Whether the first rule that selects an image is one for our tags only, with room for every image that it selects.
fn is_shielded(policy: &Policy, images: &[Image], place: usize) -> bool {
    let Some(rule) = policy.rule_for(&images[place]) else {
        return false;
    };
    let ours = match &rule.tags {
        TagSelection::Any | TagSelection::Untagged => false,
        TagSelection::Prefixes(prefixes) => prefixes.iter().any(|prefix| prefix.starts_with(PREFIX)),
        TagSelection::Patterns(patterns) => patterns.iter().any(|pattern| pattern.to_string().starts_with(PREFIX)),
    };
    match rule.count {
        Count::MoreThan(most) => {
            ours && images.iter().filter(|image| rule.selects(image)).count()
                <= usize::try_from(most).unwrap_or(usize::MAX)
        }
        Count::DaysSincePushed(_) | Count::DaysSincePulled(_) | Count::DaysSinceTransitioned(_) => false,
    }
}

/// The policy with a first rule that keeps every image with a tag of ours; `None` if the text is no policy, or would
/// not be one with that rule.
pub fn change(text: &str) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let rules = document.get_mut("rules")?.as_array_mut()?;
    rules.retain(|rule| !["tagPrefixList", "tagPatternList"].iter().any(|list| is_ours(&rule["selection"][list])));
    let lowest = rules.iter().filter_map(|rule| rule["rulePriority"].as_u64()).min().unwrap_or(2);
    if lowest < 2 {
        for rule in rules.iter_mut() {
            rule["rulePriority"] = json!(rule["rulePriority"].as_u64()?.checked_add(1)?);
        }
    }
    let selection = json!({ "tagStatus": "tagged", "tagPrefixList": [PREFIX], "countType": "imageCountMoreThan", "countNumber": MOST_KEPT });
    let description = "Keep what pullsafe has seen running";
    rules.insert(0, json!({ "rulePriority": 1, "description": description, "selection": selection, "action": { "type": "expire" } }));
    let changed = document.to_string();
    Policy::parse(&changed).is_ok().then_some(changed)
}

/// Whether a list in a rule has our prefix and nothing else.
fn is_ours(list: &Value) -> bool {
    list.as_array().is_some_and(|list| {
        list.len() == 1 && list[0].as_str().is_some_and(|text| text.trim_end_matches('*') == PREFIX)
    })
}
