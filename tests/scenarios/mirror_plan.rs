//! The mirror on a schedule, end to end: from the parameter that holds its configuration to images in ECR.

use scenarios::world::{NAT, PLAN_QUEUE, Setup, World};
use serde_json::{Value, json};
use testkit::registry::{AccessLine, Sample};

const BASES: &str = "registry: {registry}\nimages:\n- python: ['3.11-slim', '3.12-slim']\n- acme/app: ['1']\n";

fn manifest_gets(world: &World) -> Vec<AccessLine> {
    world
        .hub
        .log()
        .into_iter()
        .filter(|access| access.method == "GET" && access.path.contains("/manifests/"))
        .collect()
}

fn holds(world: &World, repository: &str, tag: &str) -> Option<String> {
    world.images.store().image(repository, tag).map(|image| image.digest.to_string())
}

/// Puts official images at Docker Hub and at ECR Public; `acme/app` is only at Docker Hub.
fn bases(world: &World) {
    for (seed, tag) in [(11, "3.11-slim"), (12, "3.12-slim")] {
        let image = Sample::multi_arch(seed).base(5, 50_000).build();
        image.push(world.hub.store(), "library/python", tag);
        image.push(world.public.store(), "docker/library/python", tag);
    }
    Sample::new(20).build().push(world.hub.store(), "acme/app", "1");
}

#[tokio::test]
async fn what_is_configured_is_mirrored_and_the_next_run_finds_nothing_to_do() {
    let mut world = Setup::new().mirroring(BASES).build();
    bases(&world);
    let answer = world.plan_mirror().await.unwrap();
    assert_eq!((&answer["planned"], &answer["current"]), (&json!(3), &json!(0)), "{answer}");
    assert_eq!(manifest_gets(&world), [], "a plan costs no pull");
    world.settle().await;
    for (repository, tag, seed) in
        [("docker-hub/library/python", "3.11-slim", 11), ("docker-hub/library/python", "3.12-slim", 12)]
    {
        assert_eq!(
            holds(&world, repository, tag),
            Some(Sample::multi_arch(seed).base(5, 50_000).build().digest().to_string())
        );
    }
    assert_eq!(holds(&world, "docker-hub/acme/app", "1"), Some(Sample::new(20).build().digest().to_string()));
    let gets = manifest_gets(&world);
    assert!(
        gets.len() == 1 && gets[0].path.contains("acme/app"),
        "what ECR Public has costs Docker Hub nothing: {gets:#?}"
    );

    world.clock.advance(3600);
    let requests = world.hub.log().len();
    let ecr = world.ecr.log().len();
    let answer = world.plan_mirror().await.unwrap();
    assert_eq!((&answer["planned"], &answer["current"]), (&json!(0), &json!(3)), "{answer}");
    assert_eq!(manifest_gets(&world).len(), 1, "nothing changed, nothing pulled");
    let asked: Vec<AccessLine> = world
        .hub
        .log()
        .into_iter()
        .skip(requests)
        .filter(|access| access.path.contains("/manifests/") && access.status == 200)
        .collect();
    assert_eq!(asked.len(), 3, "one HEAD for each tag");
    assert_eq!(
        world.ecr.log().len(),
        ecr,
        "and the registry in ECR is not asked: its API is, which leaves its pull times alone"
    );
    assert!(world.queues.bodies(PLAN_QUEUE).is_empty());
}

#[tokio::test]
async fn a_tag_that_moved_is_copied_once_however_often_it_is_planned() {
    let mut world = Setup::new().mirroring("registry: {registry}\nimages:\n- acme/app: ['1']\n").build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world.plan_mirror().await.unwrap();
    world.settle().await;
    world.clock.advance(3600);
    Sample::new(2).build().push(world.hub.store(), "acme/app", "1");
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 1);
    assert_eq!(world.plan_mirror().await.unwrap()["asked"], 1, "it lies in the queue already");
    world.settle().await;
    assert_eq!(holds(&world, "docker-hub/acme/app", "1"), Some(Sample::new(2).build().digest().to_string()));
    assert_eq!(manifest_gets(&world).len(), 2, "one for each version");
}

#[tokio::test]
async fn a_short_quota_goes_to_what_runs_in_ecs_and_the_rest_follows() {
    let images: String = (1..=6).map(|n| format!("- acme/app{n}: ['1']\n")).collect();
    let config = format!("registry: {{registry}}\ndiscover: ecs\nimages:\n{images}");
    let mut world = Setup::new().mirroring(&config).with_pulls(10).build();
    for n in 1..=7 {
        Sample::new(n).build().push(world.hub.store(), &format!("acme/app{n}"), "1");
    }
    let definition = world.define("runs", &["acme/app7:1", "acme/app6:1"]);
    world.create_service("web", &definition, 0, json!({}));
    world.hub.quota().spend("lambda", 7, world.clock.now());
    let answer = world.plan_mirror().await.unwrap();
    assert_eq!((&answer["planned"], &answer["later"]), (&json!(2), &json!(5)), "{answer}");
    world.settle().await;
    assert!(
        holds(&world, "docker-hub/acme/app6", "1").is_some() && holds(&world, "docker-hub/acme/app7", "1").is_some()
    );
    assert!(holds(&world, "docker-hub/acme/app1", "1").is_none());
    world.clock.advance(7 * 3600);
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 5);
    world.settle().await;
    assert!((1..=7).all(|n| holds(&world, &format!("docker-hub/acme/app{n}"), "1").is_some()));
}

#[tokio::test]
async fn tags_are_selected_by_version_and_by_time_without_a_pull() {
    let config = "registry: {registry}\nimages:
- source: node
  tags: {semver: '>=20 <23', include: '*-alpine', newest: 2}
- acme/daily: {newest: 2, by: push_time, exclude: latest}\n";
    let mut world = Setup::new().mirroring(config).build();
    for (seed, tag) in ["19-alpine", "20.1-alpine", "22.3.0-alpine", "22.10.0-alpine", "22.10.0-slim", "23.0-alpine"]
        .iter()
        .enumerate()
    {
        Sample::new(seed as u64).build().push(world.hub.store(), "library/node", tag);
    }
    for (seed, tag) in ["zebra", "ant", "latest"].iter().enumerate() {
        world.clock.advance(60);
        Sample::new(100 + seed as u64).build().push(world.hub.store(), "acme/daily", tag);
    }
    world.clock.advance(60);
    Sample::new(110).build().push(world.hub.store(), "acme/daily", "monday");
    world.plan_mirror().await.unwrap();
    assert_eq!(manifest_gets(&world), []);
    world.settle().await;
    let tags = |repository: &str| {
        let tags = world
            .images
            .store()
            .read(repository, |repository| repository.tags().map(|(tag, _)| tag.to_owned()).collect::<Vec<_>>());
        tags.unwrap_or_default()
    };
    assert_eq!(tags("docker-hub/library/node"), ["22.10.0-alpine", "22.3.0-alpine"]);
    assert_eq!(tags("docker-hub/acme/daily"), ["ant", "monday"]);
}

#[tokio::test]
async fn a_wrong_configuration_is_told_once_and_stops_nothing_else() {
    let mut world = Setup::new().mirroring("registry: {registry}\nimages:\n- python: []\nimmages: 1\n").build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    for _ in 0..3 {
        let answer = world.plan_mirror().await.unwrap();
        assert_eq!(answer["faults"].as_array().map(Vec::len), Some(2), "{answer}");
        world.clock.advance(3600);
    }
    let told = world.told();
    assert_eq!(told.len(), 1, "people are told once");
    insta::assert_snapshot!("mirror_configuration_wrong", told[0].message);
    let target = format!("{}/docker-hub/acme/app:1", world.images.host());
    world.queues.send(
        scenarios::world::MIRROR_QUEUE,
        &json!({"source": "acme/app:1", "target": target, "requested_by": "me"}),
    );
    world.settle().await;
    assert!(holds(&world, "docker-hub/acme/app", "1").is_some());

    world.parameters.set(
        scenarios::world::MIRROR_CONFIG,
        &format!("registry: {}\nimages:\n- acme/app: ['1']\n", world.images.host()),
    );
    assert_eq!(world.plan_mirror().await.unwrap()["current"], 1);
    world
        .parameters
        .set(scenarios::world::MIRROR_CONFIG, "registry: ghcr.io\nprefix: other\ndiscover: ecs\n");
    let answer = world.plan_mirror().await.unwrap();
    assert!(
        answer["faults"].to_string().contains("Amazon ECR") && answer["faults"].to_string().contains("MirrorPrefix"),
        "{answer}"
    );
    assert_eq!(world.told().len(), 2, "mended and broken anew: told anew");
}

#[tokio::test]
async fn an_immutable_tag_that_moved_is_blocked_and_said() {
    let config = "registry: {registry}\nimages:\n- acme/app: ['1']\nrepositories: \
        {immutable: true, scan_on_push: true, lifecycle: {keep: 9}, tags: {team: platform}}\n";
    let mut world = Setup::new().mirroring(config).build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world.plan_mirror().await.unwrap();
    world.settle().await;
    let settings = world.images.settings("docker-hub/acme/app");
    assert_eq!(settings["imageScanningConfiguration"]["scanOnPush"], true, "{settings}");
    assert!(settings["lifecyclePolicyText"].as_str().unwrap().contains("\"countNumber\":9"), "{settings}");
    Sample::new(2).build().push(world.hub.store(), "acme/app", "1");
    world.clock.advance(7200);
    let answer = world.plan_mirror().await.unwrap();
    assert_eq!((&answer["blocked"], &answer["planned"]), (&json!(1), &json!(0)), "{answer}");
    assert_eq!(holds(&world, "docker-hub/acme/app", "1"), Some(Sample::new(1).build().digest().to_string()));
}

#[tokio::test]
async fn what_runs_from_the_mirror_stays_current() {
    let mut world = Setup::new().mirroring("registry: {registry}\ndiscover: ecs\n").build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "latest");
    Sample::new(9).build().push(world.images.store(), "docker-hub/acme/app", "latest");
    let mirrored = format!("{}/docker-hub/acme/app:latest", world.images.host());
    let definition = world.define("runs", &[&mirrored, "public.ecr.aws/x/y:1"]);
    world.create_service("web", &definition, 0, json!({}));
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 1);
    world.settle().await;
    assert_eq!(holds(&world, "docker-hub/acme/app", "latest"), Some(Sample::new(1).build().digest().to_string()));
}

#[tokio::test]
async fn docker_hubs_credentials_come_from_the_secret() {
    let mut world = Setup::new()
        .mirroring("registry: {registry}\nimages:\n- acme/app: ['1']\n")
        .with_pulls(0)
        .with_hub_account(Some(200))
        .build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    assert_eq!(world.plan_mirror().await.unwrap()["planned"], 1);
    world.settle().await;
    assert!(holds(&world, "docker-hub/acme/app", "1").is_some(), "an anonymous pull would have been refused");
    let log: Vec<Value> = world.aws.calls().iter().map(|call| call.request.clone()).collect();
    assert!(!json!(log).to_string().contains("hunter2"), "the password goes to Docker Hub alone");
    assert_eq!(world.hub.quota().used(NAT), 0);
}
