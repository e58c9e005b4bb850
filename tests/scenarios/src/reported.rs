//! Incidents of the cases, as the table has them after the real functions have handled them. Reports are made from
//! them.

use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::diagnose_text;
use pullsafe_events::Subject;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::record::Record;
use pullsafe_incident::store::Table;
use serde_json::json;

use crate::world::{NAT, Setup, TABLE, World};
use testkit::ecs::{Behaviour, Pacing};
use testkit::registry::{Mutability, Sample};

/// Case A's image.
pub const IMAGE: &str = "iseepatterns/court-case-backend:latest";
const REPOSITORY: &str = "iseepatterns/court-case-backend";
/// Case D's image.
pub const MISSING: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:3f2c1ab";

/// The lines of case C's log. They come from a server that listens nevertheless.
const CASE_C: [&str; 2] = [
    r#"{"error": "Core services import failed: CaseService.__init__() missing 2 required positional arguments", "timestamp": "2026-01-15T20:18:32.474088Z"}"#,
    r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'", "timestamp": "2026-01-15T20:18:32.553596Z"}"#,
];

/// The service of every case.
pub fn subject() -> Subject {
    Subject::Service(ServiceId {
        cluster_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned(),
        name: "web".to_owned(),
    })
}

/// A world in which case A's quota is used up, and the mirror has the image.
pub fn limited(setup: Setup) -> World {
    let world = setup.build();
    for (store, repository) in [
        (world.hub.store(), REPOSITORY.to_owned()),
        (world.images.store(), format!("docker-hub/{REPOSITORY}")),
    ] {
        Sample::new(1).build().push(store, &repository, "latest");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("court", &[IMAGE]);
    world.create_service("web", &definition, 2, json!({}));
    world
}

/// Case A after its service was moved: the resolved incident.
pub async fn case_a() -> (Subject, Incident) {
    let mut world = limited(Setup::new());
    world.run_for(1200).await;
    (subject(), archived(&world))
}

/// Case A in observe mode, still open.
pub async fn case_a_observed() -> (Subject, Incident, Timestamp) {
    let mut world = limited(Setup::new().with("PULLSAFE_MODE", "observe"));
    world.run_for(3600).await;
    (subject(), open(&world), world.clock.now())
}

/// Case C: the pull works again, but the application never gets healthy.
pub async fn case_c() -> (Subject, Incident, Timestamp) {
    let mut world = limited(Setup::new());
    let mut log: Vec<String> = (0..900)
        .map(|number| format!(r#"{{"level": "INFO", "message": "registered handler {number}"}}"#))
        .collect();
    log.splice(400..400, CASE_C.map(str::to_owned));
    let target_group =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef".to_owned();
    world.balancers.register(&target_group, "unhealthy", "Target.Timeout", "Request timed out");
    world.scheduler.set_behaviour(
        "court",
        "app",
        Behaviour::FailsHealthChecks { after_seconds: 330, target_group, log },
    );
    let options = json!({ "awslogs-group": "/ecs/court-case-prod", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "backend" });
    let definition = world.define_containers(
        "court",
        json!([{ "name": "app", "image": IMAGE, "essential": true, "logConfiguration": { "logDriver": "awslogs", "options": options } }]),
    );
    world.update_service("web", json!({ "taskDefinition": definition }));
    world.run_for(3 * 3600).await;
    (subject(), open(&world), world.clock.now())
}

/// Case D: the service is paused until its image is pushed.
pub async fn case_d() -> (Subject, Incident, Timestamp) {
    let mut world = Setup::new().paced(Pacing::default()).build();
    world.images.store().create_repository("app-mp", Mutability::Mutable);
    let definition = world.define("app", &[MISSING]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(3600).await;
    (subject(), open(&world), world.clock.now())
}

/// An outbreak in mode `ask`: several services meet Docker Hub's limit together. The act for one of them was approved;
/// another 15 minutes have passed since then.
///
/// # Panics
/// If nothing is asked.
pub async fn outbreak() -> (Vec<(Subject, Incident)>, Timestamp) {
    let mut world = together(Setup::new().with("PULLSAFE_MODE", "ask"));
    world.run_for(900).await;
    let waiting = every(&world).await;
    let question = waiting.iter().find_map(|(_, incident)| incident.open_question()).expect("something is asked");
    world.ask(&json!({ "pullsafe": "approve", "codes": [question.code] })).await;
    world.run_for(900).await;
    (every(&world).await, world.clock.now())
}

/// An outbreak in act mode, after all services were moved and recovered.
pub async fn outbreak_over() -> (Vec<(Subject, Incident)>, Timestamp) {
    let mut world = together(Setup::new());
    world.run_for(2 * 3600).await;
    (every(&world).await, world.clock.now())
}

fn together(setup: Setup) -> World {
    let world = setup.paced(Pacing::default()).build();
    for (store, repository) in [(world.hub.store(), "acme/app"), (world.images.store(), "docker-hub/acme/app")] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    for name in ["api", "billing", "checkout", "search", "worker"] {
        world.create_service(name, &definition, 2, json!({}));
    }
    world
}

async fn every(world: &World) -> Vec<(Subject, Incident)> {
    let history = Table::new(world.config(), TABLE).histories(Timestamp::from_millis(0)).await;
    history.expect("the table can be read").incidents
}

/// The open incident of a world.
///
/// # Panics
/// If there is none.
pub fn open(world: &World) -> Incident {
    let records = world.records().into_iter().filter_map(|record| serde_json::from_value::<Record>(record).ok());
    records.filter_map(|record| record.open).next().expect("an incident is open")
}

/// The resolved incident of a world.
///
/// # Panics
/// If there is none.
pub fn archived(world: &World) -> Incident {
    find_archived(world).expect("an incident is resolved")
}

/// The resolved incident of a world, if there is one.
pub fn find_archived(world: &World) -> Option<Incident> {
    world.records().into_iter().find_map(|row| serde_json::from_value::<Incident>(row).ok())
}

/// The record of a service with an open incident: two tasks met Docker Hub's quota, and nothing was done.
///
/// # Panics
/// If the text of the quota is no longer known.
pub fn open_record() -> Record {
    let mut record = Record::default();
    let text = "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - \
        Server message: toomanyrequests: You have reached your unauthenticated pull rate limit";
    for minute in 0..2 {
        let at = Timestamp::from_millis(1_768_504_620_000).plus_seconds(minute * 180);
        let diagnosis = diagnose_text(text, Some("redis:7"), "stoppedReason").expect("the text is known");
        let task = StoppedTask {
            task_arn: format!("task-{minute}"),
            version: 1,
            stopped_at: Some(at),
            ..StoppedTask::default()
        };
        record.add_failure("test/api", &task, diagnosis, at);
    }
    record
}
