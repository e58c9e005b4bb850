//! The door: a deployment waits at pullsafe's hook before its first task, until pullsafe answers.

use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

const OLD: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const NEW: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:2";

/// A hook as `pullsafe protect` sets it.
fn hook(stage: &str, action: &str) -> Value {
    json!({"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": {"timeoutInMinutes": 5, "action": action}})
}

fn with_hooks(hooks: &[Value]) -> Value {
    json!({ "deploymentConfiguration": { "lifecycleHooks": hooks } })
}

fn door() -> Value {
    with_hooks(&[hook("PRE_SCALE_UP", "CONTINUE")])
}

fn setup() -> Setup {
    Setup::new().paced(Pacing::default()).with("PULLSAFE_ANSWER_HOOKS", "true")
}

/// A service that runs its first image, with a hook for the door.
async fn running(setup: Setup) -> World {
    running_with(setup, door()).await
}

async fn running_with(setup: Setup, more: Value) -> World {
    let mut world = setup.build();
    world.images.store().create_repository("app", Mutability::Mutable);
    Sample::multi_arch(1).build().push(world.images.store(), "app", "1");
    let definition = world.define("app", &[OLD]);
    world.create_service("web", &definition, 2, more);
    world.run_for(900).await;
    assert_eq!(world.service("web")["runningCount"], 2, "{:?}", world.answers);
    world.aws.clear_log();
    world
}

fn deploy(world: &World, image: &str) {
    let definition = world.define("app", &[image]);
    world.update_service("web", json!({ "taskDefinition": definition }));
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

fn failed_tasks(world: &World) -> i64 {
    let deployments = world.service("web")["deployments"].as_array().cloned().unwrap_or_default();
    deployments.iter().filter_map(|deployment| deployment["failedTasks"].as_i64()).sum()
}

/// How many stops pullsafe has reported or acted on. Behind the door these are tasks that never ran.
fn failed_launches(world: &World) -> usize {
    let stopped = world.answers.iter().filter(|answer| answer["outcome"] != "ignored" && answer["outcome"] != "swept");
    stopped
        .filter(|answer| {
            ["advised", "acted", "counted", "observed"].contains(&answer["outcome"].as_str().unwrap_or_default())
        })
        .count()
}

#[tokio::test]
async fn a_deployment_against_which_nothing_speaks_goes_on_at_once_and_nothing_is_written() {
    let mut world = running(setup()).await;
    Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    world.settle().await;
    world.aws.clear_log();
    let before = world.clock.now();
    deploy(&world, NEW);
    world.run_for(1).await;
    assert_eq!(world.hooks("web"), ["SUCCEEDED"], "{:?}", world.answers.last());
    assert!(world.clock.now().seconds_since(before) <= 1);
    let writes: Vec<_> = world
        .aws
        .calls()
        .iter()
        .filter(|call| call.service == "dynamodb" && call.operation != "GetItem")
        .map(|call| call.operation.clone())
        .collect();
    assert_eq!((world.writes(), writes), (vec!["ecs:ContinueServiceDeployment".to_owned()], Vec::<String>::new()));
    world.run_for(900).await;
    assert_eq!(
        (world.service("web")["runningCount"].clone(), failed_tasks(&world), world.told().len()),
        (json!(2), 0, 0)
    );
}

/// Case A: Docker Hub's quota is used up when the deployment starts.
#[tokio::test]
async fn case_a_behind_the_door_fails_no_task_and_spends_no_pull() {
    for copied in [false, true] {
        let mut world = setup().with("PULLSAFE_AHEAD", "move").build();
        Sample::multi_arch(1).build().push(world.hub.store(), "acme/app", "1");
        if copied {
            Sample::multi_arch(1).build().push(world.images.store(), "docker-hub/acme/app", "1");
        }
        world.hub.quota().spend(NAT, 100, world.clock.now());
        let definition = world.define("app", &["acme/app:1"]);
        world.create_service("web", &definition, 2, door());
        world.run_for(1200).await;
        let pulls = world.hub.log().iter().filter(|access| access.source == NAT).count();
        assert_eq!((pulls, failed_tasks(&world), failed_launches(&world)), (0, 0, 0), "{:?}", world.answers);
        let service = world.service("web");
        assert_eq!(
            (&service["runningCount"], &service["deployments"][0]["rolloutState"]),
            (&json!(2), &json!("COMPLETED"))
        );
        let writes: Vec<String> = world.writes().into_iter().filter(|write| write.starts_with("ecs:")).collect();
        assert_eq!(
            writes,
            [
                "ecs:ContinueServiceDeployment",
                "ecs:RegisterTaskDefinition",
                "ecs:UpdateService",
                "ecs:ContinueServiceDeployment"
            ]
        );
        assert_eq!(subjects(&world), ["pullsafe: prod/web: a deployment pulls from Docker Hub"]);
        // The deployment has waited for the copy and for nothing else.
        assert!(world.images.store().image("docker-hub/acme/app", "1").is_some());
    }
}

/// Case D: the image of a deployment has not been pushed yet.
#[tokio::test]
async fn case_d_behind_the_door_waits_for_the_push_and_goes_on_with_it() {
    for lost in [false, true] {
        let mut world = running(setup()).await;
        deploy(&world, NEW);
        world.run_for(100).await;
        assert_eq!(
            (world.hooks("web"), failed_tasks(&world)),
            (vec![json!("AWAITING_ACTION")], 0),
            "{:?}",
            world.answers.last()
        );
        Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
        if lost {
            world.lose_push_events();
            world.run_for(150).await;
        } else {
            world.run_for(1).await;
        }
        assert_eq!(world.hooks("web"), ["SUCCEEDED"], "{:?}", world.answers.last());
        world.run_for(900).await;
        assert_eq!(
            (world.service("web")["runningCount"].clone(), failed_tasks(&world), world.told().len()),
            (json!(2), 0, 0)
        );
        assert!(world.records().iter().all(|record| record["door"].is_null()));
    }
}

#[tokio::test]
async fn case_d_without_a_push_is_rolled_back_in_time_with_the_reason() {
    let mut world = running(setup()).await;
    let began = world.clock.now();
    deploy(&world, NEW);
    while world.hooks("web").contains(&json!("AWAITING_ACTION")) {
        world.run_for(10).await;
    }
    let waited = world.clock.now().seconds_since(began);
    assert!((120..300).contains(&waited), "{waited} s");
    assert_eq!(world.writes(), ["ecs:ContinueServiceDeployment"]);
    world.run_for(900).await;
    let service = world.service("web");
    assert_eq!(
        (&service["runningCount"], &service["deployments"][0]["rolloutState"]),
        (&json!(2), &json!("COMPLETED"))
    );
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("app:1"), "{service}");
    assert_eq!(failed_launches(&world), 0, "no task was launched");
    assert_eq!(subjects(&world), ["pullsafe: prod/web: a deployment was rolled back before its first task"]);
    insta::assert_snapshot!("door_rolled_back", world.told()[0].message);
}

/// Without an earlier deployment to go back to, ECS would stop trying, and a later push would start nothing.
#[tokio::test]
async fn a_first_deployment_is_never_rolled_back() {
    let mut world = setup().build();
    world.images.store().create_repository("app", Mutability::Mutable);
    let definition = world.define("app", &[NEW]);
    world.create_service("web", &definition, 1, door());
    world.run_for(290).await;
    assert_eq!(world.hooks("web"), ["SUCCEEDED"]);
    assert_eq!(subjects(&world)[0], "pullsafe: prod/web: a deployment goes on, and its tasks will fail");
    world.run_for(1200).await;
    Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    world.run_for(900).await;
    assert_eq!(world.service("web")["runningCount"], 1, "it ends as without the door: {:?}", subjects(&world));
}

#[tokio::test]
async fn an_image_for_another_platform_is_rolled_back_at_once() {
    for image in [
        Sample::new(3).platforms(&["linux/arm64"]).build(),
        Sample::multi_arch(3).platforms(&["linux/arm64", "linux/s390x"]).build(),
    ] {
        let mut world = running(setup()).await;
        image.push(world.images.store(), "app", "2");
        world.settle().await;
        deploy(&world, NEW);
        world.run_for(1).await;
        assert_eq!(world.hooks("web"), ["FAILED"], "{:?}", world.answers.last());
        assert!(world.told()[0].message.contains("and the tasks run on linux/amd64"), "{}", world.told()[0].message);
    }
}

/// The mode is read right before a deployment is rolled back, even if an earlier process has decided the rollback. Once
/// a tag forbids acting, whatever call comes next, the deployment goes on, unless the tag came too late to be seen.
#[tokio::test]
async fn nothing_is_rolled_back_once_a_tag_forbids_it() {
    let (mut moments, mut last) = (0, u64::MAX);
    for (moment, dies) in (0..).flat_map(|moment| [(moment, false), (moment, true)]) {
        if moment > last {
            break;
        }
        let mut world = running(setup()).await;
        Sample::new(3).platforms(&["linux/arm64"]).build().push(world.images.store(), "app", "2");
        world.settle().await;
        world.aws.clear_log();
        let tag = json!({ "resourceArn": world.service("web")["serviceArn"], "tags": [{ "key": "pullsafe:mode", "value": "observe" }] });
        let ecs = world.ecs.clone();
        if moment > 0 {
            world.aws.before_call(moment, move || {
                ecs.call("TagResource", &tag).expect("a person tags it");
            });
        }
        if dies {
            world.aws.die_after(moment.max(1));
        }
        deploy(&world, NEW);
        world.run_for(240).await;
        let calls = world.aws.calls();
        let answer = calls.iter().rfind(|call| call.operation == "ContinueServiceDeployment").expect("it is answered");
        let rolled_back = answer.request["action"] == "ROLLBACK";
        // The last calls before the answer look at the service, its cluster and the region's stacks, in any order.
        let between = if moment == 0 { 0 } else { answer.number.saturating_sub(moment) };
        let may_not_know = between <= 3;
        assert!(
            !rolled_back || may_not_know,
            "forbidden before call {moment}, dies: {dies}, answered by call {}",
            answer.number
        );
        assert!(rolled_back || moment > 0, "{:?}", subjects(&world));
        if moment == 0 && !dies {
            last = answer.number;
        }
        moments += 1;
    }
    assert!(moments > 10);
}

#[tokio::test]
async fn what_the_role_is_denied_is_rolled_back_and_what_another_policy_may_allow_is_not() {
    // The policy of a repository cannot allow the sign-in. It could allow everything else.
    for (allowed, rolled_back) in [(None, true), (Some("ecr:GetAuthorizationToken"), false)] {
        let mut world = running(setup()).await;
        Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
        if let Some(action) = allowed {
            world.iam = world.iam.clone().allow("bare", action, "*");
        }
        let definition = world.define_with_role("app", &[NEW], "arn:aws:iam::123456789012:role/bare");
        world.settle().await;
        world.update_service("web", json!({ "taskDefinition": definition }));
        world.run_for(1).await;
        assert_eq!(
            world.hooks("web")[0],
            if rolled_back { "FAILED" } else { "SUCCEEDED" },
            "{:?}",
            world.answers.last()
        );
    }
}

#[tokio::test]
async fn secrets_and_log_groups_are_looked_at_too() {
    let mut world = running(setup()).await;
    Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    world.settle().await;
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let container = json!([{
        "name": "app", "image": NEW, "essential": true, "secrets": [{ "name": "DB", "valueFrom": format!("{secret}:password::") }],
        "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "x" } },
    }]);
    let definition = world.define_containers("app", container);
    world.update_service("web", json!({ "taskDefinition": definition }));
    world.run_for(1).await;
    assert_eq!(world.hooks("web"), ["FAILED"]);
    let said = &world.told()[0].message;
    assert!(
        said.contains("there is no log group `/ecs/web`")
            && said.contains("no policy of the execution role allows secretsmanager:GetSecretValue"),
        "{said}"
    );

    world.logs = world.logs.clone().with_group("/ecs/web");
    world.run_for(600).await;
    world.update_service("web", json!({ "taskDefinition": definition }));
    world.run_for(1).await;
    assert_eq!(world.hooks("web")[0], "SUCCEEDED", "a secret's own policy may allow it");
}

#[tokio::test]
async fn in_observe_mode_it_always_goes_on_at_once_and_says_what_it_would_have_done() {
    let mut world = running(setup().with("PULLSAFE_MODE", "observe")).await;
    deploy(&world, NEW);
    world.run_for(1).await;
    assert_eq!(world.hooks("web")[0], "SUCCEEDED");
    assert_eq!(world.writes(), ["ecs:ContinueServiceDeployment"]);
    insta::assert_snapshot!("door_observed", world.told()[0].message);
}

#[tokio::test]
async fn what_is_not_known_lets_a_deployment_go_on() {
    for (service, operation) in [
        ("ecr", "DescribeImages"),
        ("ecs", "DescribeServiceRevisions"),
        ("ecs", "DescribeTaskDefinition"),
        ("ecs", "DescribeServices"),
        ("ecr", "DescribePullThroughCacheRules"),
    ] {
        let mut world = running(setup()).await;
        deploy(&world, NEW);
        world.aws.inject(AwsFault::on(service, operation, FaultKind::AccessDenied).always());
        world.run_for(1).await;
        assert_eq!(world.hooks("web")[0], "SUCCEEDED", "{service}:{operation}: {:?}", world.answers.last());
        assert_eq!(world.writes(), ["ecs:ContinueServiceDeployment"], "{service}:{operation}");
    }
}

#[tokio::test]
async fn an_image_that_a_pull_would_bring_in_is_not_missing() {
    let mut world = running(setup()).await;
    world.images.add_pull_through_rule("cache");
    deploy(&world, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cache/library/redis:7");
    world.run_for(1).await;
    assert_eq!(
        (world.hooks("web")[0].clone(), world.told().len()),
        (json!("SUCCEEDED"), 0),
        "{:?}",
        world.answers.last()
    );
}

#[tokio::test]
async fn a_hook_that_is_not_ours_is_never_touched() {
    let ours = || hook("PRE_SCALE_UP", "CONTINUE");
    let both = || json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"}});
    for hooks in [vec![hook("PRE_SCALE_UP", "ROLLBACK")], vec![ours(), ours()], vec![both()]] {
        let mut world = running_with(setup().without_pullsafe(), with_hooks(&[])).await;
        world.restart(&[("PULLSAFE_ANSWER_HOOKS", "true")]);
        world.update_service("web", with_hooks(&hooks));
        deploy(&world, NEW);
        world.run_for(290).await;
        assert_eq!(world.writes(), Vec::<String>::new(), "{hooks:?}: {:?}", world.answers);
        assert!(world.hooks("web").iter().all(|status| status == "AWAITING_ACTION"));
    }
    // Of two different hooks, only ours is answered.
    let mut world = running_with(setup().without_pullsafe(), with_hooks(&[])).await;
    world.restart(&[("PULLSAFE_ANSWER_HOOKS", "true")]);
    world.update_service("web", with_hooks(&[ours(), hook("PRE_SCALE_UP", "ROLLBACK")]));
    Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    deploy(&world, NEW);
    world.run_for(60).await;
    assert_eq!(world.hooks("web"), ["SUCCEEDED", "AWAITING_ACTION"], "{:?}", world.answers);
}

/// A hook of a person holds a deployment. Meanwhile a task of the old deployment fails.
#[tokio::test]
async fn no_remedy_touches_a_service_whose_deployment_a_hook_has_stopped() {
    for denied in [false, true] {
        let mut world = setup().without_pullsafe().build();
        Sample::multi_arch(1).build().push(world.hub.store(), "acme/app", "1");
        Sample::multi_arch(1).build().push(world.images.store(), "docker-hub/acme/app", "1");
        world.hub.quota().spend(NAT, 100, world.clock.now());
        let definition = world.define("app", &["acme/app:1"]);
        world.create_service("web", &definition, 2, with_hooks(&[hook("PRE_SCALE_UP", "ROLLBACK")]));
        world.restart(&[("PULLSAFE_ANSWER_HOOKS", "true")]);
        if denied {
            world.aws.inject(AwsFault::on("ecs", "ListServiceDeployments", FaultKind::AccessDenied).always());
        }
        let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef";
        let stop = json!({
            "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012", "time": world.clock.now(), "region": "eu-west-1",
            "resources": [task],
            "detail": {
                "taskArn": task, "clusterArn": world.service("web")["clusterArn"], "taskDefinitionArn": definition, "group": "service:web", "startedBy": "ecs-svc/0123456789012345678",
                "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedAt": world.clock.now(), "version": 5, "launchType": "FARGATE",
                "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too \
                    Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate \
                    limit. https://www.docker.com/increase-rate-limit",
                "containers": [{ "name": "app", "lastStatus": "STOPPED" }],
            },
        });
        world.deliver(&stop).await;
        world.settle().await;
        world.run_for(200).await;
        assert_eq!(world.writes(), Vec::<String>::new(), "{:?}", world.answers);
        let said: Vec<String> = world.told().into_iter().map(|notice| notice.message).collect();
        let why = if denied {
            "whether a deployment waits at a hook could not be found out"
        } else {
            "a deployment waits at the hook"
        };
        assert!(denied || said.iter().any(|text| text.contains(why)), "{said:?}");
    }
}

#[tokio::test]
async fn without_the_parameter_nothing_is_asked_and_the_deployment_goes_on_by_itself() {
    let mut world = running_with(Setup::new().paced(Pacing::default()), with_hooks(&[])).await;
    Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    world.update_service("web", door());
    world.settle().await;
    world.aws.clear_log();
    deploy(&world, NEW);
    world.run_for(290).await;
    assert_eq!((world.hooks("web"), world.writes()), (vec![json!("AWAITING_ACTION")], Vec::new()));
    world.run_for(900).await;
    assert_eq!(
        (world.hooks("web")[0].clone(), &world.service("web")["runningCount"]),
        (json!("TIMED_OUT"), &json!(2))
    );
}

/// A person continues a deployment that pullsafe holds.
#[tokio::test]
async fn a_person_who_answers_first_wins() {
    let mut world = running(setup()).await;
    deploy(&world, NEW);
    world.run_for(5).await;
    let waiting = world.records().into_iter().find(|record| record["door"].is_object()).expect("it waits");
    let answer = json!({ "serviceDeploymentArn": waiting["door"]["hook"]["deployment"], "hookId": waiting["door"]["hook"]["hook"] });
    world.ecs.call("ContinueServiceDeployment", &answer).unwrap();
    world.run_for(300).await;
    assert_eq!(world.writes().iter().filter(|write| write.contains("ContinueServiceDeployment")).count(), 0);
    assert!(world.records().iter().all(|record| record["door"].is_null()), "{:?}", world.records());
}

/// The event of the hook comes twice.
#[tokio::test]
async fn a_hook_is_answered_once_and_told_once() {
    let mut world = running(setup()).await;
    Sample::new(3).platforms(&["linux/arm64"]).build().push(world.images.store(), "app", "2");
    world.settle().await;
    deploy(&world, NEW);
    let events = world.scheduler.next_events(world.clock.now().plus_seconds(1)).await;
    for event in events.iter().chain(&events) {
        world.deliver(event).await;
    }
    assert_eq!((world.writes().len(), world.told().len()), (1, 1), "{:?}", world.answers);
}
