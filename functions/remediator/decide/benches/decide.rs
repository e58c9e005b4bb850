//! The speed of the pure path, on one core: `cargo bench -p remediator-decide --bench decide`.
//!
//! The bench profile inherits the release profile, so that this is the code as the functions ship it. The observation
//! is given; making one costs round trips, which `cargo figures` counts.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pullsafe::lookup::Lookup;
use pullsafe::lookup::ResolvedImage;
use pullsafe::reference::{Digest, Reference};
use pullsafe::settings::{MirrorLocation, Settings};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::diagnose;
use pullsafe_events as event;
use pullsafe_events::Event;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::plan::Plan;
use pullsafe_incident::record::Record;
use remediator_decide::observation::{DockerHubImage, Observation};
use remediator_decide::remedy::{Situation, decide, target};
use remediator_decide::service::Service;
use serde_json::{Value, json};

const EVENT: &str = include_str!("../../../../events/task-stopped-hub-quota.json");
const CORPUS: &str = include_str!("../../../../tests/corpus/stops.jsonl");
const MIRROR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

fn settings() -> Settings {
    let read = Settings::read(|name| {
        let value = match name {
            "PULLSAFE_MODE" => "act",
            "PULLSAFE_PAUSE_AFTER_MINUTES" => "0",
            "PULLSAFE_TABLE" | "PULLSAFE_TOPIC_ARN" | "PULLSAFE_QUEUE_URL" | "PULLSAFE_MIRROR_QUEUE_URL" => "x",
            "PULLSAFE_MIRROR_REGISTRY" => MIRROR,
            _ => return None,
        };
        Some(value.to_owned())
    });
    read.expect("the settings are right")
}

/// The world around the event's service: its mirror has the image, its role may pull from there.
fn observation(detail: &Value) -> Observation {
    let image = detail["containers"][0]["image"].as_str().expect("the event names its image");
    let definition = &detail["taskDefinitionArn"];
    let service = json!({
        "serviceName": "court-case-backend", "clusterArn": detail["clusterArn"], "status": "ACTIVE", "desiredCount": 2,
        "runningCount": 0, "pendingCount": 2, "taskDefinition": definition, "tags": [],
        "deployments": [{"id": detail["startedBy"], "status": "PRIMARY", "taskDefinition": definition, "desiredCount": 2, "rolloutState": "IN_PROGRESS"}],
    });
    let task_definition = json!({"taskDefinition": {
        "taskDefinitionArn": definition, "family": "court-case-backend", "revision": 77, "executionRoleArn": "arn:aws:iam::123456789012:role/pull",
        "containerDefinitions": [{
            "name": "backend", "image": image, "essential": true, "cpu": 0, "memoryReservation": 512, "environment": [{"name": "PORT", "value": "8080"}],
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/court", "awslogs-region": "us-east-1"}},
        }],
    }});
    let reference: Reference = image.parse().expect("the image is a reference");
    let place =
        target::in_mirror(&MirrorLocation { registry: MIRROR.to_owned(), prefix: "docker-hub".to_owned() }, &reference);
    let place = place.expect("the image has a place in the mirror");
    let resolved = Lookup::Found(ResolvedImage {
        digest: Digest::of(b"image"),
        platforms: Some(vec!["linux/amd64".to_owned()]),
    });
    Observation {
        service: Service::from_json(&service).map_or(Lookup::Absent, Lookup::Found),
        task_definition: TaskDefinition::from_json(&task_definition).map_or(Lookup::Absent, Lookup::Found),
        role_may_pull: BTreeMap::from([(place.repository().to_owned(), Lookup::Found(true))]),
        hub_images: vec![DockerHubImage {
            written: image.to_owned(),
            reference,
            hub: resolved.clone(),
            left: None,
            last_run: Lookup::Absent,
            mirror: Some((place, resolved)),
            public: None,
        }],
        ..Observation::default()
    }
}

/// Goes from the event to the plan, as the remediator does.
fn plan(payload: &Value, now: Timestamp, settings: &Settings, seen: &Observation) -> Option<Plan> {
    let Event::TaskStopped(stopped) = event::parse(payload, now) else {
        return None;
    };
    let event::Subject::Service(service) = &stopped.subject else {
        return None;
    };
    let diagnosis = diagnose(&stopped.task, &BTreeMap::new());
    let mut record = Record::default();
    record.add_failure(&stopped.subject.to_string(), &stopped.task, diagnosis, now);
    let incident = record.open.as_ref()?;
    let blocker = incident.blocker()?;
    decide(Situation { now, settings, service, incident, blocker, seen }).plan
}

fn decisions(criterion: &mut Criterion) {
    let payload: Value = serde_json::from_str(EVENT).expect("the event is JSON");
    let now = Timestamp::parse("2026-01-15T19:49:43Z").expect("a moment");
    let (settings, seen) = (settings(), observation(&payload["detail"]));
    assert!(plan(&payload, now, &settings, &seen).is_some(), "the event leads to an act");

    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(1));
    group.bench_function("from-event-to-plan", |bencher| {
        bencher.iter(|| plan(black_box(&payload), now, &settings, &seen))
    });
    group.bench_function("from-bytes-to-plan", |bencher| {
        bencher
            .iter(|| plan(&serde_json::from_str(black_box(EVENT)).expect("the event is JSON"), now, &settings, &seen));
    });
    group.bench_function("parse-alone", |bencher| bencher.iter(|| event::parse(black_box(&payload), now)));
    group.finish();
}

fn diagnoses(criterion: &mut Criterion) {
    let stops: Vec<(StoppedTask, BTreeMap<String, Vec<String>>)> = CORPUS
        .lines()
        .map(|line| {
            let stop: Value = serde_json::from_str(line).expect("a row of the corpus is JSON");
            let logs = serde_json::from_value(stop["logs"].clone()).unwrap_or_default();
            (StoppedTask::from_json(&stop["event"]["detail"]), logs)
        })
        .collect();
    let without_logs: Vec<&(StoppedTask, BTreeMap<String, Vec<String>>)> =
        stops.iter().filter(|(_, logs)| logs.is_empty()).collect();
    assert!(
        !without_logs.is_empty() && without_logs.len() < stops.len(),
        "the corpus has stops with logs, and without"
    );

    let mut group = criterion.benchmark_group("diagnose");
    group.throughput(Throughput::Elements(stops.len() as u64));
    group.bench_function("corpus", |bencher| {
        bencher.iter(|| stops.iter().for_each(|(task, logs)| drop(black_box(diagnose(black_box(task), logs)))));
    });
    group.throughput(Throughput::Elements(without_logs.len() as u64));
    group.bench_function("corpus-without-logs", |bencher| {
        bencher.iter(|| without_logs.iter().for_each(|(task, logs)| drop(black_box(diagnose(black_box(task), logs)))));
    });
    group.finish();
}

criterion_group!(benches, decisions, diagnoses);
criterion_main!(benches);
