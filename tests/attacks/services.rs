//! What a tenant who may start tasks, register task definitions or write tags tries: to have a service changed that is
//! not theirs.

use scenarios::world::{CLUSTER, NAT, Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;

const QUOTA: &str = "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests \
    - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.";
const CLUSTER_ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
const MISSING: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing";

/// A world in which a service could be moved: the quota is used up, and the mirror has the image.
fn movable(setup: Setup) -> World {
    let world = setup.build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    world
}

/// The event of a stopped task as EventBridge would deliver it, with some details replaced.
pub(crate) fn stop(world: &World, number: usize, details: Value) -> Value {
    let task = format!("arn:aws:ecs:eu-west-1:123456789012:task/prod/{number:032x}");
    let mut detail = json!({
        "taskArn": task, "clusterArn": CLUSTER_ARN, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "version": 5,
        "stoppedAt": world.clock.now(), "stoppedReason": QUOTA, "containers": [{ "name": "app", "lastStatus": "STOPPED" }],
    });
    if let (Value::Object(detail), Value::Object(details)) = (&mut detail, details) {
        detail.extend(details);
    }
    json!({
        "version": "0", "id": number.to_string(), "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012",
        "region": "eu-west-1", "time": world.clock.now(), "resources": [task], "detail": detail,
    })
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| json!({ "key": format!("pullsafe:{key}"), "value": value }))
        .collect()
}

fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

pub(crate) async fn strangers_task() -> String {
    let forged = "ecs-svc/0123456789012345678";
    let mut tried = 0;
    for (started_by, family) in [
        (Value::Null, "app"),
        (json!("ecs-svc/"), "app"),
        (json!("ecs-svc/mine"), "app"),
        (json!(forged), "evil"),
        (json!(forged), "app-"),
    ] {
        let mut world = movable(Setup::new());
        let own = world.define("app", &["acme/app:1"]);
        world.create_service("web", &own, 0, json!({}));
        let definition = world.define(family, &["acme/app:1"]);
        for number in 0..3 {
            let details = json!({ "taskDefinitionArn": definition, "group": "service:web", "startedBy": started_by });
            world.deliver(&stop(&world, number, details)).await;
        }
        assert_eq!(world.writes(), Vec::<String>::new(), "{started_by} {family}");
        assert!(subjects(&world).iter().all(|subject| subject.contains("(no service)")), "{:?}", subjects(&world));
        assert!(!json!(world.records()).to_string().contains("prod-web"), "no incident of the service is open");
        tried += 1;
    }
    format!("{tried} disguises: an incident of the family, none of the service")
}

pub(crate) async fn made_up_groups() -> String {
    let mut world = movable(Setup::new());
    let definition = world.define("app", &["acme/app:1"]);
    for number in 0..1000 {
        let details = json!({ "taskDefinitionArn": definition, "group": format!("<!channel> {number}") });
        let event = stop(&world, number, details);
        world.deliver(&event).await;
        // An event that comes a second time makes no second message.
        if number % 100 == 7 {
            world.deliver(&event).await;
        }
    }
    let single = world.told().len();
    world.run_for(20 * 60).await;
    let told = world.told();
    assert!(single <= 3, "{single} messages at once");
    assert_eq!(told.len(), single + 1, "{:?}", subjects(&world));
    let last = told.last().unwrap();
    assert!(last.message.contains(&format!("{} more messages", 1000 - single)), "{}", last.message);
    let on_bus = world.bus.events().len();
    assert!(on_bus <= single + 1, "{on_bus} events on the bus");
    // The next period starts a new count.
    world
        .deliver(&stop(&world, 5000, json!({ "taskDefinitionArn": definition, "group": "later" })))
        .await;
    assert_eq!(world.told().len(), single + 2);
    assert_eq!(world.writes(), Vec::<String>::new());
    format!("a thousand groups: {single} messages, and one that says {} more", 1000 - single)
}

/// Made-up groups are not part of an outbreak, and services that a tenant creates do not hide others: a service that
/// needs a person is still named.
pub(crate) async fn made_up_storm() -> String {
    let mut world = movable(Setup::new().with("PULLSAFE_MODE", "observe"));
    let definition = world.define("app", &["acme/app:1"]);
    for number in 0..300 {
        world
            .deliver(&stop(
                &world,
                number,
                json!({ "taskDefinitionArn": definition, "group": format!("made-up-{number}") }),
            ))
            .await;
    }
    world.create_service("payments", &definition, 1, json!({}));
    world.run_for(240).await;
    let alone = subjects(&world)
        .iter()
        .any(|subject| subject.starts_with("pullsafe: prod/payments: registry-rate-limited"));
    assert!(alone, "it is told by itself and at once: {:?}", subjects(&world));
    // Now the tenant creates real services, whose names sort before the other one in every order.
    let mut world = movable(Setup::new().with("PULLSAFE_MODE", "observe"));
    let definition = world.define("app", &["acme/app:1"]);
    for number in 0..60 {
        world.create_service(&format!("a{}-{number}", "x".repeat(200)), &definition, 1, json!({}));
    }
    world.run_for(60).await;
    world.create_service("payments", &definition, 1, json!({}));
    world.run_for(20 * 60).await;
    let named = world.told().iter().filter(|notice| notice.message.contains("prod/payments")).count();
    assert!(named > 0, "{:?}", subjects(&world));
    format!(
        "300 groups: the service is told by itself; among 60 services of a tenant: it is named in {named} digest(s)"
    )
}

/// If the process dies at any of its calls and the event comes again, nothing is lost and nothing is counted twice.
pub(crate) async fn made_up_groups_and_deaths() -> String {
    let mut deaths = 0;
    for call in 1..12 {
        let mut world = movable(Setup::new());
        let definition = world.define("app", &["acme/app:1"]);
        for number in 0..8 {
            let event =
                stop(&world, number, json!({ "taskDefinitionArn": definition, "group": format!("made-up-{number}") }));
            if number == 4 {
                world.aws.clear_log();
                world.aws.die_after(call);
            }
            world.deliver(&event).await;
            deaths += usize::from(number == 4 && world.aws.calls().len() as u64 >= call);
            world.aws.clear_faults();
        }
        world.run_for(40 * 60).await;
        let told = world.told();
        let ids: std::collections::BTreeSet<_> =
            told.iter().map(|notice| notice.attributes["pullsafe-id"].clone()).collect();
        let summed: Vec<usize> = told
            .iter()
            .filter_map(|notice| notice.message.split(": ").nth(1)?.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!((ids.len(), summed.as_slice()), (4, [5].as_slice()), "death at call {call}: {:?}", subjects(&world));
    }
    format!("{deaths} deaths: three messages, and one that says 5 more")
}

pub(crate) async fn made_up_marks() -> String {
    let mut tried = 0;
    for count in ["4000", "-5", "0", "1e9", "99999999999999999999", "+2", "0x10", "2 aws ecs delete-service"] {
        let mut world = movable(Setup::new());
        let definition = world.define("app", &[MISSING]);
        let marks = [
            ("paused-count", count),
            ("paused-at", "2026-01-01T00:00:00Z"),
            ("paused-for", MISSING),
            ("paused-by", "pullsafe"),
        ];
        world.create_service("web", &definition, 0, json!({ "tags": tags(&marks) }));
        world.deliver(&json!({ "pullsafe": "find-paused" })).await;
        world.settle().await;
        // The image arrives. A pause made by pullsafe would wait for exactly this.
        Sample::new(2).build().push(world.images.store(), "app", "missing");
        world.settle().await;
        world.run_for(3600).await;
        assert_eq!(world.writes(), Vec::<String>::new(), "{count}");
        assert_eq!(world.service("web")["desiredCount"], 0, "{count}");
        let said = json!(world.told().iter().map(|notice| &notice.message).collect::<Vec<_>>()).to_string();
        assert!(!said.contains("delete-service") && !said.contains("--desired-count -"), "{said}");
        tried += 1;
    }
    format!("{tried} counts: nothing is restored, people get the command")
}

/// A pause made by pullsafe waits for its original image, whatever the tags on the service say by now.
pub(crate) async fn rewritten_marks() -> String {
    let evil = super::evil::Evil::start(|_, _| super::evil::EvilReply::new(200, "{}"));
    let there = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/there:1";
    let mut tried = 0;
    for (key, value) in [
        ("paused-for", there.to_owned()),
        ("paused-for", "docker.io/acme/app:1".to_owned()),
        ("paused-for", format!("{}/x:1", evil.host)),
        ("paused-count", "4000".to_owned()),
        ("cause", "image-digest-gone".to_owned()),
    ] {
        let mut world = movable(Setup::new());
        Sample::new(2).build().push(world.images.store(), "there", "1");
        let definition = world.define("app", &[MISSING]);
        world.create_service("web", &definition, 2, json!({}));
        world.run_for(1500).await;
        assert_eq!(world.service("web")["desiredCount"], 0, "it is paused");
        let before = world.writes().len();
        let arn = world.service("web")["serviceArn"].clone();
        world
            .ecs
            .call("TagResource", &json!({ "resourceArn": arn, "tags": tags(&[(key, &value)]) }))
            .unwrap();
        world.run_for(3600).await;
        assert_eq!(
            (world.service("web")["desiredCount"].clone(), world.writes().len()),
            (json!(0), before),
            "{key}={value}"
        );
        // The original image brings the service back, with the count that it had.
        Sample::new(3).build().push(world.images.store(), "app", "missing");
        world.run_for(900).await;
        assert_eq!(world.service("web")["desiredCount"], 2, "{key}={value}");
        tried += 1;
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
    format!("{tried} rewritten tags: the pause ends when its own image is there")
}

/// The tags of another stack can only make pullsafe do less: they are a way to say "not this one", as
/// `pullsafe:mode=off` is.
pub(crate) async fn marks_of_another_stack() -> String {
    let mut world = movable(Setup::new());
    let definition = world.define("app", &["acme/app:1"]);
    let marks = [
        ("paused-by", "other stack"),
        ("moved-by", "other"),
        ("moved-from", "app:1"),
        ("moved-at", "2099-01-01T00:00:00Z"),
    ];
    world.create_service("web", &definition, 1, json!({ "tags": tags(&marks) }));
    world.run_for(900).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert!(
        world.told().iter().any(|notice| notice.message.contains("alone brings it back")),
        "{:?}",
        subjects(&world)
    );
    "the service is left alone, which its own tag could say as well".to_owned()
}

pub(crate) async fn tag_to_act() -> String {
    let mut world = movable(Setup::new().with("PULLSAFE_MODE", "observe"));
    let definition = world.define("app", &["acme/app:1"]);
    for (number, value) in ["act", "ACT", " act ", "act observe"].into_iter().enumerate() {
        world.create_service(&format!("web-{number}"), &definition, 1, json!({ "tags": tags(&[("mode", value)]) }));
    }
    world.run_for(1200).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert!(world.queues.bodies(scenarios::world::MIRROR_QUEUE).is_empty());
    "an observing stack observes".to_owned()
}

pub(crate) async fn moved_is_pinned() -> String {
    let mut world = movable(Setup::new());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(900).await;
    let runs = world.service("web")["taskDefinition"].clone();
    assert_ne!(runs, json!(definition), "it is moved");
    let image = |world: &World| {
        let answer = world.ecs.call("DescribeTaskDefinition", &json!({ "taskDefinition": runs })).unwrap();
        answer["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default().to_owned()
    };
    let digest = Sample::new(1).build().digest().to_string();
    assert!(image(&world).ends_with(&format!(":1@{digest}")), "{}", image(&world));
    // Moving the mirror's tag changes nothing that runs, and nothing that is started.
    Sample::new(666).build().push(world.images.store(), "docker-hub/acme/app", "1");
    world.settle().await;
    world.update_service("web", json!({ "forceNewDeployment": true }));
    world.run_for(900).await;
    let tasks =
        world.ecs.call("ListTasks", &json!({ "cluster": CLUSTER, "serviceName": "web" })).unwrap()["taskArns"].clone();
    let tasks =
        world.ecs.call("DescribeTasks", &json!({ "cluster": CLUSTER, "tasks": tasks })).unwrap()["tasks"].clone();
    let digests: Vec<&Value> =
        tasks.as_array().unwrap().iter().map(|task| &task["containers"][0]["imageDigest"]).collect();
    assert!(!digests.is_empty() && digests.iter().all(|found| **found == digest), "{digests:?}");
    "what runs is the verified digest".to_owned()
}

pub(crate) async fn forged_events() -> String {
    let mut world = movable(Setup::new());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 0, json!({}));
    world.aws.clear_log();
    let details =
        json!({ "taskDefinitionArn": definition, "group": "service:web", "startedBy": "ecs-svc/0123456789012345678" });
    let real = stop(&world, 1, details);
    let mut tried = 0;
    for source in ["aws.ecs.evil", "AWS.ECS", "custom.ecs", "pullsafe", "", "aws.ecs\u{0}"] {
        for detail_type in
            ["ECS Task State Change", "ECS Service Action", "ECR Image Action", "CodeBuild Build State Change"]
        {
            let mut event = real.clone();
            (event["source"], event["detail-type"]) = (json!(source), json!(detail_type));
            world.deliver(&event).await;
            tried += 1;
        }
    }
    assert_eq!(
        (world.aws.calls().len(), world.told().len(), world.records().len()),
        (0, 0, 0),
        "{:?}",
        world.aws.actions()
    );
    format!("{tried} events: nothing is asked, written or told")
}

pub(crate) async fn pushes_of_others() -> String {
    let mut world = movable(Setup::new());
    let definition = world.define("app", &[MISSING]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(1500).await;
    assert_eq!(world.service("web")["desiredCount"], 0, "it is paused");
    let (marks, rows) = (world.service("web")["tags"].clone(), world.tables.items(scenarios::world::TABLE).len());
    world.aws.clear_log();
    // Events of another account, another region, another repository, and another tag that begins with this one.
    for (account, region, repository, tag) in [
        ("666666666666", "eu-west-1", "app", "missing"),
        ("123456789012", "us-east-1", "app", "missing"),
        ("123456789012", "eu-west-1", "app2", "missing"),
        ("123456789012", "eu-west-1", "app", "missing2"),
        ("123456789012", "eu-west-1", "waits#image#123456789012/eu-west-1/app", "missing"),
    ] {
        let detail = json!({ "result": "SUCCESS", "action-type": "PUSH", "repository-name": repository, "image-tag": tag, "image-digest": Sample::new(9).build().digest() });
        world
            .deliver(&json!({ "source": "aws.ecr", "detail-type": "ECR Image Action", "account": account, "region": region, "time": world.clock.now(), "detail": detail }))
            .await;
    }
    assert!(world.aws.calls().iter().all(|call| call.operation == "Query"), "{:?}", world.aws.actions());
    // A forged message can ask for a look, and a look is all it gets: pullsafe looks again before it acts.
    for _ in 0..50 {
        world
            .deliver(&json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }))
            .await;
        world.settle().await;
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(
        (world.service("web")["tags"].clone(), world.tables.items(scenarios::world::TABLE).len()),
        (marks, rows)
    );
    "read, compared and left: no row, no look that was not due".to_owned()
}

pub(crate) async fn loopback_images() -> String {
    let evil = super::evil::Evil::start(|_, _| super::evil::EvilReply::new(200, "{}"));
    let port = evil.host.rsplit(':').next().unwrap().to_owned();
    let mut tried = 0;
    for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "registry.internal", "intranet"] {
        for reason in ["429 Too Many Requests - Server message: toomanyrequests: rate limit", "not found"] {
            let mut world = movable(Setup::new());
            let image = format!("{host}:{port}/team/app:1");
            let definition = world.define("app", &[&image]);
            world.create_service("web", &definition, 0, json!({}));
            let text = format!(
                "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
                 {image}: {image}: {reason}"
            );
            let details = json!({ "taskDefinitionArn": definition, "group": "service:web", "startedBy": "ecs-svc/0123456789012345678", "stoppedReason": text });
            world.deliver(&stop(&world, tried, details)).await;
            world.run_for(900).await;
            assert_eq!(world.writes(), Vec::<String>::new(), "{host}");
            tried += 1;
        }
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
    format!("{tried} images: no connection, no write")
}

pub(crate) async fn words() -> String {
    let bad = "<!channel> <https://evil.example|here> \u{1b}[2J\u{202e}\r\n::error::x";
    let mut world = Setup::new().with("PULLSAFE_NOTIFICATION_FORMAT", "chatbot").build();
    for (number, details) in [
        json!({ "group": bad, "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/app:1" }),
        json!({ "taskDefinitionArn": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{bad}:1") }),
        json!({ "group": "a", "stoppedReason": format!("CannotPullContainerError: {bad}"), "containers": [{ "name": bad, "reason": bad, "exitCode": 1 }] }),
    ]
    .into_iter()
    .enumerate()
    {
        world.deliver(&stop(&world, number, details)).await;
    }
    let told = world.told();
    assert_eq!(told.len(), 3);
    for notice in &told {
        let content: Value = serde_json::from_str(&notice.message).unwrap();
        for text in [&content["content"]["title"], &content["content"]["description"]] {
            let text = text.as_str().unwrap();
            assert!(!text.contains(['<', '>', '\u{1b}', '\u{202e}', '\r']), "{text:?}");
        }
        assert!(
            notice
                .subject
                .as_deref()
                .is_some_and(|subject| subject.chars().all(|sign| (' '..='~').contains(&sign))),
            "{notice:?}"
        );
    }
    format!("{} messages read as what they are", told.len())
}
