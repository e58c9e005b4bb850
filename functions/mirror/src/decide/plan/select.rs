//! Selects tags of a repository by a rule, and says why each was selected.

use std::cmp::Ordering;

use crate::decide::config::version::Version;
use crate::decide::config::{By, TagRule};
use pullsafe::tags::TagFacts;
use pullsafe::timestamp::Timestamp;

/// A tag that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The tag.
    pub tag: String,
    /// Why, in words for a person.
    pub why: String,
}

/// What a rule selects among some tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// The tags, the newest first.
    pub chosen: Vec<Chosen>,
    /// What a person should know, such as that nothing was selected.
    pub warning: Option<String>,
}

/// The most tags of a repository that are mirrored: whoever pushes tags there decides how many exist.
const MOST_CHOSEN: usize = 500;

/// Selects the tags that a rule asks for. The same tags give the same selection, in whatever order they come.
pub fn select(rule: &TagRule, tags: &[TagFacts], now: Timestamp) -> Selected {
    let candidates: Vec<(&TagFacts, Option<Version>)> = tags
        .iter()
        .map(|tag| (tag, Version::of_tag(&tag.name)))
        .filter(|(tag, version)| fits(rule, tag, version.as_ref(), now))
        .collect();
    let needs_time = rule.max_age_days.is_some() || rule.newest.is_some() && rule.by == By::PushTime;
    if needs_time && !tags.is_empty() && tags.iter().all(|tag| tag.pushed_at.is_none()) {
        let warning = "selects nothing: its registry does not tell when tags were pushed, which `push_time` and \
            `max_age_days` need";
        return Selected { chosen: Vec::new(), warning: Some(warning.to_owned()) };
    }
    let mut candidates: Vec<_> = candidates
        .into_iter()
        .filter(|(tag, version)| rule.newest.is_none() || sortable(rule, tag, version.as_ref()))
        .collect();
    candidates.sort_by(|one, other| newer_first(rule.by, one, other));
    candidates.dedup_by(|one, other| one.0.name == other.0.name);
    let count = candidates.len();
    if count == 0 {
        let warning = format!("selects none of {} tags ({})", tags.len(), conditions(rule));
        return Selected { chosen: Vec::new(), warning: Some(warning) };
    }
    let most = rule.newest.map_or(usize::MAX, |newest| usize::try_from(newest).unwrap_or(usize::MAX));
    let warning = (count.min(most) > MOST_CHOSEN).then(|| {
        format!(
            "selects {} tags, of which {MOST_CHOSEN} are mirrored: choose with `newest`, `include` or `semver`",
            count.min(most)
        )
    });
    let conditions = conditions(rule);
    let chosen = candidates.into_iter().take(most.min(MOST_CHOSEN)).enumerate().map(|(place, (tag, _))| {
        let why = match rule.newest {
            Some(newest) => format!("{conditions}; number {} of the newest {newest} among {count}", place + 1),
            None => conditions.clone(),
        };
        Chosen { tag: tag.name.clone(), why }
    });
    Selected { chosen: chosen.collect(), warning }
}

fn fits(rule: &TagRule, tag: &TagFacts, version: Option<&Version>, now: Timestamp) -> bool {
    if rule.exclude.iter().any(|glob| glob.matches(&tag.name)) {
        return false;
    }
    let included = rule.include.is_empty() || rule.include.iter().any(|glob| glob.matches(&tag.name));
    let in_range = rule.semver.as_ref().is_none_or(|range| {
        version.is_some_and(|version| {
            if rule.prereleases {
                range.holds_with_prereleases(version)
            } else {
                range.holds(version)
            }
        })
    });
    let young = rule
        .max_age_days
        .is_none_or(|days| tag.pushed_at.is_some_and(|at| now.seconds_since(at) <= i64::from(days) * 86_400));
    included && in_range && young
}

/// Whether this tag can be compared with others to find the newest.
fn sortable(rule: &TagRule, tag: &TagFacts, version: Option<&Version>) -> bool {
    match rule.by {
        By::PushTime => tag.pushed_at.is_some(),
        // A range that asks for a prerelease has let it through already.
        By::Version => {
            version.is_some_and(|version| rule.prereleases || rule.semver.is_some() || !version.is_prerelease())
        }
    }
}

fn newer_first(by: By, one: &(&TagFacts, Option<Version>), other: &(&TagFacts, Option<Version>)) -> Ordering {
    let by_version = || match (&one.1, &other.1) {
        (Some(one), Some(other)) => other.compare(one),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let by_time = || other.0.pushed_at.cmp(&one.0.pushed_at);
    let order = match by {
        By::Version => by_version().then_with(by_time),
        By::PushTime => by_time().then_with(by_version),
    };
    order.then_with(|| one.0.name.cmp(&other.0.name))
}

/// The rule in words.
fn conditions(rule: &TagRule) -> String {
    let globs = |globs: &[pullsafe::glob::Glob]| globs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut words = Vec::new();
    if let Some(range) = &rule.semver {
        words.push(format!("version {range}"));
    }
    if !rule.include.is_empty() {
        words.push(format!("include {}", globs(&rule.include)));
    }
    if !rule.exclude.is_empty() {
        words.push(format!("exclude {}", globs(&rule.exclude)));
    }
    if let Some(days) = rule.max_age_days {
        words.push(format!("pushed within {days} days"));
    }
    if rule.newest.is_some() {
        words.push(match rule.by {
            By::Version => "newest by version".to_owned(),
            By::PushTime => "newest by push time".to_owned(),
        });
    }
    words.join(", ")
}
