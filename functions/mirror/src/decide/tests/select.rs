//! Which tags a rule selects.

use super::{at_hour, config};
use crate::decide::select;
use crate::decide::{ImageSelection, Selected, TagRule};
use pullsafe::tags::TagFacts;

fn rule(text: &str) -> TagRule {
    match config(&format!("images: [{{source: a/b, tags: {text}}}]")).images.remove(0).tags {
        ImageSelection::Rule(rule) => rule,
        ImageSelection::Listed(listed) => panic!("{listed:?}"),
    }
}

fn selected(text: &str, tags: &[TagFacts]) -> Selected {
    select(&rule(text), tags, at_hour(24 * 30))
}

fn check(text: &str, tags: &[&str], expected: &[&str]) {
    let tags: Vec<TagFacts> = tags.iter().copied().map(TagFacts::named).collect();
    let chosen: Vec<String> = selected(text, &tags).chosen.into_iter().map(|chosen| chosen.tag).collect();
    assert_eq!(chosen, expected, "{text}");
    let mut reversed = tags;
    reversed.reverse();
    let again: Vec<String> = selected(text, &reversed).chosen.into_iter().map(|chosen| chosen.tag).collect();
    assert_eq!(again, expected, "{text}, whatever the order of the tags");
}

const NODE: &[&str] = &[
    "18-alpine",
    "20-alpine",
    "20.1.0-alpine",
    "22.9.0-alpine",
    "22.10.0-alpine",
    "22.10.0-alpine3.20",
    "22.10.0-slim",
    "23-alpine",
    "latest",
    "22.11.0-rc.1-alpine",
];

#[test]
fn a_rule_selects_by_range_pattern_and_number() {
    check(
        "{semver: '>=20 <23', include: '*-alpine', newest: 3}",
        NODE,
        &["22.10.0-alpine", "22.9.0-alpine", "20.1.0-alpine"],
    );
    check("{semver: '22.x', exclude: ['*alpine*']}", NODE, &["22.10.0-slim"]);
    check("{include: ['latest', '18-*']}", NODE, &["18-alpine", "latest"]);
    check("{newest: 1}", NODE, &["23-alpine"]);
    check("{newest: 1, include: '22*', prereleases: true}", NODE, &["22.11.0-rc.1-alpine"]);
    check(
        "{semver: '^3.11', include: '*-slim'}",
        &["3.10-slim", "3.11-slim", "3.13-slim", "4-slim", "3.12"],
        &["3.13-slim", "3.11-slim"],
    );
    check("{include: '*'}", &["b", "a", "a"], &["a", "b"]);
}

#[test]
fn the_newest_by_time_need_times() {
    let tag = |name: &str, hour: i64| TagFacts { pushed_at: Some(at_hour(hour)), ..TagFacts::named(name) };
    let tags = [tag("old", 0), tag("new", 600), tag("middle", 300), TagFacts::named("without")];
    let names = |text: &str| selected(text, &tags).chosen.into_iter().map(|chosen| chosen.tag).collect::<Vec<_>>();
    assert_eq!(names("{newest: 2, by: push_time}"), ["new", "middle"]);
    assert_eq!(names("{max_age_days: 20}"), ["new", "middle"]);
    let none = selected("{newest: 2, by: push_time}", &[TagFacts::named("1.0")]);
    assert!(none.chosen.is_empty() && none.warning.unwrap().contains("does not tell when"));
}

#[test]
fn every_choice_says_why_and_an_empty_one_says_so() {
    let tags: Vec<TagFacts> = NODE.iter().copied().map(TagFacts::named).collect();
    let chosen = selected("{semver: '>=20 <23', include: '*-alpine', newest: 2}", &tags).chosen;
    assert_eq!(
        chosen[1].why,
        "version >=20 <23, include *-alpine, newest by version; number 2 of the newest 2 among 4"
    );
    let none = selected("{semver: '>=99'}", &tags);
    assert_eq!(none.warning.as_deref(), Some("selects none of 10 tags (version >=99)"));
}
