//! Second looks: what the probes add where a text leaves something open, and that they change nothing else.

use pullsafe::permission;
use scenarios::world::{ROLE, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";

fn unhealthy() -> World {
    let world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let behaviour = Behaviour::FailsHealthChecks {
        after_seconds: 330,
        target_group: TARGET_GROUP.to_owned(),
        log: Vec::new(),
    };
    world.scheduler.set_behaviour("app", "app", behaviour);
    let definition = world.define("app", &[IMAGE]);
    let balancer =
        json!({ "loadBalancers": [{ "targetGroupArn": TARGET_GROUP, "containerName": "app", "containerPort": 8000 }] });
    world.create_service("web", &definition, 1, balancer);
    world
}

fn diagnosis(world: &World) -> Value {
    let open = world
        .records()
        .into_iter()
        .find_map(|record| record.get("open").cloned())
        .expect("an incident is open");
    open["causes"][0]["diagnosis"].clone()
}

fn evidence(diagnosis: &Value) -> String {
    let lines = diagnosis["evidence"].as_array().into_iter().flatten();
    lines
        .map(|line| {
            format!("{}: {}\n", line["source"].as_str().unwrap_or_default(), line["text"].as_str().unwrap_or_default())
        })
        .collect()
}

/// Checks that nothing was changed, and that no call was made without a declared permission.
fn only_looked(world: &World) {
    assert_eq!(world.writes(), Vec::<String>::new());
    let declared = permission::remediator_actions();
    let undeclared: Vec<String> =
        world.aws.actions().into_iter().filter(|action| !declared.contains(&action.as_str())).collect();
    assert_eq!(undeclared, Vec::<String>::new());
}

/// A stop of the service's task, as an event.
fn stop(world: &World, image: &str, reason: &str) -> Value {
    let (service, now) = (world.service("web"), world.clock.now());
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef";
    json!({
        "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012", "time": now,
        "region": "eu-west-1", "resources": [task],
        "detail": {
            "taskArn": task, "clusterArn": service["clusterArn"], "taskDefinitionArn": service["taskDefinition"], "group": "service:web",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": reason, "stoppedAt": now,
            "version": 5, "launchType": "FARGATE", "containers": [{ "name": "app", "image": image, "lastStatus": "STOPPED" }],
        },
    })
}

async fn pull_failed(image: &str, role: &str, reason: &str, prepare: impl FnOnce(&World)) -> Value {
    let mut world = Setup::new().build();
    prepare(&world);
    let definition = world.define_with_role("app", &[image], role);
    world.create_service("web", &definition, 1, json!({}));
    world.deliver(&stop(&world, image, reason)).await;
    world.settle().await;
    only_looked(&world);
    diagnosis(&world)
}

#[tokio::test]
async fn the_load_balancer_and_the_scheduler_say_why_the_check_fails() {
    let mut world = unhealthy();
    world.balancers.register(TARGET_GROUP, "unhealthy", "Target.Timeout", "Request timed out");
    world.balancers.register(
        TARGET_GROUP,
        "draining",
        "Target.DeregistrationInProgress",
        "Target deregistration is in progress",
    );
    world.run_for(3 * 3600).await;
    let found = diagnosis(&world);
    assert_eq!(
        (&found["cause"], &found["why"]),
        (&json!("load-balancer-health-check-failed"), &json!("timeout")),
        "{found:#}"
    );
    let said = evidence(&found);
    assert!(
        said.contains("target group web: 1 unhealthy (Target.Timeout: Request timed out), 1 draining"),
        "{said}"
    );
    assert!(said.contains("service event: ") && said.contains("due to (reason Request timed out)"), "{said}");
    let (tasks, asked) = (diagnosis_tasks(&world), world.aws.count("DescribeTargetHealth"));
    assert!(
        tasks > 15 && asked <= 19,
        "{asked} calls for {tasks} tasks in three hours: at most one in ten minutes"
    );
    only_looked(&world);
}

fn diagnosis_tasks(world: &World) -> u64 {
    world.records()[0]["open"]["causes"][0]["tasks"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_probe_that_fails_leaves_the_diagnosis_as_it_was() {
    let mut world = unhealthy();
    world
        .aws
        .inject(AwsFault::on("elasticloadbalancing", "DescribeTargetHealth", FaultKind::AccessDenied).times(99));
    world.run_for(900).await;
    let found = diagnosis(&world);
    assert_eq!(
        (&found["cause"], &found["why"]),
        (&json!("load-balancer-health-check-failed"), &json!("timeout")),
        "the event still tells"
    );
    assert!(
        evidence(&found).contains("target group: could not be asked: elasticloadbalancing:DescribeTargetHealth"),
        "{found:#}"
    );
    assert!(found["settled_by"].as_str().unwrap().contains("the health of the targets in"), "{found:#}");
    only_looked(&world);
}

#[tokio::test]
async fn a_refused_pull_is_the_role_or_somebody_else() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
        123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1: pulling from host \
        123456789012.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests 1]: 403 Forbidden";
    let there = |world: &World| Sample::new(1).build().push(world.images.store(), "app", "1");
    let found = pull_failed(IMAGE, "arn:aws:iam::123456789012:role/bare", reason, there).await;
    assert_eq!(
        (&found["cause"], &found["confidence"], &found["settled_by"]),
        (&json!("ecr-permission-denied"), &json!("high"), &Value::Null)
    );
    assert!(evidence(&found).contains("role/bare may not pull from this repository"), "{found:#}");
    let found = pull_failed(IMAGE, ROLE, reason, there).await;
    assert!(evidence(&found).contains("role/pull may pull from this repository"), "{found:#}");
    assert!(found["settled_by"].as_str().unwrap().contains("the repository's policy"), "{found:#}");
    let found = pull_failed(IMAGE, ROLE, reason, |_| ()).await;
    assert!(
        evidence(&found).contains("is not there; a permission alone will not make the pull work"),
        "{found:#}"
    );
}

#[tokio::test]
async fn docker_hub_is_asked_by_head_whether_it_is_there() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
        docker.io/acme/api:1: pull access denied, repository does not exist or may require authorization: server \
        message: insufficient_scope: authorization failed";
    let found = pull_failed("acme/api:1", ROLE, reason, |world| {
        Sample::new(1).build().push(world.hub.store(), "acme/api", "1")
    })
    .await;
    let said = evidence(&found);
    assert!(said.contains("docker.io: `docker.io/acme/api:1` is there now: sha256:"), "{said}");
    assert!(said.contains("pulls are left to pullsafe's own address"), "{said}");
    assert!(!found.to_string().contains("rate"), "{found:#}");
}

/// The text is cut before the part that tells: the cause stays unknown, with the quota only as a hint.
#[tokio::test]
async fn a_cut_text_is_not_made_into_a_limit() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to copy: \
        httpReadSeeker: failed open";
    let found = pull_failed("acme/api:1", ROLE, reason, |world| {
        Sample::new(1).build().push(world.hub.store(), "acme/api", "1");
        world.hub.quota().spend("127.0.0.1", 100, world.clock.now());
    })
    .await;
    assert_eq!(found["cause"], "unknown");
    assert!(evidence(&found).contains("is there now"), "{found:#}");
}

/// Registers a definition for EC2 without an execution role. There the role of the instance pulls.
fn define_for_ec2(world: &World, image: &str) -> String {
    let definition = json!({
        "family": "app", "networkMode": "bridge", "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [{ "name": "app", "image": image, "essential": true, "memory": 256 }],
    });
    let answer = world.ecs.call("RegisterTaskDefinition", &definition).unwrap();
    answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn on_ec2_it_is_the_role_of_the_instance() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
        123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1: pulling from host \
        123456789012.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests 1]: 403 Forbidden";
    for (launch_type, settled) in [("EC2", false), ("FARGATE", true)] {
        let mut world = Setup::new().build();
        Sample::new(1).build().push(world.images.store(), "app", "1");
        let definition = define_for_ec2(&world, IMAGE);
        world.create_service("web", &definition, 1, json!({ "launchType": launch_type }));
        let mut stop = stop(&world, IMAGE, reason);
        stop["detail"]["launchType"] = json!(launch_type);
        world.deliver(&stop).await;
        let found = diagnosis(&world);
        assert_eq!(found["settled_by"].is_null(), settled, "{launch_type}: {found:#}");
        assert_eq!(evidence(&found).contains("on EC2 the container instance's role pulls"), !settled, "{found:#}");
        if !settled {
            let settled_by = found["settled_by"].as_str().unwrap();
            assert!(settled_by.contains("the role of the container instance that ran the task"), "{settled_by}");
        }
    }
}

/// A service on EC2 without an execution role is not moved, because nobody knows whether its instances may pull from
/// the mirror.
#[tokio::test]
async fn a_service_on_ec2_without_an_execution_role_is_told_what_it_lacks() {
    let mut world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    let definition = define_for_ec2(&world, "acme/app:1");
    world.create_service("web", &definition, 1, json!({ "launchType": "EC2" }));
    let reason = "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - \
        Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. \
        https://www.docker.com/increase-rate-limit";
    let mut stop = stop(&world, "acme/app:1", reason);
    stop["detail"]["launchType"] = json!("EC2");
    stop["detail"]["startedBy"] = json!("ecs-svc/0123456789012345678");
    world.deliver(&stop).await;
    let message = &world.told()[0].message;
    assert!(message.contains("on EC2 the instance's role would pull, which is not looked at"), "{message}");
    assert_eq!(world.writes(), Vec::<String>::new());
}
