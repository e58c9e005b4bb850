//! Case A, the rate-limit loop: Docker Hub's quota is used up, and every failing task tries seven more pulls.

use scenarios::world::{MIRROR_QUEUE, NAT, ROLE, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;

const REPOSITORY: &str = "iseepatterns/court-case-backend";
const IMAGE: &str = "iseepatterns/court-case-backend:latest";
/// The copy, pinned to the digest that was verified.
const MIRRORED: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/iseepatterns/court-case-backend:latest@sha256:e4f3a4b390dcd5c22e1e65f504da37eb113a4673e21e44f28817a21d121fc398";

/// A world in which the quota of the tasks' address is used up. The image is at Docker Hub.
fn quota_used_up(setup: Setup) -> World {
    let world = setup.build();
    Sample::new(1).build().push(world.hub.store(), REPOSITORY, "latest");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    world
}

fn mirror_has_it(world: &World) {
    Sample::new(1)
        .build()
        .push(world.images.store(), "docker-hub/iseepatterns/court-case-backend", "latest");
}

fn start(world: &World, images: &[&str]) {
    let definition = world.define("court", images);
    world.create_service("web", &definition, 2, json!({}));
}

fn definition(world: &World) -> Value {
    let name = world.service("web")["taskDefinition"].clone();
    world
        .ecs
        .call("DescribeTaskDefinition", &json!({ "taskDefinition": name, "include": ["TAGS"] }))
        .unwrap()
}

fn images(world: &World) -> Vec<Value> {
    let containers =
        definition(world)["taskDefinition"]["containerDefinitions"].as_array().cloned().unwrap_or_default();
    containers.iter().map(|container| container["image"].clone()).collect()
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

fn acts(world: &World) -> usize {
    world.answers.iter().filter(|answer| answer["outcome"] == "acted").count()
}

#[tokio::test]
async fn the_first_stopped_task_moves_the_service_to_the_mirror() {
    let mut world = quota_used_up(Setup::new());
    mirror_has_it(&world);
    start(&world, &[IMAGE]);
    while acts(&world) == 0 {
        world.run_for(1).await;
    }
    let stopped = world
        .answers
        .iter()
        .filter(|answer| answer["outcome"] != "ignored" && answer["outcome"] != "swept")
        .count();
    assert_eq!(stopped, 1, "one stopped task was enough: {:?}", world.answers);
    let requests = world.hub.log().len();
    world.run_for(900).await;

    let service = world.service("web");
    assert_eq!(
        (&service["runningCount"], &service["deployments"][0]["rolloutState"]),
        (&json!(2), &json!("COMPLETED"))
    );
    assert_eq!(images(&world), [MIRRORED]);
    assert_eq!(world.writes(), ["ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecs:TagResource"]);
    assert_eq!(
        subjects(&world),
        ["pullsafe: prod/web: moved to the mirror (registry-rate-limited)", "pullsafe: prod/web: resolved"]
    );
    assert_eq!(acts(&world), 1);
    let pulls = world
        .hub
        .log()
        .iter()
        .skip(requests)
        .filter(|access| access.source == NAT && access.is_manifest_of(REPOSITORY))
        .count();
    assert_eq!(pulls, 0, "no pull of Docker Hub by the service after the act");
    insta::assert_snapshot!("case_a_moved", world.told()[0].message);
    insta::assert_snapshot!("case_a_resolved", world.told()[1].message);
}

#[tokio::test]
async fn a_mirror_that_lacks_the_image_is_asked_and_the_move_follows() {
    let mut world = quota_used_up(Setup::new());
    start(&world, &[IMAGE]);
    world.run_for(1500).await;

    assert_eq!(images(&world), [MIRRORED]);
    assert_eq!(world.service("web")["runningCount"], 2);
    let copied = world.images.store().image("docker-hub/iseepatterns/court-case-backend", "latest").unwrap();
    assert_eq!(&copied.digest, Sample::new(1).build().digest(), "the copy is byte-identical");
    assert_eq!(
        subjects(&world),
        [
            "pullsafe: prod/web: queued for the mirror (registry-rate-limited)",
            "pullsafe: prod/web: moved to the mirror (registry-rate-limited)",
            "pullsafe: prod/web: resolved"
        ]
    );
}

#[tokio::test]
async fn official_images_go_to_ecr_public_where_the_role_may_not_pull_from_the_mirror() {
    let mut world = Setup::new().build();
    let redis = Sample::multi_arch(2).build();
    redis.push(world.hub.store(), "library/redis", "7");
    redis.push(world.public.store(), "docker/library/redis", "7");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define_with_role("cache", &["redis:7"], "arn:aws:iam::123456789012:role/bare");
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(1200).await;
    assert_eq!(images(&world), [format!("public.ecr.aws/docker/library/redis:7@{}", redis.digest())]);
    assert_eq!(world.service("web")["runningCount"], 1);
}

#[tokio::test]
async fn sidecars_move_too_and_the_quota_is_not_met_again() {
    let mut world = quota_used_up(Setup::new());
    mirror_has_it(&world);
    let nginx = Sample::multi_arch(3).build();
    nginx.push(world.hub.store(), "library/nginx", "1.27");
    start(&world, &[IMAGE, "nginx:1.27"]);
    world.run_for(1500).await;
    assert_eq!(
        images(&world),
        [
            MIRRORED,
            &format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/nginx:1.27@{}", nginx.digest())
        ]
    );
    assert_eq!(world.service("web")["runningCount"], 2);
}

#[tokio::test]
async fn a_role_that_may_not_pull_gets_exact_advice() {
    let mut world = quota_used_up(Setup::new());
    mirror_has_it(&world);
    let definition = world.define_with_role("court", &[IMAGE], "arn:aws:iam::123456789012:role/bare");
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(600).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    let told = world.told();
    assert_eq!(told.len(), 1, "people are told once: {:?}", subjects(&world));
    assert!(
        told[0]
            .message
            .contains("the execution role may not pull from docker-hub/iseepatterns/court-case-backend"),
        "{}",
        told[0].message
    );
}

/// Every field of a task definition survives the move: the fields that the SDK knows, and one that does not exist yet.
#[tokio::test]
async fn the_clone_is_equal_but_for_the_images() {
    let mut world = quota_used_up(Setup::new());
    mirror_has_it(&world);
    let mut request: Value = serde_json::from_str(include_str!("data/every-field.json")).unwrap();
    request["executionRoleArn"] = json!(ROLE);
    request["containerDefinitions"][0]["image"] = json!(IMAGE);
    let answer = world.ecs.call("RegisterTaskDefinition", &request).unwrap();
    world.create_service("web", answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap(), 1, json!({}));
    world.run_for(900).await;

    let mut clone = definition(&world);
    let mut original = world
        .ecs
        .call(
            "DescribeTaskDefinition",
            &json!({ "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"] }),
        )
        .unwrap();
    assert_eq!(clone["taskDefinition"]["containerDefinitions"][0]["image"], MIRRORED);
    let container = original["taskDefinition"]["containerDefinitions"][0].as_object_mut().unwrap();
    container.insert("image".to_owned(), json!(MIRRORED));
    container.remove("repositoryCredentials");
    for definition in [&mut clone, &mut original] {
        for output in ["taskDefinitionArn", "revision", "registeredAt"] {
            definition["taskDefinition"].as_object_mut().unwrap().remove(output);
        }
    }
    assert_eq!(clone["taskDefinition"], original["taskDefinition"]);
    let tags = clone["tags"].as_array().unwrap();
    assert!(tags.contains(&json!({ "key": "team", "value": "court" })), "{tags:?}");
}

#[tokio::test]
async fn in_observe_mode_nothing_is_changed_and_the_message_says_what_would_be() {
    for raises in ["false", "true"] {
        observed_until_a_tag_gives_leave(raises == "true").await;
    }
}

/// Anybody who may tag the service can allow pullsafe to act, where the stack lets tags do so. Otherwise the tag
/// changes nothing.
async fn observed_until_a_tag_gives_leave(tags_may_raise: bool) {
    let setup = Setup::new()
        .with("PULLSAFE_MODE", "observe")
        .with("PULLSAFE_ALLOW_TAG_TO_ACT", if tags_may_raise { "true" } else { "false" });
    let mut world = quota_used_up(setup);
    mirror_has_it(&world);
    start(&world, &[IMAGE]);
    world.run_for(1200).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.queues.bodies(MIRROR_QUEUE), Vec::<Value>::new());
    assert_eq!(
        subjects(&world),
        ["pullsafe: prod/web: registry-rate-limited, would be moved to the mirror (observing)"]
    );
    insta::assert_snapshot!("case_a_observed", world.told()[0].message);

    // The tag takes effect with the next look.
    let arn = world.service("web")["serviceArn"].clone();
    world
        .ecs
        .call("TagResource", &json!({ "resourceArn": arn, "tags": [{ "key": "pullsafe:mode", "value": "act" }] }))
        .unwrap();
    world.run_for(900).await;
    if tags_may_raise {
        assert_eq!((images(&world), &world.service("web")["runningCount"]), (vec![json!(MIRRORED)], &json!(2)));
    } else {
        assert_eq!(world.writes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_deployment_that_puts_the_old_image_back_is_not_fought() {
    let mut world = quota_used_up(Setup::new());
    mirror_has_it(&world);
    start(&world, &[IMAGE]);
    world.run_for(1200).await;
    assert_eq!(acts(&world), 1);
    world.update_service("web", json!({ "taskDefinition": "court:1" }));
    world.run_for(1800).await;
    assert_eq!(acts(&world), 1, "the service was moved less than a day ago");
    assert!(
        world
            .told()
            .last()
            .unwrap()
            .message
            .contains("names images of Docker Hub again, so that a deployment since then has put them back")
    );
    assert_eq!(world.service("web")["runningCount"], 2, "the old deployment's tasks still run");
}
