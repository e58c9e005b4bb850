//! What one worker of the mirror learns, another one uses: blobs that the registry already holds are mounted, not sent.

use mirror::aws::table::{BlobsByRepository, MirrorTable, SLOTS};
use scenarios::world::{MIRROR_QUEUE, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::registry::{Sample, SampleImage};

fn image() -> SampleImage {
    Sample::multi_arch(3).build()
}

fn world(mounting: bool) -> World {
    let world = Setup::new().build();
    world.images.store().set_blob_mounting(mounting);
    for repository in ["acme/app", "acme/other", "acme/third"] {
        image().push(world.hub.store(), repository, "1");
    }
    world
}

/// Asks for a copy and waits for it. Returns what was announced.
async fn mirror(world: &mut World, repository: &str) -> Value {
    let target = format!("{}/docker-hub/{repository}:1", world.images.host());
    world
        .queues
        .send(MIRROR_QUEUE, &json!({"source": format!("{repository}:1"), "target": target, "requested_by": "me"}));
    world.settle().await;
    assert!(
        world
            .images
            .store()
            .image(&format!("docker-hub/{repository}"), "1")
            .is_some_and(|held| held.digest == *image().digest())
    );
    world.bus.events().last().cloned().unwrap_or_default()["detail"].clone()
}

fn uploads(world: &World) -> usize {
    let log = world.ecr.log();
    log.iter()
        .filter(|access| access.method == "PUT" && access.path.contains("/blobs/uploads/") && access.status == 201)
        .count()
}

fn held_rows(world: &World) -> Vec<String> {
    let rows = world.tables.items(TABLE);
    rows.iter()
        .filter_map(|row| row["sk"].as_str().filter(|key| key.starts_with("held#")).map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_cold_worker_sends_nothing_that_another_repository_holds() {
    let mut world = world(true);
    mirror(&mut world, "acme/app").await;
    let sent = uploads(&world);
    assert_eq!(sent, image().blobs.len());
    world.restart_mirror();
    let calls = world.aws.calls().len();
    let announced = mirror(&mut world, "acme/other").await;
    assert_eq!((uploads(&world), &announced["bytes_copied"]), (sent, &json!(0)), "{announced}");
    // The cost: the count and one row are read, and the count and one row are written.
    let calls: Vec<String> = world.aws.calls()[calls..]
        .iter()
        .filter(|call| call.request["Key"]["sk"]["S"].as_str().is_some_and(|key| key.starts_with("held#")))
        .map(|call| call.operation.clone())
        .collect();
    assert_eq!(calls, ["GetItem", "GetItem", "UpdateItem", "UpdateItem"]);
}

#[tokio::test]
async fn a_warm_worker_reads_only_what_is_new_and_writes_nothing_twice() {
    let mut world = world(true);
    mirror(&mut world, "acme/app").await;
    let calls = world.aws.calls().len();
    mirror(&mut world, "acme/app").await;
    let of_hints = |from: usize| {
        let calls = world.aws.calls();
        let hints = calls[from..]
            .iter()
            .filter(|call| call.request["Key"]["sk"]["S"].as_str().is_some_and(|key| key.starts_with("held#")));
        hints.map(|call| call.operation.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of_hints(calls), ["GetItem"], "the image is current, and the only row is its own");
}

#[tokio::test]
async fn what_is_no_longer_true_costs_nothing_but_the_transfer() {
    let mut world = world(false);
    mirror(&mut world, "acme/app").await;
    world.restart_mirror();
    let sent = uploads(&world);
    mirror(&mut world, "acme/other").await;
    assert_eq!(uploads(&world), 2 * sent, "the account does not let blobs be mounted");
    world.images.store().set_blob_mounting(true);
    for repository in ["docker-hub/acme/app", "docker-hub/acme/other"] {
        world.images.store().delete_repository(repository);
    }
    world.restart_mirror();
    mirror(&mut world, "acme/third").await;
    assert_eq!(uploads(&world), 3 * sent, "the repositories are gone");
}

#[tokio::test]
async fn without_the_rows_everything_is_sent_and_nothing_fails() {
    use testkit::aws::{AwsFault, FaultKind};
    let mut world = world(true);
    world.aws.inject(AwsFault::on("dynamodb", "GetItem", FaultKind::AccessDenied).always());
    mirror(&mut world, "acme/app").await;
    world.restart_mirror();
    mirror(&mut world, "acme/other").await;
    assert_eq!(uploads(&world), 2 * image().blobs.len());
}

#[tokio::test]
async fn the_rows_are_so_many_however_much_is_mirrored() {
    let world = world(true);
    let table = MirrorTable::new(&world.aws.sdk_config(), TABLE);
    let digests: Vec<_> = (0..5000_u32).map(|n| pullsafe::reference::Digest::of(&n.to_le_bytes())).collect();
    for n in 0..2 * SLOTS + 3 {
        let held = BlobsByRepository::from([(format!("docker-hub/app{n}"), digests[..1].to_vec())]);
        assert_eq!(table.add_held(&world.images.host(), &held, world.clock.now()).await.unwrap(), n + 1);
    }
    assert_eq!(held_rows(&world).len() as u64, SLOTS + 1);
    let written = table.held_count(&world.images.host()).await.unwrap();
    let latest = table.held(&world.images.host(), written).await.unwrap();
    assert_eq!(latest.keys().collect::<Vec<_>>(), [&format!("docker-hub/app{}", written - 1)]);
    let large = BlobsByRepository::from([("docker-hub/large".to_owned(), digests)]);
    let written = table.add_held(&world.images.host(), &large, world.clock.now()).await.unwrap();
    let kept = table.held(&world.images.host(), written).await.unwrap();
    assert_eq!(kept["docker-hub/large"].len(), 2000, "a row has its limits");
}
