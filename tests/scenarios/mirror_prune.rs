//! Pruning: what nothing wants is deleted, after a delay, and nothing else ever is.

use scenarios::world::{MIRROR_CONFIG, Setup, World};
use serde_json::json;
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::{Sample, SampleImage};

const REPOSITORY: &str = "docker-hub/library/python";
const DAY: i64 = 86_400;

fn config(tags: &str) -> String {
    format!(
        "registry: {{registry}}\nimages:\n- python: [{tags}]\nprune: {{enabled: true, grace_days: 2, keep: \
         {{pulled_within_days: 0}}}}\n"
    )
}

fn image(seed: u64) -> SampleImage {
    Sample::multi_arch(seed).base(7, 10_000).build()
}

/// Mirrors both tags, then wants only one of them.
async fn mirrored() -> World {
    let mut world = Setup::new().mirroring(&config("'3.11', '3.12'")).build();
    for (seed, tag) in [(11, "3.11"), (12, "3.12")] {
        image(seed).push(world.hub.store(), "library/python", tag);
    }
    let answer = world.plan_mirror().await.unwrap();
    world.settle().await;
    assert_eq!(
        held(&world),
        everything(&[11, 12]),
        "{answer} {:?}",
        world.queues.bodies(scenarios::world::PLAN_QUEUE)
    );
    world.parameters.set(MIRROR_CONFIG, &config("'3.12'").replace("{registry}", &world.images.host()));
    world
}

/// The digests in the repository, sorted.
fn held(world: &World) -> Vec<String> {
    let read = world
        .images
        .store()
        .read(REPOSITORY, |repository| repository.images().map(|image| image.digest.to_string()).collect());
    let mut digests: Vec<String> = read.unwrap_or_default();
    digests.sort();
    digests
}

/// The digests of these images and of all their manifests, sorted.
fn everything(seeds: &[u64]) -> Vec<String> {
    let of = |seed: &u64| {
        let image = image(*seed);
        image
            .children
            .iter()
            .chain([&image.top])
            .map(|manifest| manifest.digest.to_string())
            .collect::<Vec<_>>()
    };
    let mut digests: Vec<String> = seeds.iter().flat_map(of).collect();
    digests.sort();
    digests
}

async fn run_after(world: &mut World, days: i64) -> u64 {
    world.clock.advance(days * DAY);
    world.plan_mirror().await.unwrap()["pruned"].as_u64().unwrap()
}

fn deletions(world: &World) -> usize {
    world.aws.calls().iter().filter(|call| call.operation == "BatchDeleteImage").count()
}

#[tokio::test]
async fn an_unwanted_image_goes_with_all_its_manifests_after_the_grace() {
    let mut world = mirrored().await;
    world.aws.clear_log();
    assert_eq!(run_after(&mut world, 5).await, 0, "the first run only marks");
    assert_eq!(run_after(&mut world, 1).await, 0, "within the grace");
    assert_eq!(run_after(&mut world, 1).await, 5, "an index with two platforms and their attestations");
    assert_eq!(held(&world), everything(&[12]), "what the other index names is untouched");
    assert_eq!(run_after(&mut world, 9).await, 0);
    assert_eq!(deletions(&world), 2);
    let reads = world.aws.calls().iter().filter(|call| call.operation == "BatchGetImage").count();
    assert_eq!(reads, 1, "indexes are read once, for reading them counts as a pull");
}

#[tokio::test]
async fn what_ecs_uses_stays_whatever_the_configuration_says() {
    let mut world = mirrored().await;
    assert_eq!(run_after(&mut world, 1).await, 0);
    // Nothing runs this definition, but a schedule might.
    world.define("nightly", &[&format!("{}/{REPOSITORY}:3.11", world.images.host())]);
    for _ in 0..3 {
        assert_eq!(run_after(&mut world, 5).await, 0);
    }
    assert_eq!(held(&world), everything(&[11, 12]));
    assert_eq!(deletions(&world), 0);
}

#[tokio::test]
async fn a_look_that_is_not_complete_deletes_nothing() {
    for operation in [
        "ListClusters",
        "ListServices",
        "DescribeServices",
        "ListTaskDefinitions",
        "DescribeTaskDefinition",
        "ListTasks",
    ] {
        let mut world = mirrored().await;
        let definition = world.define("runs", &["public.ecr.aws/x/y:1"]);
        world.create_service("web", &definition, 0, json!({}));
        assert_eq!(run_after(&mut world, 1).await, 0);
        world.clock.advance(9 * DAY);
        world.aws.inject(AwsFault::on("ecs", operation, FaultKind::AccessDenied).always());
        assert_eq!(world.plan_mirror().await.unwrap()["pruned"], 0, "{operation}");
        assert_eq!(deletions(&world), 0, "{operation}");
        assert_eq!(held(&world), everything(&[11, 12]));
    }
}

/// Every call that AWS refuses is named, once: if an image stays because a permission is missing, the message says so.
#[tokio::test]
async fn what_is_refused_for_good_is_told_with_what_is_missing() {
    for (service, operation) in [
        ("ecs", "ListTasks"),
        ("ecs", "ListTaskDefinitions"),
        ("ecr", "DescribeImages"),
        ("ecr", "BatchDeleteImage"),
    ] {
        let mut world = mirrored().await;
        assert_eq!(run_after(&mut world, 1).await, 0);
        assert_eq!(run_after(&mut world, 1).await, 0);
        let told = world.told().len();
        world.aws.inject(AwsFault::on(service, operation, FaultKind::AccessDenied).always());
        assert_eq!(run_after(&mut world, 5).await, 0);
        assert_eq!(world.told().len(), told, "{operation}: it may pass");
        for _ in 0..3 {
            world.clock.advance(3600);
            assert_eq!(world.plan_mirror().await.unwrap()["pruned"], 0, "{operation}");
        }
        let said: Vec<String> = world.told().into_iter().skip(told).map(|notice| notice.message).collect();
        assert_eq!(said.len(), 1, "{operation}: {said:#?}");
        assert!(said[0].contains(&format!("{service}:{operation}")), "{operation}: {said:#?}");
        world.aws.clear_faults();
        world.clock.advance(3600);
        assert_eq!(world.plan_mirror().await.unwrap()["pruned"], 5, "{operation}");
    }
}

#[tokio::test]
async fn tags_that_cannot_be_listed_delete_nothing() {
    let rule = "registry: {registry}\nimages:\n- source: python\n  tags: {include: '3.1*', exclude: '3.11'}\nprune: \
        {enabled: true, grace_days: 1, keep: {pulled_within_days: 0}}\n";
    let mut world = mirrored().await;
    world.parameters.set(MIRROR_CONFIG, &rule.replace("{registry}", &world.images.host()));
    assert_eq!(run_after(&mut world, 1).await, 0);
    // The repository disappears from Docker Hub. The rule selects nothing, which must not mean that nothing is wanted.
    world.hub.store().delete_repository("library/python");
    assert_eq!(run_after(&mut world, 9).await, 0);
    assert_eq!(deletions(&world), 0);
}

#[tokio::test]
async fn a_process_that_dies_while_it_deletes_is_taken_up_by_the_next() {
    let mut died = 0;
    for after in 1..60 {
        let mut world = mirrored().await;
        assert_eq!(run_after(&mut world, 1).await, 0);
        world.clock.advance(3 * DAY);
        let last = world.aws.calls().last().map_or(0, |call| call.number);
        world.aws.die_after(last + after);
        let alive = world.plan_mirror().await.is_some();
        world.aws.clear_faults();
        world.restart_mirror();
        let held_now = held(&world);
        assert!(everything(&[12]).iter().all(|digest| held_now.contains(digest)), "after call {after}");
        if alive {
            break;
        }
        died += 1;
        world.clock.advance(3600);
        world.plan_mirror().await.unwrap();
        assert_eq!(held(&world), everything(&[12]), "after call {after}");
    }
    assert!(died > 10, "{died} deaths");
}
