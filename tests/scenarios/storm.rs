//! What a storm costs: rows stay small, looks become rare, and nothing is written if nothing has changed.

use pullsafe::timestamp::Timestamp;
use pullsafe_incident::store::Table;
use scenarios::storm::{Storm, stop_of_a_family};
use scenarios::world::{Setup, TABLE, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::dynamodb::TableItem;
use testkit::registry::Sample;

const SERVICES: usize = 40;

#[tokio::test]
async fn a_storm_is_cured_and_stays_within_its_limits() {
    let storm = Storm::play(Setup::new(), SERVICES).await;
    println!(
        "{:?} {:#?} {:#?}\n{:?}",
        storm.moved_after,
        storm.refused,
        storm.calls,
        (storm.units.writes, storm.units.write, storm.units.half_read, storm.units.busiest_partition())
    );
    assert!(storm.moved_after.is_some_and(|seconds| seconds <= 15 * 60), "{:?}", storm.moved_after);
    assert!(
        storm.units.busiest_partition().is_some_and(|(_, _, units)| units <= 500),
        "{:?}",
        storm.units.busiest_partition()
    );
    // A service is looked at right before each writing call, and no earlier look can replace that one. So only this
    // call may be throttled and repeated.
    assert!(storm.refused.keys().all(|call| call == "ecs:DescribeServices"), "{:?}", storm.refused);
}

#[tokio::test]
async fn a_storm_that_is_only_observed_is_looked_at_rarely() {
    let storm = Storm::play(Setup::new().with("PULLSAFE_MODE", "observe"), SERVICES).await;
    println!(
        "{:#?} {:#?}\n{:#?}\n{:?}",
        storm.refused,
        storm.calls,
        storm.calls_later,
        (storm.units.writes, storm.units.write, storm.units.half_read)
    );
    for call in [
        "ecs:DescribeServices",
        "ecs:DescribeClusters",
        "ecs:DescribeTaskDefinition",
        "iam:SimulatePrincipalPolicy",
    ] {
        assert!(storm.each(call) <= 8.0, "{call}: {}", storm.each(call));
    }
    // In the first minutes, later looks use the answers of the first one.
    assert!(storm.each("iam:SimulatePrincipalPolicy") <= 4.0, "{}", storm.each("iam:SimulatePrincipalPolicy"));
    assert_eq!(storm.world.writes(), Vec::<String>::new());
    assert!(storm.refused.is_empty(), "{:?}", storm.refused);
}

#[tokio::test]
async fn an_incident_in_which_nothing_changes_costs_little() {
    let mut world = Setup::new().with("PULLSAFE_MODE", "observe").build();
    let definition = world.define("web", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing"]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(600).await;
    world.tables.take_units();
    world.run_for(24 * 3600).await;
    let units = world.tables.take_units();
    println!(
        "a day of one incident: {} writes, {} write units, {} read units",
        units.writes,
        units.write,
        units.half_read / 2
    );
    assert!(units.write <= 5_000, "{units:?}");
    let rows = world.tables.items(TABLE);
    let largest = rows.iter().filter_map(|row| row.get("doc")?.as_str()).map(str::len).max().unwrap_or(0);
    assert!(largest <= 8 * 1024, "{largest}");
}

/// Stops in the normal course of events cost one invocation each. Nothing is read or written.
#[tokio::test]
async fn what_is_none_of_our_business_costs_an_invocation_and_no_more() {
    let mut world = Setup::new().build();
    world.aws.clear_log();
    for number in 0..10_000 {
        let task = format!("arn:aws:ecs:eu-west-1:123456789012:task/prod/{number:032x}");
        let (group, code, reason) = match number % 3 {
            0 => ("family:batch", "EssentialContainerExited", "Essential container in task exited"),
            1 => (
                "service:web",
                "ServiceSchedulerInitiated",
                "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)",
            ),
            _ => ("service:web", "UserInitiated", "Task stopped by user"),
        };
        let detail = json!({
            "taskArn": task, "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "group": group, "version": 7,
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7", "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED", "stopCode": code, "stoppedReason": reason, "stoppedAt": "2026-01-15T19:17:00Z",
            "containers": [{"name": "app", "exitCode": 0, "lastStatus": "STOPPED"}],
        });
        let event = json!({
            "version": "0", "id": format!("{number}"), "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012",
            "time": "2026-01-15T19:17:00Z", "region": "eu-west-1", "resources": [task], "detail": detail,
        });
        world.deliver(&event).await;
    }
    assert_eq!(
        (world.answers.len(), world.aws.calls().len()),
        (10_000, 0),
        "{:?}",
        world.answers.iter().find(|answer| answer["outcome"] != "ignored")
    );
    assert!(world.answers.iter().all(|answer| answer["outcome"] == "ignored"));
}

/// The row of the only incident.
fn state(world: &World) -> TableItem {
    world
        .tables
        .wire_items(TABLE)
        .into_iter()
        .find(|row| row["sk"] == json!({ "S": "state" }))
        .expect("a row")
}

async fn failing(image: &str) -> World {
    let mut world = Setup::new().with("PULLSAFE_MODE", "observe").build();
    let definition = world.define("web", &[image]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(600).await;
    world
}

/// A row from an earlier release has no time for its next look. The sweep still finds it, and sets that time.
#[tokio::test]
async fn an_incident_of_an_earlier_release_is_carried_on_with() {
    let mut world = failing("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing").await;
    let mut row = state(&world);
    for name in ["shard", "due_at", "quiet", "wakes", "rev"] {
        assert!(row.remove(name).is_some(), "{name}");
    }
    row.insert("open".to_owned(), json!({ "S": "incident" }));
    world.tables.put(TABLE, Value::Object(row));
    world.run_for(60).await;
    let row = state(&world);
    assert!(row.contains_key("due_at") && row.contains_key("rev") && !row.contains_key("open"), "{row:?}");
}

#[tokio::test]
async fn a_look_is_queued_once_however_many_sweeps_there_are() {
    let mut world = failing("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing").await;
    let due: i64 = state(&world)["due_at"]["N"].as_str().and_then(|due| due.parse().ok()).expect("it is due");
    world.clock.advance((due - world.clock.now().seconds()).max(0));
    let expires = |world: &World| state(world)["expires_at"]["N"].as_str().and_then(|at| at.parse::<i64>().ok());
    let before = expires(&world);
    let remediator = world.remediator.clone().expect("it is deployed");
    let mut swept = Vec::new();
    for number in 0..3 {
        let answer = remediator
            .handle(&json!({ "pullsafe": "sweep" }), &format!("sweep-{number}"))
            .await
            .expect("it sweeps");
        swept.push(answer["why"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(swept, ["1 incident is due", "0 incidents are due", "0 incidents are due"]);
    assert_eq!(world.queues.bodies(WORK_QUEUE).len(), 1);
    assert!(expires(&world) > before, "what is open is remembered, however long nothing happens");
    world.settle().await;
}

/// A stop of a family's task, this many seconds after the beginning, for one of four causes in turn.
fn stop_of(number: i64, seconds: i64) -> Value {
    let at = Timestamp::from_millis(1_768_504_620_000).plus_seconds(seconds);
    let reasons = [
        "OutOfMemoryError: Container killed due to memory usage",
        "CannotStartContainerError: no space left on device",
        "CannotStartContainerError: exec /app: exec format error",
        "CannotStartContainerError: exec: \"/app\": stat /app: no such file or directory",
    ];
    let reason = reasons[usize::try_from(number % 4).unwrap_or_default()];
    stop_of_a_family(number, at, reason)
}

/// How many lines in the whole history of the family report a stop, and how many rows of that history are missing.
async fn lines(world: &World) -> (usize, usize) {
    let key = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod#family/batch";
    let history = Table::new(world.config(), TABLE).history(key, Timestamp::from_millis(0)).await.expect("it reads");
    let told = history.incidents[0].1.timeline.iter().filter(|entry| entry.what.to_string().contains("stopped"));
    (told.count(), history.missing.len())
}

/// Two invocations move lines out of the same row at once. Neither overwrites what the other has stored.
#[tokio::test]
async fn two_at_once_lose_nothing_of_the_past() {
    let mut world = Setup::new().with("PULLSAFE_MODE", "observe").build();
    let remediator = world.remediator.clone().expect("it is deployed");
    for number in 0..30 {
        // One stop is late, so that its line is among those that are moved out.
        let (late, new) = (stop_of(2 * number, number * 120 - 780), stop_of(2 * number + 1, number * 120));
        let (first, second) = (format!("late-{number}"), format!("new-{number}"));
        let handled = tokio::join!(remediator.handle(&late, &first), remediator.handle(&new, &second));
        assert!(handled.0.is_ok() && handled.1.is_ok());
        world.run_for(120).await;
    }
    assert_eq!(lines(&world).await, (60, 0));
}

/// Only the newest of many tasks are in the row. An event that comes again late is recognised by the rows of the past.
#[tokio::test]
async fn an_event_that_comes_again_after_many_others_counts_once() {
    let mut world = Setup::new().with("PULLSAFE_MODE", "observe").build();
    let definition = world.define("web", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing"]);
    world.create_service("web", &definition, 0, json!({}));
    let stop = |number: i64| stop_of(number, number * 60);
    for number in 0..90 {
        world.deliver(&stop(number)).await;
    }
    let tasks = |world: &World| -> u64 {
        let record = world.records().into_iter().find(|record| record.get("open").is_some()).expect("an incident");
        record["open"]["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|cause| cause["tasks"].as_u64())
            .sum()
    };
    assert_eq!(tasks(&world), 90);
    for number in [0, 40, 89] {
        world.deliver(&stop(number)).await;
    }
    assert_eq!(tasks(&world), 90, "none is counted twice");
    // A report has every line, including those of the past.
    assert_eq!(lines(&world).await, (90, 0), "the causes take turns: no line is about two stops");
}

/// A push concerns only the services that wait for this very image.
#[tokio::test]
async fn a_push_is_looked_up_by_its_name() {
    let mut world = Setup::new().with("PULLSAFE_PAUSE_AFTER_MINUTES", "0").build();
    for number in 0..5 {
        let definition = world
            .define(&format!("web-{number}"), &[&format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:{number}")]);
        world.create_service(&format!("web-{number}"), &definition, 2, json!({}));
    }
    world.run_for(1200).await;
    world.aws.clear_log();
    Sample::new(9).build().push(world.images.store(), "app", "3");
    world.settle().await;
    let looked: Vec<String> = world
        .aws
        .calls()
        .iter()
        .filter(|call| call.operation == "DescribeServices")
        .map(|call| call.request["services"][0].to_string())
        .collect();
    assert!(!looked.is_empty() && looked.iter().all(|service| service.contains("web-3")), "{looked:?}");
    world.aws.clear_log();
    Sample::new(9).build().push(world.images.store(), "app", "unwanted");
    world.settle().await;
    assert_eq!(world.aws.calls().len(), 2, "a query for the tag and one for the digest: {:?}", world.aws.actions());
}
