//! A question and its answer under every fault: the process that asks, or that takes the yes, dies at every call. The
//! end is one question and one act.

use scenarios::world::{Setup, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, Call, FaultKind};
use testkit::ecs::Pacing;

use crate::ask::{code, movable};

fn world() -> World {
    movable(Setup::new().with("PULLSAFE_MODE", "ask").paced(Pacing::default()).without_sdk_retries())
}

/// Waits for the first stop that ECS reports.
async fn stop(world: &mut World) -> Value {
    loop {
        let until = world.clock.now().plus_seconds(600);
        let events = world.scheduler.next_events(until).await;
        if let Some(stop) = events.into_iter().find(|event| event["detail"]["lastStatus"] == "STOPPED") {
            return stop;
        }
    }
}

/// Lets leases run out and sweeps run, while ECS stands still.
async fn rest(world: &mut World) {
    for _ in 0..15 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
}

/// How many messages of a kind were told. A message that was published several times counts once.
fn told(world: &World, kind: &str) -> usize {
    let of_kind = world
        .told()
        .into_iter()
        .filter(|told| told.attributes.get("detail-type").is_some_and(|found| found == kind));
    of_kind
        .map(|told| told.attributes.get("pullsafe-id").cloned())
        .collect::<std::collections::BTreeSet<_>>()
        .len()
}

/// What has to be equal in the end: the image that runs, the numbers of revisions, of deployments, of questions and of
/// acts told, and who approved.
fn end(world: &World) -> (Value, usize, usize, usize, usize, Value) {
    let service = world.service("web");
    let definition = world
        .ecs
        .call("DescribeTaskDefinition", &json!({ "taskDefinition": service["taskDefinition"] }))
        .expect("it exists");
    let revisions = world.ecs.call("ListTaskDefinitions", &json!({ "familyPrefix": "app" })).expect("ECS lists");
    (
        definition["taskDefinition"]["containerDefinitions"][0]["image"].clone(),
        revisions["taskDefinitionArns"].as_array().map_or(0, Vec::len),
        service["deployments"].as_array().map_or(0, Vec::len),
        told(world, "Approval Requested"),
        told(world, "Remedy Applied"),
        world.service_tag("web", "pullsafe:approved-by"),
    )
}

fn inject(world: &World, call: &Call, kind: Option<FaultKind>) {
    match kind {
        Some(kind) => world.aws.inject(AwsFault::at_call(call.number, kind)),
        None => world.aws.die_after(call.number),
    }
}

fn faults() -> impl Iterator<Item = Option<FaultKind>> {
    FaultKind::ALL.map(Some).into_iter().chain([None])
}

/// Gives the yes as often as a person would: until it is taken.
async fn answer(world: &mut World) {
    for _ in 0..4 {
        let open = world.records().iter().any(|record| record["open"]["act"]["state"] == "asked");
        if !open {
            return;
        }
        let yes = json!({ "pullsafe": "approve", "codes": [code(world)] });
        world.ask(&yes).await;
        world.settle().await;
        world.clock.advance(100);
    }
}

#[tokio::test]
async fn a_question_survives_everything() {
    let mut plain = world();
    let event = stop(&mut plain).await;
    plain.aws.clear_log();
    plain.deliver(&event).await;
    plain.settle().await;
    let calls = plain.aws.calls();
    answer(&mut plain).await;
    rest(&mut plain).await;
    let expected = end(&plain);
    assert_eq!((expected.3, expected.4), (1, 1), "{expected:?} {:#?}", plain.told());
    let mut pairs = 0;
    for call in &calls {
        for kind in faults() {
            let mut world = world();
            let event = stop(&mut world).await;
            world.aws.clear_log();
            inject(&world, call, kind);
            for _ in 0..2 {
                world.deliver(&event).await;
                world.settle().await;
            }
            rest(&mut world).await;
            let pair = format!("call {} ({}:{}), {kind:?}", call.number, call.service, call.operation);
            assert_eq!(world.writes(), Vec::<String>::new(), "{pair}: nothing without a yes");
            answer(&mut world).await;
            rest(&mut world).await;
            assert_eq!(end(&world), expected, "{pair} {:#?}", world.told());
            pairs += 1;
        }
    }
    println!("asking: {} calls, {pairs} pairs of call and fault, every end the same", calls.len());
}

#[tokio::test]
async fn a_yes_survives_everything() {
    let asked = async || {
        let mut world = world();
        let event = stop(&mut world).await;
        world.deliver(&event).await;
        world.settle().await;
        world.aws.clear_log();
        world
    };
    let mut plain = asked().await;
    let yes = json!({ "pullsafe": "approve", "codes": [code(&plain)] });
    plain.ask(&yes).await;
    let calls = plain.aws.calls();
    rest(&mut plain).await;
    let expected = end(&plain);
    assert_eq!((expected.3, expected.4, &expected.5), (1, 1, &json!("unnamed")), "{expected:?} {:#?}", plain.told());
    let mut pairs = 0;
    for call in &calls {
        for kind in faults() {
            let mut world = asked().await;
            inject(&world, call, kind);
            let yes = json!({ "pullsafe": "approve", "codes": [code(&world)] });
            world.ask(&yes).await;
            world.settle().await;
            world.clock.advance(100);
            for _ in 0..2 {
                answer(&mut world).await;
                rest(&mut world).await;
            }
            let pair = format!("call {} ({}:{}), {kind:?}", call.number, call.service, call.operation);
            let mut found = end(&world);
            // An act that AWS has refused after a yes needs another yes.
            if kind == Some(FaultKind::AccessDenied) {
                found.3 = found.3.min(expected.3);
            }
            assert_eq!(found, expected, "{pair} {:#?} {:?}", world.told(), world.writes());
            pairs += 1;
        }
    }
    println!("a yes: {} calls, {pairs} pairs of call and fault, every end the same", calls.len());
}
