//! What a tenant tries with the log options of a task definition, and with the lines of a log.

use scenarios::world::{Setup, TOPIC, World};
use serde_json::{Value, json};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
const SECRET: &str = "No module named 'theirs_alone'";

fn world(options: Value, log: &[&str]) -> World {
    let world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let log = log.iter().map(|line| (*line).to_owned()).collect();
    world.scheduler.set_behaviour(
        "app",
        "app",
        Behaviour::FailsHealthChecks {
            after_seconds: 330,
            target_group: TARGET_GROUP.to_owned(),
            log,
        },
    );
    let logging = json!({ "logDriver": "awslogs", "options": options });
    let definition = world.define_containers(
        "app",
        json!([{ "name": "app", "image": IMAGE, "essential": true, "logConfiguration": logging }]),
    );
    world.create_service("web", &definition, 1, json!({}));
    world
}

/// Everything that was sent to people, put on the bus or stored.
fn everything(world: &World) -> String {
    let told: Vec<String> = world.told().into_iter().map(|notice| notice.message).collect();
    format!("{told:?}{}{}", json!(world.bus.events()), json!(world.records()))
}

pub(crate) async fn of_others() -> String {
    let mut tried = 0;
    for (group, more) in [
        ("/aws/lambda/payments", json!({})),
        ("/ecs", json!({})),
        ("/ecs-secret/x", json!({})),
        ("secrets/ecs/x", json!({})),
        ("/ECS/web", json!({})),
        // A group that may be read, but the stream of another task.
        ("/ecs/theirs", json!({ "awslogs-stream-prefix": "ecs/app/of-another-task" })),
        ("/ecs/theirs", json!({ "awslogs-stream": "ecs/app/of-another-task" })),
        ("/ecs/theirs", json!({ "awslogs-stream-prefix": null, "awslogs-stream": "ecs/app/of-another-task" })),
        // A region that is really a host name.
        ("/ecs/web", json!({ "awslogs-region": "attacker.example/" })),
        ("/ecs/web", json!({ "awslogs-region": "eu-west-1.attacker.example" })),
        ("/ecs/web", json!({ "awslogs-region": "cn-north-1" })),
        ("arn:aws:logs:eu-west-1:666666666666:log-group:/ecs/web", json!({})),
    ] {
        let mut options =
            json!({ "awslogs-group": group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs" });
        for (key, value) in more.as_object().unwrap() {
            if value.is_null() {
                options.as_object_mut().unwrap().remove(key);
            } else {
                options[key] = value.clone();
            }
        }
        let mut world = world(options, &[]);
        for group in [group, "/aws/lambda/payments", "/ecs/theirs"] {
            world.logs.write(group, "ecs/app/of-another-task", &[SECRET]);
        }
        world.run_for(900).await;
        let read: Vec<Value> = world.aws.calls_of("GetLogEvents").into_iter().map(|call| call.request).collect();
        let task_alone = |request: &Value| {
            request["logStreamName"]
                .as_str()
                .is_some_and(|stream| stream.starts_with("ecs/app/") && stream.len() > 30)
        };
        assert!(
            read.iter().all(|request| request["logGroupName"] == "/ecs/theirs" && task_alone(request)),
            "{group}: {read:?}"
        );
        let everything = everything(&world);
        assert!(!everything.contains("theirs_alone"), "{group}: {everything}");
        assert!(everything.contains("no log evidence"), "{group}: {everything}");
        tried += 1;
    }
    format!("{tried} places: not read, and it is said why")
}

pub(crate) async fn on_the_bus() -> String {
    let line = r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'"}"#;
    let options =
        || json!({ "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs" });
    for topic_is_gone in [false, true] {
        let mut world = world(options(), &[line]);
        if topic_is_gone {
            world.topic.delete_topic(TOPIC);
        }
        world.run_for(3600).await;
        let bus = json!(world.bus.events()).to_string();
        assert!(bus.contains("load-balancer-health-check-failed") && bus.contains("logs[app]"), "{bus}");
        assert!(!bus.contains("core.aws_service") && !bus.contains("Integration services"), "{bus}");
    }
    "the bus gets the cause and where it was read; people get the lines".to_owned()
}
