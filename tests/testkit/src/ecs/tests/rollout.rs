//! Deployments that replace one another, and the circuit breaker.

use serde_json::{Value, json};

use crate::ecs::Pacing;

use super::world::{ECR, EcsWorld, digest, messages, names, of_type, tasks};

const MISSING: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:missing";

fn breaker(rollback: bool) -> Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}, "maximumPercent": 200, "minimumHealthyPercent": 100}})
}

#[tokio::test]
async fn a_rolling_deployment_never_falls_below_its_healthy_minimum() {
    let world = EcsWorld::even();
    world.steady(ECR, 4, json!({})).await;
    let next = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:next";
    world.puller.push(next, &digest(2));
    let definition = world.register(next);
    world.update(json!({"taskDefinition": definition}));
    let mut most = 0;
    while world.scheduler.next_due().is_some() {
        world.scheduler.step().await;
        let service = world.service();
        assert!(service["runningCount"].as_u64().unwrap() >= 4);
        most = most.max(service["runningCount"].as_u64().unwrap() + service["pendingCount"].as_u64().unwrap());
    }
    assert_eq!(most, 8);
    let service = world.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["runningCount"], 4);
    let events = world.scheduler.drain_events();
    let expected = ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"];
    assert_eq!(names(&events), expected);
    assert!(messages(&service)[0].ends_with("has reached a steady state."));
}

#[tokio::test]
async fn a_failing_deployment_leaves_the_old_tasks_alone() {
    let world = EcsWorld::even();
    world.steady(ECR, 2, json!({})).await;
    let definition = world.register(MISSING);
    world.update(json!({"taskDefinition": definition}));
    world.pass(3600).await;
    let service = world.service();
    let deployments = service["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 2);
    assert_eq!((&deployments[0]["runningCount"], &deployments[1]["runningCount"]), (&json!(0), &json!(2)));
    assert_eq!(deployments[0]["rolloutState"], "IN_PROGRESS");
    assert!(deployments[0]["failedTasks"].as_u64().unwrap() >= 6);
}

#[tokio::test]
async fn the_breaker_trips_at_three_and_rolls_back_to_what_completed() {
    let world = EcsWorld::even();
    world.steady(ECR, 1, breaker(true)).await;
    let good = world.service()["deployments"][0]["id"].as_str().unwrap().to_owned();
    let definition = world.register(MISSING);
    world.update(json!({"taskDefinition": definition}));
    let events = world.pass(4 * 3600).await;
    assert_eq!(tasks(&events, "STOPPED").len(), 3);
    let changes = of_type(&events, "ECS Deployment State Change");
    let detail = |index: usize, member: &str| changes[index]["detail"][member].as_str().unwrap().to_owned();
    assert_eq!(detail(1, "eventName"), "SERVICE_DEPLOYMENT_FAILED");
    assert_eq!(
        (detail(1, "eventType"), detail(1, "reason")),
        ("ERROR".into(), "ECS deployment circuit breaker: task failed to start.".into())
    );
    assert_eq!(detail(2, "eventName"), "SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert_eq!(detail(2, "reason"), format!("ECS deployment circuit breaker: rolling back to deploymentId {good}."));
    assert_eq!(detail(3, "eventName"), "SERVICE_DEPLOYMENT_COMPLETED");
    let service = world.service();
    assert_eq!(service["deployments"][0]["id"], good.as_str());
    assert_eq!((&service["runningCount"], &service["deployments"].as_array().unwrap().len()), (&json!(1), &1));
    let listed = world.ok("ListServiceDeployments", &json!({"cluster": "prod", "service": "web"}));
    assert_eq!(listed["serviceDeployments"][0]["status"], "SUCCESSFUL");
}

#[tokio::test]
async fn while_it_rolls_back_the_failed_deployment_shows() {
    let world = EcsWorld::even();
    world.steady(ECR, 1, breaker(true)).await;
    // The image of the last good deployment is gone too, so the rollback has to launch tasks and cannot.
    let definition = world.register(MISSING);
    world.update(json!({"taskDefinition": definition}));
    world.pass(60).await;
    let task = world.ok("ListTasks", &json!({"cluster": "prod", "serviceName": "web"}))["taskArns"][0].clone();
    world.puller.remove_digest(ECR, &digest(1));
    world.ok("StopTask", &json!({"cluster": "prod", "task": task}));
    world.pass(450).await;
    let service = world.service();
    let deployments = service["deployments"].as_array().unwrap();
    assert!(
        deployments[0]["rolloutStateReason"]
            .as_str()
            .unwrap()
            .starts_with("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/")
    );
    assert_eq!((&deployments[1]["rolloutState"], &deployments[1]["status"]), (&json!("FAILED"), &json!("ACTIVE")));
    assert_eq!(deployments[1]["desiredCount"], 0);
}

#[tokio::test]
async fn without_a_candidate_the_deployment_stalls() {
    for rollback in [true, false] {
        let world = EcsWorld::even();
        let definition = world.register(MISSING);
        world.create(&definition, 2, breaker(rollback));
        let events = world.pass(12 * 3600).await;
        // Three failed tasks trip the breaker. The fourth, of the second batch, was under way and is stopped.
        assert_eq!(tasks(&events, "PROVISIONING").len(), 4);
        let service = world.service();
        let primary = &service["deployments"][0];
        assert_eq!((&primary["status"], &primary["rolloutState"]), (&json!("PRIMARY"), &json!("FAILED")));
        let reason = primary["rolloutStateReason"].as_str().unwrap();
        assert_eq!(reason.contains("No rollback candidate was found to run the rollback."), rollback);
        assert_eq!(world.scheduler.next_due(), None);
    }
}

#[tokio::test]
async fn the_threshold_is_half_the_count_but_three_at_least() {
    // The image names a digest, so version consistency has nothing to resolve and does not interfere.
    let image = format!("{MISSING}@{}", digest(9));
    for (desired, threshold) in [(1, 3), (6, 3), (10, 5)] {
        let world = EcsWorld::at("2026-01-15T12:00:00Z", Pacing::default());
        let definition = world.register(&image);
        world.create(&definition, desired, breaker(false));
        world.pass(3600).await;
        assert_eq!(world.service()["deployments"][0]["failedTasks"], threshold, "of {desired}");
    }
}
