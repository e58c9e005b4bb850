//! A policy whose rules fit together: only [`Policy::parse`](crate::Policy::parse) makes one.

use pullsafe::glob::Glob;
use pullsafe::timestamp::Timestamp;

use crate::image::{Image, StorageClass};

/// The seconds of a day, the only unit that ECR knows.
const DAY: i64 = 86_400;

/// A lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The rules by priority, the lowest number first.
    pub(crate) rules: Vec<Rule>,
}

impl Policy {
    /// The rules in the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The one rule that may touch an image: the first that selects it, even if that rule keeps it.
    pub fn rule_for(&self, image: &Image) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.selects(image))
    }
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number; the lowest is applied first.
    pub priority: u32,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// Which images it selects, by their tags.
    pub tags: TagSelection,
    /// Which images it selects, by where they are kept.
    pub class: StorageClass,
    /// Which of the selected images are too many or too old.
    pub count: Count,
    /// What is done with these.
    pub action: Action,
}

impl Rule {
    /// Whether the rule selects an image, by its tags and storage class.
    pub fn selects(&self, image: &Image) -> bool {
        self.class == image.class && self.tags.matches(&image.tags)
    }

    /// When an image that the rule selects becomes due, if that is a matter of time: after this moment it is too old.
    pub(crate) fn due(&self, image: &Image) -> Option<Timestamp> {
        let after = |since: Timestamp, days: u32| Some(since.plus_seconds(i64::from(days) * DAY));
        match self.count {
            Count::MoreThan(_) => None,
            Count::DaysSincePushed(days) => after(image.since_pushed(), days),
            Count::DaysSincePulled(days) => after(image.since_pulled(), days),
            Count::DaysSinceTransitioned(days) => after(image.since_transitioned(), days),
        }
    }
}

/// Which images a rule selects by their tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagSelection {
    /// Every image.
    Any,
    /// Images without a tag.
    Untagged,
    /// Images for which each of these prefixes begins one of their tags.
    Prefixes(Vec<String>),
    /// Images for which each of these patterns matches one of their tags as a whole.
    Patterns(Vec<Glob>),
}

impl TagSelection {
    /// Whether an image with these tags is selected.
    pub fn matches(&self, tags: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Prefixes(prefixes) => prefixes.iter().all(|prefix| tags.iter().any(|tag| tag.starts_with(prefix))),
            Self::Patterns(patterns) => patterns.iter().all(|pattern| tags.iter().any(|tag| pattern.matches(tag))),
        }
    }
}

/// Which of the selected images a rule acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All but this many of the youngest (`imageCountMoreThan`).
    MoreThan(u32),
    /// Those pushed more than this many days ago (`sinceImagePushed`).
    DaysSincePushed(u32),
    /// Those that nobody has pulled for more than this many days (`sinceImagePulled`).
    DaysSincePulled(u32),
    /// Those archived more than this many days ago (`sinceImageTransitioned`).
    DaysSinceTransitioned(u32),
}

/// What a rule does with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Deletes it.
    Expire,
    /// Moves it into the archive, from where it cannot be pulled.
    Archive,
}

impl Action {
    /// The word for what was done with an image.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Expire => "deleted",
            Self::Archive => "archived",
        }
    }
}
