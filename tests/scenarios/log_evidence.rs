//! What the logs of a task say, wherever its task definition sends them, and what is told if they cannot be read.

use pullsafe::permission;
use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
const GROUP: &str = "/ecs/court-case";

/// The lines of case C.
const SERVICES: &str = r#"{"error": "Core services import failed: CaseService.__init__() missing 2 required positional arguments", "timestamp": "2026-01-15T20:18:32.474088Z"}"#;
const MODULE: &str = r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'", "timestamp": "2026-01-15T20:18:32.553596Z"}"#;

fn awslogs(group: &str) -> Value {
    json!({ "logDriver": "awslogs", "options": { "awslogs-group": group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs" } })
}

/// The log of case C's application: it starts, logs errors among many other lines, and never gets healthy.
fn log() -> Vec<String> {
    let mut lines: Vec<String> = (0..4_000)
        .map(|number| format!(r#"{{"level": "info", "message": "loaded route {number}"}}"#))
        .collect();
    lines.insert(1_300, SERVICES.to_owned());
    lines.insert(1_301, MODULE.to_owned());
    lines.extend((0..3_000).map(|_| r#"{"level":"info","message":"GET /health 10.0.1.17 - waiting"}"#.to_owned()));
    lines
}

fn unhealthy(log: Vec<String>) -> Behaviour {
    Behaviour::FailsHealthChecks {
        after_seconds: 330,
        target_group: TARGET_GROUP.to_owned(),
        log,
    }
}

fn world(containers: Value, behaviour: Behaviour) -> World {
    let world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    world.scheduler.set_behaviour("app", "app", behaviour);
    let definition = world.define_containers("app", containers);
    world.create_service("web", &definition, 1, json!({}));
    world
}

/// The causes of the open incident, oldest first.
fn causes(world: &World) -> Vec<Value> {
    let open = world
        .records()
        .into_iter()
        .find_map(|record| record.get("open").cloned())
        .expect("an incident is open");
    open["causes"].as_array().cloned().unwrap_or_default()
}

fn evidence(diagnosis: &Value) -> String {
    let lines = diagnosis["evidence"].as_array().into_iter().flatten();
    lines
        .map(|line| {
            format!("{}: {}\n", line["source"].as_str().unwrap_or_default(), line["text"].as_str().unwrap_or_default())
        })
        .collect()
}

fn undeclared(world: &World) -> Vec<String> {
    let declared = permission::remediator_actions();
    world
        .aws
        .actions()
        .into_iter()
        .filter(|action| !declared.contains(&action.as_str()) && !action.starts_with("ecr:"))
        .collect()
}

async fn diagnosis(containers: Value, behaviour: Behaviour) -> (World, Value) {
    let mut world = world(containers, behaviour);
    world.run_for(900).await;
    let diagnosis = causes(&world)[0]["diagnosis"].clone();
    assert_eq!(world.writes(), Vec::<String>::new(), "nothing is done about an application");
    assert_eq!(undeclared(&world), Vec::<String>::new());
    (world, diagnosis)
}

fn app(logging: Value) -> Value {
    json!([{ "name": "app", "image": IMAGE, "essential": true, "logConfiguration": logging }])
}

#[tokio::test]
async fn the_telling_lines_are_found_in_a_long_log() {
    let (world, found) = diagnosis(app(awslogs(GROUP)), unhealthy(log())).await;
    assert_eq!(
        (&found["cause"], &found["signature"]),
        (&json!("load-balancer-health-check-failed"), &json!("module-missing")),
        "{found:#}"
    );
    assert_eq!(found["explanation"], "app-degraded");
    let evidence = evidence(&found);
    assert!(evidence.contains(MODULE) && evidence.contains(SERVICES), "{evidence}");
    assert!(evidence.contains("read from log group `/ecs/court-case`, stream `ecs/app/"), "{evidence}");
    let message = &world.told()[0].message;
    assert!(
        message.contains("No module named 'core.aws_service'") && message.contains("__init__.py"),
        "{message}"
    );
    assert!(message.contains("not certain"), "{message}");
}

/// The wrong group is full of other errors, but nothing reads it.
#[tokio::test]
async fn only_the_group_of_the_task_definition_is_read() {
    let mut world = world(app(awslogs(GROUP)), unhealthy(log()));
    world.logs.write("/ecs/court-case-old", "ecs/app/x", &["panic: something else"]);
    world.run_for(900).await;
    let groups: Vec<Value> = world
        .aws
        .calls_of("GetLogEvents")
        .into_iter()
        .map(|call| call.request["logGroupName"].clone())
        .collect();
    assert!(!groups.is_empty() && groups.iter().all(|group| group == GROUP), "{groups:?}");
    assert_eq!(causes(&world)[0]["diagnosis"]["signature"], "module-missing");
}

#[tokio::test]
async fn an_absent_log_is_never_a_container_that_did_not_start() {
    let denied =
        |world: &World| world.aws.inject(AwsFault::on("logs", "GetLogEvents", FaultKind::AccessDenied).times(100));
    for (logging, spoil, said, settled) in [
        (
            awslogs(GROUP),
            Some(denied as fn(&World)),
            "pullsafe may not read log group `/ecs/court-case`",
            "`logs:GetLogEvents` on `/ecs/court-case`",
        ),
        (
            json!({ "logDriver": "awsfirelens", "options": { "Name": "datadog", "apikey": "hidden" } }),
            None,
            "awsfirelens",
            "wherever its log driver sends it",
        ),
        (
            json!({ "logDriver": "splunk", "options": { "splunk-token": "hidden" } }),
            None,
            "its log driver is splunk",
            "wherever its log driver sends it",
        ),
        (
            awslogs("/ecs/never-created"),
            None,
            "cannot be found (The specified log group does not exist.)",
            "whether log group `/ecs/never-created`",
        ),
    ] {
        // Nothing arrives in a group that was never created.
        let silent = logging["options"]["awslogs-group"] == "/ecs/never-created";
        let mut world = world(app(logging), unhealthy(if silent { Vec::new() } else { log() }));
        if let Some(spoil) = spoil {
            spoil(&world);
        }
        world.run_for(900).await;
        let found = causes(&world)[0]["diagnosis"].clone();
        let text = evidence(&found);
        assert_eq!(
            (&found["cause"], &found["signature"]),
            (&json!("load-balancer-health-check-failed"), &Value::Null),
            "{text}"
        );
        assert!(text.contains("no log evidence: ") && text.contains(said), "{said}: {text}");
        assert!(found["settled_by"].as_str().is_some_and(|by| by.contains(settled)), "{settled}: {found:#}");
        assert!(!found.to_string().contains("hidden") && !text.contains("never started"), "{text}");
        assert_eq!(world.writes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn colours_do_not_hide_a_crash_and_secrets_stay_out_of_everything() {
    let lines = [
        "\u{1b}[32mINFO\u{1b}[0m connecting with postgres://app:hunter2@db/x",
        "\u{1b}[31mpsycopg2.OperationalError\u{1b}[0m: connection to postgres://app:hunter2@db/x failed: FATAL: \
         password authentication failed for user \"app\"",
    ];
    let crash = Behaviour::Exits {
        after_seconds: 20,
        exit_code: 1,
        log: lines.map(str::to_owned).to_vec(),
    };
    let (world, found) = diagnosis(app(awslogs(GROUP)), crash).await;
    assert_eq!(
        (&found["cause"], &found["signature"]),
        (&json!("app-crashed"), &json!("dependency-auth")),
        "{found:#}"
    );
    let told = format!("{:?}{:?}", world.told(), world.records());
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn the_container_that_failed_is_read_and_the_others_only_if_it_says_nothing() {
    let containers = json!([
        { "name": "proxy", "image": IMAGE, "essential": true, "logConfiguration": awslogs("/ecs/proxy") },
        { "name": "init", "image": IMAGE, "essential": false, "logConfiguration": awslogs("/ecs/init") },
        { "name": "app", "image": IMAGE, "essential": true, "logConfiguration": awslogs(GROUP) },
    ]);
    let setup = |log: Vec<String>, proxy: &str| {
        let world = world(containers.clone(), Behaviour::Exits { after_seconds: 20, exit_code: 1, log });
        world.scheduler.set_log("app", "proxy", vec![proxy.to_owned()]);
        world.scheduler.set_log("app", "init", vec!["Error: Cannot find module 'migrate'".to_owned()]);
        world
    };
    let mut world = setup(
        vec!["ModuleNotFoundError: No module named 'core'".to_owned()],
        "[error] connect() failed (111: Connection refused) while connecting to upstream",
    );
    world.run_for(120).await;
    let found = causes(&world)[0]["diagnosis"].clone();
    assert_eq!((&found["container"], &found["signature"]), (&json!("app"), &json!("module-missing")));
    let read = |world: &World| {
        let mut groups: Vec<String> = world
            .aws
            .calls_of("GetLogEvents")
            .iter()
            .filter_map(|call| call.request["logGroupName"].as_str().map(str::to_owned))
            .collect();
        groups.dedup();
        groups
    };
    assert_eq!(read(&world), [GROUP], "the right one is read first, and it suffices");

    let mut world = setup(vec!["bye".to_owned()], "GET / 200");
    world.run_for(120).await;
    assert_eq!(read(&world), [GROUP, "/ecs/proxy", "/ecs/init"], "then essential ones, then the others");
}

/// The log of a service that crashes all day is not read all day.
#[tokio::test]
async fn a_crash_loop_costs_a_bounded_number_of_calls() {
    let crash = Behaviour::Exits {
        after_seconds: 20,
        exit_code: 1,
        log: vec!["ModuleNotFoundError: No module named 'core'".to_owned()],
    };
    let mut world = world(app(awslogs(GROUP)), crash);
    world.run_for(6 * 3600).await;
    let calls = world.aws.count("GetLogEvents");
    assert!((4..=12).contains(&calls), "{calls} calls");
    let causes = causes(&world);
    assert_eq!(causes.len(), 1, "what the log said holds for the tasks whose log was not read: {causes:#?}");
    assert!(causes[0]["tasks"].as_u64() > Some(50), "{}", causes[0]["tasks"]);
    assert_eq!(causes[0]["diagnosis"]["signature"], "module-missing");
    let told: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(told, ["pullsafe: prod/web: app-crashed"]);
}

#[tokio::test]
async fn the_same_event_again_reads_nothing() {
    let crash = Behaviour::Exits {
        after_seconds: 20,
        exit_code: 1,
        log: vec!["ModuleNotFoundError: No module named 'core'".to_owned()],
    };
    let mut world = world(app(awslogs(GROUP)), crash);
    let mut stop = None;
    while stop.is_none() {
        let until = world.clock.now().plus_seconds(600);
        let events = world.scheduler.next_events(until).await;
        stop = events.into_iter().find(|event| event["detail"]["lastStatus"] == "STOPPED");
    }
    let stop = stop.unwrap();
    world.deliver(&stop).await;
    let calls = world.aws.count("GetLogEvents");
    assert!(calls > 0);
    world.deliver(&stop).await;
    let mut later = stop.clone();
    later["detail"]["version"] = json!(99);
    world.deliver(&later).await;
    assert_eq!(world.aws.count("GetLogEvents"), calls);
}

/// A task whose pull failed has no log, and none is looked for.
#[tokio::test]
async fn what_never_ran_has_no_log() {
    let mut world = Setup::new().build();
    world.hub.quota().spend(NAT, 100, world.clock.now());
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    let definition = world.define_containers(
        "app",
        json!([{ "name": "app", "image": "acme/app:1", "essential": true, "logConfiguration": awslogs(GROUP) }]),
    );
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(300).await;
    assert_eq!(world.aws.count("GetLogEvents"), 0);
}

/// Every rule of the account can read the default bus, so lines of a log go there only if the owner allows it.
#[tokio::test]
async fn lines_of_a_log_go_to_people_and_to_the_bus_only_where_the_owner_says_so() {
    for (setting, undelivered) in [("false", false), ("true", false), ("false", true), ("true", true)] {
        let containers =
            json!([{ "name": "app", "image": IMAGE, "essential": true, "logConfiguration": awslogs(GROUP) }]);
        let mut world = world(containers, unhealthy(log()));
        world.restart(&[("PULLSAFE_EVIDENCE_ON_BUS", setting)]);
        if undelivered {
            world.topic.delete_topic(scenarios::world::TOPIC);
        }
        world.run_for(3600).await;
        let bus = json!(world.bus.events()).to_string();
        let (said, lines) = (bus.contains("load-balancer-health-check-failed"), bus.contains("core.aws_service"));
        assert_eq!((said, lines), (true, setting == "true"), "{setting} {undelivered}: {bus}");
        assert!(bus.contains("logs[app]"), "where it was read: {bus}");
        assert_eq!(bus.contains("Message Undelivered"), undelivered);
        assert_eq!(world.told().iter().any(|notice| notice.message.contains("core.aws_service")), !undelivered);
    }
}
