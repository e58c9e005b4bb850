//! People get messages from a topic, programs from a bus. If one of them refuses, the other still delivers, nothing is
//! told twice, and nothing waits for ever.

use std::collections::BTreeMap;

use scenarios::world::{DEAD_LETTERS, NAT, Setup, TOPIC, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Sample;

/// How the topic or the bus fails.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// The call fails.
    Call(FaultKind),
    /// The call is answered with 200, but the answer says that the entry was refused.
    Entry(&'static str),
    /// The topic no longer exists.
    Gone,
}

/// What should happen to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// It waits for as long as the trouble lasts.
    Waits,
    /// It is given up after the grace for a missing permission.
    Grace,
    /// It is given up at once.
    Final,
}

use Expect::{Final, Grace, Waits};
use Trouble::{Call, Entry, Gone};

const BUS: [(Trouble, Expect); 14] = [
    (Call(FaultKind::AccessDenied), Grace),
    (Call(FaultKind::Throttle), Waits),
    (Call(FaultKind::InternalError), Waits),
    (Call(FaultKind::Timeout), Waits),
    (Call(FaultKind::Code("ResourceNotFoundException")), Final),
    (Entry("AccessDeniedException"), Grace),
    (Entry("NotAuthorizedForSourceException"), Grace),
    (Entry("NotAuthorizedForDetailTypeException"), Grace),
    (Entry("ThrottlingException"), Waits),
    (Entry("InternalFailure"), Waits),
    (Entry("InternalException"), Waits),
    (Entry("MalformedDetail"), Final),
    (Entry("InvalidArgument"), Final),
    (Entry("InvalidAccountIdException"), Final),
];

const TOPIC_ANSWERS: [(Trouble, Expect); 8] = [
    (Call(FaultKind::AccessDenied), Grace),
    (Call(FaultKind::Code("KMSAccessDenied")), Grace),
    (Call(FaultKind::Throttle), Waits),
    (Call(FaultKind::Code("KMSThrottling")), Waits),
    (Call(FaultKind::ConnectionCut), Waits),
    (Call(FaultKind::Code("KMSDisabled")), Final),
    (Call(FaultKind::Code("InvalidParameter")), Final),
    (Gone, Final),
];

/// A world with a service that is moved to the mirror, which is told once.
fn world() -> World {
    let world = Setup::new().without_sdk_retries().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world
}

fn begin(world: &World, operation: &str, trouble: Trouble) {
    let service = if operation == "Publish" { "sns" } else { "events" };
    match trouble {
        Call(kind) => world.aws.inject(AwsFault::on(service, operation, kind).always()),
        Entry(code) => world.bus.refuse_entries(Some(code)),
        Gone => world.topic.delete_topic(TOPIC),
    }
}

fn end(world: &World) {
    world.aws.clear_faults();
    world.bus.refuse_entries(None);
}

/// How often each message reached people, by its id.
fn people(world: &World) -> BTreeMap<String, usize> {
    let mut heard = BTreeMap::new();
    for message in world.told() {
        *heard.entry(message.attributes["pullsafe-id"].clone()).or_default() += 1;
    }
    heard
}

/// How often each message reached programs, by its id.
fn programs(world: &World) -> BTreeMap<String, usize> {
    let mut heard = BTreeMap::new();
    for event in world
        .bus
        .events()
        .iter()
        .filter(|event| event["source"] == "pullsafe" && event["detail-type"] != "Message Undelivered")
    {
        *heard.entry(event["detail"]["notice"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    heard
}

/// How many unsent messages the table still has.
fn kept(world: &World) -> usize {
    world.records().iter().filter_map(|record| record["outbox"].as_array()).map(Vec::len).sum()
}

/// Plays on until the service is moved and a message is due, but for less than the grace for a missing permission.
async fn until_moved(world: &mut World) {
    while !world.writes().iter().any(|write| write == "ecs:UpdateService") {
        world.run_for(30).await;
    }
}

fn nothing_piles_up(world: &World, about: &str) {
    for queue in [WORK_QUEUE, DEAD_LETTERS] {
        assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}: {about}");
    }
}

#[tokio::test]
async fn what_the_bus_refuses_people_hear_with_the_reason() {
    for (trouble, expect) in BUS {
        let about = format!("{trouble:?} at the bus, {expect:?}");
        let mut world = world();
        begin(&world, "PutEvents", trouble);
        until_moved(&mut world).await;
        nothing_piles_up(&world, &about);
        assert!(!people(&world).is_empty(), "people do not wait for programs: {about}");
        let first = &world.told()[0].message;
        assert!(first.contains("Programs have not heard of this. events:PutEvents: "), "{about}: {first}");
        if expect == Grace {
            let bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default";
            assert!(first.contains(r#""Action":"events:PutEvents""#) && first.contains(bus), "{about}: {first}");
        }
        assert_eq!(kept(&world) > 0, expect != Final, "{about}");
        world.run_for(300).await;
        assert_eq!(kept(&world) > 0, expect == Waits, "{about}");
        assert_eq!(programs(&world), BTreeMap::new(), "{about}");
        end(&world);
        world.run_for(300).await;
        nothing_piles_up(&world, &about);
        assert_eq!(kept(&world), 0, "{about}");
        assert!(people(&world).values().all(|times| *times == 1), "{about}: {:?}", people(&world));
        assert!(programs(&world).values().all(|times| *times == 1), "{about}: {:?}", programs(&world));
        if expect == Waits {
            assert!(people(&world).keys().all(|id| programs(&world).contains_key(id)), "{about}");
        }
        assert!(people(&world).len() >= 2, "the incident goes on to its end: {about}: {:#?}", world.told());
        assert!(world.records().iter().all(|record| record["open"].is_null()), "{about}");
    }
}

#[tokio::test]
async fn what_the_topic_refuses_programs_hear_with_the_text() {
    for (trouble, expect) in TOPIC_ANSWERS {
        let about = format!("{trouble:?} at the topic, {expect:?}");
        let mut world = world();
        begin(&world, "Publish", trouble);
        until_moved(&mut world).await;
        nothing_piles_up(&world, &about);
        assert!(!programs(&world).is_empty(), "programs do not wait for people: {about}");
        assert_eq!(kept(&world) > 0, expect != Final, "{about}");
        world.run_for(300).await;
        nothing_piles_up(&world, &about);
        assert_eq!(kept(&world) > 0, expect == Waits, "{about}");
        let passed_on = world.bus.events_of("Message Undelivered");
        assert_eq!(passed_on.is_empty(), expect == Waits, "{about}: {passed_on:#?}");
        for event in &passed_on {
            let said = event["detail"].to_string();
            assert!(
                said.contains("moved to the mirror") || said.contains("resolved"),
                "the whole text is there: {said}"
            );
            assert!(event["detail"]["why"].as_str().unwrap().starts_with("sns:Publish: "), "{said}");
            if expect == Grace {
                assert!(said.contains("Action"), "{about}: {said}");
            }
        }
        end(&world);
        world.run_for(300).await;
        assert_eq!(kept(&world), 0, "{about}");
        assert!(programs(&world).values().all(|times| *times == 1), "{about}: {:?}", programs(&world));
        assert!(people(&world).values().all(|times| *times == 1), "{about}: {:?}", people(&world));
        let ids: Vec<String> = passed_on.iter().map(|event| event["detail"]["notice"].to_string()).collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "passed on once: {about}");
        assert!(
            world.records().iter().all(|record| record["open"].is_null()),
            "the incident goes on to its end: {about}"
        );
    }
}

/// The permission comes within the grace: people and programs get the message once, and nothing is given up.
#[tokio::test]
async fn a_permission_that_arrives_late_loses_no_message() {
    for operation in ["PutEvents", "Publish"] {
        let mut world = world();
        begin(&world, operation, Call(FaultKind::AccessDenied));
        until_moved(&mut world).await;
        end(&world);
        world.run_for(90).await;
        assert_eq!((people(&world), kept(&world)), (programs(&world), 0), "{operation}");
        assert!(people(&world).values().all(|times| *times == 1) && !people(&world).is_empty(), "{operation}");
        assert!(world.bus.events_of("Message Undelivered").is_empty(), "{operation}");
    }
}

/// Neither the topic nor the bus works: the incident goes on and is closed, and the table has its whole history.
#[tokio::test]
async fn where_nobody_can_be_told_nothing_hangs() {
    let mut world = world();
    world.topic.delete_topic(TOPIC);
    world.bus.refuse_entries(Some("AccessDeniedException"));
    until_moved(&mut world).await;
    world.run_for(900).await;
    nothing_piles_up(&world, "neither way");
    assert_eq!(kept(&world), 0);
    assert!(world.records().iter().any(|record| record["resolved_at"].is_string()), "{:#?}", world.records());
}
