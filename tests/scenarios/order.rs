//! Events come twice, late, in any order, and at the same time.

use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};
use testkit::registry::Sample;

fn quota_used_up() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 3, json!({}));
    world
}

/// The STOPPED events of the first three tasks, not yet delivered.
async fn three_stops(world: &mut World) -> Vec<Value> {
    let mut stops = Vec::new();
    while stops.len() < 3 {
        let until = world.clock.now().plus_seconds(600);
        let events = world.scheduler.next_events(until).await;
        stops.extend(events.into_iter().filter(|event| event["detail"]["lastStatus"] == "STOPPED"));
    }
    stops
}

fn revisions(world: &World) -> usize {
    world.writes().iter().filter(|write| *write == "ecs:RegisterTaskDefinition").count()
}

#[tokio::test]
async fn the_same_event_twice_is_one_act_and_one_message() {
    let mut world = quota_used_up();
    let stops = three_stops(&mut world).await;
    for event in stops.iter().chain(&stops).rev() {
        world.deliver(event).await;
    }
    world.settle().await;
    assert_eq!((revisions(&world), world.told().len()), (1, 1));
    let record = &world.records()[0];
    assert_eq!(record["open"]["causes"][0]["tasks"], 3, "each task counts once: {record}");
}

#[tokio::test]
async fn events_side_by_side_never_act_twice() {
    let mut world = quota_used_up();
    let stops = three_stops(&mut world).await;
    let remediator = world.remediator.clone().unwrap();
    let (first, second, third) = tokio::join!(
        remediator.handle(&stops[0], "a"),
        remediator.handle(&stops[1], "b"),
        remediator.handle(&stops[2], "c")
    );
    for answer in [first, second, third] {
        answer.unwrap();
    }
    world.run_for(120).await;
    assert_eq!((revisions(&world), world.told().len()), (1, 1));
    assert_eq!(world.records()[0]["open"]["causes"][0]["tasks"], 3, "those that had to wait were counted too");
}

#[tokio::test]
async fn an_event_from_before_the_resolution_opens_nothing() {
    let mut world = quota_used_up();
    let stops = three_stops(&mut world).await;
    world.deliver(&stops[0]).await;
    world.run_for(1200).await;
    assert!(world.told().last().unwrap().subject.as_deref().unwrap().ends_with("resolved"));
    let told = world.told().len();
    for event in &stops {
        world.deliver(event).await;
    }
    world.settle().await;
    assert_eq!(world.told().len(), told);
}

#[tokio::test]
async fn a_failed_event_comes_back_through_the_queue() {
    use testkit::aws::fault::{AwsFault, FaultKind};
    let mut world = quota_used_up();
    let stops = three_stops(&mut world).await;
    world.aws.inject(AwsFault::on("dynamodb", "UpdateItem", FaultKind::AccessDenied).times(3));
    world.deliver(&stops[0]).await;
    assert_eq!(world.told().len(), 0);
    world.settle().await;
    assert_eq!((revisions(&world), world.told().len()), (1, 1));
}

#[tokio::test]
async fn what_is_no_event_is_dropped_with_a_reason() {
    let mut world = quota_used_up();
    for payload in [
        json!(null),
        json!([]),
        json!("text"),
        json!({}),
        json!({"detail": 7}),
        json!({"detail-type": "ECS Task State Change", "detail": null}),
    ] {
        world.deliver(&payload).await;
    }
    assert!(
        world.answers.iter().all(|answer| answer["outcome"] == "ignored" && answer["why"] != ""),
        "{:?}",
        world.answers
    );
    assert_eq!(world.answers.len(), 6);
}
