//! What a pull asks for, how its failure is reported, and version consistency.

use pullsafe_events::stopped_task::StoppedTask;
use serde_json::{Value, json};

use super::world::{ECR, EcsWorld, HUB, definition, digest, of_type, tasks, time};
use crate::ecs::{Pacing, ScriptedQuota};

fn reason(events: &[Value]) -> String {
    tasks(events, "STOPPED")[0]["stoppedReason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_task_that_never_runs_reads_as_on_aws() {
    let world = EcsWorld::even();
    world.puller.push(HUB, &digest(1));
    world.puller.set_quota(Some(ScriptedQuota { limit: 0, ..ScriptedQuota::ANONYMOUS }));
    let definition = world.register(HUB);
    world.create(&definition, 1, json!({}));
    let events = world.pass(200).await;
    let changes = of_type(&events, "ECS Task State Change");
    let first = &changes[0]["resources"][0];
    let of_first: Vec<&Value> = changes
        .iter()
        .filter(|event| event["resources"][0] == *first)
        .map(|event| &event["detail"])
        .collect();
    let statuses: Vec<&str> = of_first.iter().map(|detail| detail["lastStatus"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["PROVISIONING", "PENDING", "DEPROVISIONING", "STOPPED"]);
    let versions: Vec<u64> = of_first.iter().map(|detail| detail["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [1, 2, 3, 4]);

    let stopped = of_first[3];
    assert_eq!(
        stopped["stoppedReason"],
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - Server \
         message: \
         toomanyrequests: You have reached your unauthenticated pull rate limit. \
         https://www.docker.com/increase-rate-limit"
    );
    assert_eq!((&stopped["stopCode"], &stopped["group"]), (&json!("TaskFailedToStart"), &json!("service:web")));
    assert_eq!(stopped["startedBy"], world.service()["deployments"][0]["id"]);
    assert!(stopped.get("startedAt").is_none() && stopped.get("pullStoppedAt").is_none());
    assert_eq!(stopped["pullStartedAt"], "2026-01-15T12:00:15Z");
    assert!(stopped["containers"][0].get("exitCode").is_none());
    let read = StoppedTask::from_json(stopped);
    assert_eq!(
        (read.version, read.launch_type.as_deref(), read.containers[0].image.as_deref()),
        (4, Some("FARGATE"), Some(HUB))
    );
    assert_eq!((read.pull_started_at, read.started_at), (Some(time("2026-01-15T12:00:15Z")), None));
    let envelope = changes[0];
    assert_eq!((&envelope["version"], &envelope["source"]), (&json!("0"), &json!("aws.ecs")));
    assert_eq!(envelope["time"], "2026-01-15T12:00:00Z");
}

#[tokio::test]
async fn on_ec2_the_reason_is_the_containers() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({"launchType": "EC2"}));
    let events = world.pass(200).await;
    let stopped = tasks(&events, "STOPPED")[0];
    assert_eq!(stopped["stoppedReason"], "Task failed to start");
    assert!(stopped["containers"][0]["reason"].as_str().unwrap().starts_with("CannotPullContainerError: "));
}

#[tokio::test]
async fn a_refusal_is_final_and_layers_have_their_own_words() {
    let world = EcsWorld::even();
    world.puller.set_forbidden(ECR, true);
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({}));
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    assert_eq!(
        reason(&world.pass(60).await),
        format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {ECR}: \
             pulling from host {host} failed with status code [manifests 3f2c1d]: 403 Forbidden"
        )
    );

    let world = EcsWorld::even();
    world.puller.push(ECR, &digest(1));
    world.puller.set_broken(ECR, Some("failed to copy: httpReadSeeker: failed open: EOF"));
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({}));
    let expected = "CannotPullContainerError: ref pull has been retried 7 time(s): failed to copy: httpReadSeeker: \
        failed open: EOF";
    assert_eq!(reason(&world.pass(200).await), expected);
}

#[tokio::test]
async fn every_container_is_pulled_and_the_first_failure_stops_the_task() {
    let world = EcsWorld::even();
    let mut request = definition(ECR);
    request["containerDefinitions"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "sidecar", "image": "nginx", "essential": false}));
    world.ok("RegisterTaskDefinition", &request);
    world.puller.push(ECR, &digest(1));
    world.create("web", 1, json!({}));
    let events = world.pass(200).await;
    assert!(
        reason(&events).ends_with(
            "failed to resolve ref docker.io/library/nginx:latest: docker.io/library/nginx:latest: not found"
        )
    );
    let asked: Vec<String> = world.puller.records().iter().map(|record| record.image.clone()).take(3).collect();
    assert_eq!(asked, [ECR, "nginx", "nginx"]);
    assert_eq!(world.puller.records()[0].role.as_deref(), Some("arn:aws:iam::123456789012:role/execution"));
}

#[tokio::test]
async fn a_pinned_digest_that_is_gone_needs_a_new_deployment() {
    let world = EcsWorld::even();
    world.steady(ECR, 1, json!({})).await;
    // The tag moves on, and a lifecycle policy deletes the image that lost it.
    world.puller.push(ECR, &digest(2));
    world.puller.remove_digest(ECR, &digest(1));
    world.update(json!({"desiredCount": 2}));
    let events = world.pass(300).await;
    let gone = format!("{ECR}@{}", digest(1));
    assert!(
        reason(&events).ends_with(&format!("failed to resolve ref {gone}: {gone}: not found")),
        "{}",
        reason(&events)
    );

    // Neither another push nor another count helps.
    world.puller.push(ECR, &digest(3));
    world.update(json!({"desiredCount": 3}));
    world.pass(2 * 3600).await;
    assert_eq!(world.service()["runningCount"], 1);

    world.update(json!({"desiredCount": 2, "forceNewDeployment": true}));
    world.pass(2 * 3600).await;
    let service = world.service();
    assert_eq!(
        (&service["runningCount"], &service["deployments"][0]["rolloutState"]),
        (&json!(2), &json!("COMPLETED"))
    );
}

#[tokio::test]
async fn a_tag_that_was_never_there_is_not_pinned() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({}));
    world.pass(300).await;
    world.update(json!({"desiredCount": 0}));
    world.pass(60).await;
    world.puller.push(ECR, &digest(1));
    world.update(json!({"desiredCount": 1}));
    world.pass(2 * 3600).await;
    assert_eq!(world.service()["runningCount"], 1);
}

#[tokio::test]
async fn after_three_failures_a_deployment_goes_on_without_digests() {
    let world = EcsWorld::at(
        "2026-01-15T12:00:00Z",
        Pacing {
            first_pause_seconds: 1,
            longest_pause_seconds: 1,
            ..Pacing::default()
        },
    );
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({}));
    world.pass(3 * 160).await;
    world.puller.push(ECR, &digest(1));
    world.pass(600).await;
    assert_eq!(world.service()["runningCount"], 1);
    world.puller.push(ECR, &digest(2));
    world.puller.remove_digest(ECR, &digest(1));
    world.update(json!({"desiredCount": 2}));
    world.pass(600).await;
    assert_eq!(world.service()["runningCount"], 2, "the new task takes the tag as it is now");
}

#[tokio::test]
async fn version_consistency_can_be_off() {
    let world = EcsWorld::even();
    let mut request = definition(ECR);
    request["containerDefinitions"][0]["versionConsistency"] = json!("disabled");
    world.ok("RegisterTaskDefinition", &request);
    world.puller.push(ECR, &digest(1));
    world.create("web", 1, json!({}));
    world.pass(300).await;
    world.puller.push(ECR, &digest(2));
    world.puller.remove_digest(ECR, &digest(1));
    world.update(json!({"desiredCount": 2}));
    world.pass(300).await;
    assert_eq!(world.service()["runningCount"], 2);
}

#[tokio::test]
async fn the_same_calls_give_the_same_events() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let world = EcsWorld::even();
        let definition = world.register(ECR);
        world.create(&definition, 2, json!({}));
        runs.push(world.pass(3600).await);
    }
    assert!(!runs[0].is_empty());
    assert_eq!(runs[0], runs[1]);
}
