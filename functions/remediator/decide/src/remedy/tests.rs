//! Every guard, one row each: a situation in which the remedy acts, one thing changed, and the reason it gives then.

mod move_to_mirror;
mod pause_and_restore;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::observation::{DockerHubImage, ScalingTarget, Stack};
use crate::service::Service;
use pullsafe::lookup::ResolvedImage;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::reference::{Digest, Reference, Registry};
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis, Kind};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::incident::{Act, ActState};
use pullsafe_incident::plan::{Step, Suspended};
use pullsafe_incident::waiting::WaitingIncident;

const DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7";
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
const MIRROR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2026-01-15T19:00:00Z").unwrap().plus_seconds(minute * 60)
}

pub(crate) fn settings() -> Settings {
    Settings::read(|name| {
        let value = match name {
            "PULLSAFE_MODE" => "act",
            "PULLSAFE_PAUSE_AFTER_MINUTES" => "0",
            "PULLSAFE_TABLE" | "PULLSAFE_TOPIC_ARN" | "PULLSAFE_QUEUE_URL" | "PULLSAFE_MIRROR_QUEUE_URL" => "x",
            "PULLSAFE_MIRROR_REGISTRY" => MIRROR,
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

fn service(change: impl FnOnce(&mut Value)) -> Service {
    let mut value = json!({
        "serviceName": "web", "clusterArn": CLUSTER, "status": "ACTIVE", "desiredCount": 2, "runningCount": 0, "pendingCount": 2,
        "taskDefinition": DEFINITION,
        "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": DEFINITION, "desiredCount": 2, "rolloutState": "IN_PROGRESS"}],
        "tags": [],
    });
    change(&mut value);
    Service::from_json(&value).unwrap()
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn resolved(of: &str) -> Lookup<ResolvedImage> {
    Lookup::Found(ResolvedImage {
        digest: digest(of),
        platforms: Some(vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]),
    })
}

fn hub_image(written: &str) -> DockerHubImage {
    let reference: Reference = written.parse().unwrap();
    let mirror = pullsafe::settings::MirrorLocation { registry: MIRROR.to_owned(), prefix: "docker-hub".to_owned() };
    DockerHubImage {
        written: written.to_owned(),
        hub: resolved(written),
        left: None,
        last_run: Lookup::Absent,
        mirror: Some((target::in_mirror(&mirror, &reference).unwrap(), resolved(written))),
        public: pullsafe::reference::in_ecr_public(&reference).map(|place| (place, Lookup::Absent)),
        reference,
    }
}

/// A case in which its remedy acts, to be changed in one place.
struct Case {
    settings: Settings,
    incident: Incident,
    seen: Observation,
    now: Timestamp,
}

fn case(cause: Cause, image: &str) -> Case {
    let quota = cause == Cause::RegistryRateLimited;
    let diagnosis = Diagnosis {
        registry: quota.then_some(Registry::DockerHub),
        kind: quota.then_some(Kind::Quota),
        image: Some(image.to_owned()),
        container: Some("app".to_owned()),
        attempts: Some(7),
        ..Diagnosis::of(cause, Confidence::High)
    };
    let mut record = pullsafe_incident::record::Record::default();
    for (task, minute) in [("a", 1), ("b", 2)] {
        let task = StoppedTask {
            task_arn: task.to_owned(),
            task_definition_arn: DEFINITION.to_owned(),
            version: 1,
            stopped_at: Some(at(minute)),
            ..StoppedTask::default()
        };
        record.add_failure("prod/web", &task, diagnosis.clone(), at(minute));
    }
    let definition = json!({"taskDefinition": {
        "taskDefinitionArn": DEFINITION, "family": "web", "revision": 7, "executionRoleArn": "arn:aws:iam::123456789012:role/pull",
        "containerDefinitions": [{"name": "app", "image": image.split('@').next()}, {"name": "side", "image": "redis:7"}],
    }});
    let roles = ["docker-hub/acme/app", "docker-hub/library/redis"].map(|name| (name.to_owned(), Lookup::Found(true)));
    Case {
        settings: settings(),
        incident: record.open.unwrap(),
        seen: Observation {
            service: Lookup::Found(service(|_| {})),
            task_definition: TaskDefinition::from_json(&definition).map_or(Lookup::Absent, Lookup::Found),
            hub_images: if quota { vec![hub_image(image), hub_image("redis:7")] } else { Vec::new() },
            role_may_pull: BTreeMap::from(roles),
            limit: None,
            stack: Lookup::Found(Stack { name: "app".to_owned(), status: "UPDATE_COMPLETE".into() }),
            scaling: Lookup::Found(ScalingTarget {
                suspended: Suspended { scale_in: true, ..Suspended::default() },
                bounds: (1, 10),
            }),
            kept: Lookup::Absent,
            wanted: if cause == Cause::ImageDigestGone { resolved("new") } else { Lookup::Absent },
        },
        now: at(3),
    }
}

fn limited() -> Case {
    case(Cause::RegistryRateLimited, "acme/app:1")
}

fn missing() -> Case {
    case(Cause::ImageNotFound, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1")
}

fn gone() -> Case {
    case(
        Cause::ImageDigestGone,
        &format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1@{}", digest("old")),
    )
}

fn decided(case: &Case) -> Decision {
    let service = pullsafe::arn::ServiceId { cluster_arn: CLUSTER.to_owned(), name: "web".to_owned() };
    let blocker = case.incident.blocker().unwrap();
    decide(Situation {
        now: case.now,
        settings: &case.settings,
        service: &service,
        incident: &case.incident,
        blocker,
        seen: &case.seen,
    })
}

/// What was decided, as text: the steps of the plan, what is waited for, or why the first remedy declined.
fn outcome(case: &Case) -> String {
    let decision = decided(case);
    match (&decision.plan, &decision.waiting) {
        (Some(plan), _) => format!("act: {}", plan.steps.iter().map(Step::describe).collect::<Vec<_>>().join(" | ")),
        (None, Some(waiting)) => format!("wait: {waiting:?}"),
        (None, None) => format!(
            "declined: {}",
            decision
                .declined
                .iter()
                .flat_map(|declined| &declined.reasons)
                .cloned()
                .collect::<Vec<_>>()
                .join(" | ")
        ),
    }
}

fn check(start: fn() -> Case, change: impl FnOnce(&mut Case), expected: &str) {
    let mut case = start();
    change(&mut case);
    let outcome = outcome(&case);
    assert!(outcome.contains(expected), "expected {expected:?} in\n{outcome}");
}

/// A change, and what is expected of it.
type Row<T> = (Box<dyn FnOnce(&mut T)>, &'static str);

fn set_service(change: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Case) {
    |case| case.seen.service = Lookup::Found(service(change))
}

fn add_other_cause(case: &mut Case, at: Timestamp) {
    let mut other = case.incident.causes[0].clone();
    other.diagnosis.cause = Cause::AppCrashed;
    (other.first_at, other.last_at) = (at, at);
    case.incident.causes.insert(0, other);
}

#[test]
fn remedies_follow_the_cause() {
    let remedy =
        |text: &str, image: &str| name_for(&pullsafe_diagnosis::diagnose_text(text, Some(image), "x").unwrap());
    assert_eq!(remedy("toomanyrequests: You have reached your pull rate limit", "redis"), RemedyName::MoveToMirror);
    assert_eq!(remedy("toomanyrequests: Too Many Requests (HAP429)", "redis"), RemedyName::Advise);
    assert_eq!(remedy("failed to resolve ref acme/api:1: not found", "acme/api:1"), RemedyName::PauseAndRestore);
    assert_eq!(
        remedy("failed to resolve ref acme/api:1@sha256:ab: not found", "acme/api:1"),
        RemedyName::ForceNewDeployment
    );
    assert_eq!(remedy("Your Spot Task was interrupted.", ""), RemedyName::None);
}
