//! Docker Hub's limit as the tasks meet it: read in their subnets, predicted, told once, and kept for those that cannot
//! be moved.

use std::sync::Arc;

use probe::ScheduledProbe;
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::{Client, Config};
use scenarios::world::{NAT, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::ecs::Behaviour;
use testkit::registry::Sample;

const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";
const OTHER: &str = "subnet-00000000000000001";
const MINUTE: i64 = 60;

/// A probe in a subnet, whose requests Docker Hub sees from this address.
fn probe_in(world: &World, address: &str, subnet: &str) -> ScheduledProbe {
    let clock = world.clock.clone();
    let clock: pullsafe::clock::Clock = Arc::new(move || clock.now());
    let endpoints = format!("docker.io={}", world.hub.seen_from(address)).parse().expect("an address");
    ScheduledProbe::new(Client::new(Config { endpoints, ..Config::new(clock.clone()) }), vec![subnet.to_owned()], clock)
}

/// The event that Lambda puts on the bus when a probe has answered.
async fn event(world: &World, probe: &ScheduledProbe) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/quota-read.json")).expect("JSON");
    event["time"] = json!(world.clock.now());
    event["detail"]["responsePayload"] = probe.handle().await.expect("Docker Hub answers");
    event
}

async fn read(world: &mut World, probe: &ScheduledProbe) {
    let event = event(world, probe).await;
    world.deliver(&event).await;
    world.settle().await;
}

fn network(subnet: &str) -> Value {
    json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": [subnet], "assignPublicIp": "DISABLED" } } })
}

/// A service behind the NAT gateway, with a verified copy of its image in the mirror.
fn service(world: &mut World, name: &str, count: i64, subnet: &str) {
    let (repository, copy) = (format!("acme/{name}"), format!("docker-hub/acme/{name}"));
    for (repository, store) in [(&repository, world.hub.store()), (&copy, world.images.store())] {
        Sample::multi_arch(1).build().push(store, repository, "1");
    }
    let definition = world.define(name, &[&format!("{repository}:1")]);
    world.create_service(name, &definition, count, network(subnet));
}

fn setup(ahead: &str) -> Setup {
    Setup::new().with("PULLSAFE_QUOTA_PROBE", "true").with("PULLSAFE_AHEAD", ahead)
}

fn about_limit(world: &World) -> Vec<String> {
    world
        .told()
        .into_iter()
        .filter_map(|notice| notice.subject)
        .filter(|subject| subject.contains("Docker Hub's pulls of"))
        .collect()
}

fn image(world: &World, name: &str) -> String {
    let definition = world.service(name)["taskDefinition"].as_str().unwrap_or_default().to_owned();
    use testkit::aws::service::FakeService as _;
    let answer = world
        .ecs
        .call("DescribeTaskDefinition", &json!({ "taskDefinition": definition }))
        .expect("it is there");
    answer["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default().to_owned()
}

fn rows(world: &World, kind: &str) -> usize {
    world
        .tables
        .items(TABLE)
        .iter()
        .filter(|row| row["pk"] == "limit" && row["sk"].as_str().is_some_and(|key| key.starts_with(kind)))
        .count()
}

/// Unknown clients behind the same address make five pulls a minute.
#[tokio::test]
async fn the_end_is_foretold_by_readings_alone_and_told_once() {
    let mut world = setup("warn").with("PULLSAFE_MODE", "observe").build();
    let probe = probe_in(&world, NAT, SUBNET);
    let mut used_up = None;
    let mut foretold: Option<(Timestamp, String)> = None;
    for _ in 0..6 {
        read(&mut world, &probe).await;
        if foretold.is_none()
            && let Some(subject) = about_limit(&world).pop()
        {
            foretold = Some((world.clock.now(), subject));
        }
        for _ in 0..5 {
            let now = world.clock.now();
            if used_up.is_none() && world.hub.quota().used(NAT) + 5 > 100 {
                used_up = Some(now);
            }
            world.hub.quota().spend(NAT, 5, now);
            world.run_for(MINUTE).await;
        }
    }
    let (told_at, subject) = foretold.expect("it is foretold");
    assert_eq!(about_limit(&world).len(), 1, "told once: {:?}", about_limit(&world));
    let said = subject.rsplit(' ').next().and_then(Timestamp::parse).expect("a time");
    let used_up = used_up.expect("it ends");
    assert!(
        told_at < used_up && said.seconds_since(used_up).abs() <= 5 * MINUTE,
        "{subject}, and it was {used_up}"
    );
    let message = &world.told()[0].message;
    assert!(message.contains("by whom is not known"), "{message}");
    let events = world.bus.events_of("Pull Limit");
    assert_eq!((events.len(), &events[0]["detail"]["limit"]["source"]), (1, &json!(NAT)));
    assert_eq!(world.hub.manifest_gets("ratelimitpreview/test"), 0, "asking spends nothing");
}

/// Where the limit is read, a deployment is moved only if the limit does not last for it. Where it is not read, every
/// deployment that pulls from Docker Hub is moved.
#[tokio::test]
async fn a_deployment_is_moved_only_if_the_limit_does_not_last_for_it() {
    for (spent, reads, subnet, moved) in [
        (0, true, SUBNET, false),
        (96, true, SUBNET, true),
        // An index and the manifest under it count as two pulls for each task.
        (90, true, SUBNET, false),
        // Behind another NAT gateway, or without a reading.
        (0, true, OTHER, true),
        (0, false, SUBNET, true),
    ] {
        let mut world = setup("move").build();
        world.hub.quota().spend(NAT, spent, world.clock.now());
        let probe = probe_in(&world, NAT, SUBNET);
        if reads {
            read(&mut world, &probe).await;
        }
        service(&mut world, "web", 5, subnet);
        world.run_for(600).await;
        assert_eq!(
            image(&world, "web").starts_with("123456789012"),
            moved,
            "{spent} {reads} {subnet}: {}",
            image(&world, "web")
        );
        assert_eq!(world.service("web")["runningCount"], 5);
        let told = &world.told()[0].message;
        assert_eq!(told.contains(NAT), reads && subnet == SUBNET, "{told}");
    }
}

/// A pull with credentials, or from an address of its own, takes nothing from the limit.
#[tokio::test]
async fn accounts_and_public_addresses_are_none_of_its_business() {
    let mut world = setup("move").build();
    world.hub.quota().spend(NAT, 99, world.clock.now());
    let probe = probe_in(&world, NAT, SUBNET);
    read(&mut world, &probe).await;
    let mut public = network(SUBNET);
    public["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] = json!("ENABLED");
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::multi_arch(1).build().push(store, repository, "1");
    }
    let own = world.define("own", &["acme/app:1"]);
    world.create_service("own", &own, 5, public);
    let paid = world.define_containers(
        "paid",
        json!([{ "name": "app", "image": "acme/app:1", "essential": true, "repositoryCredentials": { "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub" } }]),
    );
    world.create_service("paid", &paid, 5, network(SUBNET));
    world.run_for(MINUTE).await;
    assert_eq!(rows(&world, "share#"), 0);
    // An IPv6 network counts as one source, whichever of its addresses asks.
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2"] {
        let probe = probe_in(&world, address, OTHER);
        let answer = probe.handle().await.expect("an answer");
        assert_eq!(answer["source"], "2001:db8:1:2::/64");
    }
}

/// Case C's loop, whose tasks are replaced for ever: only this service is moved, before any pull is refused.
#[tokio::test]
async fn a_loop_is_moved_before_the_limit_ends() {
    for (ahead, in_time) in [("move", true), ("warn", false)] {
        let mut world = setup(ahead).with_pulls(40).build();
        world.scheduler.set_behaviour(
            "web",
            "app",
            Behaviour::Exits { after_seconds: 20, exit_code: 1, log: Vec::new() },
        );
        let probe = probe_in(&world, NAT, SUBNET);
        read(&mut world, &probe).await;
        service(&mut world, "jobs", 2, SUBNET);
        service(&mut world, "web", 4, SUBNET);
        for _ in 0..9 {
            world.run_for(5 * MINUTE).await;
            read(&mut world, &probe).await;
        }
        assert_eq!(
            about_limit(&world).len(),
            1,
            "{:?}",
            world.told().iter().map(|notice| &notice.subject).collect::<Vec<_>>()
        );
        assert!(about_limit(&world)[0].contains(NAT));
        let message = world
            .told()
            .into_iter()
            .map(|notice| notice.message)
            .find(|message| message.contains("are used up"))
            .expect("it is told");
        assert!(message.contains("by launches of prod/web.") && !message.contains("prod/jobs"), "{message}");
        assert!(image(&world, "web").starts_with("123456789012"), "sooner, or as the cure of what has failed");
        assert!(!image(&world, "jobs").starts_with("123456789012"), "it is done");
        let refused = world.hub.log().iter().filter(|access| access.source == NAT && access.status == 429).count();
        assert_eq!(refused == 0, in_time, "{ahead}: {refused} pulls were refused");
    }
}

/// Readings that are lost, late, repeated or made up lead to nothing wrong.
#[tokio::test]
async fn readings_may_be_lost_late_or_repeated() {
    let mut world = setup("move").build();
    let probe = probe_in(&world, NAT, SUBNET);
    let first = event(&world, &probe).await;
    world.hub.quota().spend(NAT, 90, world.clock.now());
    world.run_for(5 * MINUTE).await;
    let second = event(&world, &probe).await;
    // The newer one comes first, and each comes twice.
    for event in [&second, &second, &first, &first] {
        world.deliver(event).await;
    }
    assert_eq!((rows(&world, "read#"), about_limit(&world).len()), (2, 0), "one step of use is no pace");
    // The next ones are lost. The known ones are too old to use, so the deployment is treated as without a probe.
    world.run_for(30 * MINUTE).await;
    service(&mut world, "web", 1, SUBNET);
    world.run_for(10 * MINUTE).await;
    assert!(image(&world, "web").starts_with("123456789012"));
    // A reading that comes hours late is not even stored.
    world.deliver(&second).await;
    assert_eq!(rows(&world, "read#"), 2);
    // A stack without a probe stores no readings.
    let mut world = Setup::new().build();
    let probe = probe_in(&world, NAT, SUBNET);
    read(&mut world, &probe).await;
    assert_eq!(rows(&world, ""), 0);
}

#[tokio::test]
async fn a_limit_that_is_too_small_for_all_who_share_it_is_in_the_weekly_message() {
    let mut world = setup("warn").with("PULLSAFE_MODE", "observe").build();
    let probe = probe_in(&world, NAT, SUBNET);
    for (name, count) in [("web", 30), ("jobs", 40)] {
        service(&mut world, name, count, SUBNET);
    }
    world.scale("service/prod/web", 30, 61);
    world.run_for(20 * MINUTE).await;
    read(&mut world, &probe).await;
    world.deliver(&json!({ "pullsafe": "find-outlooks" })).await;
    world.settle().await;
    world.deliver(&json!({ "pullsafe": "find-outlooks" })).await;
    world.settle().await;
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    let week = world.told().pop().expect("a message").message;
    let said = "Docker Hub grants 203.0.113.7 100 pulls in six hours, which it shares with prod/jobs: all tasks \
        replaced at once, at their most, take 101";
    assert!(week.contains(said), "{week}");
}

/// Every address has its own quota. Failures behind two addresses at once are two storms where probes know the
/// addresses, and one storm where they do not, as without a probe.
#[tokio::test]
async fn services_behind_two_addresses_are_two_storms() {
    const ELSEWHERE: &str = "198.51.100.9";
    for probed in [true, false] {
        let mut world = setup("off").with("PULLSAFE_MODE", "observe").build();
        for address in [NAT, ELSEWHERE] {
            world.hub.quota().spend(address, 100, world.clock.now());
        }
        if probed {
            for (address, subnet) in [(NAT, SUBNET), (ELSEWHERE, OTHER)] {
                let probe = probe_in(&world, address, subnet);
                read(&mut world, &probe).await;
            }
        }
        for number in 0..3 {
            service(&mut world, &format!("near-{number}"), 1, SUBNET);
            service(&mut world, &format!("far-{number}"), 1, OTHER);
        }
        world.run_for(10 * MINUTE).await;
        let digests: Vec<_> = world
            .told()
            .into_iter()
            .filter(|notice| notice.attributes["detail-type"] == "Outbreak")
            .map(|notice| notice.message)
            .collect();
        let first_lines: Vec<_> = digests.iter().filter_map(|text| text.lines().next()).collect();
        assert_eq!(digests.len(), if probed { 2 } else { 1 }, "{first_lines:#?}");
        for (address, own, others) in [(NAT, "prod/near-", "prod/far-"), (ELSEWHERE, "prod/far-", "prod/near-")] {
            let said = digests.iter().find(|text| text.contains(&format!("at dockerhub for {address}")));
            assert_eq!(said.is_some(), probed, "{first_lines:#?}");
            assert!(said.is_none_or(|text| text.contains(own) && !text.contains(others)), "{said:?}");
        }
    }
}
