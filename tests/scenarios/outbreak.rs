//! One storm, one outbreak: what people are told of services that fail for the same cause at the same registry, and
//! that nothing is left out.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::storm::Storm;
use scenarios::world::{NAT, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::sns::PublishedMessage;
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Sample;

const HOUR: i64 = 3600;

/// An account in which this many services meet the quota. The mirror has their images.
fn storm(setup: Setup, services: usize) -> World {
    let world = setup.build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    for number in 0..services {
        world.create_service(&format!("web-{number}"), &definition, 2, json!({}));
    }
    world
}

/// The messages of an outbreak, and all other messages.
fn told(world: &World) -> (Vec<PublishedMessage>, Vec<PublishedMessage>) {
    world
        .told()
        .into_iter()
        .partition(|message| message.attributes["detail-type"].starts_with("Outbreak"))
}

/// Every incident in the table, open or closed, by its subject.
fn incidents(world: &World) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for row in world.tables.items(TABLE) {
        let Some(document) =
            row.get("doc").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok())
        else {
            continue;
        };
        let name = row["pk"].as_str().and_then(|key| key.split_once(":service/")).map(|(_, name)| name.to_owned());
        let incident = if row["sk"] == "state" { document["open"].clone() } else { document };
        found.extend(name.filter(|_| incident["causes"].is_array()).map(|name| (name, incident)));
    }
    found
}

/// Whether a text names a service, and not only one whose name begins with that name.
fn names(text: &str, service: &str) -> bool {
    text.match_indices(service)
        .any(|(at, _)| !text[at + service.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
}

/// Checks that whatever a person must do about an incident is in some message that names the service.
fn nothing_is_missing(world: &World) {
    let messages: Vec<String> = world.told().into_iter().map(|message| message.message).collect();
    let incidents = incidents(world);
    assert!(!incidents.is_empty());
    for (service, incident) in incidents {
        let done = incident["act"]["state"] == "done" || incident["act"]["state"] == "observed";
        let wanted = match done {
            true => incident["act"]["plan"]["follow_up"].as_str(),
            false if incident["waiting"].is_null() => incident["causes"][0]["diagnosis"]["advice"].as_str(),
            false => None,
        };
        let Some(wanted) = wanted.and_then(|text| text.lines().next()).filter(|text| !text.is_empty()) else {
            continue;
        };
        let said = messages.iter().any(|message| names(message, &service) && message.contains(wanted));
        assert!(said, "{service} needs a person, and no message says so: {wanted}\n{}", messages.join("\n---\n"));
    }
}

fn ids(messages: &[PublishedMessage]) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for message in messages {
        *ids.entry(message.attributes["pullsafe-id"].clone()).or_default() += 1;
    }
    ids
}

#[tokio::test]
async fn a_hundred_services_are_one_story() {
    let storm = Storm::play(Setup::new(), 100).await;
    let world = &storm.world;
    let (digests, others) = told(world);
    println!(
        "{:?}",
        world
            .told()
            .iter()
            .map(|message| (message.at.to_string(), message.subject.clone()))
            .collect::<Vec<_>>()
    );
    assert!(
        digests.len() + others.len() <= 5,
        "{:#?}",
        world.told().iter().map(|message| &message.subject).collect::<Vec<_>>()
    );
    assert!(!others.is_empty(), "the first is told at once, by itself");
    nothing_is_missing(world);
    let over: Vec<&PublishedMessage> =
        digests.iter().filter(|message| message.attributes["detail-type"] == "Outbreak Over").collect();
    assert_eq!(over.len(), 1, "{digests:#?}");
    assert!(
        over[0].message.contains("100 services") && over[0].attributes["severity"] == "info",
        "{}",
        over[0].message
    );
    // Programs get an event for each service, and can tell which ones people were told of together.
    let applied: BTreeSet<String> = world
        .bus
        .events_of("Remedy Applied")
        .iter()
        .map(|event| event["detail"]["subject"].to_string())
        .collect();
    assert_eq!(applied.len(), 100);
    assert!(
        storm.units.busiest_partition().is_some_and(|(_, _, units)| units <= 500),
        "{:?}",
        storm.units.busiest_partition()
    );
}

#[tokio::test]
async fn a_storm_that_is_only_observed_names_everybody() {
    let mut world = storm(Setup::new().with("PULLSAFE_MODE", "observe"), 12);
    world.run_for(HOUR + 600).await;
    let (digests, others) = told(&world);
    assert_eq!(others.len(), 2, "those before it is an outbreak: {others:#?}");
    assert!((1..=4).contains(&digests.len()), "{digests:#?}");
    nothing_is_missing(&world);
    assert!(
        digests.iter().all(|digest| digest.attributes["severity"] == "critical"),
        "nothing runs: {digests:#?}"
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn fewer_than_an_outbreak_are_told_one_by_one() {
    let mut world = storm(Setup::new(), 2);
    world.run_for(HOUR).await;
    let (digests, others) = told(&world);
    assert_eq!(digests.len(), 0, "{digests:#?}");
    for service in ["prod/web-0", "prod/web-1"] {
        assert!(
            others.iter().any(|message| message.message.contains(&format!("{service}: resolved"))),
            "{others:#?}"
        );
    }
    // The threshold is a setting.
    let mut world = storm(Setup::new().with("PULLSAFE_OUTBREAK_AFTER", "2"), 2);
    world.run_for(HOUR).await;
    assert_eq!(told(&world).1.len(), 1);
    nothing_is_missing(&world);
}

/// Another cause is told on its own.
#[tokio::test]
async fn what_differs_from_the_storm_is_told_by_itself() {
    let mut world = storm(Setup::new(), 8);
    let other = world.define("other", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:missing"]);
    world.create_service("odd", &other, 2, json!({}));
    world.run_for(HOUR).await;
    let (digests, others) = told(&world);
    assert!(others.iter().any(|message| message.message.starts_with("prod/odd: image-not-found")), "{others:#?}");
    assert!(digests.iter().all(|digest| !digest.message.contains("prod/odd")), "{digests:#?}");
    nothing_is_missing(&world);
}

/// If DynamoDB refuses the rows of an outbreak, no message is lost: each service is told by itself.
#[tokio::test]
async fn without_the_table_each_is_told_by_itself() {
    for kind in [FaultKind::AccessDenied, FaultKind::Throttle, FaultKind::InternalError] {
        let mut world = storm(Setup::new().with("PULLSAFE_MODE", "observe").without_sdk_retries(), 6);
        world.aws.inject(AwsFault::on("dynamodb", "PutItem", kind).always());
        world.run_for(600).await;
        let (digests, others) = told(&world);
        assert_eq!((digests.len(), others.len()), (0, 6), "{kind:?}: {others:#?}");
    }
}

/// Whichever call a digest dies at, the next sweep sends it, with the same id.
#[tokio::test]
async fn a_digest_that_is_lost_is_told_by_the_next_sweep() {
    let mut whole = 0;
    for call in 1..=20 {
        let mut world = storm(Setup::new().with("PULLSAFE_MODE", "observe"), 4);
        world.run_for(270).await;
        // Runs until the first digest is due, but without the sweep that sends it.
        while told(&world).0.is_empty() && !is_due(&world) {
            world.run_for(10).await;
        }
        let remediator = world.remediator.clone().expect("it is deployed");
        world.aws.clear_log();
        world.aws.die_after(call);
        let died = world.aws.run(remediator.handle(&json!({ "pullsafe": "sweep" }), "sweep")).await.is_none();
        world.aws.clear_faults();
        whole += usize::from(!died);
        world.run_for(150).await;
        let (digests, _) = told(&world);
        let ids = ids(&digests);
        // At worst it is sent twice, because the process that died may have sent it.
        assert!(ids.len() == 1 && ids.values().all(|times| *times <= 2), "call {call}: {ids:?}");
        nothing_is_missing(&world);
    }
    assert!(whole > 0, "the last runs die at no call of it");
}

fn is_due(world: &World) -> bool {
    let rows = world.tables.items(TABLE);
    let due = rows
        .iter()
        .filter(|row| row.get("shard") == Some(&json!("outbreak")))
        .filter_map(|row| row["due_at"].as_i64());
    due.min().is_some_and(|due| due <= world.clock.now().seconds())
}

/// The last service recovers while the function cannot run: the end is told later.
#[tokio::test]
async fn an_end_that_nobody_saw_is_told_later() {
    let mut world = storm(Setup::new(), 5);
    world.limit();
    world.run_for(270).await;
    world.throttle(true);
    world.run_for(HOUR).await;
    let before = world.told().len();
    world.throttle(false);
    world.run_for(HOUR).await;
    let (digests, _) = told(&world);
    assert!(world.told().len() > before);
    let over = digests.iter().filter(|message| message.attributes["detail-type"] == "Outbreak Over").count();
    assert_eq!(over, 1, "{digests:#?}");
    nothing_is_missing(&world);
}
