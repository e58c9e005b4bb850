//! The start throttle: its growing pauses, the silence in them, and what ends it.

use serde_json::{Value, json};

use super::world::{ECR, EcsWorld, digest, names, tasks, time};
use crate::ecs::Pacing;

/// When tasks were launched, in seconds since the first launch.
fn launches(events: &[Value]) -> Vec<i64> {
    let times: Vec<_> =
        tasks(events, "PROVISIONING").iter().map(|task| time(task["createdAt"].as_str().unwrap())).collect();
    times.iter().map(|at| at.seconds_since(times[0])).collect()
}

#[test]
fn pauses_double_up_to_27_minutes() {
    let pacing = Pacing {
        immediate_rounds: 1,
        first_pause_seconds: 60,
        ..Pacing::default()
    };
    let pauses: Vec<i64> = (0..=9).map(|rounds| pacing.pause_after(rounds)).collect();
    assert_eq!(pauses, [0, 0, 60, 120, 240, 480, 960, 1620, 1620, 1620]);
    assert_eq!(pacing.pause_after(u32::MAX), 1620);
}

#[tokio::test]
async fn silence_grows_to_27_minutes_and_is_not_recovery() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 2, json!({}));
    let events = world.pass(6 * 3600).await;
    let times = launches(&events);
    // Two tasks at a time; a failing launch takes 135 seconds.
    let rounds: Vec<i64> = times.chunks(2).map(|pair| pair[0]).collect();
    let gaps: Vec<i64> = rounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(&gaps[..4], [135, 135 + 60, 135 + 120, 135 + 240]);
    assert!(gaps[6..].iter().all(|gap| *gap == 135 + 1620));
    assert!(times.chunks(2).all(|pair| pair[0] == pair[1]));
    assert!(names(&events).contains(&"SERVICE_TASK_START_IMPAIRED"));
    let messages = super::world::messages(&world.service());
    let impaired = messages
        .iter()
        .filter(|message| message.contains("is unable to consistently start tasks successfully"))
        .count();
    assert_eq!(impaired, 1, "the same message is not repeated within six hours");
    // A pause has no events at all, and the clock stops at the requested moment.
    let next = world.scheduler.next_due().unwrap();
    let silent = world.scheduler.next_events(next.plus_seconds(-1)).await;
    assert!(silent.is_empty());
    let loud = world.scheduler.next_events(next.plus_seconds(60)).await;
    assert_eq!((tasks(&loud, "PROVISIONING").len(), world.clock.now()), (2, next));
}

#[tokio::test]
async fn a_new_definition_ends_the_throttle_and_force_does_not() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 2, json!({}));
    // This is in the fourth pause, which is 480 seconds long.
    world.pass(1200).await;
    assert!(world.scheduler.next_due().unwrap().seconds_since(world.clock.now()) > 300);

    world.update(json!({"forceNewDeployment": true}));
    assert!(tasks(&world.pass(60).await, "PROVISIONING").is_empty());

    let other = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/app:1";
    world.puller.push(other, &digest(3));
    let moved = world.register(other);
    world.update(json!({"taskDefinition": moved}));
    assert_eq!(tasks(&world.pass(1).await, "PROVISIONING").len(), 2);
    world.pass(120).await;
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test]
async fn a_task_that_ran_is_replaced_at_once_however_often() {
    let world = EcsWorld::even();
    world.puller.push(ECR, &digest(1));
    let definition = world.register(ECR);
    let log = vec!["boom".to_owned()];
    world
        .scheduler
        .set_behaviour("web", "app", crate::ecs::Behaviour::Exits { after_seconds: 5, exit_code: 1, log });
    world.create(&definition, 1, json!({}));
    let events = world.pass(3600).await;
    let gaps: Vec<i64> = launches(&events).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > 80 && gaps.iter().all(|gap| *gap == 38), "{gaps:?}");
    assert!(!names(&events).contains(&"SERVICE_TASK_START_IMPAIRED"));
    let stopped = tasks(&events, "STOPPED")[0];
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    assert_eq!(stopped["containers"][0]["exitCode"], 1);
    let lines = world.scheduler.drain_logs();
    let id = stopped["taskArn"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!((lines[0].group.as_str(), lines[0].stream.clone()), ("/ecs/web", format!("ecs/app/{id}")));
    // A crash loop pulls once per cycle.
    assert_eq!(world.puller.records().len(), gaps.len() + 1);
}

#[tokio::test]
async fn a_count_of_0_stops_launches_and_what_is_under_way() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 2, json!({}));
    world.pass(60).await;
    world.update(json!({"desiredCount": 0}));
    let events = world.pass(60).await;
    let stopped = tasks(&events, "STOPPED");
    assert_eq!(stopped.len(), 2);
    assert!(
        stopped[0]["stoppedReason"]
            .as_str()
            .unwrap()
            .starts_with("Scaling activity initiated by (deployment ecs-svc/")
    );
    let before = world.puller.records().len();
    assert!(world.pass(4 * 3600).await.is_empty());
    assert_eq!(world.puller.records().len(), before);
    let service = world.service();
    assert_eq!((&service["desiredCount"], &service["pendingCount"]), (&json!(0), &json!(0)));
    // With a desired count of 0 the service is steady: a stack that waits would complete.
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
}
