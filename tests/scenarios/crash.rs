//! The crash matrix: every call that a cure makes fails in every way, or is the last act of its process; the event comes
//! again; and the end is the same as without the fault.
//!
//! What may differ: a message can be published twice, always with the same id (docs/adr/0008), and a read that is denied or
//! keeps failing can lead to a message that says so, before the next look cures after all.

use std::collections::BTreeMap;

use pullsafe::permission;
use scenarios::world::{DEAD_LETTERS, NAT, Setup, TABLE, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::service::Service as _;
use testkit::aws::{Call, Fault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

const APP: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
const SCALING: &str = "service/prod/web";

/// A cure: how the world gets to the event that starts it, and the event.
struct Cure {
    name: &'static str,
    prepare: fn() -> World,
    /// The detail of the stop, or `None` for an event that the world brings by itself (a push).
    trigger: fn(&mut World) -> Option<Value>,
}

const RESTORE: &str = "restore";

/// What counts when everything has come to rest.
#[derive(Debug, PartialEq)]
struct End {
    image: Value,
    desired: Value,
    deployments: usize,
    revisions: usize,
    tags: Vec<String>,
    suspended: Value,
    applied: BTreeMap<String, usize>,
    open: Vec<Value>,
}

fn setup() -> Setup {
    Setup::new().paced(Pacing::default()).without_sdk_retries()
}

fn create(world: &World, image: &str) {
    let definition = world.define("app", &[image]);
    world.create_service("web", &definition, 2, json!({}));
}

fn quota_used_up() -> World {
    let world = mirror_lacks_it();
    Sample::new(1).build().push(world.images.store(), "docker-hub/acme/app", "1");
    world
}

fn mirror_lacks_it() -> World {
    let world = setup().build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    create(&world, "acme/app:1");
    world
}

fn image_missing() -> World {
    let mut world = setup().with("PULLSAFE_PAUSE_AFTER", "1").build();
    world.images.store().create_repository("app", Mutability::Mutable);
    world.scale(SCALING, 1, 10);
    create(&world, APP);
    world
}

fn digest_gone() -> World {
    let world = setup().build();
    Sample::new(2).build().push(world.images.store(), "app", "1");
    create(&world, APP);
    world
}

fn stop(world: &World, reason: &str) -> Option<Value> {
    let service = world.service("web");
    let now = world.clock.now();
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef";
    Some(json!({
        "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012", "time": now, "region": "eu-west-1",
        "resources": [task],
        "detail": {
            "taskArn": task, "clusterArn": service["clusterArn"], "taskDefinitionArn": service["taskDefinition"], "group": "service:web", "startedBy": "ecs-svc/0123456789012345678",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": reason, "stoppedAt": now, "version": 5,
            "launchType": "FARGATE", "containers": [{ "name": "app", "lastStatus": "STOPPED" }],
        },
    }))
}

fn stop_by_quota(world: &mut World) -> Option<Value> {
    stop(
        world,
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
    )
}

fn stop_by_missing_image(world: &mut World) -> Option<Value> {
    stop(
        world,
        &format!("CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref {APP}: {APP}: not found"),
    )
}

fn stop_by_missing_digest(world: &mut World) -> Option<Value> {
    let pinned = format!("{APP}@sha256:{}", "ab".repeat(32));
    stop(
        world,
        &format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref {pinned}: {pinned}: not found"
        ),
    )
}

fn push(world: &mut World) -> Option<Value> {
    Sample::new(3).build().push(world.images.store(), "app", "1");
    None
}

/// Brings a cure's world to the point where its event is about to come.
async fn begin(cure: &Cure) -> (World, Option<Value>) {
    let mut world = (cure.prepare)();
    if cure.name == RESTORE {
        let event = stop_by_missing_image(&mut world).expect("a stop is an event");
        world.deliver(&event).await;
        world.settle().await;
        assert_eq!(world.service("web")["desiredCount"], 0, "the pause came before");
    }
    let event = (cure.trigger)(&mut world);
    world.aws.clear_log();
    (world, event)
}

/// Plays the cure's event, delivers it once more, and waits until leases have run out and sweeps have looked again. ECS itself
/// stands still, so that nothing but the cure happens.
async fn play(world: &mut World, event: Option<Value>) -> End {
    for event in event.iter().chain(&event) {
        world.deliver(event).await;
        world.settle().await;
    }
    world.settle().await;
    for _ in 0..18 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
    end(world)
}

fn end(world: &World) -> End {
    let service = world.service("web");
    let definition = world.ecs.call("DescribeTaskDefinition", &json!({ "taskDefinition": service["taskDefinition"] })).expect("it exists");
    let revisions = world.ecs.call("ListTaskDefinitions", &json!({ "familyPrefix": "app" })).expect("ECS lists");
    let tags = service["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["key"].as_str()).map(str::to_owned);
    let mut applied = BTreeMap::new();
    let mut ids = std::collections::BTreeSet::new();
    for notice in world.told() {
        let is_new = ids.insert(notice.attributes.get("pullsafe-id").cloned());
        if is_new && notice.attributes.get("detail-type").is_some_and(|kind| kind == "Remedy Applied") {
            *applied.entry(notice.subject.unwrap_or_default()).or_default() += 1;
        }
    }
    End {
        image: definition["taskDefinition"]["containerDefinitions"][0]["image"].clone(),
        desired: service["desiredCount"].clone(),
        deployments: service["deployments"].as_array().map_or(0, Vec::len),
        revisions: revisions["taskDefinitionArns"].as_array().map_or(0, Vec::len),
        tags: tags.collect(),
        suspended: world.scaling.target(SCALING).map_or(Value::Null, |target| target["SuspendedState"].clone()),
        applied,
        open: world.records().iter().map(|record| record["open"]["act"]["state"].clone()).collect(),
    }
}

/// Plays a cure without a fault, then with every fault at every call that matters.
async fn matrix(cure: &Cure) {
    let (mut world, event) = begin(cure).await;
    let expected = play(&mut world, event).await;
    assert!(!expected.applied.is_empty(), "{}: {expected:?} {:#?} {:#?}", cure.name, world.answers, world.told());
    assert!(expected.applied.values().all(|count| *count == 1), "{}: {expected:?}", cure.name);
    let declared: Vec<&str> = [permission::REMEDIATOR, permission::MIRROR].into_iter().flat_map(permission::actions).collect();
    let undeclared: Vec<String> = world.aws.actions().into_iter().filter(|action| !declared.contains(&action.as_str())).collect();
    assert!(undeclared.is_empty(), "{}: the template does not grant {undeclared:?}", cure.name);
    let calls = world.aws.calls();
    let matters = |call: &Call| call.is_write() || matches!(call.operation.as_str(), "Publish" | "PutEvents");
    // The record is saved once more after the last message; the sweeps that follow find nothing to do.
    let last = calls.iter().rposition(matters).map_or(0, |at| at + 2);
    let mut pairs = 0;
    for call in calls.iter().take(last) {
        for kind in FaultKind::ALL.map(Some).into_iter().chain([None]) {
            let (mut world, event) = begin(cure).await;
            match kind {
                Some(kind) => world.aws.inject(Fault::at_call(call.number, kind)),
                None => world.aws.die_after(call.number),
            }
            let found = play(&mut world, event).await;
            let pair = format!("{}: call {} ({}:{}), {}", cure.name, call.number, call.service, call.operation, name(kind));
            assert_eq!(found, expected, "{pair}\n{:#?}\n{:#?}", world.answers, world.told());
            pairs += 1;
        }
    }
    println!("crash matrix, {}: {last} calls, {pairs} pairs of call and fault, every end the same", cure.name);
}

/// Plays a cure in which one writing call is refused for good, for every writing call and every kind of refusal: told once, nothing left
/// behind, nothing retried, no message in a queue.
async fn refusals(cure: &Cure) {
    let (mut world, event) = begin(cure).await;
    let marks_before = marks(&world);
    play(&mut world, event).await;
    let calls: std::collections::BTreeSet<(String, String)> =
        world.aws.writes().iter().map(|call| (call.service.clone(), call.operation.clone())).collect();
    assert!(!calls.is_empty(), "{}", cure.name);
    let mut pairs = 0;
    for (service, operation) in &calls {
        let invalid = if service == "ecs" { "InvalidParameterException" } else { "ValidationException" };
        for kind in [FaultKind::AccessDenied, FaultKind::Code(invalid)] {
            let (mut world, event) = begin(cure).await;
            world.aws.inject(Fault::on(service, operation, kind).always());
            let told = world.told().len();
            play(&mut world, event).await;
            let pair = format!("{}: {service}:{operation}, {kind:?} for good\n{:#?}\n{:#?}", cure.name, world.answers, world.told());
            let refused: Vec<String> = world.told().into_iter().skip(told).map(|notice| notice.message).collect();
            let refused: Vec<&String> = refused.iter().filter(|text| text.contains("Refused by AWS")).collect();
            assert_eq!(refused.len(), 1, "told once: {pair}");
            let missing = if kind == FaultKind::AccessDenied {
                format!("\"Action\":\"{service}:{operation}\"")
            } else {
                "What is missing".to_owned()
            };
            assert!(refused[0].contains(&missing), "{pair}");
            // A service that is still paused keeps its marks, and what cannot be removed is a command in the message.
            match (world.service("web")["desiredCount"] == 0, operation.as_str()) {
                (true, _) => assert_eq!(marks(&world), marks_before, "{pair}"),
                (false, "UntagResource") => assert!(refused[0].contains("aws ecs untag-resource"), "{pair}"),
                (false, "RegisterScalableTarget") if cure.name == RESTORE => {
                    assert!(refused[0].contains("register-scalable-target"), "{pair}")
                }
                (false, _) => {
                    assert_eq!(marks(&world), Vec::<String>::new(), "{pair}");
                    let suspended =
                        world.scaling.target(SCALING).map(|target| target["SuspendedState"]["DynamicScalingOutSuspended"].clone());
                    assert_ne!(suspended, Some(json!(true)), "{pair}");
                }
            }
            for queue in [WORK_QUEUE, DEAD_LETTERS] {
                assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}: {pair}");
            }
            let (tried, told) = (world.aws.count(operation), world.told().len());
            for _ in 0..30 {
                world.clock.advance(60);
                world.deliver(&json!({ "pullsafe": "sweep" })).await;
                world.settle().await;
            }
            assert_eq!((world.aws.count(operation), world.told().len()), (tried, told), "tried again without a reason: {pair}");
            pairs += 1;
        }
    }
    println!("refusals, {}: {pairs} pairs of writing call and refusal, all told once", cure.name);
}

/// Plays a cure in which one reading call is denied, for every reading call: for a minute, as a permission that was just given is, and for
/// good. The first is nobody's news and the cure comes; the second is named in a message, unless the cure does without it.
async fn denied_reads(cure: &Cure) {
    let (mut world, event) = begin(cure).await;
    let expected = play(&mut world, event).await;
    let own = ["dynamodb", "sqs", "sns", "events"];
    let reads = world.aws.calls().into_iter().filter(|call| !call.is_write() && !own.contains(&call.service.as_str()));
    let reads: std::collections::BTreeSet<(String, String)> = reads.map(|call| (call.service, call.operation)).collect();
    assert!(reads.len() > 2, "{}: {reads:?}", cure.name);
    for (service, operation) in &reads {
        for for_good in [false, true] {
            let (mut world, event) = begin(cure).await;
            let told = world.told().len();
            world.aws.inject(Fault::on(service, operation, FaultKind::AccessDenied).always());
            if let Some(event) = &event {
                world.deliver(event).await;
            }
            world.settle().await;
            world.clock.advance(60);
            world.deliver(&json!({ "pullsafe": "sweep" })).await;
            world.settle().await;
            if !for_good {
                world.aws.clear_faults();
            }
            let found = play(&mut world, None).await;
            let pair =
                format!("{}: {service}:{operation} denied, for good {for_good}\n{:#?}\n{:#?}", cure.name, world.answers, world.told());
            let said: Vec<String> = world.told().into_iter().skip(told).map(|notice| notice.message).collect();
            match for_good {
                false => {
                    assert_eq!(found.applied, expected.applied, "{pair}");
                    // What an act looks at on its way is part of the act: its refusal is told at once, and tried again after the grace.
                    let news = |text: &&String| text.contains("AccessDenied") && !text.contains("refused: ");
                    assert_eq!(said.iter().find(news), None, "told within the grace: {pair}");
                }
                true if found.applied == expected.applied => {}
                true => {
                    let call = format!("{service}:{operation}");
                    assert_eq!(said.iter().filter(|text| text.contains(&call)).count(), 1, "named, once: {pair}");
                }
            }
            for queue in [WORK_QUEUE, DEAD_LETTERS] {
                assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}: {pair}");
            }
        }
    }
}

#[tokio::test]
async fn a_read_that_is_denied_for_a_minute_is_no_news_and_one_denied_for_good_is_named() {
    denied_reads(&Cure { name: "move", prepare: quota_used_up, trigger: stop_by_quota }).await;
    denied_reads(&Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image }).await;
    denied_reads(&Cure { name: "force a new deployment", prepare: digest_gone, trigger: stop_by_missing_digest }).await;
}

/// The marks of a pause that a service carries.
fn marks(world: &World) -> Vec<String> {
    let service = world.service("web");
    let tags = service["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["key"].as_str()).map(str::to_owned);
    tags.filter(|key| key.starts_with("pullsafe:paused-")).collect()
}

#[tokio::test]
async fn a_refused_move_is_told_once() {
    refusals(&Cure { name: "move", prepare: quota_used_up, trigger: stop_by_quota }).await;
}

#[tokio::test]
async fn a_refused_pause_is_told_once_and_leaves_no_mark() {
    refusals(&Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image }).await;
}

#[tokio::test]
async fn a_refused_restore_is_told_once() {
    refusals(&Cure { name: RESTORE, prepare: image_missing, trigger: push }).await;
}

#[tokio::test]
async fn a_refused_deployment_is_told_once() {
    refusals(&Cure { name: "force a new deployment", prepare: digest_gone, trigger: stop_by_missing_digest }).await;
}

/// The service was moved before the refusal: that is told, and another try only adds what is missing.
#[tokio::test]
async fn a_move_without_its_tags_is_told_as_a_move() {
    let (mut world, event) = begin(&Cure { name: "move", prepare: quota_used_up, trigger: stop_by_quota }).await;
    world.aws.inject(Fault::on("ecs", "TagResource", FaultKind::Code("InvalidParameterException")).always());
    play(&mut world, event).await;
    let told = world.told();
    let refused = told.iter().find(|notice| notice.message.contains("Refused by AWS")).expect("it is told");
    assert!(refused.message.contains("Done before the refusal, and left as it is:\n    clone app:1"), "{}", refused.message);
    assert!(refused.message.contains("fewer than 50 tags"), "{}", refused.message);
}

/// A person mends it and says so.
#[tokio::test]
async fn a_refused_act_is_tried_again_on_a_persons_word() {
    let (mut world, event) = begin(&Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image }).await;
    world.aws.inject(Fault::on("ecs", "UpdateService", FaultKind::Code("InvalidParameterException")).always());
    play(&mut world, event).await;
    assert_eq!(world.service("web")["desiredCount"], 2);
    let told = world.told();
    let refused = told.iter().find(|notice| notice.message.contains("Refused by AWS")).expect("it is told");
    let (_, body) = refused.message.split_once("--message-body '").expect("the message has the command");
    let (body, _) = body.split_once('\'').expect("and its end");
    world.aws.clear_faults();
    world.queues.send(WORK_QUEUE, &serde_json::from_str(body).expect("what the command sends is JSON"));
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 0, "{:#?}", world.answers);
}

/// What was planned in act mode is not carried out once the stack, or a tag, says otherwise.
#[tokio::test]
async fn a_stored_plan_is_given_up_when_acting_is_no_longer_allowed() {
    let cure = Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image };
    let (mut probe, event) = begin(&cure).await;
    play(&mut probe, event).await;
    let first = probe.aws.writes()[0].number;
    for by_tag in [false, true] {
        for done in [false, true] {
            let (mut world, event) = begin(&cure).await;
            // Right after the plan was stored, or right after its first step.
            world.aws.die_after(if done { first } else { first - 1 });
            let event = event.expect("a stop is an event");
            let remediator = world.remediator.clone().expect("it is deployed");
            assert!(world.aws.run(remediator.handle(&event, "dies")).await.is_none(), "the process died");
            if by_tag {
                let tag =
                    json!({ "resourceArn": world.service("web")["serviceArn"], "tags": [{ "key": "pullsafe:mode", "value": "off" }] });
                world.ecs.call("TagResource", &tag).expect("a person tags it");
            } else {
                world.restart(&[("PULLSAFE_MODE", "observe"), ("PULLSAFE_PAUSE_AFTER", "1")]);
            }
            let before = world.writes().len();
            for _ in 0..5 {
                world.clock.advance(60);
                world.deliver(&json!({ "pullsafe": "sweep" })).await;
                world.settle().await;
            }
            assert_eq!(world.writes().len(), before, "by tag: {by_tag}, begun: {done}: {:?}", world.writes());
            let told = world.told();
            let given_up = told.iter().find(|notice| notice.message.contains("the mode is o")).expect("it is told");
            assert_eq!(given_up.message.contains("untag-resource"), done, "{}", given_up.message);
        }
    }
}

/// A row of the table is only as trustworthy as whoever may write to it.
#[tokio::test]
async fn a_stored_plan_for_another_service_is_refused() {
    let cure = Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image };
    let (mut probe, event) = begin(&cure).await;
    play(&mut probe, event).await;
    let first = probe.aws.writes()[0].number;
    let (mut world, event) = begin(&cure).await;
    let definition = world.define("other", &[APP]);
    world.create_service("other", &definition, 3, json!({}));
    world.aws.die_after(first - 1);
    let remediator = world.remediator.clone().expect("it is deployed");
    assert!(world.aws.run(remediator.handle(&event.expect("a stop is an event"), "dies")).await.is_none());
    let mut row = world.tables.wire_items(TABLE).into_iter().find(|row| row.contains_key("doc")).expect("a plan is stored");
    let doc =
        row["doc"]["S"].as_str().unwrap_or_default().replace("\"name\":\"web\"", "\"name\":\"other\"").replace("\"from\":2", "\"from\":3");
    row.insert("doc".to_owned(), json!({ "S": doc }));
    world.tables.put(TABLE, row.into());
    for _ in 0..5 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
    assert_eq!((world.writes(), &world.service("other")["desiredCount"]), (Vec::new(), &json!(3)));
    assert!(world.told().iter().any(|notice| notice.message.contains("names prod/other, which is another service")), "{:#?}", world.told());
}

fn name(kind: Option<FaultKind>) -> String {
    kind.map_or_else(|| "the process dies right after it".to_owned(), |kind| format!("{kind:?}"))
}

#[tokio::test]
async fn a_move_survives_everything() {
    matrix(&Cure { name: "move", prepare: quota_used_up, trigger: stop_by_quota }).await;
}

#[tokio::test]
async fn asking_the_mirror_and_moving_survives_everything() {
    matrix(&Cure { name: "ask the mirror, then move", prepare: mirror_lacks_it, trigger: stop_by_quota }).await;
}

#[tokio::test]
async fn a_pause_survives_everything() {
    matrix(&Cure { name: "pause", prepare: image_missing, trigger: stop_by_missing_image }).await;
}

#[tokio::test]
async fn a_restore_survives_everything() {
    matrix(&Cure { name: RESTORE, prepare: image_missing, trigger: push }).await;
}

#[tokio::test]
async fn a_forced_deployment_survives_everything() {
    matrix(&Cure { name: "force a new deployment", prepare: digest_gone, trigger: stop_by_missing_digest }).await;
}
