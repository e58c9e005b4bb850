//! EventBridge's event patterns, as far as the template uses them: names, lists of values, `exists`,
//! `anything-but`, `prefix` and `$or`.
//!
//! An unknown operator is a panic, never a match. Rules of the syntax: Amazon EventBridge User Guide, "Creating Amazon
//! EventBridge event patterns".

use serde_json::Value;

/// Whether the pattern matches the event: every name of the pattern has to match, whatever else the event has.
pub(crate) fn matches(pattern: &Value, event: &Value) -> bool {
    let names = pattern.as_object().expect("a pattern is an object");
    assert!(!names.is_empty(), "an empty pattern matches nothing on AWS");
    names.iter().all(|(name, expected)| match (name.as_str(), expected) {
        ("$or", Value::Array(alternatives)) => alternatives.iter().any(|alternative| matches(alternative, event)),
        (_, Value::Object(_)) => matches(expected, event.get(name).unwrap_or(&Value::Null)),
        (_, Value::Array(values)) => values.iter().any(|value| field_matches(value, event.get(name))),
        (_, other) => panic!("{name}: a pattern holds objects and lists, not {other}"),
    })
}

/// Whether one alternative of a field matches. A field that is a list matches if one of its members does.
fn field_matches(expected: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = expected.get("exists") {
        return exists.as_bool().expect("a boolean") == found.is_some_and(|value| !value.is_object());
    }
    match found {
        None => false,
        Some(Value::Array(members)) => members.iter().any(|member| value_matches(expected, member)),
        Some(value) => value_matches(expected, value),
    }
}

fn value_matches(expected: &Value, found: &Value) -> bool {
    let Some(operator) = expected.as_object() else {
        return expected == found;
    };
    let (name, argument) = operator.iter().next().expect("an operator");
    match name.as_str() {
        "anything-but" => !argument.as_array().map_or(argument == found, |values| values.contains(found)),
        "prefix" => found.as_str().is_some_and(|text| text.starts_with(argument.as_str().expect("a string"))),
        other => panic!("the operator {other} is not known here"),
    }
}

#[test]
fn patterns_match_as_eventbridge_documents_them() {
    use serde_json::json;
    let event = json!({"source": "aws.x", "detail": {"state": "ON", "tag": "v1", "list": ["a", "b"], "empty": ""}});
    let check = |pattern: Value, expected: bool| assert_eq!(matches(&pattern, &event), expected, "{pattern}");
    check(json!({"source": ["aws.x", "aws.y"]}), true);
    check(json!({"source": ["aws.y"]}), false);
    check(json!({"source": ["aws.x"], "detail": {"state": ["OFF"]}}), false);
    check(json!({"detail": {"list": ["b"]}}), true);
    check(json!({"detail": {"tag": [{"exists": true}]}}), true);
    check(json!({"detail": {"none": [{"exists": true}]}}), false);
    check(json!({"detail": {"none": [{"exists": false}]}}), true);
    check(json!({"none": {"deeper": ["x"]}}), false);
    check(json!({"detail": {"tag": [{"anything-but": ["v2"]}]}}), true);
    check(json!({"detail": {"tag": [{"anything-but": "v1"}]}}), false);
    check(json!({"detail": {"none": [{"anything-but": ["v1"]}]}}), false);
    check(json!({"detail": {"tag": [{"prefix": "v"}]}}), true);
    check(json!({"detail": {"$or": [{"state": ["OFF"]}, {"tag": ["v1"]}]}}), true);
    check(json!({"detail": {"$or": [{"state": ["OFF"]}, {"tag": ["v2"]}]}}), false);
}
