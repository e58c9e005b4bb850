//! Ahead of a failure: a deployment starts with images of Docker Hub.

use scenarios::world::{Setup, World};
use serde_json::json;
use testkit::registry::Sample;

fn deployment(setup: Setup) -> World {
    let world = setup.build();
    Sample::multi_arch(1).build().push(world.hub.store(), "acme/app", "1");
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world
}

#[tokio::test]
async fn the_mirror_is_filled_and_people_are_told_once() {
    let mut world = deployment(Setup::new().with("PULLSAFE_AHEAD", "warn"));
    world.run_for(300).await;
    assert!(world.images.store().image("docker-hub/acme/app", "1").is_some());
    world.update_service("web", json!({ "forceNewDeployment": true }));
    world.run_for(600).await;
    let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["pullsafe: prod/web: a deployment pulls from Docker Hub"]);
    assert_eq!(world.writes().iter().filter(|write| write.starts_with("ecs:")).count(), 0);
}

#[tokio::test]
async fn by_policy_the_service_is_moved_before_a_pull_fails() {
    let mut world = Setup::new().with("PULLSAFE_AHEAD", "move").build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::multi_arch(1).build().push(store, repository, "1");
    }
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(600).await;
    assert_eq!(world.writes(), ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]);
    assert_eq!(world.hub.manifest_gets("acme/app"), 0, "not one pull of Docker Hub");
    assert_eq!(world.service("web")["runningCount"], 1);
}

#[tokio::test]
async fn a_deployment_without_docker_hub_is_none_of_our_business() {
    let mut world = Setup::new().with("PULLSAFE_AHEAD", "move").build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let definition = world.define("app", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(600).await;
    assert_eq!((world.told().len(), world.writes().len(), world.records().len()), (0, 0, 0));
}
