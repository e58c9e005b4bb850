//! Every row of the corpus and every further message, changed as real events differ: reordered, incomplete, wrapped,
//! cut, in capitals, with wrong types.
//!
//! For all of them: nothing panics, no change makes a stop Docker Hub's quota, and a cut text gives the same cause or
//! `unknown`, never another cause.

use pullsafe_diagnosis::cause::Cause;
use serde_json::{Value, json};

use crate::corpus::{Stop, TaskLogs, of_event};

/// The labelled stops, and the further messages.
fn every() -> Vec<Stop> {
    Stop::all().into_iter().chain(crate::further::stops()).collect()
}

/// A change of an event.
type EventChange = fn(&mut Value);

/// Changes that take nothing away: the cause stays the same.
const HARMLESS: &[(&str, EventChange)] = &[
    ("wrapped lines", |event| in_texts(event, |text| text.replace(' ', "\n   "))),
    ("wrapped at colons", |event| in_texts(event, |text| text.replace(": ", ":\r\n\t"))),
    ("upper case", |event| in_reasons(event, |text| text.to_uppercase())),
    ("lower case", |event| in_reasons(event, |text| text.to_lowercase())),
    ("typographic quotes", |event| in_texts(event, |text| text.replace('\'', "\u{2019}"))),
    ("the other name of the reader", |event| {
        in_texts(event, |text| text.replace("httpReadSeeker", "httpReaderSeeker"))
    }),
    ("unknown fields", |event| {
        event["detail"]["newField"] = json!({"deep": [1, {"er": null}]});
        event["newEnvelopeField"] = json!(7);
        for container in containers(event) {
            container["futureField"] = json!(["x"]);
        }
    }),
    ("a GuardDuty agent in front", |event| {
        if let Some(list) = event["detail"]["containers"].as_array_mut() {
            list.insert(0, json!({"name": "aws-guardduty-agent-q3x", "lastStatus": "STOPPED", "cpu": "null"}));
        }
    }),
    ("a Service Connect proxy in front, killed", |event| {
        let ran = event["detail"].get("startedAt").is_some();
        if let Some(list) = event["detail"]["containers"].as_array_mut() {
            let mut proxy = json!({"name": "ecs-service-connect-a1", "lastStatus": "STOPPED"});
            if ran {
                proxy["exitCode"] = json!(143);
            }
            list.insert(0, proxy);
        }
    }),
    ("containers in the other order", |event| {
        if let Some(list) = event["detail"]["containers"].as_array_mut() {
            list.reverse();
        }
    }),
    ("no times", |event| {
        remove(
            event,
            &[
                "createdAt",
                "pullStartedAt",
                "pullStoppedAt",
                "stoppingAt",
                "stoppedAt",
                "executionStoppedAt",
                "updatedAt",
                "connectivityAt",
            ],
        )
    }),
    ("no names of things", |event| {
        remove(
            event,
            &[
                "taskArn",
                "clusterArn",
                "taskDefinitionArn",
                "group",
                "startedBy",
                "attachments",
                "attributes",
                "overrides",
                "version",
            ],
        )
    }),
];

/// Changes that may take the telling part away: the result is the cause, `unknown`, or what the rest still says.
const HARMFUL: &[(&str, EventChange)] = &[
    ("no stop code", |event| remove(event, &["stopCode"])),
    ("no reason", |event| remove(event, &["stoppedReason"])),
    ("no containers", |event| remove(event, &["containers"])),
    ("no status", |event| remove(event, &["lastStatus"])),
    ("reason of a wrong type", |event| {
        event["detail"]["stoppedReason"] = json!(["CannotPullContainerError"])
    }),
    ("containers of a wrong type", |event| event["detail"]["containers"] = json!("app")),
    ("container of a wrong type", |event| event["detail"]["containers"] = json!([7, null, "app", []])),
    ("exit code of a wrong type", |event| {
        containers(event).into_iter().for_each(|container| container["exitCode"] = json!("137"))
    }),
    ("image of a wrong type", |event| {
        containers(event).into_iter().for_each(|container| container["image"] = json!({"uri": 1}))
    }),
    ("version of a wrong type", |event| event["detail"]["version"] = json!("five")),
    ("times of a wrong type", |event| event["detail"]["startedAt"] = json!({"seconds": 1})),
    ("detail of a wrong type", |event| event["detail"] = json!([1, 2])),
    ("no detail", |event| event["detail"] = Value::Null),
];

fn containers(event: &mut Value) -> Vec<&mut Value> {
    event["detail"]["containers"]
        .as_array_mut()
        .map(|list| list.iter_mut().filter(|container| container.is_object()).collect())
        .unwrap_or_default()
}

fn remove(event: &mut Value, keys: &[&str]) {
    if let Some(detail) = event["detail"].as_object_mut() {
        for key in keys {
            detail.remove(*key);
        }
    }
}

/// Changes the texts that people read: the reasons of the task and of its containers.
fn in_reasons(event: &mut Value, change: impl Fn(&str) -> String) {
    if let Some(text) = event["detail"]["stoppedReason"].as_str() {
        event["detail"]["stoppedReason"] = json!(change(text));
    }
    for container in containers(event) {
        if let Some(text) = container["reason"].as_str() {
            container["reason"] = json!(change(text));
        }
    }
}

fn in_texts(event: &mut Value, change: impl Fn(&str) -> String) {
    in_reasons(event, change);
}

fn changed(stop: &Stop, change: impl Fn(&mut Value)) -> Value {
    let mut event = stop.event.clone();
    change(&mut event);
    event
}

/// Checks that Docker Hub's quota is found only where our own diagnosis of the unchanged stop has it. Returns the
/// cause.
fn check_quota(stop: &Stop, event: &Value, logs: &TaskLogs, what: &str) -> Cause {
    let found = of_event(event, logs);
    assert!(
        !found.docker_hub_quota() || stop.diagnosis().docker_hub_quota(),
        "{}: {what} made it Docker Hub's quota",
        stop.id
    );
    found.cause
}

#[test]
fn harmless_changes_keep_the_cause() {
    let mut wrong = Vec::new();
    for stop in every() {
        let before = stop.diagnosis();
        for (what, change) in HARMLESS {
            let event = changed(&stop, change);
            check_quota(&stop, &event, &stop.logs, what);
            let after = of_event(&event, &stop.logs);
            let same = (after.cause, after.signature, after.docker_hub_quota())
                == (before.cause, before.signature, before.docker_hub_quota());
            if !same {
                wrong.push(format!("{}: {what}: {} became {}", stop.id, before.cause, after.cause));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn harmful_changes_never_panic_and_never_make_a_quota() {
    for stop in every() {
        for (what, change) in HARMFUL {
            let event = changed(&stop, change);
            check_quota(&stop, &event, &stop.logs, what);
            check_quota(&stop, &event, &TaskLogs::new(), what);
        }
        check_quota(&stop, &stop.event, &TaskLogs::new(), "no logs");
        let foreign: TaskLogs =
            stop.logs.iter().map(|(name, lines)| (format!("{name}-other"), lines.clone())).collect();
        check_quota(&stop, &stop.event, &foreign, "logs under another name");
    }
}

#[test]
fn pull_messages_cut_anywhere_are_right_or_unknown() {
    let mut wrong = Vec::new();
    for stop in every().iter().filter(|stop| is_pull(stop)) {
        let whole = stop.diagnosis().cause;
        let longest = stop.event["detail"]["stoppedReason"].as_str().map(str::len).unwrap_or_default().max(600);
        for length in (0..longest).chain([255, 1024]) {
            let event = changed(stop, |event| in_reasons(event, |text| cut(text, length)));
            let found = check_quota(stop, &event, &stop.logs, "a cut");
            if found != whole && found != Cause::Unknown {
                wrong.push(format!("{}: cut at {length}: {whole} became {found}", stop.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cuts give another cause:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn other_messages_cut_at_the_agents_lengths_are_right_or_unknown() {
    for stop in every().iter().filter(|stop| !is_pull(stop)) {
        let whole = stop.diagnosis().cause;
        for length in [255, 1024] {
            let event = changed(stop, |event| in_reasons(event, |text| cut(text, length)));
            let found = check_quota(stop, &event, &stop.logs, "a cut");
            assert!(found == whole || found == Cause::Unknown, "{}: cut at {length}: {whole} became {found}", stop.id);
        }
    }
}

fn is_pull(stop: &Stop) -> bool {
    let texts = std::iter::once(&stop.event["detail"]["stoppedReason"]).chain(
        stop.event["detail"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| &container["reason"]),
    );
    texts.filter_map(Value::as_str).any(|text| {
        text.contains("CannotPull")
            || text.contains("toomanyrequests")
            || text.contains("failed to copy")
            || text.contains("failed to resolve")
    })
}

fn cut(text: &str, length: usize) -> String {
    let end = (0..=length.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or_default();
    text[..end].to_owned()
}
