//! A policy that is wrong is refused with the place and the reason, every fault at once.

use pullsafe_lifecycle::Policy;
use serde_json::{Value, json};

fn good() -> Value {
    let selection =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 });
    json!({ "rules": [{ "rulePriority": 1, "description": "old", "selection": selection, "action": { "type": "expire" } }] })
}

fn faults(text: &str) -> Vec<String> {
    Policy::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

/// Checks that a good policy with this one change has this one fault.
fn check(pointer: &str, value: Value, expected: &str) {
    let mut policy = good();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = policy.pointer_mut(parent).unwrap();
    if value.is_null() {
        parent.as_object_mut().unwrap().shift_remove(key);
    } else {
        parent[key] = value;
    }
    assert_eq!(faults(&policy.to_string()), [expected], "{pointer}");
}

#[test]
fn a_good_policy_has_no_fault() {
    assert!(Policy::parse(&good().to_string()).is_ok());
}

#[test]
fn each_fault_names_its_place() {
    assert_eq!(faults("[]"), ["the policy must be an object"]);
    assert!(faults("{")[0].starts_with("the policy is not JSON: EOF while parsing an object at line 1 column 1"));
    assert_eq!(faults("{}"), ["rules must be a list"]);
    assert_eq!(faults("{\"rules\":[]}"), ["rules must have at least one rule"]);
    check("/more", json!(1), "more is not known; known are rules");
    check("/rules/0/rulePriority", Value::Null, "rules[0].rulePriority is missing");
    check("/rules/0/rulePriority", json!(0), "rules[0].rulePriority must be a whole number from 1");
    check("/rules/0/description", json!(1), "rules[0].description must be a text");
    check("/rules/0/action", Value::Null, "rules[0].action is missing");
    check(
        "/rules/0/action/type",
        json!("delete"),
        "rules[0].action.type must be one of `expire`, `transition`",
    );
    check(
        "/rules/0/action/type",
        json!("transition"),
        "rules[0].action.targetStorageClass is missing: `archive`",
    );
    check(
        "/rules/0/action/targetStorageClass",
        json!("archive"),
        "rules[0].action.targetStorageClass must be left out where the type is `expire`",
    );
    check("/rules/0/selection", json!([]), "rules[0].selection must be an object");
    check(
        "/rules/0/selection/tagStatus",
        json!("Any"),
        "rules[0].selection.tagStatus must be one of `tagged`, `untagged`, `any`",
    );
    check(
        "/rules/0/selection/tagStatus",
        json!("tagged"),
        "rules[0].selection needs a tagPrefixList or a tagPatternList, as its tagStatus is `tagged`",
    );
    check(
        "/rules/0/selection/tagPrefixList",
        json!(["a"]),
        "rules[0].selection.tagPrefixList must be left out unless tagStatus is `tagged`",
    );
    check(
        "/rules/0/selection/countNumber",
        json!(0),
        "rules[0].selection.countNumber must be a whole number from 1",
    );
    check(
        "/rules/0/selection/countNumber",
        json!(1.5),
        "rules[0].selection.countNumber must be a whole number from 1",
    );
    check("/rules/0/selection/countUnit", json!("hours"), "rules[0].selection.countUnit must be one of `days`");
    check("/rules/0/selection/countUnit", Value::Null, "rules[0].selection.countUnit is missing: `days`");
    check(
        "/rules/0/selection/countType",
        json!("imageCountMoreThan"),
        "rules[0].selection.countUnit must be left out where countType is `imageCountMoreThan`",
    );
    check(
        "/rules/0/selection/countType",
        json!("sinceImagePulled"),
        "rules[0].action.type must be `transition` where countType is `sinceImagePulled`",
    );
    check(
        "/rules/0/selection/storageClass",
        json!("archive"),
        "rules[0].selection.storageClass must be `archive` with countType `sinceImageTransitioned`, and `standard` \
         with any other",
    );
}

#[test]
fn tags_are_read_closely() {
    let tagged = |key: &str, list: Value| {
        let mut policy = good();
        policy["rules"][0]["selection"]["tagStatus"] = json!("tagged");
        policy["rules"][0]["selection"][key] = list;
        policy.to_string()
    };
    assert!(
        Policy::parse(&tagged("tagPatternList", json!(["*test*1*2*3", "test*1*2*3*"]))).is_ok(),
        "the user guide's own"
    );
    let at = "rules[0].selection.tagPatternList";
    assert_eq!(
        faults(&tagged("tagPatternList", json!(["ok", "test*1*2*3*4*5*6"]))),
        [format!("{at}[1] has more than four wildcards")]
    );
    assert_eq!(
        faults(&tagged("tagPatternList", json!(["v?"]))),
        [format!("{at}[0] is no pattern: the only wildcard is `*`")]
    );
    assert_eq!(
        faults(&tagged("tagPatternList", json!([]))),
        [format!("{at} must be a list of one or more texts, none of them empty")]
    );
    assert_eq!(faults(&tagged("tagPrefixList", json!(["a", 1]))).len(), 1);
    assert_eq!(faults(&tagged("tagPrefixList", json!([""]))).len(), 1);
}

#[test]
fn rules_are_held_against_each_other() {
    let any = |priority: u32| {
        let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9 });
        json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } })
    };
    let with = |rule: Value| {
        let mut policy = good();
        policy["rules"].as_array_mut().unwrap().push(rule);
        policy.to_string()
    };
    assert!(Policy::parse(&with(any(2))).is_ok());
    assert_eq!(faults(&with(any(1))), ["rules[1].rulePriority is 1 as that of rules[0] is"]);
    let mut twice = good()["rules"][0].clone();
    twice["rulePriority"] = json!(2);
    assert_eq!(faults(&with(twice)), ["rules[1].selection selects the same tags as rules[0] does"]);
    let mut late = good();
    late["rules"][0]["rulePriority"] = json!(7);
    late["rules"].as_array_mut().unwrap().push(any(3));
    assert_eq!(
        faults(&late.to_string()),
        ["rules[1].rulePriority must be the highest, as tagStatus is `any`; rules[0] comes after it"]
    );
    // Every fault at once.
    let mut bad = good();
    bad["rules"][0]["rulePriority"] = json!("1");
    bad["rules"][0]["selection"]["tagStatus"] = json!("x");
    bad["rules"][0]["action"]["type"] = json!("x");
    assert_eq!(faults(&bad.to_string()).len(), 3);
}
