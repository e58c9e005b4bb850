//! Every event in `events/` is passed on by exactly the rules that should pass it on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::pattern::matches;
use crate::template::{TemplateTree, events, project};

/// Each file of `events/`, and the rules that pass it on. No rule passes on what comes by a schedule, by a queue, or
/// from CloudFormation, which invokes by itself or through the topic. `tests/judges` checks the same file with another
/// matcher.
const CLAIMS: &str = include_str!("claims.json");

/// Events as AWS publishes them, one per line: what it is, its source, and the rules that pass it on.
const PUBLISHED: &str = include_str!("../../../events/published.jsonl");

fn claims() -> BTreeMap<String, BTreeSet<String>> {
    serde_json::from_str(CLAIMS).expect("a list of rules for each file")
}

fn files() -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(project().join("events")).expect("events/");
    let paths = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, event)
        })
        .collect()
}

/// The patterns of the rules that invoke functions, by the rule's name, which is unique over all functions.
fn patterns(template: &TemplateTree) -> BTreeMap<&str, &Value> {
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
    let (template, files) = (TemplateTree::load(), files());
    let patterns = patterns(&template);
    let claimed = claims();
    assert_eq!(
        claimed.keys().collect::<Vec<_>>(),
        files.keys().collect::<Vec<_>>(),
        "claims.json and events/ differ"
    );
    for (file, event) in &files {
        assert_eq!(woken(&patterns, event), claimed[file], "{file}");
    }
    let tried: BTreeSet<&str> = claimed.values().flatten().map(String::as_str).collect();
    assert_eq!(tried, patterns.keys().copied().collect(), "a rule without an event that it passes on");
}

fn woken(patterns: &BTreeMap<&str, &Value>, event: &Value) -> BTreeSet<String> {
    patterns
        .iter()
        .filter(|(_, pattern)| matches(pattern, event))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

#[test]
fn every_published_event_is_passed_on_by_the_claimed_rules_and_no_other() {
    let template = TemplateTree::load();
    let patterns = patterns(&template);
    let published: Vec<Value> = PUBLISHED.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(published.len() > 20);
    for sample in &published {
        assert!(sample["from"].as_str().is_some_and(|from| from.len() > 10), "{sample} says where it is from");
        let rules: BTreeSet<String> = serde_json::from_value(sample["rules"].clone()).expect("names of rules");
        assert_eq!(woken(&patterns, &sample["event"]), rules, "{}", sample["what"]);
    }
}

#[test]
fn deployments_wake_once_even_if_they_come_as_service_actions() {
    let template = TemplateTree::load();
    for name in ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"] {
        for kind in ["INFO", "ERROR"] {
            let event = json!({"source": "aws.ecs", "detail-type": "ECS Service Action", "detail": {"eventType": kind, "eventName": name}});
            assert!(!matches(patterns(&template)["ServiceAction"], &event), "{kind} {name}");
        }
    }
}

#[test]
fn the_schedule_sends_the_sweep() {
    let template = TemplateTree::load();
    let remediator = template.resource("RemediatorFunction");
    let sweep = &remediator["Events"]["Sweep"]["Properties"];
    let input: Value = serde_json::from_str(sweep["Input"].as_str().expect("an input")).expect("JSON");
    assert_eq!(input, files()["sweep"]);
    let daily = &remediator["Events"]["FindPaused"]["Properties"];
    let input: Value = serde_json::from_str(daily["Input"].as_str().expect("an input")).expect("JSON");
    assert_eq!((&input, daily["Schedule"].as_str()), (&files()["find-paused"], Some("rate(1 day)")));
    for (event, file, rate) in
        [("FindOutlooks", "find-outlooks", "rate(1 day)"), ("TellOutlooks", "tell-outlooks", "rate(7 days)")]
    {
        let schedule = &remediator["Events"][event]["Properties"];
        let input: Value = serde_json::from_str(schedule["Input"].as_str().expect("an input")).expect("JSON");
        assert_eq!((&input, schedule["Schedule"].as_str()), (&files()[file], Some(rate)));
    }
    let waker = &template.resource("GateWakerFunction")["Events"]["GateSweep"]["Properties"];
    assert_eq!((&waker["Input"], waker["Schedule"].as_str()), (&sweep["Input"], Some("rate(1 minute)")));
    assert_eq!(image_gate::decide::deadline::TICK_SECONDS, 60, "what the gate counts on");
    // EventBridge refuses `rate(1 minutes)`.
    assert_eq!(sweep["Schedule"]["Fn::If"][1], "rate(1 minute)");
}

#[test]
fn every_event_says_where_it_came_from() {
    let readme = std::fs::read_to_string(project().join("events/README.md")).expect("events/README.md");
    let listed: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| *cell != "file")
        .collect();
    assert_eq!(listed, files().keys().map(String::as_str).collect(), "the table of events/README.md");
}
