//! Every event in `events/` is passed on by exactly the rules that it should be passed on by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::pattern::matches;
use crate::template::{Template, events, project};

/// Each file of `events/`, and the rules that pass it on.
const CLAIMS: &[(&str, &[&str])] = &[
    ("codebuild-failed-build", &["BuildFailed"]),
    ("codebuild-failed-download-source", &["BuildFailed"]),
    ("codebuild-failed-provisioning", &["BuildFailed"]),
    ("codebuild-succeeded", &[]),
    ("deployment-completed", &["DeploymentChanged"]),
    ("deployment-failed", &["DeploymentChanged"]),
    ("deployment-in-progress", &["DeploymentChanged"]),
    ("deployment-rollback", &["DeploymentChanged"]),
    ("ecr-image-deleted", &[]),
    ("ecr-image-pushed", &["GateImagePushed", "ImagePushed"]),
    ("ecr-image-pushed-without-tag", &[]),
    ("ecr-image-replicated", &["GateImageReplicated", "ImageReplicated"]),
    ("ecr-image-replication-failed", &[]),
    ("ecr-image-restored", &["GateImageRestored"]),
    ("ecr-pull-through-failed", &[]),
    ("ecr-pull-through-succeeded", &["GateImagePulledThrough", "ImagePulledThrough"]),
    // CloudFormation invokes by itself, or through the topic.
    ("gate-create", &[]),
    ("gate-delete", &[]),
    ("gate-failed", &[]),
    ("gate-notification", &[]),
    ("gate-update", &[]),
    ("image-mirrored", &["GateImageMirrored", "ImageMirrored"]),
    ("remedy-applied", &[]),
    ("service-desired-count-updated", &[]),
    ("service-steady-state", &["ServiceAction"]),
    ("service-task-placement-failure", &["ServiceAction"]),
    ("service-task-start-impaired", &["ServiceAction"]),
    // These three come by the schedule and by the queue, not by a pattern.
    ("sqs-failed-event", &[]),
    ("sqs-raw-events", &[]),
    ("sweep", &[]),
    ("task-running", &[]),
    ("task-spot-warning", &[]),
    ("task-stopped-digest-gone", &["TaskStopped"]),
    ("task-stopped-hub-quota", &["TaskStopped"]),
    ("task-stopped-hub-quota-duplicate", &["TaskStopped"]),
    ("task-stopped-hub-quota-ec2", &["TaskStopped"]),
    ("task-stopped-hub-quota-injected-container", &["TaskStopped"]),
    ("task-stopped-image-not-found", &["TaskStopped"]),
    ("task-stopped-load-balancer-health", &["TaskStopped"]),
    ("task-stopped-run-task", &["TaskStopped"]),
    ("task-stopped-scaling", &["TaskStopped"]),
];

fn files() -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(project().join("events")).expect("events/");
    let paths =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, event)
        })
        .collect()
}

/// The patterns that wake functions: the rule's name (unique over all functions) and its pattern.
fn patterns(template: &Template) -> BTreeMap<&str, &Value> {
    let mut patterns = BTreeMap::new();
    for (_, function) in template.functions() {
        for (name, kind, properties) in events(function) {
            if kind == "EventBridgeRule" {
                assert!(patterns.insert(name, &properties["Pattern"]).is_none(), "{name} twice");
            }
        }
    }
    patterns
}

#[test]
fn every_event_is_passed_on_by_the_claimed_rules_and_no_other() {
    let (template, files) = (Template::load(), files());
    let patterns = patterns(&template);
    let claimed: BTreeMap<&str, BTreeSet<&str>> = CLAIMS.iter().map(|(file, rules)| (*file, rules.iter().copied().collect())).collect();
    assert_eq!(
        claimed.keys().copied().collect::<Vec<_>>(),
        files.keys().map(String::as_str).collect::<Vec<_>>(),
        "CLAIMS and events/ differ"
    );
    for (file, event) in &files {
        let woken: BTreeSet<&str> = patterns.iter().filter(|(_, pattern)| matches(pattern, event)).map(|(name, _)| *name).collect();
        assert_eq!(woken, claimed[file.as_str()], "{file}");
    }
    let tried: BTreeSet<&str> = CLAIMS.iter().flat_map(|(_, rules)| rules.iter().copied()).collect();
    assert_eq!(tried, patterns.keys().copied().collect(), "a rule without an event that it passes on");
}

#[test]
fn deployments_wake_once_even_if_they_come_as_service_actions() {
    let template = Template::load();
    for name in ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"] {
        for kind in ["INFO", "ERROR"] {
            let event = json!({"source": "aws.ecs", "detail-type": "ECS Service Action", "detail": {"eventType": kind, "eventName": name}});
            assert!(!matches(patterns(&template)["ServiceAction"], &event), "{kind} {name}");
        }
    }
}

#[test]
fn the_schedule_sends_the_sweep() {
    let template = Template::load();
    let remediator = template.resource("RemediatorFunction");
    let sweep = &remediator["Events"]["Sweep"]["Properties"];
    let input: Value = serde_json::from_str(sweep["Input"].as_str().expect("an input")).expect("JSON");
    assert_eq!(input, files()["sweep"]);
    let waker = &template.resource("GateWakerFunction")["Events"]["GateSweep"]["Properties"];
    assert_eq!((&waker["Input"], waker["Schedule"].as_str()), (&sweep["Input"], Some("rate(1 minute)")));
    assert_eq!(image_gate::decide::deadline::TICK_SECONDS, 60, "what the gate counts on");
    // EventBridge refuses `rate(1 minutes)`.
    assert_eq!(sweep["Schedule"]["Fn::If"][1], "rate(1 minute)");
}

#[test]
fn every_event_says_where_it_came_from() {
    let readme = std::fs::read_to_string(project().join("events/README.md")).expect("events/README.md");
    let listed: BTreeSet<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).filter(|cell| *cell != "file").collect();
    assert_eq!(listed, files().keys().map(String::as_str).collect(), "the table of events/README.md");
}
