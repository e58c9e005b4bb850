//! What the schedules of EventBridge Scheduler start is part of the daily look, whatever their list answers.

use scenarios::world::{DEAD_LETTERS, Setup, World};
use serde_json::{Value, json};
use testkit::aws::fault::{AwsFault, FaultKind};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;

use crate::outlook::{DAY, REGISTRY, look, subjects};

const PROD: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";

/// A world with a task definition that names an image which ECR does not have.
fn with_a_broken_job(setup: Setup) -> (World, String) {
    let world = setup.build();
    Sample::new(1).build().push(world.images.store(), "job", "1");
    let definition = world.define("job", &[&format!("{REGISTRY}/job:2")]);
    (world, definition)
}

const FAILS: &str = "pullsafe: the next scheduled start of prod/default/nightly (no service) fails";

#[tokio::test]
async fn what_eventbridge_scheduler_starts_is_looked_at_too() {
    let (mut world, definition) = with_a_broken_job(Setup::new());
    world.schedules.start("nightly", PROD, &definition);
    world
        .schedules
        .start("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:report", &definition);
    look(&mut world).await;
    assert_eq!(subjects(&world), [FAILS]);
    assert_eq!(
        (world.aws.count("ListSchedules"), world.aws.count("GetSchedule")),
        (1, 1),
        "another target is not read"
    );
    // A disabled schedule starts nothing. Enabled again, it is not news.
    world.schedules.put("nightly", json!({ "State": "DISABLED" }));
    world.clock.advance(4 * DAY);
    look(&mut world).await;
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    assert_eq!(world.told().len(), 1, "{:?}", subjects(&world));
    world.schedules.put("nightly", json!({ "State": "ENABLED" }));
    look(&mut world).await;
    assert_eq!(world.told().len(), 1, "it was told before");
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_schedule_may_name_a_family_whose_newest_revision_it_starts() {
    let (mut world, first) = with_a_broken_job(Setup::new());
    world.schedules.start("nightly", PROD, first.trim_end_matches(":1"));
    let second = world.define("job", &[&format!("{REGISTRY}/job:1")]);
    assert!(second.ends_with("job:2"), "{second}");
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "the newest one's image is there");
    world.define("job", &[&format!("{REGISTRY}/job:2")]);
    look(&mut world).await;
    assert_eq!(subjects(&world), [FAILS]);
}

#[tokio::test]
async fn a_schedule_that_is_deleted_since_it_was_listed_is_nothing() {
    let (mut world, definition) = with_a_broken_job(Setup::new());
    world.schedules.start("nightly", PROD, &definition);
    let schedules = world.schedules.clone();
    world.aws.before("scheduler", "GetSchedule", move || schedules.delete("nightly"));
    look(&mut world).await;
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    assert_eq!(subjects(&world), Vec::<String>::new());
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new());
}

/// The schedule's definition no longer exists: nothing is claimed, and nothing is tried for ever.
#[tokio::test]
async fn a_schedule_of_a_definition_that_is_gone_stops_nothing() {
    let (mut world, definition) = with_a_broken_job(Setup::new());
    world.schedules.start("nightly", PROD, &definition);
    world.schedules.start("old", PROD, "arn:aws:ecs:eu-west-1:123456789012:task-definition/gone:7");
    look(&mut world).await;
    world.run_for(4 * 3600).await;
    assert_eq!(subjects(&world), [FAILS]);
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new());
}

#[tokio::test]
async fn two_clusters_take_one_list_of_schedules() {
    let (mut world, definition) = with_a_broken_job(Setup::new());
    world.ecs.call("CreateCluster", &json!({ "clusterName": "test" })).expect("another cluster");
    for (name, cluster) in [("nightly", "prod"), ("hourly", "test"), ("again", "test")] {
        world.schedules.start(name, &PROD.replace("prod", cluster), &definition);
    }
    look(&mut world).await;
    let mut told = subjects(&world);
    told.sort();
    let of_test = "pullsafe: the next scheduled start of test/default/again (no service) fails";
    assert_eq!(told, [FAILS, of_test], "what starts the same is told once");
    assert_eq!(world.aws.count("ListSchedules"), 1);
}

/// A missing permission stops nothing else. The rest is looked at, and the weekly message says what was not, until the
/// permission is granted.
#[tokio::test]
async fn a_refused_list_is_told_and_the_rest_is_looked_at() {
    for (service, operation, what) in [
        (
            "scheduler",
            "ListSchedules",
            "the schedules of EventBridge Scheduler: scheduler:ListSchedules: AccessDenied",
        ),
        (
            "scheduler",
            "GetSchedule",
            "1 schedule of EventBridge Scheduler, such as default/nightly: scheduler:GetSchedule",
        ),
        (
            "events",
            "ListRuleNamesByTarget",
            "what rules of EventBridge start on arn:aws:ecs:eu-west-1:123456789012:cluster/prod",
        ),
        (
            "ecs",
            "ListServices",
            "the services of arn:aws:ecs:eu-west-1:123456789012:cluster/prod: ecs:ListServices: Access",
        ),
    ] {
        let (mut world, definition) = with_a_broken_job(Setup::new());
        world.schedules.start("nightly", PROD, &definition);
        world.bus.start_by_rule("ruled", PROD, &definition);
        world.create_service("web", &definition, 1, json!({}));
        world.aws.inject(AwsFault::on(service, operation, FaultKind::AccessDenied).always());
        look(&mut world).await;
        assert!(!subjects(&world).is_empty(), "{operation}: what can be listed is looked at");
        world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
        let week = world.told().last().expect("a message of the week").message.clone();
        assert!(week.contains("Not looked at, for it could not be listed:") && week.contains(what), "{week}");
        assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new(), "{operation}");
        world.aws.clear_faults();
        world.clock.advance(7 * DAY);
        look(&mut world).await;
        world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
        let week = world.told().last().expect("a message of the week").message.clone();
        assert!(!week.contains("Not looked at"), "{week}");
    }
}

/// Even if no trouble is known, the message says what was not looked at.
#[tokio::test]
async fn a_refused_list_alone_makes_a_message_of_the_week() {
    let mut world = Setup::new().build();
    world.aws.inject(AwsFault::on("scheduler", "ListSchedules", FaultKind::AccessDenied).always());
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "it is not urgent");
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    assert_eq!(subjects(&world), ["pullsafe: the outlook leaves something out that could not be listed"]);
    let events = world.bus.events_of("Outlook");
    assert!(
        events[0]["detail"]["unread"][0].as_str().is_some_and(|text| text.contains("ListSchedules")),
        "{events:?}"
    );
    world.clock.advance(4 * DAY);
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    assert_eq!(world.told().len(), 1, "an old search says nothing of today");
}

/// A call that is throttled is tried again, and nothing is looked at twice for it.
#[tokio::test]
async fn a_list_that_is_throttled_is_made_again() {
    for (operation, times) in [("ListSchedules", 2), ("GetSchedule", 2), ("ListSchedules", 12)] {
        let (mut world, definition) = with_a_broken_job(Setup::new());
        world.schedules.start("nightly", PROD, &definition);
        world.aws.inject(AwsFault::on("scheduler", operation, FaultKind::Throttle).times(times));
        look(&mut world).await;
        world.run_for(3600).await;
        assert_eq!(subjects(&world), [FAILS], "{operation} {times}");
        world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
        assert!(!world.told()[1].message.contains("Not looked at"), "{}", world.told()[1].message);
    }
}

/// Some accounts have a schedule for each of their customers.
#[tokio::test]
async fn thousands_of_schedules_cost_a_bounded_number_of_calls() {
    for (others, tasks, lists, reads, left_out) in [
        (2950, 1, 30, 1, None),
        (
            6000,
            0,
            50,
            0,
            Some("schedules of EventBridge Scheduler after the first 5000: more than are looked at"),
        ),
        (0, 600, 6, 500, Some("100 of 600 schedules of EventBridge Scheduler that may start a task")),
    ] {
        let (mut world, definition) = with_a_broken_job(Setup::new());
        for number in 0..others {
            world.schedules.start(
                &format!("customer-{number}"),
                "arn:aws:sqs:eu-west-1:123456789012:mail",
                &definition,
            );
        }
        for number in 0..tasks {
            world.schedules.start(&format!("task-{number:03}"), PROD, &definition);
        }
        look(&mut world).await;
        let found = usize::from(tasks > 0);
        assert_eq!(
            (world.aws.count("ListSchedules"), world.aws.count("GetSchedule"), subjects(&world).len()),
            (lists, reads, found),
            "{others} and {tasks}"
        );
        world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
        let said = world.told().last().map(|told| told.message.clone()).unwrap_or_default();
        assert_eq!(said.contains("Not looked at"), left_out.is_some(), "{said}");
        assert!(said.contains(left_out.unwrap_or_default()), "{said}");
    }
}

/// The process dies at any call of the search and is started again: everything is looked at.
#[tokio::test]
async fn a_search_that_dies_is_made_again() {
    let world = || {
        let (world, definition) = with_a_broken_job(Setup::new());
        world.schedules.start("nightly", PROD, &definition);
        world.bus.start_by_rule("ruled", PROD, &definition);
        world
    };
    let mut whole = world();
    whole.deliver(&json!({ "pullsafe": "find-outlooks" })).await;
    let calls = whole.aws.calls().len();
    assert!(calls > 6, "{calls}");
    for number in 1..=calls {
        let mut world = world();
        world.aws.die_after(number as u64);
        look(&mut world).await;
        world.run_for(1200).await;
        assert_eq!(subjects(&world).len(), 2, "at call {number}: {:?}", subjects(&world));
    }
}
