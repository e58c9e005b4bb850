//! Cases A, C and D with their numbers.

use serde_json::json;

use super::world::{ECR, EcsWorld, HUB, TARGET_GROUP, digest, messages, tasks, time};
use crate::ecs::{Behaviour, Pacing, ScriptedQuota, StackOutcome, StackWatch};

/// A made-up reason. Nobody recorded why deployments 75 and 76 failed, only that each of their tasks asked for the
/// manifest seven times.
const UNFINISHED: &str = "failed to copy: httpReadSeeker: failed open: EOF";

/// Case A up to 19:17 with this quota: deployment 75 at 13:00 and deployment 76 at 14:00, each set to 0 when its owner
/// gave up.
async fn until_deployment_77(quota: ScriptedQuota) -> EcsWorld {
    let world = EcsWorld::at("2026-01-15T13:00:00Z", Pacing::case_a());
    world.puller.push(HUB, &digest(1));
    world.puller.set_broken(HUB, Some(UNFINISHED));
    world.puller.set_quota(Some(quota));
    let definition = world.register(HUB);
    world.create(&definition, 2, json!({}));
    world.until("2026-01-15T13:20:00Z").await;
    world.update(json!({"desiredCount": 0}));
    assert_eq!(world.puller.spent(), 42, "six tasks, seven pulls each");

    world.until("2026-01-15T14:00:00Z").await;
    let definition = world.register(HUB);
    world.update(json!({"desiredCount": 2, "taskDefinition": definition}));
    world.until("2026-01-15T14:04:00Z").await;
    world.update(json!({"desiredCount": 0}));
    world.until("2026-01-15T19:17:00Z").await;
    world
}

/// Starts deployment 77, with a stack that a person cancels after 53 minutes, at 20:10.
async fn deployment_77(world: &EcsWorld) -> StackWatch {
    let definition = world.register(HUB);
    let service = world.update(json!({"desiredCount": 2, "taskDefinition": definition}));
    StackWatch::begin(&service, world.clock.now(), 53 * 60)
}

/// The case counts every pull since 13:00 as within the window. With its times that takes a window of seven hours.
#[tokio::test]
async fn case_a_the_seventh_task_takes_the_last_pull() {
    let world = until_deployment_77(ScriptedQuota { limit: 100, window_seconds: 7 * 3600 }).await;
    assert_eq!(world.puller.spent(), 56);
    world.scheduler.drain_events();
    let before = world.puller.records().len();
    let stack = deployment_77(&world).await;
    let events = world.until("2026-01-15T20:09:59Z").await;
    assert_eq!(stack.look(&world.service(), world.clock.now()), StackOutcome::Waiting { seconds: 53 * 60 - 1 });
    let mut more = world.until("2026-01-15T20:10:00Z").await;
    assert_eq!(stack.look(&world.service(), world.clock.now()), StackOutcome::TimedOut);
    more.splice(0..0, events);

    let pulls = &world.puller.records()[before..];
    assert!(pulls[..44].iter().all(|pull| pull.counted), "44 were left");
    assert!(pulls[44..].iter().all(|pull| !pull.counted), "every later pull fails");
    // 6 x 7 + 2: the second pull of the seventh task is the hundredth in all.
    let moment = |task: &serde_json::Value, member: &str| time(task[member].as_str().unwrap());
    let launched = tasks(&more, "PROVISIONING");
    assert!(tasks(&more, "STOPPED")[..6].iter().all(|task| moment(task, "stoppedAt") < pulls[42].at));
    assert!(
        moment(launched[6], "createdAt") < pulls[42].at
            && pulls[43].at < moment(launched[7], "createdAt").plus_seconds(15)
    );
    let minutes = pulls[43].at.seconds_since(time("2026-01-15T19:47:00Z")) as f64 / 60.0;
    assert!(minutes.abs() < 1.0, "at about 19:47, not {}", pulls[43].at);

    let stopped = tasks(&more, "STOPPED");
    assert!(stopped[..6].iter().all(|task| task["stoppedReason"].as_str().unwrap().contains("failed to copy")));
    let seventh = stopped[6]["stoppedReason"].as_str().unwrap();
    assert!(
        seventh.starts_with(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests"
        ),
        "{seventh}"
    );
    assert!(tasks(&more, "RUNNING").is_empty());
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

/// With the six hours that Docker Hub documents, most pulls of deployment 75 have left the window by 19:17, and the
/// quota lasts longer.
#[tokio::test]
async fn case_a_with_a_strict_window_of_six_hours() {
    let world = until_deployment_77(ScriptedQuota::ANONYMOUS).await;
    let spent = world.puller.spent();
    assert!((14..56).contains(&spent), "{spent}");
    let stack = deployment_77(&world).await;
    world.until("2026-01-15T20:10:00Z").await;
    assert_eq!(stack.look(&world.service(), world.clock.now()), StackOutcome::TimedOut);
    assert!(world.puller.spent() < 100);
}

/// Pulls of other clients behind the same address can be counted in, so that a test may begin at 19:17.
#[tokio::test]
async fn case_a_from_its_last_deployment_on() {
    let world = EcsWorld::at("2026-01-15T19:17:00Z", Pacing::default());
    world.puller.push(HUB, &digest(1));
    world.puller.set_quota(Some(ScriptedQuota::ANONYMOUS));
    world.puller.spend(100, time("2026-01-15T14:00:00Z"));
    let definition = world.register(HUB);
    world.create(&definition, 2, json!({}));
    world.until("2026-01-15T19:59:00Z").await;
    assert!(world.puller.records().iter().all(|pull| !pull.counted));
    // The rolling window gives all of it back after six hours. A throttled service notices late.
    world.until("2026-01-15T21:00:00Z").await;
    assert_eq!((world.puller.spent(), &world.service()["runningCount"]), (2, &json!(2)));
}

#[tokio::test]
async fn case_c_runs_and_never_gets_healthy() {
    let world = EcsWorld::even();
    world.puller.push(HUB, &digest(1));
    let log = vec![
        r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'", "timestamp": "2026-01-15T20:18:32.553596Z"}"#.to_owned(),
    ];
    let unhealthy = Behaviour::FailsHealthChecks {
        after_seconds: 390,
        target_group: TARGET_GROUP.to_owned(),
        log,
    };
    world.scheduler.set_behaviour("web", "app", unhealthy);
    let definition = world.register(HUB);
    let load_balancers = json!([{"targetGroupArn": TARGET_GROUP, "containerName": "app", "containerPort": 8000}]);
    world.create(&definition, 1, json!({"loadBalancers": load_balancers, "healthCheckGracePeriodSeconds": 300}));
    let events = world.pass(3600).await;
    let stopped = tasks(&events, "STOPPED");
    assert_eq!(
        stopped[0]["stoppedReason"],
        format!("Task failed ELB health checks in (target-group {TARGET_GROUP})")
    );
    assert_eq!(
        (&stopped[0]["stopCode"], &stopped[0]["containers"][0]["exitCode"]),
        (&json!("ServiceSchedulerInitiated"), &json!(137))
    );
    assert!(stopped[0]["startedAt"].is_string());
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert!(messages(&world.service()).iter().any(|message| message.contains("is unhealthy in (target-group")));
    assert!(
        world
            .scheduler
            .drain_logs()
            .iter()
            .all(|line| line.group == "/ecs/web" && line.message.contains("core.aws_service"))
    );

    // After the repair, the next task stays.
    world.scheduler.set_behaviour("web", "app", Behaviour::Healthy);
    world.pass(600).await;
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test]
async fn case_d_loops_until_the_count_is_0_and_runs_after_the_push() {
    let world = EcsWorld::at("2026-01-15T12:00:00Z", Pacing { pull_attempts: 5, ..Pacing::default() });
    let definition = world.register(ECR);
    let service = world.create(&definition, 1, json!({}));
    let stack = StackWatch::begin(&service, world.clock.now(), StackWatch::LIMIT_SECONDS);
    let events = world.pass(1800).await;
    let stopped = tasks(&events, "STOPPED");
    assert!(stopped.len() >= 3);
    let expected = format!(
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {ECR}: \
         {ECR}: not found"
    );
    assert!(stopped.iter().all(|task| task["stoppedReason"] == expected.as_str()));
    assert_eq!(stack.look(&world.service(), world.clock.now()), StackOutcome::Waiting { seconds: 1800 });

    world.update(json!({"desiredCount": 0}));
    world.pass(60).await;
    assert!(world.pass(3600).await.is_empty());
    // With a desired count of 0, the stack completes while nothing runs.
    assert_eq!(stack.look(&world.service(), world.clock.now()), StackOutcome::Complete);

    world.puller.push(ECR, &digest(1));
    world.update(json!({"desiredCount": 1}));
    world.pass(120).await;
    assert_eq!(world.service()["runningCount"], 1);
}
