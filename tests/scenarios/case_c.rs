//! Case C, the red herring: behind the limit hides an application that never gets healthy.

use scenarios::ecs::Behaviour;
use scenarios::registry::Sample;
use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};

fn masked() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let target_group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef".to_owned();
    world.scheduler.set_behaviour("app", "app", Behaviour::FailsHealthChecks { after_seconds: 330, target_group, log: Vec::new() });
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

fn open(world: &World) -> Value {
    world.records().into_iter().find(|record| record.get("open").is_some()).map_or(Value::Null, |record| record["open"].clone())
}

#[tokio::test]
async fn the_pull_works_again_and_nobody_calls_it_resolved() {
    let mut world = masked();
    world.run_for(3 * 3600).await;
    assert_eq!(
        subjects(&world),
        ["pullsafe: prod/web: moved to the mirror (registry-rate-limited)", "pullsafe: prod/web: load-balancer-health-check-failed"]
    );
    let causes = open(&world)["causes"].clone();
    let names: Vec<_> = causes.as_array().unwrap().iter().map(|cause| cause["diagnosis"]["cause"].clone()).collect();
    assert_eq!(names, ["registry-rate-limited", "load-balancer-health-check-failed"], "oldest first");
    assert_eq!(causes[1]["hidden_by"], "registry-rate-limited");
    assert!(world.told()[1].message.contains("It was hidden by registry-rate-limited before."), "{}", world.told()[1].message);
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
    assert!(message.contains("registry-rate-limited") && message.contains("hidden by registry-rate-limited before"), "{message}");
}
