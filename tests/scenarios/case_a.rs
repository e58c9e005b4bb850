//! Case A, the rate-limit loop: Docker Hub's quota is used up, and every failing task tries seven more pulls.

use scenarios::registry::Sample;
use scenarios::world::{MIRROR_QUEUE, NAT, ROLE, Setup, World};
use serde_json::{Value, json};

const IMAGE: &str = "iseepatterns/court-case-backend:latest";
const MIRRORED: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/iseepatterns/court-case-backend:latest";

/// The quota of the tasks' address is used up; the image is at Docker Hub.
fn loop_under_way(setup: Setup) -> World {
    let world = setup.build();
    Sample::new(1).build().push(world.hub.store(), "iseepatterns/court-case-backend", "latest");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    world
}

fn mirror_has_it(world: &World) {
    Sample::new(1).build().push(world.images.store(), "docker-hub/iseepatterns/court-case-backend", "latest");
}

fn start(world: &World) {
    let definition = world.define("court", &[IMAGE]);
    world.create_service("web", &definition, 2, json!({}));
}

fn definition_of(world: &World, service: &str) -> Value {
    use scenarios::aws::service::Service as _;
    let name = world.service(service)["taskDefinition"].clone();
    world.ecs.call("DescribeTaskDefinition", &json!({ "taskDefinition": name, "include": ["TAGS"] })).unwrap()
}

#[tokio::test]
async fn the_first_stopped_task_moves_the_service_to_the_mirror() {
    let mut world = loop_under_way(Setup::new());
    mirror_has_it(&world);
    start(&world);
    while world.service("web")["taskDefinition"].as_str().is_some_and(|arn| arn.ends_with(":1")) {
        world.run_for(5).await;
    }
    let failed = world.answers.iter().filter(|answer| answer["outcome"] != "ignored").count();
    assert_eq!(failed, 1, "one stopped task was enough: {:?}", world.answers);
    let pulls_before = world.hub.manifest_gets("iseepatterns/court-case-backend");
    world.run_for(900).await;

    let service = world.service("web");
    assert_eq!((&service["runningCount"], &service["deployments"][0]["rolloutState"]), (&json!(2), &json!("COMPLETED")));
    assert_eq!(definition_of(&world, "web")["taskDefinition"]["containerDefinitions"][0]["image"], MIRRORED);
    assert_eq!(world.writes(), ["ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecs:TagResource"]);
    let told: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(told, ["pullsafe: prod/web: move-to-mirror applied (registry-rate-limited)", "pullsafe: prod/web: resolved"]);
    // The task that was being launched when the first one stopped may still have tried; nothing was asked for after that.
    assert!(world.hub.manifest_gets("iseepatterns/court-case-backend") - pulls_before <= 7);
}
