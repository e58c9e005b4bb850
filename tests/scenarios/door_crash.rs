//! The door's own crash matrix: every call fails in every way, is refused for good, or is the last call of its process;
//! events are lost. The deployment goes on or ends as it would without pullsafe, or as pullsafe would have it, and
//! never later than its hook says.

use pullsafe::permission;
use scenarios::world::{DEAD_LETTERS, Setup, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// The ways in which a call can fail that differ for the caller: nothing happened and the fault is temporary, it
/// happened but the caller did not learn of it, it is denied. In addition, the process can die.
const KINDS: [FaultKind; 3] = [FaultKind::Throttle, FaultKind::ConnectionCutAfter, FaultKind::AccessDenied];

/// The image of the new deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
enum CrashCase {
    /// An image that exists.
    Fine,
    /// An image for another platform.
    WrongPlatform,
    /// An image that is pushed a minute later.
    PushedLater,
    /// An image of Docker Hub that the mirror does not have.
    FromHub,
}

async fn begin(case: CrashCase) -> World {
    let setup = Setup::new().paced(Pacing::default()).without_sdk_retries();
    let mut world = setup.with("PULLSAFE_ANSWER_HOOKS", "true").with("PULLSAFE_AHEAD", "warn").build();
    world.images.store().create_repository("app", Mutability::Mutable);
    Sample::multi_arch(1).build().push(world.images.store(), "app", "1");
    match case {
        CrashCase::Fine => Sample::multi_arch(2).build().push(world.images.store(), "app", "2"),
        CrashCase::WrongPlatform => {
            Sample::new(2).platforms(&["linux/arm64"]).build().push(world.images.store(), "app", "2")
        }
        CrashCase::FromHub => Sample::multi_arch(2).build().push(world.hub.store(), "acme/app", "2"),
        CrashCase::PushedLater => {}
    }
    let hook = json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"}});
    let definition = world.define("app", &[&format!("{REGISTRY}/app:1")]);
    world.create_service("web", &definition, 2, json!({ "deploymentConfiguration": { "lifecycleHooks": [hook] } }));
    world.run_for(150).await;
    assert_eq!(world.service("web")["deployments"][0]["rolloutState"], "COMPLETED");
    let image = if case == CrashCase::FromHub {
        "acme/app:2".to_owned()
    } else {
        format!("{REGISTRY}/app:2")
    };
    let definition = world.define("app", &[&image]);
    world.aws.clear_log();
    world.update_service("web", json!({ "taskDefinition": definition }));
    world
}

/// The status of the deployment's hook at the end.
fn hook(world: &World) -> Value {
    world.hooks("web").into_iter().next().unwrap_or_default()
}

async fn play(world: &mut World, case: CrashCase) -> Value {
    world.run_for(60).await;
    if case == CrashCase::PushedLater {
        Sample::multi_arch(2).build().push(world.images.store(), "app", "2");
    }
    world.run_for(241).await;
    let ended = hook(world);
    assert!(!ended.is_null() && ended != "AWAITING_ACTION", "later than its time: {ended}\n{:#?}", world.answers);
    world.run_for(300).await;
    ended
}

/// Checks what has to hold whatever has failed.
fn check(world: &World, case: CrashCase, ended: &Value, expected: &str, what: &str) {
    let service = world.service("web");
    let context = format!("{case:?}, {what}: {ended}\n{:#?}\n{:#?}", world.answers, world.told());
    match case {
        // As without pullsafe, or as pullsafe would have it.
        CrashCase::WrongPlatform => {
            assert!(ended == expected || ended == "TIMED_OUT" || ended == "SUCCEEDED", "{context}")
        }
        CrashCase::Fine | CrashCase::PushedLater | CrashCase::FromHub => {
            assert!(ended == expected || ended == "TIMED_OUT", "{context}");
            assert_eq!(service["runningCount"], 2, "{context}");
        }
    }
    // What the door decided is told at most once.
    let ids = world.told().into_iter().filter_map(|notice| notice.attributes.get("pullsafe-id").cloned());
    let ids: std::collections::BTreeSet<_> = ids.filter(|id| id.starts_with("door-")).collect();
    assert!(ids.len() <= 1, "told once: {context}");
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new(), "{context}");
    assert!(world.records().iter().all(|record| record["door"].is_null()), "nothing stays behind: {context}");
}

async fn matrix(case: CrashCase, expected: &str) {
    let mut world = begin(case).await;
    let ended = play(&mut world, case).await;
    assert_eq!(ended, expected, "{case:?}\n{:#?}", world.answers);
    check(&world, case, &ended, expected, "without a fault");
    let declared: Vec<&str> =
        [permission::REMEDIATOR, permission::MIRROR].into_iter().flat_map(permission::actions).collect();
    let undeclared: Vec<String> =
        world.aws.actions().into_iter().filter(|action| !declared.contains(&action.as_str())).collect();
    assert!(undeclared.is_empty(), "{undeclared:?}");
    let calls = world.aws.calls();
    let last = calls
        .iter()
        .rposition(|call| call.operation == "ContinueServiceDeployment" || call.operation == "Publish")
        .map_or(0, |at| at + 2);
    let mut pairs = 0;
    for call in calls.iter().take(last) {
        for kind in KINDS.map(Some).into_iter().chain([None]) {
            let mut world = begin(case).await;
            match kind {
                Some(kind) => world.aws.inject(AwsFault::at_call(call.number, kind)),
                None => world.aws.die_after(call.number),
            }
            let ended = play(&mut world, case).await;
            check(
                &world,
                case,
                &ended,
                expected,
                &format!("call {} ({}:{}), {kind:?}", call.number, call.service, call.operation),
            );
            pairs += 1;
        }
    }
    // Each operation is refused for good.
    let operations: std::collections::BTreeSet<(String, String)> =
        calls.iter().take(last).map(|call| (call.service.clone(), call.operation.clone())).collect();
    for (service, operation) in
        operations.iter().filter(|(service, _)| service == "ecs" || service == "ecr" || service == "iam")
    {
        for kind in [FaultKind::AccessDenied, FaultKind::Code("InvalidParameterException")] {
            let mut world = begin(case).await;
            world.aws.inject(AwsFault::on(service, operation, kind).always());
            let ended = play(&mut world, case).await;
            check(&world, case, &ended, expected, &format!("{service}:{operation} refused for good, {kind:?}"));
            pairs += 1;
        }
    }
    println!("the door, {case:?}: {last} calls, {pairs} pairs of call and fault, none later than its hook");
}

#[tokio::test]
async fn a_deployment_that_goes_on_survives_everything() {
    matrix(CrashCase::Fine, "SUCCEEDED").await;
}

#[tokio::test]
async fn a_rollback_survives_everything() {
    matrix(CrashCase::WrongPlatform, "FAILED").await;
}

#[tokio::test]
async fn a_wait_for_a_push_survives_everything() {
    matrix(CrashCase::PushedLater, "SUCCEEDED").await;
}

#[tokio::test]
async fn a_wait_for_the_mirror_survives_everything() {
    matrix(CrashCase::FromHub, "SUCCEEDED").await;
}

/// No event of the hook ever arrives.
#[tokio::test]
async fn a_deployment_whose_event_is_lost_goes_on_by_itself() {
    let mut world = begin(CrashCase::Fine).await;
    world.remediator = None;
    let ended = play(&mut world, CrashCase::Fine).await;
    assert_eq!((ended, &world.service("web")["runningCount"]), (json!("TIMED_OUT"), &json!(2)));
}
