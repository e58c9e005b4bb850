//! What somebody who may write to the mirror's queue tries: directly, or through the gate's `Source`.

use pullsafe::mirror_job::MirrorJob;
use scenarios::world::{MIRROR_QUEUE, Setup, World};
use serde_json::{Value, json};
use testkit::registry::Sample;

const OURS: &str = "docker-hub/library/python";

/// A mirror that holds the real `python:3.12`. At Docker Hub there is also an attacker's image.
fn world() -> World {
    let world = Setup::new()
        .mirroring("registry: {registry}\nimages:\n- acme/app: ['1']\n")
        .with_hub_account(None)
        .build();
    Sample::multi_arch(1).build().push(world.hub.store(), "library/python", "3.12");
    Sample::multi_arch(1).build().push(world.images.store(), OURS, "3.12");
    Sample::multi_arch(666).build().push(world.hub.store(), "evil/python", "3.12");
    Sample::multi_arch(2).build().push(world.hub.store(), "acme/private", "1");
    world
}

fn ask(world: &World, job: Value) {
    world.queues.send(MIRROR_QUEUE, &job);
}

/// Checks that the tag has its old meaning, that nothing was asked of the attacker's repository, and that the job is
/// gone.
fn assert_untouched(world: &World) {
    let real = Sample::multi_arch(1).build();
    assert_eq!(world.images.store().image(OURS, "3.12").map(|image| image.digest), Some(real.digest().clone()));
    assert!(
        !world.hub.log().iter().any(|access| access.path.contains("/evil/")),
        "the attacker's image is not even looked at"
    );
    assert!(world.queues.bodies(MIRROR_QUEUE).is_empty(), "a refused job does not come again");
    assert!(
        !world.ecr.log().iter().any(|access| access.method == "PUT" || access.method == "POST"),
        "nothing is written"
    );
}

pub(crate) async fn poison() -> String {
    let variants: [(&str, &str); 9] = [
        ("evil/python:3.12", "docker-hub/library/python:3.12"),
        ("docker.io/evil/python:3.12", "docker-hub/library/python:3.12"),
        ("evil/python:3.12", "docker-hub/library/python"),
        ("ghcr.io/evil/python:3.12", "docker-hub/library/python:3.12"),
        ("evil/library/python:3.12", "docker-hub/library/python:3.12"),
        ("python:3.11", "docker-hub/library/python:3.12"),
        ("python:latest", "docker-hub/library/python:3.12"),
        ("127.0.0.1:1/library/python:3.12", "docker-hub/library/python:3.12"),
        ("evil/python:3.12", "docker-hub/evil/../library/python:3.12"),
    ];
    let mut refused = 0;
    for (source, target) in variants {
        let mut world = world();
        let target = format!("{}/{target}", world.images.host());
        ask(
            &world,
            json!({"source": source, "target": target, "requested_by": "arn:aws:cloudformation:eu-west-1:666666666666:stack/x/y"}),
        );
        world.settle().await;
        assert_untouched(&world);
        refused += 1;
    }
    // With fewer platforms than the real image has, its own tag would become another index.
    let mut world = world();
    let target = format!("{}/{OURS}:3.12", world.images.host());
    ask(&world, json!({"source": "python:3.12", "target": target, "platforms": ["linux/amd64"]}));
    world.settle().await;
    assert_untouched(&world);
    format!("{} jobs refused, the tag means what it meant", refused + 1)
}

pub(crate) async fn poison_through_the_gate() -> String {
    let mut world = world();
    let target = format!("{}/{OURS}:3.12", world.images.host());
    // The job that the gate sends for a stack with `Source: evil/python:3.12`, byte for byte.
    let job = MirrorJob::message(
        &"evil/python:3.12".parse().unwrap(),
        &target.parse().unwrap(),
        "arn:aws:cloudformation:eu-west-1:666666666666:stack/x/y",
    );
    ask(&world, job);
    world.settle().await;
    assert_untouched(&world);
    "refused, the log names the stack".to_owned()
}

pub(crate) async fn roll_back() -> String {
    let mut world = world();
    let old = Sample::multi_arch(9).build();
    old.push(world.hub.store(), "library/python", "3.11");
    let target = format!("{}/{OURS}:3.12", world.images.host());
    ask(&world, json!({"source": format!("python:3.12@{}", old.digest()), "target": target}));
    world.settle().await;
    let real = Sample::multi_arch(1).build();
    assert_eq!(
        world.images.store().image(OURS, "3.12").map(|image| image.digest),
        Some(real.digest().clone()),
        "the tag stays"
    );
    "the old digest is stored under its digest, the tag stays".to_owned()
}

pub(crate) async fn private_image() -> String {
    let mut world = world();
    let target = format!("{}/docker-hub/acme/private:1", world.images.host());
    ask(&world, json!({"source": "acme/private:1", "target": target}));
    world.settle().await;
    let of_it: Vec<_> = world.hub.log().into_iter().filter(|access| access.path.contains("acme/private")).collect();
    let tokens: Vec<_> = world
        .hub
        .log()
        .into_iter()
        .filter(|access| {
            access.path.contains("token") && access.query.contains("acme%2Fprivate")
                || access.query.contains("acme/private")
        })
        .collect();
    assert!(
        !tokens.iter().any(|access| access.had_authorization),
        "the secret is for what the configuration names: {tokens:?}"
    );
    assert!(!of_it.is_empty() || !tokens.is_empty(), "it is asked for as by anybody");
    "asked for without the secret, as by anybody".to_owned()
}

pub(crate) async fn forged_plan() -> String {
    let mut world = world();
    let target = format!("{}/{OURS}:3.12", world.images.host());
    let old = Sample::multi_arch(9).build();
    old.push(world.hub.store(), "library/python", "3.11");
    let pinned = format!("python:3.12@{}", old.digest());
    ask(&world, json!({"images": [{"source": pinned, "target": target, "platforms": ["linux/amd64"]}]}));
    world.settle().await;
    assert_untouched(&world);
    "refused: several images come from the planner alone".to_owned()
}

/// A tag that the configuration restricts or pins stays as it is, whoever asks for another and whatever services run
/// it.
pub(crate) async fn platforms() -> String {
    let pinned = Sample::multi_arch(5).build();
    let config = format!(
        "registry: {{registry}}\ndiscover: ecs\nimages:\n- {{source: python, tags: ['3.13'], platforms: \
         [linux/amd64]}}\n- redis: ['7@{}']\n",
        pinned.digest()
    );
    let mut world = Setup::new().mirroring(&config).with_hub_account(None).build();
    Sample::multi_arch(4).build().push(world.hub.store(), "library/python", "3.13");
    pinned.push(world.hub.store(), "library/redis", "7");
    world.plan_mirror().await;
    world.settle().await;
    let held = |world: &World| {
        [("python", "3.13"), ("redis", "7")].map(|(name, tag)| {
            world
                .images
                .store()
                .image(&format!("docker-hub/library/{name}"), tag)
                .map(|image| image.digest)
                .expect("it is mirrored")
        })
    };
    let before = held(&world);
    // Docker Hub's tag moves, somebody asks for both images, and a service runs both.
    Sample::multi_arch(6).build().push(world.hub.store(), "library/redis", "7");
    for image in ["python:3.13", "redis:7"] {
        let target = format!("{}/docker-hub/library/{image}", world.images.host());
        ask(&world, json!({"source": image, "target": target, "requested_by": "tenant"}));
    }
    world.settle().await;
    assert_eq!(held(&world), before, "who asks");
    let definition = world.define("app", &["python:3.13", "redis:7"]);
    world.create_service("web", &definition, 1, json!({}));
    world.restart_mirror();
    world.plan_mirror().await;
    world.settle().await;
    assert_eq!(held(&world), before, "what runs");
    "the tags mean what the configuration says".to_owned()
}
