//! Case D, chicken and egg: the service is created before its image is pushed.

use scenarios::world::{CLUSTER, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::Sample;

const REPOSITORY: &str = "app-mp";
const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:3f2c1ab";
const SCALING: &str = "service/prod/web";

fn created_too_early(setup: Setup, more: Value) -> World {
    let world = setup.paced(Pacing::default()).build();
    world.images.store().create_repository(REPOSITORY, testkit::registry::Mutability::Mutable);
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 2, more);
    world
}

fn push(world: &World) {
    Sample::multi_arch(4).build().push(world.images.store(), REPOSITORY, "3f2c1ab");
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

async fn until_paused(world: &mut World) {
    for _ in 0..2000 {
        if world.service("web")["desiredCount"] == 0 {
            return;
        }
        world.run_for(5).await;
    }
    panic!("the service was never paused: {:?}", subjects(world));
}

#[tokio::test]
async fn a_loop_is_paused_and_restored_when_the_image_is_pushed() {
    let mut world = created_too_early(Setup::new(), json!({}));
    until_paused(&mut world).await;
    for (key, value) in [("paused-count", "2"), ("paused-for", IMAGE), ("cause", "image-not-found")] {
        assert_eq!(world.service_tag("web", &format!("pullsafe:{key}")), value);
    }
    let writes = world.writes();
    assert_eq!(writes, ["ecs:TagResource", "ecs:UpdateService"], "the tags come first");
    // One launch may still be under way.
    world.run_for(600).await;
    let asked = world.ecr.log().len();
    world.run_for(3600).await;
    assert_eq!(world.ecr.log().len(), asked, "nothing is pulled in an hour");

    push(&world);
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 2, "the push event brings it back at once");
    world.run_for(900).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    for key in ["paused-count", "paused-at", "paused-for", "paused-scaling", "cause"] {
        assert_eq!(world.service_tag("web", &format!("pullsafe:{key}")), Value::Null);
    }
    assert_eq!(
        subjects(&world),
        [
            "pullsafe: prod/web: image-not-found",
            "pullsafe: prod/web: paused (image-not-found)",
            "pullsafe: prod/web: restored (image-not-found)",
            "pullsafe: prod/web: resolved"
        ]
    );
    insta::assert_snapshot!("case_d_paused", world.told()[1].message);
}

#[tokio::test]
async fn the_sweep_restores_it_where_the_push_event_was_lost() {
    let mut world = created_too_early(Setup::new(), json!({}));
    until_paused(&mut world).await;
    push(&world);
    world.lose_push_events();
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 0);
    world.run_for(61).await;
    assert_eq!(world.service("web")["desiredCount"], 2);
}

#[tokio::test]
async fn autoscaling_is_suspended_during_the_pause_and_resumed_as_it_was() {
    let mut world = created_too_early(Setup::new(), json!({}));
    world.scale(SCALING, 1, 10);
    world.suspend_scale_in(SCALING);
    until_paused(&mut world).await;
    let suspended = |world: &World| world.scaling.target(SCALING).unwrap()["SuspendedState"].clone();
    assert_eq!(
        suspended(&world),
        json!({ "DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": true, "ScheduledScalingSuspended": true })
    );
    assert_eq!(world.service_tag("web", "pullsafe:paused-scaling"), "in=true out=false scheduled=false");
    push(&world);
    world.settle().await;
    assert_eq!(
        suspended(&world),
        json!({ "DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false })
    );
    let target = world.scaling.target(SCALING).unwrap();
    assert_eq!(
        (&target["MinCapacity"], &target["MaxCapacity"]),
        (&json!(1), &json!(10)),
        "its limits were not touched"
    );
}

#[tokio::test]
async fn a_person_who_sets_the_count_in_between_wins() {
    let mut world = created_too_early(Setup::new(), json!({}));
    world.scale(SCALING, 1, 10);
    until_paused(&mut world).await;
    world.update_service("web", json!({ "desiredCount": 5 }));
    // The first look after an act comes within two sweeps.
    world.run_for(121).await;
    assert_eq!(world.service("web")["desiredCount"], 5);
    assert_eq!(world.service_tag("web", "pullsafe:paused-count"), Value::Null, "the marks go");
    assert_eq!(world.scaling.target(SCALING).unwrap()["SuspendedState"]["DynamicScalingOutSuspended"], false);
    push(&world);
    world.run_for(1800).await;
    assert_eq!(
        (&world.service("web")["desiredCount"], &world.service("web")["runningCount"]),
        (&json!(5), &json!(5))
    );
}

#[tokio::test]
async fn a_person_who_removes_the_marks_keeps_it_paused() {
    let mut world = created_too_early(Setup::new(), json!({}));
    until_paused(&mut world).await;
    let arn = world.service("web")["serviceArn"].clone();
    world
        .ecs
        .call("UntagResource", &json!({ "resourceArn": arn, "tagKeys": ["pullsafe:paused-count"] }))
        .unwrap();
    push(&world);
    world.run_for(600).await;
    assert_eq!(world.service("web")["desiredCount"], 0);
}

/// Anybody who may tag can write these tags, so they are not taken as commands.
#[tokio::test]
async fn a_restore_takes_its_count_from_the_pause_and_not_from_a_tag() {
    for tampered in ["4000", "-5", "1"] {
        let mut world = created_too_early(Setup::new(), json!({}));
        until_paused(&mut world).await;
        let tag = json!({ "resourceArn": world.service("web")["serviceArn"], "tags": [{ "key": "pullsafe:paused-count", "value": tampered }] });
        world.ecs.call("TagResource", &tag).unwrap();
        push(&world);
        world.settle().await;
        assert_eq!(world.service("web")["desiredCount"], 2, "{tampered}");
    }
}

/// A service that a person has stopped, and a stranger has tagged as paused, is not started.
#[tokio::test]
async fn tags_without_a_remembered_pause_restore_nothing() {
    let mut world = created_too_early(Setup::new().with("PULLSAFE_PAUSE", "false"), json!({}));
    world.run_for(900).await;
    let tags = [("paused-count", "4000"), ("paused-for", IMAGE), ("paused-at", "2026-01-15T19:17:00Z")];
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({ "key": format!("pullsafe:{key}"), "value": value }))
        .collect();
    world
        .ecs
        .call("TagResource", &json!({ "resourceArn": world.service("web")["serviceArn"], "tags": tags }))
        .unwrap();
    world.update_service("web", json!({ "desiredCount": 0 }));
    push(&world);
    world.run_for(900).await;
    assert_eq!((world.service("web")["desiredCount"].clone(), world.writes()), (json!(0), Vec::new()));
}

#[tokio::test]
async fn nothing_is_paused_while_the_stack_is_in_progress() {
    let mut world = created_too_early(Setup::new(), json!({}));
    world.in_stack("web", "app", "CREATE_IN_PROGRESS");
    world.run_for(900).await;
    assert_eq!((world.service("web")["desiredCount"].clone(), world.writes()), (json!(2), Vec::new()));
    assert!(world.told()[0].message.contains("stack app is CREATE_IN_PROGRESS"), "{}", world.told()[0].message);
    world.stacks.set_status("app", "CREATE_COMPLETE");
    until_paused(&mut world).await;
}

#[tokio::test]
async fn in_observe_mode_the_loop_goes_on_and_people_know() {
    let mut world = created_too_early(Setup::new().with("PULLSAFE_MODE", "observe"), json!({}));
    world.run_for(1800).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert!(subjects(&world).contains(&"pullsafe: prod/web: image-not-found, would be paused (observing)".to_owned()));
}

/// A tag was resolved once and its image was deleted: ECS keeps asking for the digest, and a push does not help.
#[tokio::test]
async fn a_pinned_digest_that_is_gone_gets_a_new_deployment() {
    let mut world = Setup::new().paced(Pacing::default()).build();
    Sample::new(5).build().push(world.images.store(), REPOSITORY, "3f2c1ab");
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(300).await;
    assert_eq!(world.service("web")["runningCount"], 1);

    // The tag moves, the old image is deleted, and the only running task is stopped.
    Sample::new(6).build().push(world.images.store(), REPOSITORY, "3f2c1ab");
    world.images.store().remove_image(REPOSITORY, Sample::new(5).build().digest());
    let tasks = world.ecs.call("ListTasks", &json!({ "cluster": CLUSTER })).unwrap();
    world.ecs.call("StopTask", &json!({ "cluster": CLUSTER, "task": tasks["taskArns"][0] })).unwrap();
    world.run_for(1200).await;
    assert!(world.writes().contains(&"ecs:UpdateService".to_owned()), "{:?}", world.answers);
    assert_eq!(world.service("web")["runningCount"], 1);
    assert_eq!(
        subjects(&world),
        ["pullsafe: prod/web: deployed anew (image-digest-gone)", "pullsafe: prod/web: resolved"]
    );
}

/// A desired count of 0 would turn green every pipeline that waits for the deployment.
#[tokio::test]
async fn a_young_deployment_is_not_paused_and_the_push_wakes_it() {
    let mut world = created_too_early(Setup::new().with("PULLSAFE_PAUSE_AFTER_MINUTES", "30"), json!({}));
    world.run_for(20 * 60).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(subjects(&world), ["pullsafe: prod/web: image-not-found"]);
    insta::assert_snapshot!("case_d_young", world.told()[0].message);

    push(&world);
    world.run_for(240).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    // Only a new revision ends the start throttle at once.
    assert_eq!(
        world.writes(),
        ["ecs:RegisterTaskDefinition", "ecs:UpdateService"],
        "one new deployment, and no mark on the service"
    );
    world.run_for(900).await;
    assert_eq!(subjects(&world).last().unwrap(), "pullsafe: prod/web: resolved");
}

#[tokio::test]
async fn a_deployment_that_has_failed_for_half_an_hour_is_paused() {
    let mut world = created_too_early(Setup::new().with("PULLSAFE_PAUSE_AFTER_MINUTES", "30"), json!({}));
    world.run_for(29 * 60).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.run_for(3 * 60).await;
    assert_eq!(world.writes(), ["ecs:TagResource", "ecs:UpdateService"]);
    assert_eq!(world.service("web")["desiredCount"], 0);
}

/// ECR does not answer one look while a young deployment waits. The wait goes on, and the push is still noticed.
#[tokio::test]
async fn a_look_that_fails_ends_no_wait() {
    let mut world = created_too_early(Setup::new().with("PULLSAFE_PAUSE_AFTER_MINUTES", "30"), json!({}));
    world.run_for(16 * 60).await;
    world.aws.inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::Unavailable).always());
    world.run_for(4 * 60).await;
    world.aws.clear_faults();
    assert!(world.records()[0]["open"]["waiting"].is_object(), "{:#}", world.records()[0]);
    push(&world);
    world.run_for(240).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    assert_eq!(world.writes(), ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]);
}
