//! The five cases as reports. The incidents come from the worlds of the scenarios, or are made through the API of the
//! record.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::build::diagnose_build;
use pullsafe_diagnosis::diagnose_text;
use pullsafe_events::Subject;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::brief;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::record::Record;
use pullsafe_report::{IncidentState, Report, html, markdown};
use scenarios::reported::{self, IMAGE};
use serde_json::json;

use crate::html::check;

fn project() -> Subject {
    Subject::Project {
        scope: "arn:aws:codebuild:eu-west-1:123456789012".to_owned(),
        name: "court-case-build".to_owned(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

/// Checks all forms of a report. The Markdown is compared with its snapshot.
fn golden(name: &str, report: &Report) {
    check(&html::page("Incidents", std::slice::from_ref(report)));
    insta::assert_snapshot!(name, markdown::report(report));
}

#[tokio::test]
async fn case_a_is_told_from_the_first_429_to_the_steady_service() {
    let (subject, incident) = reported::case_a().await;
    assert!(incident.resolved_at.is_some());
    let report = Report::of(&subject, &incident, at("2026-01-16T08:00:00Z"));
    assert_eq!(report.state, IncidentState::Resolved);
    golden("case_a_resolved", &report);
    insta::assert_snapshot!("case_a_html", html::page("Incidents", std::slice::from_ref(&report)));
    insta::assert_json_snapshot!("case_a_json", report);
}

#[tokio::test]
async fn case_a_in_observe_mode_says_what_would_have_been_done() {
    let (subject, incident, now) = reported::case_a_observed().await;
    let report = Report::of(&subject, &incident, now);
    assert_eq!((report.state, report.resolved_at), (IncidentState::Open, None));
    assert!(report.changes[0].edits[0].before[0].contains(IMAGE), "{:?}", report.changes);
    golden("case_a_observed", &report);
}

/// Only the log of the build names the image. An earlier build failed for another cause.
#[test]
fn case_b_names_the_base_image_and_its_line() {
    let mut record = Record::default();
    let failures = [
        (
            json!("DOWNLOAD_SOURCE"),
            "CLIENT_ERROR: authorization failed for primary source",
            Vec::new(),
            "2026-01-14T09:00:00Z",
        ),
        (
            json!("BUILD"),
            "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app . Reason: exit status 1",
            vec![
                "Step 1/9 : FROM python:3.11-slim".to_owned(),
                "toomanyrequests: You have reached your unauthenticated pull rate limit. \
                 https://www.docker.com/increase-rate-limit"
                    .to_owned(),
            ],
            "2026-01-14T10:30:00Z",
        ),
    ];
    for (number, (phase, context, log, stopped)) in failures.into_iter().enumerate() {
        let detail = json!({ "build-status": "FAILED", "additional-information": { "phases": [
            { "phase-type": phase, "phase-status": "FAILED", "phase-context": [context] } ] } });
        let logs = if log.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("build".to_owned(), log)])
        };
        let diagnosis = diagnose_build(&detail, &logs).diagnosis;
        let build = format!("arn:aws:codebuild:eu-west-1:123456789012:build/court-case-build:{number}");
        let task = StoppedTask {
            task_arn: build,
            version: 1,
            stopped_at: Some(at(stopped)),
            ..StoppedTask::default()
        };
        record.add_failure(&project().to_string(), &task, diagnosis, at(stopped));
    }
    let report = Report::of(&project(), &record.open.expect("an incident"), at("2026-01-14T11:00:00Z"));
    let edit = &report.changes[0].edits[0];
    assert_eq!(
        (edit.before[0].as_str(), edit.after[0].as_str()),
        ("FROM python:3.11-slim", "FROM public.ecr.aws/docker/library/python:3.11-slim")
    );
    golden("case_b", &report);
}

#[tokio::test]
async fn case_c_shows_what_was_hidden_and_is_not_resolved_by_silence() {
    let (subject, incident, now) = reported::case_c().await;
    let report = Report::of(&subject, &incident, now);
    let causes: Vec<_> = report
        .causes
        .iter()
        .map(|cause| (cause.cause.as_str(), cause.hidden_by.map(|hidden| hidden.as_str())))
        .collect();
    assert_eq!(
        causes,
        [
            ("registry-rate-limited", None),
            ("load-balancer-health-check-failed", Some("registry-rate-limited"))
        ]
    );
    assert!(report.resolution.contains("silence is not recovery"), "{}", report.resolution);
    golden("case_c", &report);
}

#[tokio::test]
async fn case_d_waits_for_its_image_and_shows_the_gate() {
    let (subject, incident, now) = reported::case_d().await;
    let report = Report::of(&subject, &incident, now);
    assert_eq!(report.state, IncidentState::Waiting);
    assert!(report.changes[0].edits[0].after.iter().any(|line| line.contains("Custom::PullsafeImage")));
    golden("case_d", &report);
}

/// A compose stack with images of Docker Hub: the official one is at ECR Public, the other one in the account's mirror.
#[test]
fn case_e_gives_every_image_its_place() {
    let mut record = Record::default();
    let text = "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating \
        and upgrading: https://www.docker.com/increase-rate-limit";
    let stopped = at("2026-02-02T10:00:00Z");
    for image in ["redis:7-alpine", "postgis/postgis:16-3.4"] {
        let diagnosis = diagnose_text(text, Some(image), "logs[build]").expect("a known text");
        let task = StoppedTask {
            task_arn: image.to_owned(),
            version: 1,
            stopped_at: Some(stopped),
            ..StoppedTask::default()
        };
        record.add_failure(&project().to_string(), &task, diagnosis, stopped);
    }
    let report = Report::of(&project(), &record.open.expect("an incident"), stopped);
    let first = &report.changes[0].note;
    assert!(
        first.contains(
            "pullsafe copy docker.io/postgis/postgis:16-3.4 \
             123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/postgis/postgis:16-3.4"
        ),
        "{first}"
    );
    golden("case_e", &report);
}

#[tokio::test]
async fn the_same_incident_gives_the_same_report() {
    let (subject, incident, now) = reported::case_d().await;
    let of = |incident: &Incident| {
        html::page("Incidents", &[Report::of(&subject, incident, now), Report::of(&subject, incident, now)])
    };
    let twice = of(&incident);
    check(&twice);
    let again: Incident = serde_json::from_value(serde_json::to_value(&incident).expect("JSON")).expect("the same");
    assert_eq!(of(&again), twice);
    assert!(!brief::timeline(&incident).is_empty());
}
