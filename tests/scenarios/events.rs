//! What pullsafe makes of every event in `events/`: the fact, the diagnosis, and what it would do if every guard held.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::lookup::ResolvedImage;
use pullsafe::reference::{Digest, Reference};
use pullsafe::settings::{MirrorLocation, Settings};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::build::diagnose_build;
use pullsafe_diagnosis::cause::{Cause, Diagnosis};
use pullsafe_diagnosis::diagnose;
use pullsafe_events as event;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_events::{Event, Subject, TaskStopped};
use pullsafe_incident::plan::Step;
use pullsafe_incident::record::Record;
use remediator_decide::observation::{DockerHubImage, Observation};
use remediator_decide::remedy;
use remediator_decide::remedy::{Situation, target};
use remediator_decide::service::Service;
use serde_json::{Value, json};

const MIRROR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

#[test]
fn every_event_is_read_as_it_should_be() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut document = String::new();
    for file in files {
        let payload: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        writeln!(document, "== {name}").unwrap();
        match event::records(&payload) {
            Some(records) => {
                for record in records {
                    writeln!(document, "message {}:", record.message_id).unwrap();
                    document += &record.body.map_or_else(|problem| format!("{problem}\n"), |body| read(&body));
                }
            }
            None => document += &read(&payload),
        }
        document.push('\n');
    }
    insta::assert_snapshot!("events", document);
}

fn read(payload: &Value) -> String {
    let now = Timestamp::parse("2026-01-15T20:00:00Z").unwrap();
    match event::parse(payload, now) {
        Event::TaskStopped(stopped) => of_stop(&stopped, now),
        Event::ServiceChanged(changed) => {
            format!("fact: {} {:?} ({} {})\n", changed.service, changed.change, changed.name, changed.reason)
        }
        Event::HookWaits(waits) => {
            format!("fact: a deployment of {} waits at the hook {}\n", waits.service, waits.hook)
        }
        Event::ImageArrived(arrival) => format!("fact: {} appeared with tag {:?}\n", arrival.repository, arrival.tag),
        Event::ImageMirrored(copy) => format!("fact: {} is in the mirror\n", copy.source),
        Event::BuildFailed(build) => {
            let diagnosis = diagnose_build(&build.detail, &BTreeMap::new()).diagnosis;
            format!("fact: a build of {} failed\n{}", build.project, described(&diagnosis))
        }
        Event::Sweep => "fact: the schedule asks for a sweep\n".to_owned(),
        Event::Look(subject) => format!("fact: look at {subject}\n"),
        Event::FindOutlooks => "fact: look for what runs, to see what will go wrong with it\n".to_owned(),
        Event::LookOut(subject, definition) => {
            format!("fact: see what will go wrong with {subject} ({definition:?})\n")
        }
        Event::TellOutlooks => "fact: tell people what is known to go wrong\n".to_owned(),
        Event::QuotaRead(probed) => {
            format!(
                "fact: Docker Hub grants {} {} of {} pulls more\n",
                probed.source, probed.reading.remaining, probed.reading.limit
            )
        }
        Event::MoveAhead(subject) => format!("fact: {subject} is to be moved before a limit ends\n"),
        Event::FindPaused => "fact: look for services that are paused and that nobody remembers\n".to_owned(),
        Event::Paused(subject) => format!("fact: {subject} carries the mark of a pause\n"),
        Event::Summary(author, since) => format!("fact: sum up what was held back of {author} since {since}\n"),
        Event::Drill(service) => format!("fact: play a drill for {service}\n"),
        Event::TryAgain(subject) => format!("fact: try again what was refused for {subject}\n"),
        Event::Ignored(why) => format!("ignored: {why}\n"),
    }
}

fn of_stop(stopped: &TaskStopped, now: Timestamp) -> String {
    let diagnosis = diagnose(&stopped.task, &BTreeMap::new());
    let fact = format!("fact: a task of {} stopped\n{}", stopped.subject, described(&diagnosis));
    let (false, Subject::Service(service)) = (diagnosis.cause.is_benign(), &stopped.subject) else {
        return fact;
    };
    let mut record = Record::default();
    for number in 0..2 {
        let mut task = stopped.task.clone();
        task.task_arn = format!("{}{number}", task.task_arn);
        record.add_failure(&stopped.subject.to_string(), &task, diagnosis.clone(), now);
    }
    let incident = record.open.unwrap();
    let blocker = incident.blocker().unwrap();
    let seen = favourable(stopped, service, &diagnosis);
    let decision = remedy::decide(Situation {
        now,
        settings: &settings(),
        service,
        incident: &incident,
        blocker,
        seen: &seen,
    });
    let mut text = fact;
    if let Some(plan) = &decision.plan {
        let steps: Vec<_> = plan.steps.iter().map(Step::describe).collect();
        writeln!(text, "plan: {}\n  {}", plan.remedy, steps.join("\n  ")).unwrap();
    }
    for declined in &decision.declined {
        writeln!(text, "declined: {}: {}", declined.remedy, declined.reasons.join("; ")).unwrap();
    }
    text
}

fn described(diagnosis: &Diagnosis) -> String {
    let evidence: Vec<_> = diagnosis
        .evidence
        .iter()
        .map(|evidence| format!("  {}: {}", evidence.source, evidence.text))
        .collect();
    format!(
        "diagnosis: {}, confidence {}\n{}\nadvice: {}\n",
        pullsafe_incident::incident::summary(diagnosis),
        diagnosis.confidence,
        evidence.join("\n"),
        diagnosis.advice
    )
}

/// A world in which every guard holds.
fn favourable(stopped: &TaskStopped, service: &ServiceId, diagnosis: &Diagnosis) -> Observation {
    let definition = &stopped.task.task_definition_arn;
    let image = diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let found = || Lookup::Found(ResolvedImage { digest: Digest::of(b"image"), platforms: None });
    let mirror = MirrorLocation { registry: MIRROR.to_owned(), prefix: "docker-hub".to_owned() };
    let hub_images: Vec<_> = image
        .iter()
        .filter(|image| image.is_docker_hub())
        .map(|image| DockerHubImage {
            written: diagnosis.image.clone().unwrap_or_default(),
            reference: image.clone(),
            hub: found(),
            left: None,
            last_run: Lookup::Absent,
            mirror: target::in_mirror(&mirror, image).ok().map(|place| (place, found())),
            public: None,
        })
        .collect();
    let places = hub_images.iter().filter_map(|image| image.mirror.as_ref());
    let role_may_pull = places.map(|(place, _)| (place.repository().to_owned(), Lookup::Found(true))).collect();
    let deployment =
        json!({ "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": definition, "rolloutState": "IN_PROGRESS" });
    let service = json!({
        "serviceName": service.name, "clusterArn": service.cluster_arn, "status": "ACTIVE", "desiredCount": 2, "runningCount": 0,
        "taskDefinition": definition, "deployments": [deployment],
    });
    // The event has the digest that ECS pinned; the definition has the tag.
    let written = diagnosis.image.as_deref().and_then(|image| image.split('@').next());
    let registered = json!({ "taskDefinition": { "taskDefinitionArn": definition, "containerDefinitions": [{ "name": diagnosis.container, "image": written }] } });
    Observation {
        service: Service::from_json(&service).map_or(Lookup::Absent, Lookup::Found),
        task_definition: TaskDefinition::from_json(&registered).map_or(Lookup::Absent, Lookup::Found),
        hub_images,
        role_may_pull,
        limit: None,
        stack: Lookup::Absent,
        scaling: Lookup::Absent,
        kept: Lookup::Absent,
        wanted: if diagnosis.cause == Cause::ImageDigestGone { found() } else { Lookup::Absent },
    }
}

fn settings() -> Settings {
    let lookup = |name: &str| {
        (!name.contains("MIRROR_PREFIX")).then(|| match name {
            "PULLSAFE_MODE" => "act".to_owned(),
            "PULLSAFE_PAUSE_AFTER_MINUTES" => "0".to_owned(),
            "PULLSAFE_MIRROR_REGISTRY" => MIRROR.to_owned(),
            "PULLSAFE_TABLE" | "PULLSAFE_TOPIC_ARN" | "PULLSAFE_QUEUE_URL" | "PULLSAFE_MIRROR_QUEUE_URL" => {
                "x".to_owned()
            }
            other => pullsafe::settings::ALL
                .iter()
                .find(|setting| setting.name == other)
                .and_then(|setting| setting.default)
                .unwrap_or_default()
                .to_owned(),
        })
    };
    Settings::read(lookup).unwrap()
}
