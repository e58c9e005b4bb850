//! Case C, the red herring: the limit hides an application that never gets healthy.

use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;

fn masked() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let target_group =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef".to_owned();
    world.scheduler.set_behaviour(
        "app",
        "app",
        Behaviour::FailsHealthChecks { after_seconds: 330, target_group, log: Vec::new() },
    );
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world
}

/// The lines that took five days to find, in the log of a server that listens nevertheless.
const LINES: [&str; 2] = [
    r#"{"error": "Core services import failed: CaseService.__init__() missing 2 required positional arguments", "timestamp": "2026-01-15T20:18:32.474088Z"}"#,
    r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'", "timestamp": "2026-01-15T20:18:32.553596Z"}"#,
];

fn masked_with_log() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let mut log: Vec<String> = (0..900)
        .map(|number| format!(r#"{{"level": "INFO", "message": "registered handler {number}"}}"#))
        .collect();
    log.splice(400..400, LINES.map(str::to_owned));
    log.push(r#"{"level": "INFO", "message": "Uvicorn running on http://0.0.0.0:8000"}"#.to_owned());
    let target_group =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef".to_owned();
    world
        .scheduler
        .set_behaviour("app", "app", Behaviour::FailsHealthChecks { after_seconds: 330, target_group, log });
    let options = json!({ "awslogs-group": "/ecs/court-case-prod", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "backend" });
    let definition = world.define_containers(
        "app",
        json!([{ "name": "app", "image": "acme/app:1", "essential": true, "logConfiguration": { "logDriver": "awslogs", "options": options } }]),
    );
    // The group where people looked: it belongs to the same service but says nothing.
    world.logs.write("/ecs/court-case", "backend/app/none", &["nothing to see here"]);
    world.create_service("web", &definition, 1, json!({}));
    world
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

fn open(world: &World) -> Value {
    world
        .records()
        .into_iter()
        .find(|record| record.get("open").is_some())
        .map_or(Value::Null, |record| record["open"].clone())
}

#[tokio::test]
async fn the_pull_works_again_and_nobody_calls_it_resolved() {
    let mut world = masked();
    world.run_for(3 * 3600).await;
    assert_eq!(
        subjects(&world),
        [
            "pullsafe: prod/web: moved to the mirror (registry-rate-limited)",
            "pullsafe: prod/web: load-balancer-health-check-failed"
        ]
    );
    let causes = open(&world)["causes"].clone();
    let names: Vec<_> = causes.as_array().unwrap().iter().map(|cause| cause["diagnosis"]["cause"].clone()).collect();
    assert_eq!(names, ["registry-rate-limited", "load-balancer-health-check-failed"], "oldest first");
    assert_eq!(causes[1]["hidden_by"], "registry-rate-limited");
    assert!(
        world.told()[1].message.contains("It was hidden by registry-rate-limited before."),
        "{}",
        world.told()[1].message
    );
    assert_eq!(world.writes().len(), 3, "the move, and nothing about the application: {:?}", world.writes());
}

#[tokio::test]
async fn it_is_resolved_when_the_application_is_healthy_too() {
    let mut world = masked();
    world.run_for(3600).await;
    world.scheduler.set_behaviour("app", "app", Behaviour::Healthy);
    world.run_for(1800).await;
    assert_eq!(subjects(&world).last().map(String::as_str), Some("pullsafe: prod/web: resolved"));
    let message = world.told().last().unwrap().message.clone();
    assert!(
        message.contains("registry-rate-limited") && message.contains("hidden by registry-rate-limited before"),
        "{message}"
    );
}

/// The whole case: what the limit hid, found in the right log, called likely and not certain, and left to its owner.
#[tokio::test]
async fn the_log_says_what_the_limit_hid() {
    let mut world = masked_with_log();
    world.run_for(3 * 3600).await;
    let causes = open(&world)["causes"].clone();
    assert_eq!(
        (&causes[0]["diagnosis"]["cause"], &causes[1]["hidden_by"]),
        (&json!("registry-rate-limited"), &json!("registry-rate-limited"))
    );
    let found = &causes[1]["diagnosis"];
    assert_eq!(
        (&found["cause"], &found["explanation"], &found["signature"]),
        (&json!("load-balancer-health-check-failed"), &json!("app-degraded"), &json!("module-missing"))
    );
    let evidence = found["evidence"].to_string();
    for line in LINES {
        assert!(evidence.contains(&Value::from(line).to_string()), "{line}: {evidence}");
    }
    assert!(evidence.contains("log group `/ecs/court-case-prod`, stream `backend/app/"), "{evidence}");
    let message = &world.told()[1].message;
    assert!(
        message.contains("not certain") && message.contains("`core.aws_service`") && message.contains("__init__.py"),
        "{message}"
    );
    assert!(message.contains("It was hidden by registry-rate-limited before."), "{message}");
    assert!(!subjects(&world).iter().any(|subject| subject.contains("resolved")), "silence is not recovery");
    assert_eq!(world.writes().len(), 3, "the move, and nothing about the application: {:?}", world.writes());
    // The move made a second revision, whose log is in the same group.
    let groups: Vec<Value> = world
        .aws
        .calls_of("GetLogEvents")
        .into_iter()
        .map(|call| call.request["logGroupName"].clone())
        .collect();
    assert!(!groups.is_empty() && groups.iter().all(|group| group == "/ecs/court-case-prod"), "{groups:?}");
    assert!(groups.len() <= 12, "{} calls", groups.len());
}
