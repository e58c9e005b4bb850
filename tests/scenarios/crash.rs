//! The crash matrix: every call that a cure makes fails in every way, or is the last call of its process. The event
//! comes again, and the end is the same as without the fault.
//!
//! Two things may differ. A message can be published twice, always with the same id (docs/adr/0008). A read that is
//! denied or keeps failing can lead to a message that says so, before the next look succeeds after all.

use std::collections::BTreeMap;

use pullsafe::permission;
use scenarios::world::{NAT, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, Call, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

const APP: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
pub(crate) const SCALING: &str = "service/prod/web";

/// A cure: how the world gets to the event that starts the cure, and the event.
pub(crate) struct Cure {
    pub(crate) name: &'static str,
    pub(crate) prepare: fn() -> World,
    /// An event that is delivered and handled first; `None` if the cure is the first thing that happens.
    pub(crate) before: Option<fn(&mut World) -> Option<Value>>,
    /// The event of the stop; `None` if the world itself delivers the event (of a push).
    pub(crate) trigger: fn(&mut World) -> Option<Value>,
}

/// What has to be equal once everything has come to rest.
#[derive(Debug, PartialEq)]
pub(crate) struct End {
    image: Value,
    desired: Value,
    deployments: usize,
    revisions: usize,
    tags: Vec<String>,
    suspended: Value,
    pub(crate) applied: BTreeMap<String, usize>,
    open: Vec<Value>,
}

fn setup() -> Setup {
    Setup::new().paced(Pacing::default()).without_sdk_retries()
}

fn create(world: &World, image: &str) {
    let definition = world.define("app", &[image]);
    world.create_service("web", &definition, 2, json!({}));
}

pub(crate) fn quota_used_up() -> World {
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

fn young() -> World {
    let world = setup().with("PULLSAFE_PAUSE_AFTER_MINUTES", "30").build();
    world.images.store().create_repository("app", Mutability::Mutable);
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
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - Server \
         message: toomanyrequests: You have reached your unauthenticated pull rate limit. \
         https://www.docker.com/increase-rate-limit",
    )
}

fn stop_by_missing_image(world: &mut World) -> Option<Value> {
    stop(
        world,
        &format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref {APP}: \
             {APP}: not found"
        ),
    )
}

fn stop_by_missing_digest(world: &mut World) -> Option<Value> {
    let pinned = format!("{APP}@sha256:{}", "ab".repeat(32));
    stop(
        world,
        &format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
             {pinned}: {pinned}: not found"
        ),
    )
}

fn set_the_count(world: &mut World) -> Option<Value> {
    world.update_service("web", json!({ "desiredCount": 3 }));
    None
}

fn push(world: &mut World) -> Option<Value> {
    Sample::new(3).build().push(world.images.store(), "app", "1");
    None
}

/// Docker Hub's quota is used up, and the mirror has the image.
pub(crate) const MOVE: Cure = Cure {
    name: "move",
    prepare: quota_used_up,
    before: None,
    trigger: stop_by_quota,
};
/// The mirror lacks the image and has to be asked first.
pub(crate) const ASK: Cure = Cure {
    name: "ask the mirror, then move",
    prepare: mirror_lacks_it,
    before: None,
    trigger: stop_by_quota,
};
/// The image does not exist.
pub(crate) const PAUSE: Cure = Cure {
    name: "pause",
    prepare: image_missing,
    before: None,
    trigger: stop_by_missing_image,
};
/// The image that a paused service waits for is pushed.
pub(crate) const RESTORE: Cure = Cure {
    name: "restore",
    prepare: image_missing,
    before: Some(stop_by_missing_image),
    trigger: push,
};
/// A person sets the count of a paused service.
pub(crate) const STEP_ASIDE: Cure = Cure {
    name: "step aside",
    prepare: image_missing,
    before: Some(stop_by_missing_image),
    trigger: set_the_count,
};
/// The image of a young deployment is pushed.
pub(crate) const WAKE: Cure = Cure {
    name: "wake",
    prepare: young,
    before: Some(stop_by_missing_image),
    trigger: push,
};
/// The pinned digest is gone.
pub(crate) const FORCE: Cure = Cure {
    name: "force a new deployment",
    prepare: digest_gone,
    before: None,
    trigger: stop_by_missing_digest,
};

/// Brings the world of a cure to the point just before its event.
pub(crate) async fn begin(cure: &Cure) -> (World, Option<Value>) {
    let mut world = (cure.prepare)();
    if let Some(event) = cure.before.and_then(|before| before(&mut world)) {
        world.deliver(&event).await;
        world.settle().await;
    }
    let event = (cure.trigger)(&mut world);
    world.aws.clear_log();
    (world, event)
}

/// Delivers the event of a cure twice, then waits until leases have run out and sweeps have looked again. ECS itself
/// stands still, so that nothing but the cure happens.
pub(crate) async fn play(world: &mut World, event: Option<Value>) -> End {
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
    let definition = world
        .ecs
        .call("DescribeTaskDefinition", &json!({ "taskDefinition": service["taskDefinition"] }))
        .expect("it exists");
    let revisions = world.ecs.call("ListTaskDefinitions", &json!({ "familyPrefix": "app" })).expect("ECS lists");
    let tags = service["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tag| tag["key"].as_str())
        .map(str::to_owned);
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
    let declared: Vec<&str> =
        [permission::REMEDIATOR, permission::MIRROR].into_iter().flat_map(permission::actions).collect();
    let undeclared: Vec<String> =
        world.aws.actions().into_iter().filter(|action| !declared.contains(&action.as_str())).collect();
    assert!(undeclared.is_empty(), "{}: the template does not grant {undeclared:?}", cure.name);
    let calls = world.aws.calls();
    let matters = |call: &Call| call.is_write() || matches!(call.operation.as_str(), "Publish" | "PutEvents");
    // After the last message the record is saved once more. Later sweeps find nothing to do.
    let last = calls.iter().rposition(matters).map_or(0, |at| at + 2);
    let mut pairs = 0;
    for call in calls.iter().take(last) {
        for kind in FaultKind::ALL.map(Some).into_iter().chain([None]) {
            let (mut world, event) = begin(cure).await;
            match kind {
                Some(kind) => world.aws.inject(AwsFault::at_call(call.number, kind)),
                None => world.aws.die_after(call.number),
            }
            let found = play(&mut world, event).await;
            let pair =
                format!("{}: call {} ({}:{}), {}", cure.name, call.number, call.service, call.operation, name(kind));
            assert_eq!(found, expected, "{pair}\n{:#?}\n{:#?}", world.answers, world.told());
            pairs += 1;
        }
    }
    println!("crash matrix, {}: {last} calls, {pairs} pairs of call and fault, every end the same", cure.name);
}

/// A plan made in act mode is not carried out once the stack, or a tag, no longer allows it.
#[tokio::test]
async fn a_stored_plan_is_given_up_when_acting_is_no_longer_allowed() {
    let cure = PAUSE;
    let (mut probe, event) = begin(&cure).await;
    play(&mut probe, event).await;
    let first = probe.aws.writes()[0].number;
    for by_tag in [false, true] {
        for done in [false, true] {
            let (mut world, event) = begin(&cure).await;
            // The process dies right after the plan was stored, or right after the first step.
            world.aws.die_after(if done { first } else { first - 1 });
            let event = event.expect("a stop is an event");
            let remediator = world.remediator.clone().expect("it is deployed");
            assert!(world.aws.run(remediator.handle(&event, "dies")).await.is_none(), "the process died");
            if by_tag {
                let tag = json!({ "resourceArn": world.service("web")["serviceArn"], "tags": [{ "key": "pullsafe:mode", "value": "off" }] });
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

/// Everybody who may write to the table can write its rows, so a stored plan is checked.
#[tokio::test]
async fn a_stored_plan_for_another_service_is_refused() {
    let cure = PAUSE;
    let (mut probe, event) = begin(&cure).await;
    play(&mut probe, event).await;
    let first = probe.aws.writes()[0].number;
    let (mut world, event) = begin(&cure).await;
    let definition = world.define("other", &[APP]);
    world.create_service("other", &definition, 3, json!({}));
    world.aws.die_after(first - 1);
    let remediator = world.remediator.clone().expect("it is deployed");
    assert!(world.aws.run(remediator.handle(&event.expect("a stop is an event"), "dies")).await.is_none());
    let mut row = world
        .tables
        .wire_items(TABLE)
        .into_iter()
        .find(|row| row.contains_key("doc"))
        .expect("a plan is stored");
    let doc = row["doc"]["S"]
        .as_str()
        .unwrap_or_default()
        .replace("\"name\":\"web\"", "\"name\":\"other\"")
        .replace("\"from\":2", "\"from\":3");
    row.insert("doc".to_owned(), json!({ "S": doc }));
    world.tables.put(TABLE, row.into());
    for _ in 0..5 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
    assert_eq!((world.writes(), &world.service("other")["desiredCount"]), (Vec::new(), &json!(3)));
    assert!(
        world
            .told()
            .iter()
            .any(|notice| notice.message.contains("names prod/other, which is another service")),
        "{:#?}",
        world.told()
    );
}

fn name(kind: Option<FaultKind>) -> String {
    kind.map_or_else(|| "the process dies right after it".to_owned(), |kind| format!("{kind:?}"))
}

#[tokio::test]
async fn a_move_survives_everything() {
    matrix(&MOVE).await;
}

#[tokio::test]
async fn asking_the_mirror_and_moving_survives_everything() {
    matrix(&ASK).await;
}

#[tokio::test]
async fn a_pause_survives_everything() {
    matrix(&PAUSE).await;
}

#[tokio::test]
async fn a_restore_survives_everything() {
    matrix(&RESTORE).await;
}

#[tokio::test]
async fn a_forced_deployment_survives_everything() {
    matrix(&FORCE).await;
}

#[tokio::test]
async fn waking_a_young_deployment_survives_everything() {
    matrix(&WAKE).await;
}

#[tokio::test]
async fn stepping_aside_survives_everything() {
    matrix(&STEP_ASIDE).await;
}
