//! An hour in which DynamoDB throttles, and an hour in which the function gets no execution: nothing is lost, events
//! are told in their order, and the last state of a service wins.

use pullsafe::timestamp::Timestamp;
use scenarios::storm::stop_of_a_family;
use scenarios::world::{DEAD_LETTERS, NAT, Setup, TABLE, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind, Which};
use testkit::registry::Sample;

const SERVICES: usize = 8;
const HOUR: i64 = 3600;
const STOPS: i64 = 60;

/// An account in which every service meets the quota. The mirror has their images.
fn storm() -> World {
    let mut world = Setup::new().build();
    world.limit();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    for number in 0..SERVICES {
        world.create_service(&format!("web-{number}"), &definition, 2, json!({}));
    }
    world
}

/// A stop of a family's task. The last one has another cause than all others.
fn stop(number: i64, start: Timestamp) -> Value {
    let at = start.plus_seconds(number * 60);
    let reason = match number == STOPS - 1 {
        true => "OutOfMemoryError: Container killed due to memory usage",
        false => "CannotStartContainerError: no space left on device",
    };
    stop_of_a_family(number, at, reason)
}

/// Plays an hour with a stop every minute. `begin` and `end` change the account at its start and at its end.
async fn hour(begin: impl Fn(&mut World), end: impl Fn(&mut World)) -> World {
    let mut world = storm();
    let start = world.clock.now();
    begin(&mut world);
    for number in 0..STOPS {
        world.run_until(start.plus_seconds(number * 60)).await;
        world.deliver(&stop(number, start)).await;
    }
    world.run_until(start.plus_seconds(HOUR)).await;
    assert_eq!((world.records().len(), world.writes().len()), (0, 0), "nothing could be done");
    end(&mut world);
    world.run_for(HOUR).await;
    world
}

/// Checks that every event is in the history in its order, that every service is cured, and that nothing waits any
/// more.
fn nothing_is_lost(world: &World) {
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new());
    assert_eq!(world.held(), 0);
    let definitions: Vec<Value> = (0..SERVICES)
        .map(|number| world.service(&format!("web-{number}"))["taskDefinition"].clone())
        .collect();
    assert!(
        definitions.iter().all(|definition| definition.as_str().is_some_and(|arn| arn.ends_with(":2"))),
        "{definitions:?}"
    );
    let waiting = world.queues.bodies(WORK_QUEUE);
    assert!(waiting.iter().all(|message| message["pullsafe"] == "look"), "only looks that are due: {waiting:?}");

    let rows = world.tables.items(TABLE);
    let family =
        |row: &&serde_json::Map<String, Value>| row["pk"].as_str().is_some_and(|key| key.ends_with("family/batch"));
    let row = rows.iter().filter(family).find(|row| row["sk"] == "state").expect("the family has a row");
    let record: Value = serde_json::from_str(row["doc"].as_str().expect("it has a document")).expect("which is JSON");
    let causes = record["open"]["causes"].as_array().expect("there are causes");
    let tasks: u64 = causes.iter().filter_map(|cause| cause["tasks"].as_u64()).sum();
    assert_eq!(tasks, u64::try_from(STOPS).unwrap_or_default(), "each is counted once");
    let last = causes
        .iter()
        .max_by_key(|cause| cause["last_at"].as_str().unwrap_or_default().to_owned())
        .expect("there is one");
    assert_eq!(last["diagnosis"]["cause"], "out-of-memory", "{last}");
    let moments: Vec<&str> = record["open"]["timeline"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|line| line["at"].as_str())
        .collect();
    assert!(moments.is_sorted(), "oldest first: {moments:?}");
}

#[tokio::test]
async fn an_hour_without_dynamodb_loses_nothing() {
    let throttle = |world: &mut World| {
        let which = Which::Any;
        world.aws.inject(AwsFault {
            service: Some("dynamodb".to_owned()),
            operation: None,
            which,
            times: 1,
            kind: FaultKind::Throttle,
        });
    };
    nothing_is_lost(&hour(throttle, |world| world.aws.clear_faults()).await);
}

#[tokio::test]
async fn an_hour_without_executions_loses_nothing() {
    let world = hour(
        |world| {
            world.throttle(true);
            // Some messages are in the queue, too.
            let start = world.clock.now();
            (0..10).for_each(|number| world.queues.send(WORK_QUEUE, &stop(number, start)));
        },
        |world| world.throttle(false),
    );
    nothing_is_lost(&world.await);
}
