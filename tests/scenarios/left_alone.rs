//! Services that pullsafe gives advice about but does not touch, whatever stops their tasks.

use scenarios::world::{CLUSTER, NAT, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::ecs::{Behaviour, Pacing};
use testkit::registry::Sample;

fn quota_used_up() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    world
}

/// Lets the tasks of a service meet the limit. Nothing is changed, and the message has the reason.
async fn check(more: Value, reason: &str) {
    let mut world = quota_used_up();
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, more);
    world.run_for(900).await;
    assert_eq!(world.writes(), Vec::<String>::new(), "{reason}");
    let told = world.told();
    assert!(told.iter().any(|notice| notice.message.contains(reason)), "{reason}: {told:?}");
}

#[tokio::test]
async fn services_with_another_owner_get_advice() {
    check(json!({ "deploymentController": { "type": "CODE_DEPLOY" } }), "CodeDeploy deploys this service").await;
    check(
        json!({ "deploymentController": { "type": "EXTERNAL" } }),
        "an external controller deploys this service",
    )
    .await;
    check(json!({ "resourceManagementType": "ECS" }), "ECS itself owns this service's configuration").await;
    check(json!({ "deploymentConfiguration": { "strategy": "BLUE_GREEN" } }), "its deployments are BLUE_GREEN").await;
}

#[tokio::test]
async fn a_daemon_service_gets_advice() {
    check(json!({ "schedulingStrategy": "DAEMON" }), "it is a DAEMON service").await;
}

#[tokio::test]
async fn a_task_without_a_service_gets_advice() {
    let mut world = quota_used_up();
    world.define("batch", &["acme/app:1"]);
    world
        .ecs
        .call("RunTask", &json!({ "cluster": CLUSTER, "taskDefinition": "batch", "launchType": "FARGATE" }))
        .unwrap();
    world.run_for(900).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["pullsafe: prod/batch (no service): registry-rate-limited"]);
    // A day later the incident is over, and no message says that nothing happened.
    world.run_for(25 * 3600).await;
    assert!(world.records().iter().all(|record| record.get("open").is_none()));
}

/// A rollback is ECS's own cure, and pullsafe must not interfere with it.
#[tokio::test]
async fn a_circuit_breaker_at_work_is_left_alone() {
    let mut world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "good", "1");
    Sample::new(2).build().push(world.hub.store(), "acme/app", "1");
    let breaker =
        json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } } });
    let good = world.define("app", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/good:1"]);
    world.create_service("web", &good, 1, breaker);
    world.run_for(600).await;
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let bad = world.define("app", &["acme/app:1"]);
    // There is no mirror to ask, so it cannot help in time.
    world.restart(&[("PULLSAFE_MIRROR_QUEUE_URL", "")]);
    world.update_service("web", json!({ "taskDefinition": bad }));
    world.run_for(3600).await;
    assert_eq!(world.service("web")["taskDefinition"], good, "ECS has rolled it back");
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// The end of case C: the pull works, the application does not, and nothing calls it resolved.
#[tokio::test]
async fn a_failing_application_is_told_and_not_touched() {
    let mut world = Setup::new().paced(Pacing::default()).build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let definition = world.define("app", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]);
    let target_group =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef".to_owned();
    world.scheduler.set_behaviour(
        "app",
        "app",
        Behaviour::FailsHealthChecks { after_seconds: 330, target_group, log: Vec::new() },
    );
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(4 * 3600).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["pullsafe: prod/web: load-balancer-health-check-failed"]);
}

#[tokio::test]
async fn a_service_that_is_switched_off_is_not_touched() {
    let mut world = quota_used_up();
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({ "tags": [{ "key": "pullsafe:mode", "value": "off" }] }));
    world.run_for(900).await;
    assert_eq!((world.writes(), world.told().len()), (Vec::new(), 0));
}

#[tokio::test]
async fn what_is_not_a_failure_is_no_news() {
    let mut world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let definition = world.define("app", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]);
    world.create_service("web", &definition, 3, json!({}));
    world.run_for(600).await;
    world.update_service("web", json!({ "desiredCount": 1 }));
    world.run_for(600).await;
    let tasks = world.ecs.call("ListTasks", &json!({ "cluster": CLUSTER })).unwrap();
    world
        .ecs
        .call("StopTask", &json!({ "cluster": CLUSTER, "task": tasks["taskArns"][0], "reason": "maintenance" }))
        .unwrap();
    world.run_for(600).await;
    assert_eq!(
        (world.told().len(), world.writes(), world.records().len()),
        (0, Vec::new(), 0),
        "not even a row was written"
    );
}

/// No task is launched, so none stops: ECS's own event reports the failure.
#[tokio::test]
async fn a_task_that_cannot_be_placed_is_told_once() {
    let mut world = Setup::new().build();
    let definition = world.define("app", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    for minute in 0..3 {
        let at = world.clock.now();
        let event = json!({
            "version": "0", "id": minute.to_string(), "detail-type": "ECS Service Action", "source": "aws.ecs", "time": at, "account": "123456789012",
            "region": "eu-west-1", "resources": [world.service("web")["serviceArn"]],
            "detail": { "eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "reason": "RESOURCE:FARGATE", "clusterArn": world.service("web")["clusterArn"], "createdAt": at },
        });
        world.deliver(&event).await;
        world.clock.advance(60);
    }
    let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["pullsafe: prod/web: capacity-unavailable"], "{:?}", world.answers);
}

/// Anybody who runs a task chooses its group and its `startedBy`. Only a task that ECS started for a deployment belongs
/// to the service.
#[tokio::test]
async fn a_strangers_task_in_the_group_of_a_service_is_not_the_services() {
    let forged = "ecs-svc/0123456789012345678";
    for (started_by, family) in [
        (Value::Null, "app"),
        (json!("alice"), "app"),
        (json!("x/ecs-svc/1"), "app"),
        (json!("ecs-svc/"), "app"),
        (json!("ecs-svc/alice"), "app"),
        (json!(forged), "batch"),
        (json!(forged), "app-"),
    ] {
        let mut world = quota_used_up();
        let own = world.define("app", &["acme/app:1"]);
        world.create_service("web", &own, 0, json!({}));
        let definition = world.define(family, &["acme/app:1"]);
        let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef";
        let event = json!({
            "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": world.clock.now(), "resources": [task],
            "detail": {
                "taskArn": task, "clusterArn": world.service("web")["clusterArn"], "taskDefinitionArn": definition, "group": "service:web",
                "startedBy": started_by, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "version": 5,
                "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too \
                    Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate \
                    limit.",
                "containers": [{ "name": "app", "lastStatus": "STOPPED" }],
            },
        });
        world.deliver(&event).await;
        let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
        assert_eq!(subjects, [format!("pullsafe: prod/{family} (no service): registry-rate-limited")], "{started_by}");
        assert!(
            world.records().iter().all(|record| !record.to_string().contains("prod-web")),
            "no incident of the service is open"
        );
    }
}
