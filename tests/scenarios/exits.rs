//! Tasks that end by themselves. A task that did its work is not told, a task that did not is, whichever of its
//! containers an event lists first.

use scenarios::world::{Setup, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/job:1";

/// A task that ended: each container's name, whether it is essential, its exit code, and its reason.
type EndedTask<'a> = &'a [(&'a str, bool, i64, Option<&'a str>)];

fn world() -> World {
    Setup::new().build()
}

/// Delivers the stop of a task without a service, twice.
async fn deliver(world: &mut World, containers: EndedTask<'_>) {
    let defined: Vec<Value> = containers
        .iter()
        .map(|(name, essential, ..)| json!({ "name": name, "image": IMAGE, "essential": essential }))
        .collect();
    let definition = world.define_containers("nightly", Value::Array(defined));
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef";
    let now = world.clock.now();
    let ended: Vec<Value> = containers
        .iter()
        .map(|(name, _, code, reason)| {
            let mut container = json!({ "name": name, "image": IMAGE, "lastStatus": "STOPPED", "exitCode": code });
            if let Some(reason) = reason {
                container["reason"] = json!(reason);
            }
            container
        })
        .collect();
    let event = json!({
        "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012", "time": now, "region": "eu-west-1",
        "resources": [task],
        "detail": {
            "taskArn": task, "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "taskDefinitionArn": definition, "group": "family:nightly",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "startedAt": now, "stoppedAt": now, "version": 5, "launchType": "FARGATE", "containers": ended,
        },
    });
    for _ in 0..2 {
        world.deliver(&event).await;
        world.settle().await;
    }
}

#[tokio::test]
async fn a_task_that_did_its_work_is_no_news() {
    let rows: [EndedTask<'_>; 7] = [
        &[("job", true, 0, None)],
        &[("job", true, 0, None), ("proxy", true, 137, None), ("log", false, 143, None)],
        // A container that is asked to end by another signal exits with the number of that signal.
        &[("job", true, 0, None), ("proxy", true, 130, None)],
        &[("job", true, 0, None), ("proxy", true, 131, None)],
        // No event says whether a container is essential; the task definition does.
        &[("job", true, 0, None), ("agent", false, 1, None)],
        &[("agent", false, 255, None), ("job", true, 0, None)],
        &[("migrate", false, 0, None), ("job", true, 0, None), ("agent", false, 2, None)],
    ];
    for containers in rows {
        let mut world = world();
        deliver(&mut world, containers).await;
        assert_eq!((world.told().len(), world.records().len()), (0, 0), "{containers:?}: {:#?}", world.told());
    }
}

#[tokio::test]
async fn a_task_that_was_killed_beside_one_that_ended_well_is_told() {
    let rows: [EndedTask<'_>; 4] = [
        &[("job", true, 1, None)],
        // The container that ended well is a step before the work, and the work was killed.
        &[("migrate", false, 0, None), ("job", true, 137, None)],
        &[("migrate", false, 0, None), ("job", true, 143, None)],
        &[
            ("job", true, 0, None),
            ("side", true, 137, Some("OutOfMemoryError: Container killed due to memory usage")),
        ],
    ];
    for containers in rows {
        let mut world = world();
        deliver(&mut world, containers).await;
        assert_eq!(world.told().len(), 1, "{containers:?}: {:?}", world.answers);
    }
}

/// If the definition cannot be read, a task that seems to have done its work counts as having done it.
#[tokio::test]
async fn a_definition_that_cannot_be_read_makes_no_news_of_a_task_that_ended_well() {
    let mut world = world();
    world.aws.inject(AwsFault::on("ecs", "DescribeTaskDefinition", FaultKind::AccessDenied).always());
    deliver(&mut world, &[("job", true, 0, None), ("proxy", true, 137, None)]).await;
    assert_eq!(world.told().len(), 0);
}
