//! What holds for the mirror's decisions, whatever the input.

use mirror::decide::plan::{AtSource, AtTarget, CopyDecision, HubBudget, ImageSides, Memory, SourceImage, plan};
use mirror::decide::select;
use mirror::decide::{By, MirrorConfig, Range, TagRule, Version, Want};
use proptest::prelude::*;
use pullsafe::glob::Glob;
use pullsafe::reference::Digest;
use pullsafe::tags::TagFacts;
use pullsafe::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_768_504_620_000);

fn tag() -> impl Strategy<Value = String> {
    "(v?[0-9]{1,3}(\\.[0-9]{1,2}){0,3}|latest|[a-z]{1,5})(rc[0-9]|-beta[0-9])?(-(slim|alpine3\\.[0-9]{1,2}|[a-z]{1,4}))?"
}

fn facts() -> impl Strategy<Value = TagFacts> {
    (tag(), proptest::option::of(0_i64..100)).prop_map(|(name, days)| TagFacts {
        pushed_at: days.map(|days| NOW.plus_seconds(-days * 86_400)),
        ..TagFacts::named(name)
    })
}

fn rule() -> impl Strategy<Value = TagRule> {
    let glob =
        |patterns: Vec<&str>| patterns.into_iter().map(|pattern| Glob::parse(pattern).unwrap()).collect::<Vec<_>>();
    let semver = proptest::option::of(prop::sample::select(vec![">=2 <30", "^1.2", "~3", "1.x || 7", "*", "1 - 9.5"]));
    let include = prop::sample::select(vec![vec![], vec!["*-slim"], vec!["*", "1*"], vec!["?.*"]]);
    let exclude = prop::sample::select(vec![vec![], vec!["*alpine*"], vec!["latest", "*rc*"]]);
    (
        semver,
        include,
        exclude,
        proptest::option::of(1_u32..5),
        any::<bool>(),
        proptest::option::of(1_u32..60),
        any::<bool>(),
    )
        .prop_map(move |(semver, include, exclude, newest, by_time, max_age_days, prereleases)| TagRule {
            semver: semver.map(|range| Range::parse(range).unwrap()),
            include: glob(include),
            exclude: glob(exclude),
            newest,
            by: if by_time { By::PushTime } else { By::Version },
            max_age_days,
            prereleases,
        })
}

fn chosen(rule: &TagRule, tags: &[TagFacts]) -> Vec<String> {
    select(rule, tags, NOW).chosen.into_iter().map(|chosen| chosen.tag).collect()
}

fn seen() -> impl Strategy<Value = Vec<ImageSides>> {
    let one = (0_u32..6, 0_u8..5, proptest::option::of(0_u32..30), any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..25).prop_map(|images| {
        let make = |(number, (content, state, children, used, elsewhere, frozen))| {
            let digest = Digest::of(format!("content {content}").as_bytes());
            let source = AtSource::Is(SourceImage {
                digest: digest.clone(),
                media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
                manifest_size: Some(2000),
                children,
                pushed_at: None,
                elsewhere,
                made: None,
            });
            let target = match state {
                0 => AtTarget::Absent,
                1 => AtTarget::Holds(digest),
                2 => AtTarget::Holds(Digest::of(b"older")),
                3 => AtTarget::Archived(digest),
                _ => AtTarget::Unknown("denied".to_owned()),
            };
            let want = Want {
                source: format!("acme/app:{number}").parse().unwrap(),
                target: format!("registry.example/acme/app:{number}").parse().unwrap(),
                platforms: Vec::new(),
                why: Vec::new(),
                used_by: if used { vec!["prod/web".to_owned()] } else { Vec::new() },
            };
            ImageSides { want, source, target, frozen }
        };
        images.into_iter().enumerate().map(make).collect()
    })
}

proptest! {
    #[test]
    fn a_selection_keeps_its_rule_and_does_not_depend_on_the_order(rule in rule(), mut tags in proptest::collection::vec(facts(), 0..40)) {
        tags.sort_by(|one, other| one.name.cmp(&other.name));
        tags.dedup_by(|one, other| one.name == other.name);
        let first = chosen(&rule, &tags);
        prop_assert!(rule.newest.is_none_or(|newest| first.len() <= newest as usize));
        for name in &first {
            prop_assert!(tags.iter().any(|tag| tag.name == *name));
            prop_assert!(!rule.exclude.iter().any(|glob| glob.matches(name)));
            prop_assert!(rule.include.is_empty() || rule.include.iter().any(|glob| glob.matches(name)));
            if let Some(range) = &rule.semver {
                let version = Version::of_tag(name).unwrap();
                prop_assert!(range.holds_with_prereleases(&version) && (rule.prereleases || range.holds(&version)));
            }
        }
        tags.reverse();
        prop_assert_eq!(&first, &chosen(&rule, &tags));
        // Tags that are left out have no influence on what is chosen.
        let kept: Vec<TagFacts> = tags.iter().filter(|tag| first.contains(&tag.name)).cloned().collect();
        if !first.is_empty() {
            prop_assert_eq!(&first, &chosen(&rule, &kept));
        }
    }

    #[test]
    fn versions_are_in_one_order(mut tags in proptest::collection::vec(tag(), 3)) {
        let versions: Vec<Version> = tags.drain(..).filter_map(|tag| Version::of_tag(&tag)).collect();
        for one in &versions {
            for other in &versions {
                prop_assert_eq!(one.compare(other), other.compare(one).reverse());
                for third in &versions {
                    if one.compare(other).is_le() && other.compare(third).is_le() {
                        prop_assert!(one.compare(third).is_le());
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_the_text_nothing_panics(text in "\\PC*", range in "[0-9.x*^~<>=| v-]{0,20}", tag in "\\PC{0,20}") {
        let _ = MirrorConfig::parse(&text);
        let _ = Range::parse(&range);
        let _ = Version::of_tag(&tag).map(|version| version.compare(&version));
    }

    #[test]
    fn a_plan_spends_no_more_than_it_may_and_forgets_nobody(images in seen(), limit in 0_u64..60, used in 0_u64..60) {
        let budget = HubBudget { limit, remaining: limit.saturating_sub(used), window_seconds: 21_600 };
        let count = images.len();
        let made = plan(images, Some(budget), &Memory::default(), NOW);
        prop_assert_eq!(made.items.len(), count);
        let (expected, worst) = made.pulls();
        // An image that is larger than the whole quota is started when nothing of the quota is used.
        let most = made.copies().map(|item| item.expected_pulls).max().unwrap_or_default();
        prop_assert!(expected <= budget.to_spend() || most > limit - budget.kept_back());
        prop_assert!(expected <= worst);
        // A copy that costs no pulls never waits. While an image that something runs waits, only images that something
        // runs may cost pulls.
        prop_assert!(made.items.iter().all(|item| item.action.as_str() != "later" || item.expected_pulls > 0));
        if made.items.iter().any(|item| item.action.as_str() == "later" && !item.want.used_by.is_empty()) {
            prop_assert!(made.copies().all(|item| item.expected_pulls == 0 || !item.want.used_by.is_empty()));
        }
    }

    #[test]
    fn after_its_copies_a_plan_is_empty(images in seen()) {
        let first = plan(images.clone(), None, &Memory::default(), NOW);
        let asked: Vec<_> = first.copies().collect();
        let memory = first.remember(&Memory::default(), &asked, NOW);
        let copied: Vec<String> = asked.iter().map(|item| item.want.target.to_string()).collect();
        let after = images.into_iter().map(|mut seen| {
            if let (AtSource::Is(image), true) = (&seen.source, copied.contains(&seen.want.target.to_string())) {
                seen.target = AtTarget::Holds(image.digest.clone());
            }
            seen
        });
        let second = plan(after.collect(), None, &memory, NOW.plus_seconds(3600));
        prop_assert_eq!((second.count(&CopyDecision::Copy), second.count(&CopyDecision::Asked)), (0, 0));
    }
}
