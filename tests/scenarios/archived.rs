//! An image in ECR's archive: pullsafe brings it back where the stack may do that, and deploys the service anew unless
//! a deployment is under way.

use scenarios::world::{CLUSTER, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::ecr::ecr_archive_event;
use testkit::ecs::Pacing;
use testkit::registry::repository::ImageStatus;
use testkit::registry::{Sample, SampleImage};

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";

fn archived() -> SampleImage {
    Sample::multi_arch(1).build()
}

fn archive(world: &World) {
    archived().push(world.images.store(), "app", "1");
    assert!(world.images.store().set_status("app", archived().digest(), ImageStatus::Archived));
}

/// Lets ECR bring the image back from the archive.
async fn comes_back(world: &mut World) {
    let digest = archived().digest().clone();
    assert!(world.images.store().set_status("app", &digest, ImageStatus::Active));
    let event = ecr_archive_event("app", &digest, world.clock.now());
    world.deliver(&event).await;
    world.settle().await;
}

fn setup() -> Setup {
    Setup::new()
        .paced(Pacing::default())
        .with("PULLSAFE_RESTORE_ARCHIVED", "true")
        .with("PULLSAFE_PAUSE", "false")
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

async fn until_asked(world: &mut World) {
    for _ in 0..300 {
        if world.writes().iter().any(|write| write == "ecr:UpdateImageStorageClass") {
            return;
        }
        world.run_for(5).await;
    }
    panic!("it was never brought back: {:?} {:?}", world.answers.last(), subjects(world));
}

#[tokio::test]
async fn an_archived_image_is_brought_back_and_the_deployment_that_is_under_way_finds_it() {
    let mut world = setup().build();
    archive(&world);
    world.settle().await;
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 1, json!({}));
    until_asked(&mut world).await;
    comes_back(&mut world).await;
    world.run_for(3600).await;
    assert_eq!(world.service("web")["runningCount"], 1, "{:?}", subjects(&world));
    assert_eq!(world.writes(), ["ecr:UpdateImageStorageClass"], "the deployment under way is left alone");
    assert_eq!(
        subjects(&world),
        [
            "pullsafe: prod/web: waiting for its image from the archive (image-not-found)",
            "pullsafe: prod/web: resolved"
        ]
    );
    insta::assert_snapshot!("archived_restored", world.told()[0].message);
}

#[tokio::test]
async fn without_the_setting_it_is_said_and_nothing_is_changed() {
    let mut world = setup().with("PULLSAFE_RESTORE_ARCHIVED", "false").build();
    archive(&world);
    world.settle().await;
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(900).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert!(
        world.told()[0].message.contains("is in ECR's archive, and bringing images back is switched off"),
        "{}",
        world.told()[0].message
    );
}

/// At the door, the deployment waits for the image and no task fails.
#[tokio::test]
async fn a_deployment_at_the_door_waits_for_an_image_from_the_archive() {
    let mut world = setup().with("PULLSAFE_ANSWER_HOOKS", "true").build();
    archive(&world);
    world.settle().await;
    let hook = json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 30, "action": "CONTINUE"}});
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 1, json!({ "deploymentConfiguration": { "lifecycleHooks": [hook] } }));
    world.run_for(60).await;
    assert_eq!(world.writes(), ["ecr:UpdateImageStorageClass"], "{:?}", world.answers);
    comes_back(&mut world).await;
    assert_eq!(
        world.writes(),
        ["ecr:UpdateImageStorageClass", "ecs:ContinueServiceDeployment"],
        "{:?}",
        world.answers.last()
    );
    world.run_for(300).await;
    let list = world
        .ecs
        .call("ListTasks", &json!({ "cluster": CLUSTER, "serviceName": "web", "desiredStatus": "STOPPED" }))
        .unwrap();
    assert_eq!((&world.service("web")["runningCount"], &list["taskArns"]), (&json!(1), &Value::Array(Vec::new())));
    assert_eq!(world.told().len(), 0);
}
