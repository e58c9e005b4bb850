//! The mirror's workers: leases, deaths, and when a job comes again.

use mirror::aws::table::MirrorTable;
use pullsafe::manifest::{OCI_INDEX, OCI_MANIFEST};
use scenarios::world::{MIRROR_QUEUE, PLAN_QUEUE, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::Call;
use testkit::registry::{Blob, Sample, SampleImage};

const REPOSITORY: &str = "docker-hub/acme/app";

fn image() -> SampleImage {
    Sample::multi_arch(3).build()
}

fn world() -> World {
    let world = Setup::new().mirroring("registry: {registry}\nimages:\n- acme/app: ['1', '1.0']\n").build();
    for tag in ["1", "1.0"] {
        image().push(world.hub.store(), "acme/app", tag);
    }
    world
}

fn ask(world: &World, tag: &str) {
    let target = format!("{}/{REPOSITORY}:{tag}", world.images.host());
    world
        .queues
        .send(MIRROR_QUEUE, &json!({"source": format!("acme/app:{tag}"), "target": target, "requested_by": "me"}));
}

fn holds(world: &World, tag: &str) -> bool {
    world.images.store().image(REPOSITORY, tag).is_some_and(|held| held.digest == *image().digest())
}

fn leases(world: &World) -> Vec<Value> {
    let rows = world.tables.items(TABLE);
    rows.iter()
        .filter(|row| row["pk"].as_str().is_some_and(|key| key.starts_with("mirror-copy#")))
        .map(|row| json!(row))
        .collect()
}

/// How many blobs ECR has accepted.
fn uploads(world: &World) -> usize {
    uploaded(world).len()
}

/// The blobs that ECR accepted, with repetitions, as the queries of their uploads, which name the digest.
fn uploaded(world: &World) -> Vec<String> {
    let log = world.ecr.log();
    let puts = log
        .iter()
        .filter(|access| access.method == "PUT" && access.path.contains("/blobs/uploads/") && access.status == 201);
    puts.filter_map(|access| access.query.split('&').find(|part| part.starts_with("digest=")).map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn two_tags_of_one_image_are_one_copy_and_the_lease_is_given_back() {
    let mut world = world();
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 2);
    assert_eq!(world.queues.bodies(PLAN_QUEUE).len(), 1, "one message, for they share everything");
    world.settle().await;
    assert!(holds(&world, "1") && holds(&world, "1.0"));
    assert_eq!(uploads(&world), image().blobs.len());
    assert_eq!(leases(&world), Vec::<Value>::new());
}

/// Pushes a signature by OCI 1.1: `{}` as configuration and layer, and the image as its subject.
fn sign(world: &World) -> String {
    let empty = Blob::of("{}");
    let descriptor =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.digest(), "size": empty.size()});
    world.hub.store().put_blob("acme/app", empty);
    let signature = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.signature",
        "config": descriptor, "layers": [descriptor], "subject": {"mediaType": OCI_INDEX, "digest": image().digest(), "size": 1}});
    world
        .hub
        .store()
        .push("acme/app", None, signature.to_string().into(), Some(OCI_MANIFEST))
        .unwrap()
        .digest
        .to_string()
}

#[tokio::test]
async fn a_signature_comes_along_where_the_configuration_says_so_and_later_by_a_job() {
    for (written, comes) in [("", false), ("referrers: true\n", true)] {
        let mut world = Setup::new()
            .mirroring(&format!("registry: {{registry}}\n{written}images:\n- acme/app: ['1']\n"))
            .build();
        image().push(world.hub.store(), "acme/app", "1");
        let signature = sign(&world);
        let there = |world: &World| world.images.store().image(REPOSITORY, &signature).is_some();
        world.plan_mirror().await.unwrap();
        world.settle().await;
        assert!(holds(&world, "1"));
        assert_eq!(there(&world), comes, "{written}");
        // The signature was attached after the copy. The image is current, and a job still copies what belongs to it.
        world.images.store().remove_image(REPOSITORY, &signature.parse().unwrap());
        ask(&world, "1");
        world.settle().await;
        assert_eq!(there(&world), comes, "{written}");
    }
}

#[tokio::test]
async fn whoever_finds_the_image_leased_comes_again_in_a_minute() {
    let mut world = world();
    let table = MirrorTable::new(&world.aws.sdk_config(), TABLE);
    assert!(
        table
            .take_image(&format!("{REPOSITORY}@{}", image().digest()), "another", world.clock.now(), 90)
            .await
            .unwrap()
    );
    ask(&world, "1");
    world.settle().await;
    assert_eq!(uploads(&world), 0, "somebody else copies it");
    assert_eq!(world.queues.bodies(MIRROR_QUEUE).len(), 1);
    world.clock.advance(61);
    world.settle().await;
    assert_eq!(uploads(&world), 0, "still");
    // The other worker has died, so its lease runs out.
    world.clock.advance(61);
    world.settle().await;
    assert!(holds(&world, "1") && world.queues.bodies(MIRROR_QUEUE).is_empty());
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_gives_its_job_back_after_two_minutes() {
    let mut died = 0;
    for after in 1..60 {
        let mut world = world();
        ask(&world, "1");
        world.plan_mirror().await.unwrap();
        let last = world.aws.calls().last().map_or(0, |call| call.number);
        world.aws.die_after(last + after);
        world.settle().await;
        let calls = world.aws.calls();
        let dead = calls.last().is_some_and(|call| call.number >= last + after);
        let alive =
            |call: &Call| call.number > last && call.operation == "ChangeMessageVisibility" && call.took_effect();
        let gave_a_sign = calls.iter().any(alive);
        // An upload that is on its way when a process dies may still arrive, or may not.
        let arrived = uploaded(&world);
        world.aws.clear_faults();
        world.restart_mirror();
        if let Some(held) = world.images.store().image(REPOSITORY, "1") {
            assert_eq!(held.digest, *image().digest(), "after call {after}: what there is, is right");
        }
        if !dead {
            break;
        }
        died += 1;
        // Until the worker has sent its first sign of life, the queue's own visibility timeout counts.
        for _ in 0..3 {
            world.clock.advance(if gave_a_sign { 121 } else { 961 });
            world.settle().await;
        }
        assert!(holds(&world, "1") && holds(&world, "1.0"), "after call {after}");
        assert!(
            world.queues.bodies(MIRROR_QUEUE).is_empty() && world.queues.bodies(PLAN_QUEUE).is_empty(),
            "after call {after}"
        );
        let all = uploaded(&world);
        let once = |blob: &String| all.iter().filter(|other| *other == blob).count() == 1;
        assert!(arrived.iter().all(once), "after call {after}: what had arrived is not sent again");
    }
    assert!(died > 8, "{died} deaths");
}

#[tokio::test]
async fn without_its_table_the_mirror_copies_all_the_same() {
    let mut world = world();
    world
        .aws
        .inject(testkit::aws::AwsFault::on("dynamodb", "UpdateItem", testkit::aws::FaultKind::InternalError).always());
    ask(&world, "1");
    world.settle().await;
    assert!(holds(&world, "1"));
}

#[tokio::test]
async fn a_quota_that_is_used_up_ends_a_planned_copy_and_delays_a_requested_one() {
    let mut world = Setup::new()
        .mirroring("registry: {registry}\nimages:\n- acme/app: ['1.0']\n")
        .with_pulls(100)
        .build();
    for tag in ["1", "1.0"] {
        image().push(world.hub.store(), "acme/app", tag);
    }
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 1);
    world.hub.quota().spend("lambda", 100, world.clock.now());
    ask(&world, "1");
    world.settle().await;
    assert!(world.queues.bodies(PLAN_QUEUE).is_empty(), "the next run plans it anew");
    assert_eq!(world.queues.bodies(MIRROR_QUEUE).len(), 1, "somebody waits for this one");
    let before = world.hub.log().len();
    world.clock.advance(600);
    world.settle().await;
    assert_eq!(world.hub.log().len(), before, "and it waits long enough not to try in vain");
    for _ in 0..28 {
        world.clock.advance(901);
        // A worker that stays alive remembers, by the real clock, when it was told to come back.
        world.restart_mirror();
        world.settle().await;
    }
    assert!(holds(&world, "1"), "after the window it is there, on its own");
}
