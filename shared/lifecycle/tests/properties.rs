//! What the user guide promises of every policy and repository, over ten thousand generated ones; and what this crate
//! promises itself.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_lifecycle::keep::{self, Effect};
use pullsafe_lifecycle::{Action, Count, Fate, Image, Policy, PolicyEffect, StorageClass, evaluate, fates};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_795_900_000_000);
const DAY: i64 = 86_400;
/// Between two runs of a simulated policy.
const STEP: i64 = 3 * DAY;

fn ago(hours: i64) -> Timestamp {
    NOW.plus_seconds(-hours * 3600)
}

fn tag() -> impl Strategy<Value = String> {
    prop::sample::select(&["prod-1", "prod-2", "beta-1", "beta-2", "v1.0", "latest", "x", "pullsafe-keep-web"][..])
        .prop_map(str::to_owned)
}

/// Selections of which no two are the same for ECR.
fn selections() -> impl Strategy<Value = Vec<Value>> {
    let tagged = [
        json!({ "tagStatus": "tagged", "tagPrefixList": ["prod"] }),
        json!({ "tagStatus": "tagged", "tagPrefixList": ["beta", "v"] }),
        json!({ "tagStatus": "tagged", "tagPatternList": ["*-1"] }),
        json!({ "tagStatus": "tagged", "tagPatternList": ["*"] }),
        json!({ "tagStatus": "tagged", "tagPatternList": ["*o*-*", "beta*"] }),
        json!({ "tagStatus": "tagged", "tagPrefixList": ["pullsafe-keep-"] }),
        json!({ "tagStatus": "untagged" }),
    ];
    prop::sample::subsequence(tagged.to_vec(), 0..5).prop_shuffle()
}

fn count() -> impl Strategy<Value = Value> {
    let days =
        |kind: &'static str| move |days: u32| json!({ "countType": kind, "countUnit": "days", "countNumber": days });
    prop_oneof![
        3 => (1u32..6).prop_map(|most| json!({ "countType": "imageCountMoreThan", "countNumber": most })),
        2 => (1u32..40).prop_map(days("sinceImagePushed")),
        1 => (1u32..40).prop_map(days("sinceImagePulled")),
    ]
}

/// The rules of a policy, at random places with random numbers, the one for everything last.
fn rules() -> impl Strategy<Value = Vec<Value>> {
    let all = prop::option::of(Just(json!({ "tagStatus": "any" })));
    let archive = prop::option::of(90u32..130);
    let parts = (
        selections(),
        all,
        prop::collection::vec((count(), any::<bool>(), 1u32..9), 6),
        archive,
        any::<bool>(),
    );
    let made = parts.prop_map(|(mut selections, all, counts, archive, with_class)| {
        selections.extend(all);
        let mut priority = 0;
        let mut rules = Vec::new();
        for (mut selection, (count, archives, gap)) in selections.into_iter().zip(counts) {
            priority += gap;
            selection.as_object_mut().unwrap().extend(count.as_object().unwrap().clone());
            if with_class {
                selection["storageClass"] = json!("standard");
            }
            let idle = selection["countType"] == "sinceImagePulled";
            let action = if archives || idle { json!({ "type": "transition", "targetStorageClass": "archive" }) } else { json!({ "type": "expire" }) };
            rules.push(json!({ "rulePriority": priority, "selection": selection, "action": action }));
        }
        if let Some(days) = archive {
            let selection = json!({ "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": days });
            rules.push(json!({ "rulePriority": priority + 1, "selection": selection, "action": { "type": "expire" } }));
        }
        rules
    });
    made.prop_filter("a policy has a rule", |rules| !rules.is_empty()).prop_shuffle()
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let one = (
        prop::collection::vec(tag(), 0..3),
        1i64..1500,
        prop::option::of(0i64..1500),
        0u8..10,
        0u8..14,
        0u8..8,
    );
    prop::collection::vec(one, 1..14).prop_map(|list| {
        let digest = |place: usize| Digest::of(&place.to_be_bytes());
        let made = list.iter().enumerate().map(|(place, (tags, pushed, pulled, class, attached, index))| {
            let archived = *class == 0;
            let back = (*class == 1).then(|| ago(pushed / 2));
            Image {
                digest: digest(place),
                tags: tags.clone(),
                pushed_at: ago(*pushed),
                pulled_at: pulled.filter(|pulled| pulled <= pushed).map(ago),
                activated_at: back,
                archived_at: archived.then(|| ago(pushed / 3)),
                class: if archived { StorageClass::Archive } else { StorageClass::Standard },
                members: if *index == 0 {
                    (place + 1..list.len().min(place + 3)).map(digest).collect()
                } else {
                    Vec::new()
                },
                subject: (*attached == 0 && place > 0).then(|| digest(place - 1)),
            }
        });
        let mut images: Vec<Image> = made.collect();
        // Neither an index nor what it names is attached to anything.
        let named: Vec<Digest> = images.iter().flat_map(|image| image.members.clone()).collect();
        for image in images.iter_mut().filter(|image| named.contains(&image.digest) || !image.members.is_empty()) {
            image.subject = None;
        }
        images
    })
}

fn parsed(rules: &[Value]) -> Policy {
    let text = json!({ "rules": rules }).to_string();
    Policy::parse(&text).unwrap_or_else(|faults| panic!("{faults:?}: {text}"))
}

fn marked(verdict: &PolicyEffect) -> Option<u32> {
    match verdict {
        PolicyEffect::Acted { rule, .. } | PolicyEffect::Held { rule, .. } => Some(*rule),
        PolicyEffect::Unselected | PolicyEffect::Kept { .. } | PolicyEffect::WithSubject { .. } => None,
    }
}

/// One run, carried out; what was done, by digest.
fn run(policy: &Policy, images: &mut Vec<Image>, now: Timestamp) -> BTreeMap<Digest, Action> {
    let verdicts = evaluate(policy, images, now);
    let done: BTreeMap<Digest, Action> = images
        .iter()
        .zip(&verdicts)
        .filter_map(|(image, verdict)| Some((image.digest.clone(), verdict.action()?)))
        .collect();
    images.retain(|image| done.get(&image.digest) != Some(&Action::Expire));
    for image in images.iter_mut().filter(|image| done.contains_key(&image.digest)) {
        (image.class, image.archived_at) = (StorageClass::Archive, Some(now));
    }
    done
}

/// When each image is first touched, over the better part of a year without a push.
fn simulated(policy: &Policy, images: &[Image]) -> BTreeMap<Digest, Timestamp> {
    let mut first = BTreeMap::new();
    let mut left = images.to_vec();
    for step in 0..90 {
        let now = NOW.plus_seconds(step * STEP);
        loop {
            let done = run(policy, &mut left, now);
            if done.is_empty() {
                break;
            }
            for digest in done.into_keys() {
                first.entry(digest).or_insert(now);
            }
        }
    }
    first
}

/// The same tags, pushed anew so many times.
fn pushed_again(images: &[Image], like: &Image, times: u32) -> Vec<Image> {
    let again = (0..times).map(|number| Image {
        digest: Digest::of(format!("new {number}").as_bytes()),
        tags: like.tags.clone(),
        ..Image::pushed(like.digest.clone(), &[], NOW.plus_seconds(i64::from(number) + 1))
    });
    images.iter().cloned().chain(again).collect()
}

fn check_run(policy: &Policy, images: &[Image]) {
    let verdicts = evaluate(policy, images, NOW);
    for (image, verdict) in images.iter().zip(&verdicts) {
        // By exactly one rule or none; what matches a rule's tags is not touched by a later one.
        let first = policy.rules().iter().find(|rule| rule.selects(image)).map(|rule| rule.priority);
        if let Some(rule) = marked(verdict) {
            assert_eq!(Some(rule), first, "{image:?}");
        }
        if let PolicyEffect::Kept { rule } = verdict {
            assert_eq!(Some(*rule), first, "{image:?}");
        }
        // What a list refers to does not go while the list is there, and is not archived before it.
        let lists = images.iter().filter(|list| list.digest != image.digest && list.members.contains(&image.digest));
        for list in lists {
            assert!(verdict.action() != Some(Action::Expire), "{image:?} is named by {list:?}");
            assert!(
                verdict.action().is_none() || list.class == StorageClass::Archive,
                "{image:?} is named by {list:?}"
            );
        }
    }
    for rule in policy.rules() {
        let selected: Vec<(&Image, &PolicyEffect)> =
            images.iter().zip(&verdicts).filter(|(image, _)| rule.selects(image)).collect();
        let of_rule: Vec<_> = selected
            .iter()
            .filter(|(image, _)| policy.rule_for(image).is_some_and(|first| first.priority == rule.priority))
            .collect();
        let since = |image: &Image| match rule.count {
            Count::MoreThan(_) | Count::DaysSincePushed(_) => {
                image.activated_at.unwrap_or(image.pushed_at).max(image.pushed_at)
            }
            Count::DaysSincePulled(_) => {
                image.pulled_at.into_iter().chain(image.activated_at).fold(image.pushed_at, Timestamp::max)
            }
            Count::DaysSinceTransitioned(_) => image.archived_at.unwrap_or(image.pushed_at),
        };
        // Older before newer.
        for (image, verdict) in &of_rule {
            let older_is_kept =
                of_rule.iter().any(|(other, kept)| since(other) < since(image) && marked(kept).is_none());
            assert!(
                marked(verdict) != Some(rule.priority) || !older_is_kept,
                "{image:?} goes before an older one: {verdicts:?}"
            );
        }
        match rule.count {
            // So many of what it selects stay, as far as it is concerned, and what other rules mark is counted.
            Count::MoreThan(most) => {
                let newer = |image: &Image| selected.iter().filter(|(other, _)| since(other) > since(image)).count();
                let as_new = |image: &Image| selected.iter().filter(|(other, _)| since(other) >= since(image)).count();
                for (image, verdict) in &of_rule {
                    let is_marked = marked(verdict) == Some(rule.priority);
                    assert!(!is_marked || as_new(image) > most as usize, "{image:?} is among the youngest {most}");
                    assert!(
                        is_marked
                            || matches!(verdict, PolicyEffect::WithSubject { .. })
                            || newer(image) < most as usize,
                        "{image:?}"
                    );
                }
            }
            Count::DaysSincePushed(days) | Count::DaysSincePulled(days) | Count::DaysSinceTransitioned(days) => {
                for (image, verdict) in &of_rule {
                    let is_old = NOW.seconds_since(since(image)) >= i64::from(days) * DAY
                        && NOW > since(image).plus_seconds(i64::from(days) * DAY);
                    assert!(
                        is_old == marked(verdict).is_some() || matches!(verdict, PolicyEffect::WithSubject { .. }),
                        "{image:?} {verdict:?}"
                    );
                }
            }
        }
    }
}

fn check_order(rules: &[Value], images: &[Image]) {
    let verdicts = |rules: &[Value], images: &[Image]| -> BTreeMap<Digest, PolicyEffect> {
        images.iter().map(|image| image.digest.clone()).zip(evaluate(&parsed(rules), images, NOW)).collect()
    };
    let before = verdicts(rules, images);
    let backwards = |list: &[Value]| list.iter().rev().cloned().collect::<Vec<_>>();
    let turned: Vec<Image> = images.iter().rev().cloned().collect();
    assert_eq!(
        verdicts(&backwards(rules), &turned),
        before,
        "neither the order of the rules nor that of the images matters"
    );
    // A rule does not change what an earlier one marks.
    let last = rules.iter().max_by_key(|rule| rule["rulePriority"].as_u64()).unwrap();
    let fewer: Vec<Value> = rules.iter().filter(|rule| *rule != last).cloned().collect();
    if !fewer.is_empty() {
        let without = verdicts(&fewer, images);
        for (digest, verdict) in &before {
            let by_another = marked(verdict).is_some_and(|rule| Some(u64::from(rule)) != last["rulePriority"].as_u64());
            assert!(
                !by_another || without[digest] == *verdict,
                "{digest}: {verdict:?}, and {:?} without the last rule",
                without[digest]
            );
        }
    }
}

fn check_fates(policy: &Policy, images: &[Image]) {
    let seen = fates(policy, images, NOW);
    let first = simulated(policy, images);
    for (image, fate) in images.iter().zip(&seen) {
        let named = images.iter().any(|list| list.members.contains(&image.digest));
        match (fate, first.get(&image.digest)) {
            (Fate::Touched { pushes: 0, not_before, .. }, Some(at)) => {
                assert!(*at >= *not_before, "{image:?} is touched at {at}, sooner than {fate:?}");
                let on_time = at.seconds_since((*not_before).max(NOW)) <= STEP;
                assert!(
                    on_time || named || image.subject.is_some(),
                    "{image:?} is touched at {at}, later than {fate:?}"
                );
            }
            (Fate::Touched { pushes: 0, not_before, .. }, None) => {
                let later = not_before.seconds_since(NOW) > 85 * STEP;
                assert!(later || named || image.subject.is_some(), "{image:?} is never touched: {fate:?}");
            }
            (_, at) => assert_eq!(at, None, "{image:?} is touched without a push: {fate:?}"),
        }
        if let Fate::Touched { pushes, action, .. } = fate
            && let Some(rule) = policy.rule_for(image)
            && matches!(rule.count, Count::MoreThan(_))
            && !named
            && image.subject.is_none()
            && *pushes > 0
        {
            let after = |times: u32| {
                let more = pushed_again(images, image, times);
                evaluate(policy, &more, NOW)[images.iter().position(|other| other.digest == image.digest).unwrap()]
                    .action()
            };
            assert_eq!((after(*pushes), after(pushes - 1)), (Some(*action), None), "{image:?} after {pushes} pushes");
        }
    }
}

/// A tag that is said to keep an image keeps it, whatever is pushed; and the change of the policy makes one that does.
fn check_keep(rules: &[Value], images: &[Image]) {
    let text = json!({ "rules": rules }).to_string();
    let policy = parsed(rules);
    let changed = keep::change(&text).expect("a policy can be changed");
    let changed_policy = Policy::parse(&changed).expect("the changed policy is one");
    assert_eq!(keep::change(&changed).as_deref(), Some(changed.as_str()), "a second time changes nothing");
    let image = &images[0];
    let tagged = || {
        let mut tagged = images.to_vec();
        tagged[0].tags.push("pullsafe-keep-1".to_owned());
        tagged
    };
    for (policy, must) in [(&policy, false), (&changed_policy, image.class == StorageClass::Standard)] {
        let effect = keep::effect(policy, images, &image.digest, "pullsafe-keep-1", NOW);
        match effect {
            Effect::None => assert!(!must, "the changed policy does not keep {image:?}: {changed}"),
            Effect::Keeps { at_the_cost_of } => {
                for like in images {
                    let mut later = pushed_again(
                        &tagged(),
                        &Image {
                            tags: like.tags.iter().filter(|tag| !tag.starts_with(keep::PREFIX)).cloned().collect(),
                            ..like.clone()
                        },
                        9,
                    );
                    later.rotate_left(1);
                    let first = simulated(policy, &later);
                    assert!(
                        !first.contains_key(&image.digest) || image.subject.is_some(),
                        "{image:?} is touched in spite of its tag: {policy:?}"
                    );
                }
                if at_the_cost_of.is_empty() {
                    let (before, after) = (simulated(policy, images), simulated(policy, &tagged()));
                    // What a list holds may outlast its turn, if others went meanwhile: that is luck, and no promise.
                    let is_held = |other: &Image| images.iter().any(|list| list.members.contains(&other.digest));
                    for other in images[1..].iter().filter(|other| !is_held(other)) {
                        let sooner = match (before.get(&other.digest), after.get(&other.digest)) {
                            (_, None) => false,
                            (None, Some(_)) => true,
                            (Some(before), Some(after)) => after < before,
                        };
                        assert!(!sooner, "{other:?} pays for {image:?}, and nobody says so: {policy:?}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_documentation_promises_holds(rules in rules(), images in images()) {
        check_run(&parsed(&rules), &images);
        check_order(&rules, &images);
    }

    #[test]
    fn a_fate_comes_true(rules in rules(), images in images()) {
        check_fates(&parsed(&rules), &images);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tag_that_keeps_keeps(rules in rules(), images in images()) {
        check_keep(&rules, &images);
    }

    #[test]
    fn any_text_is_survived(text in "[ -~]{0,60}", key in "(rulePriority|selection|countNumber|tagPatternList)", number in any::<i64>()) {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&format!("{{\"rules\":[{{\"{key}\":{number},\"selection\":{{\"{key}\":[\"{}\"]}}}}]}}", text.escape_default()));
        let _ = keep::change(&text);
    }
}
