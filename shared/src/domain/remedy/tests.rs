//! Every guard, one row each: a situation in which the remedy acts, one thing changed, and the reason it gives then.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::domain::cause::{Cause, Confidence, Diagnosis, Kind};
use crate::domain::incident::{Act, ActState};
use crate::domain::observation::{Doubt, HubImage, Lookup, Resolved, ScalingTarget, Stack};
use crate::domain::plan::{Step, Suspended};
use crate::domain::reference::{Digest, Reference, Registry};
use crate::domain::service::Service;
use crate::domain::stopped_task::StoppedTask;
use crate::domain::task_definition::TaskDefinition;
use crate::domain::waiting::Waiting;

const DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7";
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
const MIRROR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2026-01-15T19:00:00Z").unwrap().plus_seconds(minute * 60)
}

fn settings() -> Settings {
    Settings::read(|name| {
        let value = match name {
            "PULLSAFE_MODE" => "act",
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

fn resolved(of: &str) -> Lookup<Resolved> {
    Lookup::Found(Resolved { digest: digest(of), platforms: Some(vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]) })
}

fn hub_image(written: &str) -> HubImage {
    let reference: Reference = written.parse().unwrap();
    let mirror = crate::domain::settings::Mirror { registry: MIRROR.to_owned(), prefix: "docker-hub".to_owned() };
    HubImage {
        written: written.to_owned(),
        hub: resolved(written),
        last_run: None,
        mirror: Some((target::in_mirror(&mirror, &reference).unwrap(), resolved(written))),
        public: target::in_ecr_public(&reference).map(|place| (place, Lookup::Absent)),
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
        cause,
        registry: quota.then_some(Registry::DockerHub),
        kind: quota.then_some(Kind::Quota),
        why: None,
        phase: None,
        signature: None,
        explanation: None,
        build: None,
        image: Some(image.to_owned()),
        container: Some("app".to_owned()),
        attempts: Some(7),
        anonymous: None,
        confidence: Confidence::High,
        evidence: Vec::new(),
        settled_by: None,
        advice: String::new(),
    };
    let mut record = crate::domain::incident::Record::default();
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
            stack: Lookup::Found(Stack { name: "app".to_owned(), status: "UPDATE_COMPLETE".to_owned() }),
            scaling: Lookup::Found(ScalingTarget { suspended: Suspended { scale_in: true, ..Suspended::default() } }),
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
    case(Cause::ImageDigestGone, &format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1@{}", digest("old")))
}

fn decided(case: &Case) -> Decision {
    let service = crate::domain::arn::ServiceId { cluster_arn: CLUSTER.to_owned(), name: "web".to_owned() };
    let blocker = case.incident.blocker().unwrap();
    decide(Situation { now: case.now, settings: &case.settings, service: &service, incident: &case.incident, blocker, seen: &case.seen })
}

/// What was decided, as text: the steps of the plan, what is waited for, or why the first remedy declined.
fn outcome(case: &Case) -> String {
    let decision = decided(case);
    match (&decision.plan, &decision.waiting) {
        (Some(plan), _) => format!("act: {}", plan.steps.iter().map(Step::describe).collect::<Vec<_>>().join(" | ")),
        (None, Some(waiting)) => format!("wait: {waiting:?}"),
        (None, None) => format!(
            "declined: {}",
            decision.declined.iter().flat_map(|declined| &declined.reasons).cloned().collect::<Vec<_>>().join(" | ")
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
fn a_quota_moves_every_docker_hub_image() {
    check(
        limited,
        |_| {},
        "act: clone web:7 with acme/app:1 -> 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/acme/app:1, redis:7 -> 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7 and move service prod/web to it | tag service prod/web with pullsafe:cause=",
    );
    check(limited, set_service(|service| service["runningCount"] = json!(2)), "act: clone");
    check(limited, |case| case.incident.causes[0].tasks = 1, "act: clone");
}

#[test]
fn a_move_gives_its_reasons_for_not_moving() {
    let rows: Vec<Row<Case>> = vec![
        (Box::new(|case| case.incident.causes[0].diagnosis.kind = Some(Kind::Burst)), "declined: "),
        (Box::new(|case| case.incident.causes[0].diagnosis.registry = Some(Registry::Ghcr)), "declined: "),
        (Box::new(|case| case.seen.service = Lookup::Absent), "declined: the service no longer exists"),
        (Box::new(|case| case.seen.service = Lookup::Unknown(Doubt::lasting("denied"))), "could not be looked up: denied"),
        (Box::new(set_service(|service| service["status"] = json!("DRAINING"))), "the service is DRAINING"),
        (
            Box::new(set_service(|service| service["deploymentController"] = json!({"type": "CODE_DEPLOY"}))),
            "CodeDeploy deploys this service",
        ),
        (Box::new(set_service(|service| service["deploymentController"] = json!({"type": "EXTERNAL"}))), "an external controller"),
        (
            Box::new(set_service(|service| service["deploymentController"] = json!({"type": "NEW"}))),
            "the deployment controller NEW is not known",
        ),
        (Box::new(set_service(|service| service["schedulingStrategy"] = json!("DAEMON"))), "it is a DAEMON service"),
        (Box::new(set_service(|service| service["resourceManagementType"] = json!("ECS"))), "Express service"),
        (
            Box::new(set_service(|service| service["deploymentConfiguration"] = json!({"strategy": "BLUE_GREEN"}))),
            "its deployments are BLUE_GREEN",
        ),
        (Box::new(set_service(|service| service["deployments"][0]["rolloutState"] = json!("FAILED"))), "the deployment circuit breaker"),
        (
            Box::new(set_service(|service| {
                service["deployments"][0]["rolloutStateReason"] =
                    json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0")
            })),
            "the deployment circuit breaker",
        ),
        (
            Box::new(set_service(|service| service["taskDefinition"] = json!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:8"))),
            "the service has moved on to web:8",
        ),
        (
            Box::new(set_service(|service| service["tags"] = json!([{"key": "pullsafe:moved-at", "value": "2026-01-15T01:00:00Z"}]))),
            "less than 24 hours ago",
        ),
        (Box::new(|case| (case.incident.causes[0].tasks, case.incident.causes[0].diagnosis.attempts) = (1, None)), "met once, on one task"),
        (Box::new(|case| case.seen.hub_images.clear()), "names no image of Docker Hub"),
        (
            Box::new(|case| case.seen.task_definition = Lookup::Unknown(Doubt::lasting("throttled"))),
            "the task definition could not be read: throttled",
        ),
        (
            Box::new(|case| {
                let plan = decided(&limited()).plan.unwrap();
                case.incident.act = Some(Act { cause: Cause::RegistryRateLimited, plan, decided_at: at(1), state: ActState::Done });
            }),
            "this incident has had its one act (move-to-mirror)",
        ),
    ];
    for (change, expected) in rows {
        check(limited, change, expected);
    }
}

#[test]
fn an_image_goes_only_where_it_is_certainly_the_same() {
    let rows: Vec<Row<HubImage>> = vec![
        // The mirror lacks it or is behind: it can be asked.
        (Box::new(|image| image.mirror.as_mut().unwrap().1 = Lookup::Absent), "act: ask the mirror to copy docker.io/acme/app:1"),
        (Box::new(|image| image.mirror.as_mut().unwrap().1 = resolved("older")), "act: ask the mirror to copy docker.io/acme/app:1"),
        // What the service last ran is as good as what the tag means now.
        (
            Box::new(|image| {
                image.mirror.as_mut().unwrap().1 = resolved("older");
                image.last_run = Some(digest("older"));
            }),
            "act: clone",
        ),
        (
            Box::new(|image| image.hub = Lookup::Unknown(Doubt::lasting("timeout"))),
            "Docker Hub could not be asked whether that is the same",
        ),
        (Box::new(|image| image.mirror.as_mut().unwrap().1 = Lookup::Unknown(Doubt::lasting("denied"))), "could not be looked up: denied"),
        (Box::new(|image| image.mirror = None), "acme/app:1 has nowhere to go: no mirror is configured; it is not an official image"),
        (
            Box::new(|image| {
                let same = Lookup::Found(Resolved { digest: digest("acme/app:1"), platforms: Some(vec!["linux/arm64/v8".to_owned()]) });
                image.mirror.as_mut().unwrap().1 = same;
            }),
            "offers linux/arm64/v8 and the task needs linux/amd64",
        ),
    ];
    for (change, expected) in rows {
        check(limited, |case| change(&mut case.seen.hub_images[0]), expected);
    }
}

#[test]
fn an_official_image_may_go_to_ecr_public() {
    let no_role = |case: &mut Case| {
        case.seen.hub_images.remove(0);
        case.seen.role_may_pull.insert("docker-hub/library/redis".to_owned(), Lookup::Found(false));
    };
    check(limited, no_role, "the execution role may not pull from docker-hub/library/redis");
    let with_public = |case: &mut Case| {
        no_role(case);
        case.seen.hub_images[0].public.as_mut().unwrap().1 = resolved("redis:7");
    };
    check(limited, with_public, "redis:7 -> public.ecr.aws/docker/library/redis:7");
    let switched_off = |case: &mut Case| {
        with_public(case);
        case.settings.public_fallback = false;
    };
    check(limited, switched_off, "moving official images to ECR Public is switched off");
}

#[test]
fn the_mirror_is_asked_once_and_waited_for_with_patience() {
    let waiting = |minute: i64| {
        move |case: &mut Case| {
            case.seen.hub_images[0].mirror.as_mut().unwrap().1 = Lookup::Absent;
            let images = vec!["acme/app:1".parse().unwrap()];
            case.incident.waiting = Some(Waiting { cause: WaitingFor::Mirror(images), since: at(2) });
            case.now = at(minute);
        }
    };
    check(limited, waiting(10), "wait: Mirror");
    check(limited, waiting(30), "the mirror was asked at 2026-01-15T19:02:00Z and has not delivered");
}

#[test]
fn a_missing_image_pauses_a_service_of_which_nothing_runs() {
    check(
        missing,
        |_| {},
        "pullsafe:paused-scaling=in=true out=false scheduled=false | set the suspended state of autoscaling of prod/web to in=true out=true scheduled=true | set the desired count of prod/web from 2 to 0",
    );
    check(missing, |case| case.seen.scaling = Lookup::Absent, "act: tag service prod/web");
    check(missing, |case| case.incident.causes[0].tasks = 1, "wait: MoreFailures");
}

#[test]
fn a_pause_gives_its_reasons_for_not_pausing() {
    let rows: Vec<Row<Case>> = vec![
        (Box::new(|case| case.settings.pause = false), "pausing services is switched off"),
        (Box::new(set_service(|service| service["runningCount"] = json!(1))), "1 task(s) of the service run"),
        (
            Box::new(set_service(|service| {
                service["deployments"].as_array_mut().unwrap().push(json!({"id": "ecs-svc/0", "status": "ACTIVE", "runningCount": 2}))
            })),
            "2 task(s) of the service run",
        ),
        (Box::new(set_service(|service| service["desiredCount"] = json!(0))), "the desired count is 0 already"),
        (
            Box::new(|case| case.seen.stack = Lookup::Found(Stack { name: "app".to_owned(), status: "CREATE_IN_PROGRESS".to_owned() })),
            "stack app is CREATE_IN_PROGRESS",
        ),
        (
            Box::new(|case| case.seen.stack = Lookup::Unknown(Doubt::lasting("denied"))),
            "whether the service's stack is being deployed could not be found out: denied",
        ),
        (
            Box::new(|case| case.seen.scaling = Lookup::Unknown(Doubt::lasting("denied"))),
            "whether autoscaling would raise the count again could not be found out: denied",
        ),
        (Box::new(|case| case.seen.wanted = resolved("x")), "exists now; ECS will find it at its next try"),
        (Box::new(|case| case.seen.wanted = Lookup::Unknown(Doubt::lasting("denied"))), "could not be confirmed: denied"),
        (Box::new(|case| add_other_cause(case, at(1))), "tasks of this service also stopped for another cause (app-crashed)"),
        (Box::new(|case| case.incident.causes[0].diagnosis.image = None), "the message does not name the image"),
        (Box::new(set_service(|service| service["schedulingStrategy"] = json!("DAEMON"))), "it is a DAEMON service"),
    ];
    for (change, expected) in rows {
        check(missing, change, expected);
    }
    check(missing, |case| add_other_cause(case, at(-120)), "act: tag service");
}

#[test]
fn a_paused_service_comes_back_with_its_image_unless_a_person_was_first() {
    let paused = |case: &mut Case, desired: i64| {
        case.seen.service = Lookup::Found(service(|service| {
            service["desiredCount"] = json!(desired);
            service["tags"] = json!([
                {"key": "pullsafe:paused-count", "value": "2"}, {"key": "pullsafe:paused-for", "value": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"},
                {"key": "pullsafe:paused-scaling", "value": "in=true out=false scheduled=false"}, {"key": "pullsafe:cause", "value": "image-not-found"},
            ]);
        }));
    };
    let back = "set the suspended state of autoscaling of prod/web to in=true out=false scheduled=false | remove the tags pullsafe:paused-count, pullsafe:paused-for, pullsafe:paused-scaling, pullsafe:cause from service prod/web";
    check(missing, |case| paused(case, 0), "wait: Image");
    check(
        missing,
        |case| {
            paused(case, 0);
            case.seen.wanted = resolved("app");
        },
        &format!("act: set the desired count of prod/web from 0 to 2 | {back}"),
    );
    check(missing, |case| paused(case, 5), &format!("act: {back}"));
}

#[test]
fn a_digest_that_is_gone_needs_a_new_deployment() {
    check(gone, |_| {}, "act: force a new deployment of prod/web");
    check(
        gone,
        set_service(|service| service["runningCount"] = json!(1)),
        "a new deployment would replace them with whatever the tag means now",
    );
    check(gone, |case| case.seen.wanted = Lookup::Absent, "set the desired count of prod/web from 2 to 0");
    check(gone, |case| case.seen.wanted = Lookup::Unknown(Doubt::lasting("denied")), "could not be confirmed: denied");
    let by_digest = |case: &mut Case| {
        let image = format!("{MIRROR}/app@{}", digest("old"));
        let definition =
            json!({"taskDefinition": {"taskDefinitionArn": DEFINITION, "containerDefinitions": [{"name": "app", "image": image}]}});
        case.seen.task_definition = Lookup::Found(TaskDefinition::from_json(&definition).unwrap());
    };
    check(gone, by_digest, "the task definition itself names the digest");
}

#[test]
fn a_paused_pinned_service_is_restored_with_a_new_deployment() {
    check(
        gone,
        |case| {
            case.seen.service = Lookup::Found(service(|service| {
                service["desiredCount"] = json!(0);
                service["tags"] = json!([
                    {"key": "pullsafe:paused-count", "value": "3"}, {"key": "pullsafe:paused-for", "value": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"},
                    {"key": "pullsafe:cause", "value": "image-digest-gone"},
                ]);
            }));
        },
        "act: set the desired count of prod/web from 0 to 3 and force a new deployment",
    );
}
