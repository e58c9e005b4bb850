//! The examples of ECR's user guide, with the outcomes that it names.

use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_lifecycle::{Action, Image, Policy, StorageClass, evaluate};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_795_900_000_000);
const DAY: i64 = 86_400;

fn image(name: &str, tags: &[&str], days: i64) -> Image {
    Image::pushed(Digest::of(name.as_bytes()), tags, NOW.plus_seconds(-days * DAY))
}

fn rule(priority: u32, selection: Value) -> Value {
    json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } })
}

fn more_than(key: &str, tags: &[&str], number: u32) -> Value {
    json!({ "tagStatus": "tagged", key: tags, "countType": "imageCountMoreThan", "countNumber": number })
}

/// Checks which of the images A, B, C and so on one run acts upon.
fn check(rules: &[Value], images: &[Image], expected: &str) {
    let policy = Policy::parse(&json!({ "rules": rules }).to_string()).unwrap();
    let verdicts = evaluate(&policy, images, NOW);
    let acted: String = ('A'..)
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.action().is_some())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(acted, expected, "{rules:?}: {verdicts:?}");
}

#[test]
fn filtering_on_image_age() {
    let old = json!({ "tagStatus": "tagged", "tagPatternList": ["prod*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 });
    check(
        &[rule(1, old)],
        &[
            image("a", &["prod-1"], 15),
            image("b", &["prod2"], 13),
            image("c", &["dev-1"], 15),
            image("d", &[], 99),
        ],
        "A",
    );
    let old =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 });
    check(&[rule(1, old)], &[image("a", &["prod-1"], 15), image("b", &[], 13), image("c", &[], 15)], "C");
}

#[test]
fn filtering_on_image_count() {
    let one = json!({ "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1 });
    check(
        &[rule(1, one)],
        &[image("a", &[], 3), image("b", &["x"], 2), image("c", &[], 1), image("d", &[], 9)],
        "AD",
    );
}

#[test]
fn filtering_on_multiple_rules() {
    let images = [
        image("a", &["beta-1", "prod-1"], 10),
        image("b", &["beta-2", "prod-2"], 9),
        image("c", &["beta-3"], 8),
    ];
    for (key, star) in [("tagPrefixList", ""), ("tagPatternList", "*")] {
        let (prod, beta) = (format!("prod{star}"), format!("beta{star}"));
        check(&[rule(1, more_than(key, &[&prod], 1)), rule(2, more_than(key, &[&beta], 1))], &images, "A");
        check(&[rule(1, more_than(key, &[&beta], 1)), rule(2, more_than(key, &[&prod], 1))], &images, "AB");
        // The number decides, not the place.
        check(&[rule(2, more_than(key, &[&beta], 1)), rule(1, more_than(key, &[&prod], 1))], &images, "A");
    }
}

#[test]
fn filtering_on_multiple_tags_in_a_single_rule() {
    for (key, star) in [("tagPrefixList", ""), ("tagPatternList", "*")] {
        let both = [format!("alpha{star}"), format!("beta{star}")];
        let mut old =
            json!({ "tagStatus": "tagged", "countType": "sinceImagePushed", "countNumber": 5, "countUnit": "days" });
        old[key] = json!(both);
        let images = [
            image("a", &["alpha-1"], 12),
            image("b", &["beta-1"], 11),
            image("c", &["alpha-2", "beta-2"], 10),
            image("d", &["alpha-3"], 4),
            image("e", &["beta-3"], 3),
            image("f", &["alpha-4", "beta-4"], 2),
        ];
        check(&[rule(1, old)], &images, "C");
        let images = [
            image("a", &["alpha-1", "beta-1", "gamma-1"], 10),
            image("b", &["alpha-2", "beta-2"], 9),
            image("c", &["alpha-3", "beta-3", "gamma-2"], 8),
        ];
        check(&[rule(1, more_than(key, &[&both[0], &both[1]], 1))], &images, "AB");
    }
}

#[test]
fn filtering_on_all_images() {
    let images = [
        image("a", &["alpha-1"], 4),
        image("b", &["beta-1"], 3),
        image("c", &[], 2),
        image("d", &["alpha-2"], 1),
    ];
    let any = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 });
    check(&[rule(1, more_than("tagPrefixList", &["alpha"], 1)), rule(2, any.clone())], &images, "ABC");
    check(&[rule(1, any.clone())], &images, "ABC");
    // Those of the first rule are kept by it, although the second one counts them.
    check(&[rule(1, more_than("tagPrefixList", &["alpha"], 5)), rule(2, any)], &images, "BC");
    let old = json!({ "tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 2 });
    check(&[rule(1, old)], &images, "AB");
}

#[test]
fn archiving_what_nobody_pulls_and_deleting_what_lies_in_the_archive() {
    let idle = json!({ "tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90 });
    let idle = json!({ "rulePriority": 1, "selection": idle, "action": { "type": "transition", "targetStorageClass": "archive" } });
    let old = json!({ "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 365 });
    let pulled = |name: &str, days: i64| Image {
        pulled_at: Some(NOW.plus_seconds(-days * DAY)),
        ..image(name, &["x"], 400)
    };
    let archived = |name: &str, days: i64| Image {
        class: StorageClass::Archive,
        archived_at: Some(NOW.plus_seconds(-days * DAY)),
        ..image(name, &["x"], 800)
    };
    // Pulled long ago, pulled lately, never pulled, just pushed, long archived, lately archived, back from the archive.
    let back = Image {
        activated_at: Some(NOW.plus_seconds(-DAY)),
        ..pulled("g", 200)
    };
    let images = [
        pulled("a", 91),
        pulled("b", 89),
        image("c", &[], 91),
        image("d", &[], 89),
        archived("e", 366),
        archived("f", 364),
        back,
    ];
    check(&[idle.clone(), rule(2, old.clone())], &images, "ACE");
    let policy = Policy::parse(&json!({ "rules": [idle, rule(2, old)] }).to_string()).unwrap();
    let done: Vec<_> = evaluate(&policy, &images, NOW)
        .iter()
        .filter_map(pullsafe_lifecycle::PolicyEffect::action)
        .collect();
    assert_eq!(done, [Action::Archive, Action::Archive, Action::Expire]);
}

#[test]
fn what_an_index_names_stays_until_the_index_has_gone() {
    let one =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1 });
    let tagged = json!({ "tagStatus": "tagged", "tagPrefixList": ["v"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30 });
    let rules = [rule(1, one), rule(2, tagged)];
    let index = |days| Image {
        members: vec![Digest::of(b"child")],
        ..image("index", &["v1"], days)
    };
    check(&rules, &[index(20), image("child", &[], 20), image("other", &[], 20)], "C");
    check(&rules, &[index(31), image("child", &[], 31)], "A");
    check(&rules, &[image("child", &[], 31)], "A");
}

#[test]
fn what_is_attached_goes_with_its_subject() {
    let tagged =
        json!({ "tagStatus": "tagged", "tagPrefixList": ["v"], "countType": "imageCountMoreThan", "countNumber": 1 });
    let signature = |of: &str, name: &str| Image {
        subject: Some(Digest::of(of.as_bytes())),
        ..image(name, &[], 1)
    };
    check(
        &[rule(1, tagged)],
        &[image("a", &["v1"], 2), signature("a", "b"), image("c", &["v2"], 1), signature("c", "d")],
        "AB",
    );
}
