//! Two stacks of pullsafe in one region get the same events. So does a stack that has lost its table, and with it its
//! memory.

use scenarios::world::{OTHER_TABLE, STACK, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const SCALING: &str = "service/prod/web";

fn image_missing() -> World {
    let mut world = Setup::new().with("PULLSAFE_PAUSE_AFTER", "1").paced(Pacing::default()).build();
    world.images.store().create_repository("app", Mutability::Mutable);
    world.scale(SCALING, 1, 10);
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 2, json!({}));
    world
}

/// The event of the next task that stops, not yet delivered.
async fn stop(world: &mut World) -> Value {
    loop {
        let until = world.clock.now().plus_seconds(600);
        let events = world.scheduler.next_events(until).await;
        if let Some(stop) = events.into_iter().find(|event| event["detail"]["lastStatus"] == "STOPPED") {
            return stop;
        }
    }
}

fn record_of(world: &World, table: &str) -> Value {
    let rows = world.tables.items(table);
    rows.iter().find_map(|row| serde_json::from_str(row.get("doc")?.as_str()?).ok()).unwrap_or_default()
}

fn find_paused() -> Value {
    json!({ "pullsafe": "find-paused" })
}

fn push(world: &World) {
    Sample::new(3).build().push(world.images.store(), "app", "1");
}

#[tokio::test]
async fn what_one_stack_has_paused_the_other_leaves_alone() {
    let mut world = image_missing();
    let other = world.another_stack("second");
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    assert_eq!(world.service("web")["desiredCount"], 0);
    assert_eq!(world.service_tag("web", "pullsafe:paused-by"), STACK);
    let writes = world.writes().len();
    let told = world.told().len();

    other.handle(&stop, "second-1").await.unwrap();
    assert_eq!(world.writes().len(), writes, "the second stack changes nothing");
    let said = world.told()[told].message.clone();
    assert!(said.contains(&format!("the stack {STACK} of pullsafe has paused it")), "and says so: {said}");
    assert!(!said.contains("does not remember"), "{said}");

    // The image is pushed, and both stacks notice. The one that has paused the service brings it back, whichever looks
    // first.
    push(&world);
    let sweep = json!({ "pullsafe": "look", "subject": { "service": { "cluster_arn": world.service("web")["clusterArn"], "name": "web" } } });
    other.handle(&sweep, "second-2").await.unwrap();
    assert_eq!(world.service("web")["desiredCount"], 0, "it is not the second's to bring back");
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 2);
    assert_eq!(world.service_tag("web", "pullsafe:paused-by"), Value::Null, "the mark goes with the others");
    let suspended = world.scaling.target(SCALING).unwrap()["SuspendedState"]["DynamicScalingOutSuspended"].clone();
    assert_eq!(suspended, false);
}

/// Both stacks see a service without marks and begin. The one that wrote its name last goes on, and the other stops.
#[tokio::test]
async fn of_two_stacks_that_begin_at_once_one_goes_on() {
    let mut world = image_missing();
    let stop = stop(&mut world).await;
    let ecs = world.ecs.clone();
    let arn = world.service("web")["serviceArn"].clone();
    // The other stack's marks arrive between the marks of this one and its next step.
    world.aws.before("application-autoscaling", "RegisterScalableTarget", move || {
        let tags = json!([{ "key": "pullsafe:paused-by", "value": "second" }]);
        ecs.call("TagResource", &json!({ "resourceArn": arn, "tags": tags })).unwrap();
    });
    world.deliver(&stop).await;
    assert_eq!(world.service("web")["desiredCount"], 2, "the last step is not taken");
    let record = record_of(&world, TABLE);
    assert_eq!(record["open"]["act"]["state"], "abandoned", "{record}");
    assert!(
        world.told().last().unwrap().message.contains("the stack second of pullsafe has paused it"),
        "{:?}",
        world.told()
    );
}

#[tokio::test]
async fn a_moved_service_carries_the_name_of_its_stack() {
    let mut world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(scenarios::world::NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    let other = world.another_stack("second");
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    assert_eq!(world.service_tag("web", "pullsafe:moved-by"), STACK);
    let (writes, deployments) = (world.writes().len(), world.service("web")["deployments"].as_array().unwrap().len());
    other.handle(&stop, "second-1").await.unwrap();
    assert_eq!(world.writes().len(), writes, "{:?}", world.writes());
    assert_eq!(world.service("web")["deployments"].as_array().unwrap().len(), deployments);
    assert!(record_of(&world, OTHER_TABLE)["open"]["declined"].to_string().contains("has moved on to"));
}

/// The table is replaced by an empty one: the stack finds the service that it has paused, says so once, and changes
/// nothing.
#[tokio::test]
async fn a_paused_service_that_nobody_remembers_is_found_and_told_once() {
    let mut world = image_missing();
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    let paused_at = world.service_tag("web", "pullsafe:paused-at");
    assert_eq!(world.service("web")["desiredCount"], 0);
    // The same stack with another table: what the old table knew is lost.
    world.deliver(&find_paused()).await;
    world.settle().await;
    let told = world.told().len();
    assert_eq!(told, 1, "its own table remembers: {:#?}", world.told());
    world.restart(&[("PULLSAFE_TABLE", OTHER_TABLE)]);
    let writes = world.writes().len();
    for _ in 0..3 {
        world.deliver(&find_paused()).await;
        world.settle().await;
        world.clock.advance(24 * 3600);
    }
    let found = world.told();
    assert_eq!(found.len(), told + 1, "told once: {found:#?}");
    let message = &found[told].message;
    for wanted in [
        "prod/web: paused, and nobody remembers.",
        "its desired count is 0, and was 2 before",
        "by the stack pullsafe",
        &format!("paused at {}", paused_at.as_str().unwrap()),
        &format!("until {IMAGE} exists, which it does not"),
        "aws ecs update-service --cluster prod --service web --region eu-west-1 --desired-count 2",
        "aws application-autoscaling register-scalable-target",
        "aws ecs untag-resource",
    ] {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    assert_eq!(world.writes().len(), writes, "tags alone restore nothing");
    assert!(world.answers.iter().any(|answer| answer["outcome"] == "searched"), "{:?}", world.answers);
}

/// A second stack does not take the first one's pause for forgotten, unless the first stack is gone.
#[tokio::test]
async fn the_pause_of_a_stack_that_is_there_is_not_forgotten() {
    for there in [true, false] {
        let mut world = image_missing();
        let stop = stop(&mut world).await;
        world.deliver(&stop).await;
        if there {
            world.stacks = world.stacks.clone().with_stack(STACK, "UPDATE_COMPLETE");
        }
        world.restart(&[("PULLSAFE_TABLE", OTHER_TABLE), ("PULLSAFE_STACK", "second")]);
        let told = world.told().len();
        world.deliver(&find_paused()).await;
        world.settle().await;
        assert_eq!(world.told().len() - told, usize::from(!there), "{there}: {:#?}", world.told());
    }
}

/// A person has brought the service back by hand, but the marks are left: the message is only about the marks.
#[tokio::test]
async fn marks_that_are_left_over_are_told_without_a_count() {
    let mut world = image_missing();
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    world.restart(&[("PULLSAFE_TABLE", OTHER_TABLE)]);
    push(&world);
    world.lose_push_events();
    world.update_service("web", json!({ "desiredCount": 3 }));
    world.deliver(&find_paused()).await;
    world.settle().await;
    let message = world.told().pop().unwrap().message;
    assert!(
        message.contains("marks of a pause that nobody remembers") && message.contains("which it does now"),
        "{message}"
    );
    assert!(!message.contains("--desired-count") && message.contains("untag-resource"), "{message}");
}

/// A search that is refused does not stay unnoticed: its message ends in the dead-letter queue, where an alarm rings.
#[tokio::test]
async fn a_refused_search_ends_in_the_dead_letters() {
    let mut world = image_missing();
    world.aws.inject(AwsFault::on("tag", "GetResources", FaultKind::AccessDenied).always());
    world.deliver(&find_paused()).await;
    // Twenty attempts, as the queue allows, within an hour.
    for _ in 0..25 {
        world.settle().await;
        world.clock.advance(140);
    }
    assert_eq!(world.queues.bodies(scenarios::world::DEAD_LETTERS).len(), 1);
}

/// The parameters of a stack that may act on every service.
const BOTH_ACT: [(&str, &str); 2] = [("Mode", "act"), ("ServicePattern", "*")];

fn deploy(world: &World, stacks: &[(&str, [(&str, &str); 2])]) {
    for (name, parameters) in stacks {
        world.stacks.deploy_pullsafe(name, parameters);
        world.clock.advance(60);
    }
}

/// Both stacks may act. The older one acts; the other says what it would have done, and which stack does it. It does
/// not matter which one gets the event first.
#[tokio::test]
async fn of_two_stacks_that_may_act_the_older_one_does() {
    for older_first in [true, false] {
        let mut world = image_missing();
        deploy(&world, &[("first", BOTH_ACT), (STACK, BOTH_ACT)]);
        let first = world.another_stack("first");
        let stop = stop(&mut world).await;
        if older_first {
            first.handle(&stop, "first-1").await.unwrap();
            assert_eq!(world.service_tag("web", "pullsafe:paused-by"), "first");
        }
        let writes = world.writes().len();
        world.deliver(&stop).await;
        assert_eq!(world.writes().len(), writes, "the younger stack changes nothing: {:?}", world.writes());
        let record = record_of(&world, TABLE);
        assert_ne!(record["open"]["act"]["state"], "done", "{record}");
        if older_first {
            continue;
        }
        assert_eq!(record["open"]["act"]["state"], "observed", "{record}");
        let message = world.told().last().unwrap().message.clone();
        assert!(
            message.contains("the stack first of pullsafe may act on this service too, and is the older one"),
            "{message}"
        );
        first.handle(&stop, "first-1").await.unwrap();
        assert_eq!(world.service("web")["desiredCount"], 0, "the older one acts");
        assert_eq!(world.service_tag("web", "pullsafe:paused-by"), "first");
    }
}

/// Stacks that divide the services between them do not wait for each other, nor for a stack that only observes.
#[tokio::test]
async fn another_stack_that_may_not_act_here_is_no_hindrance() {
    for parameters in
        [[("Mode", "observe"), ("ServicePattern", "*")], [("Mode", "act"), ("ServicePattern", "staging/*")]]
    {
        let mut world = image_missing();
        deploy(&world, &[("first", parameters), (STACK, BOTH_ACT)]);
        let stop = stop(&mut world).await;
        world.deliver(&stop).await;
        assert_eq!(world.service("web")["desiredCount"], 0, "{parameters:?}");
        assert_eq!(world.service_tag("web", "pullsafe:paused-by"), STACK);
    }
}

/// The older stack is allowed to act while the younger one has a service paused: the stack that paused the service
/// brings it back.
#[tokio::test]
async fn a_stack_brings_back_what_it_has_paused_also_where_an_older_one_acts_now() {
    let mut world = image_missing();
    deploy(&world, &[("first", [("Mode", "observe"), ("ServicePattern", "*")]), (STACK, BOTH_ACT)]);
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    assert_eq!(world.service("web")["desiredCount"], 0);
    deploy(&world, &[("first", BOTH_ACT)]);
    world.clock.advance(600);
    push(&world);
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 2);
    assert_eq!(world.service_tag("web", "pullsafe:paused-by"), Value::Null);
}

/// If the region's stacks cannot be listed, it is not known which one acts: nothing is changed, and the missing
/// permission is named.
#[tokio::test]
async fn stacks_that_cannot_be_listed_are_a_doubt() {
    let mut world = image_missing();
    world.aws.inject(AwsFault::on("cloudformation", "ListStacks", FaultKind::AccessDenied).always());
    let stop = stop(&mut world).await;
    world.deliver(&stop).await;
    world.run_for(3600).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    let told = world.told();
    assert!(told.iter().any(|told| told.message.contains("cloudformation:ListStacks")), "{told:#?}");
}
