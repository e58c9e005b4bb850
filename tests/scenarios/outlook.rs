//! Tomorrow's outage, today: what will go wrong with running services is told before it happens, once, and prevented
//! where that is allowed.

use pullsafe::reference::Digest;
use scenarios::world::{CLUSTER, Setup, World};
use serde_json::{Value, json};
use testkit::aws::fault::{AwsFault, FaultKind};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;
use testkit::registry::repository::ImageStatus;

pub(crate) const DAY: i64 = 86_400;
pub(crate) const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A service that runs the first image of a repository under this tag.
pub(crate) async fn running(setup: Setup, tag: &str) -> (World, Digest) {
    let mut world = setup.build();
    let image = Sample::new(1).build();
    image.push(world.images.store(), "app", tag);
    let definition = world.define("app", &[&format!("{REGISTRY}/app:{tag}")]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(600).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    (world, image.top.digest)
}

/// Makes the daily look.
pub(crate) async fn look(world: &mut World) {
    world.deliver(&json!({ "pullsafe": "find-outlooks" })).await;
    world.settle().await;
}

pub(crate) fn subjects(world: &World) -> Vec<String> {
    world.told().into_iter().filter_map(|notice| notice.subject).collect()
}

fn policy(world: &World, rules: Value) {
    let request = json!({ "repositoryName": "app", "lifecyclePolicyText": json!({ "rules": rules }).to_string() });
    world.images.call("PutLifecyclePolicy", &request).expect("ECR takes the policy");
}

fn untagged_after(days: i64) -> Value {
    let selection =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days });
    json!([{ "rulePriority": 5, "selection": selection, "action": { "type": "expire" } }])
}

fn keep_last(count: i64) -> Value {
    let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count });
    json!([{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }])
}

#[tokio::test]
async fn a_digest_that_is_gone_is_told_at_once_and_once() {
    let (mut world, digest) = running(Setup::new(), "1").await;
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "all is well");
    world.images.store().remove_image("app", &digest);
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: the next scale-out or Fargate retirement of prod/web fails"]);
    let message = &world.told()[0].message;
    assert!(
        message.contains(&format!("app: {REGISTRY}/app:1: what runs ({digest}) is not in the registry any more")),
        "{message}"
    );
    world.clock.advance(DAY);
    look(&mut world).await;
    assert_eq!(world.told().len(), 1, "told once");
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    assert_eq!(world.told().len(), 2, "the message of the week has it too");
    assert_eq!(world.writes(), Vec::<String>::new());
    let events = world.bus.events_of("Outlook");
    assert_eq!(
        events[0]["detail"]["outlooks"][0]["findings"][0]["trouble"],
        json!({ "kind": "gone", "digest": digest })
    );
    // A trouble that was repaired and comes back is news again.
    Sample::new(1).build().push(world.images.store(), "app", "1");
    look(&mut world).await;
    world.images.store().remove_image("app", &digest);
    look(&mut world).await;
    assert_eq!(world.told().len(), 3);
}

#[tokio::test]
async fn what_a_policy_will_delete_is_told_with_the_change_that_keeps_it() {
    let (mut world, digest) = running(Setup::new().with("PULLSAFE_MODE", "observe"), "1").await;
    policy(&world, keep_last(3));
    for number in 2..4 {
        world.clock.advance(DAY);
        Sample::new(number).build().push(world.images.store(), "app", &number.to_string());
    }
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: prod/web cannot launch a task a week from now"]);
    let message = world.told()[0].message.clone();
    assert!(
        message.contains(&format!(
            "what runs ({digest}) is deleted by rule 1 of its repository's lifecycle policy after 1 more push(es)"
        )),
        "{message}"
    );
    let changed = message.lines().find(|line| line.trim().starts_with('{')).expect("the new policy").trim();
    assert_eq!(world.writes(), Vec::<String>::new(), "{:?}", world.writes());
    // The prediction comes true.
    Sample::new(9).build().push(world.images.store(), "app", "9");
    assert_eq!(world.images.run_lifecycle_policies(), [("app".to_owned(), digest.clone())]);
    look(&mut world).await;
    assert_eq!(subjects(&world)[1], "pullsafe: the next scale-out or Fargate retirement of prod/web fails");
    // With the change that the message proposes, and the tag, the prediction does not come true.
    let (mut world, digest) = running(Setup::new().with("PULLSAFE_KEEP_REPOSITORIES", "*"), "1").await;
    let rules: Value = serde_json::from_str(changed).expect("JSON");
    policy(&world, rules["rules"].clone());
    for number in 2..9 {
        world.clock.advance(DAY);
        look(&mut world).await;
        Sample::new(number).build().push(world.images.store(), "app", &number.to_string());
        world.images.run_lifecycle_policies();
    }
    assert!(world.images.store().image("app", digest.as_str()).is_some(), "{:?}", world.told());
}

#[tokio::test]
async fn a_running_image_is_kept_by_a_tag_where_that_is_allowed_and_helps() {
    for (settings, kept) in [
        (vec![("PULLSAFE_KEEP_REPOSITORIES", "app*")], true),
        (vec![], false),
        (vec![("PULLSAFE_KEEP_REPOSITORIES", "other")], false),
        (vec![("PULLSAFE_KEEP_REPOSITORIES", "*"), ("PULLSAFE_MODE", "observe")], false),
    ] {
        let setup = settings.iter().fold(Setup::new(), |setup, (name, value)| setup.with(name, value));
        let (mut world, digest) = running(setup, "latest").await;
        policy(&world, untagged_after(5));
        Sample::new(2).build().push(world.images.store(), "app", "latest");
        look(&mut world).await;
        let writes: &[&str] = if kept { &["ecr:PutImage"] } else { &[] };
        assert_eq!(world.writes(), writes, "{settings:?}");
        assert_eq!(subjects(&world).is_empty(), kept, "{settings:?}: {:?}", subjects(&world));
        world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
        let week = world.told().last().expect("a message of the week").message.clone();
        assert!(week.contains(if kept { "keeps it from that" } else { "set the tag pullsafe-keep-" }), "{week}");
        world.clock.advance(6 * DAY);
        world.images.run_lifecycle_policies();
        assert_eq!(world.images.store().image("app", digest.as_str()).is_some(), kept, "{settings:?}");
    }
}

#[tokio::test]
async fn a_tag_that_is_refused_is_told_as_such() {
    let (mut world, _) = running(Setup::new().with("PULLSAFE_KEEP_REPOSITORIES", "*"), "latest").await;
    policy(&world, untagged_after(5));
    Sample::new(2).build().push(world.images.store(), "app", "latest");
    world.aws.inject(AwsFault::on("ecr", "PutImage", FaultKind::AccessDenied));
    look(&mut world).await;
    let message = &world.told()[0].message;
    assert!(message.contains("ecr:PutImage failed: AccessDenied"), "{message}");
}

#[tokio::test]
async fn what_a_schedule_starts_is_looked_at_too() {
    let mut world = Setup::new().build();
    Sample::new(1).build().push(world.images.store(), "job", "1");
    let definition = world.define("job", &[&format!("{REGISTRY}/job:2")]);
    world
        .bus
        .start_by_rule("nightly", &format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{CLUSTER}"), &definition);
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: the next scheduled start of prod/nightly (no service) fails"]);
}

#[tokio::test]
async fn docker_hub_without_a_copy_a_role_and_a_moved_tag_are_in_the_message_of_the_week() {
    let mut world = Setup::new().build();
    let image = Sample::new(1).build();
    image.push(world.hub.store(), "acme/app", "1");
    let own = Sample::multi_arch(3).build();
    own.push(world.images.store(), "side", "latest");
    let definition = world.define("app", &["acme/app:1", &format!("{REGISTRY}/side:latest")]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(600).await;
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "none of it is urgent");
    Sample::new(4).build().push(world.images.store(), "side", "latest");
    look(&mut world).await;
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    let message = world.told()[0].message.clone();
    assert!(message.contains("app: acme/app:1: there is no copy in the mirror"), "{message}");
    assert!(message.contains("the next deployment runs that"), "{message}");
    // A service with a desired count of 0 is not looked at.
    world.update_service("web", json!({ "desiredCount": 0 }));
    world.run_for(600).await;
    look(&mut world).await;
    assert_eq!(world.told().len(), 1);
}

/// Each of these troubles is found and named correctly.
#[tokio::test]
async fn an_archive_a_role_a_platform_and_an_old_copy_are_found() {
    let (mut world, digest) = running(Setup::new(), "1").await;
    assert!(world.images.store().set_status("app", &digest, ImageStatus::Archived));
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: the next scale-out or Fargate retirement of prod/web fails"]);
    let message = world.told()[0].message.clone();
    assert!(message.contains(&format!("what runs ({digest}) is in the archive")), "{message}");

    let (mut world, _) = running(Setup::new(), "1").await;
    let bare = "arn:aws:iam::123456789012:role/bare";
    let definition = world.define_with_role("bare", &[&format!("{REGISTRY}/app:1")], bare);
    world.create_service("bare", &definition, 1, json!({}));
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: the next scale-out or Fargate retirement of prod/bare fails"]);
    let message = world.told()[0].message.clone();
    assert!(message.contains(&format!("its execution role may not pull it any more ({bare})")), "{message}");

    let (mut world, digest) = running(Setup::new(), "1").await;
    let arm = Sample::new(2).platforms(&["linux/arm64"]).build();
    arm.push(world.images.store(), "app", "1");
    look(&mut world).await;
    assert_eq!(subjects(&world), ["pullsafe: prod/web cannot launch a task a week from now"]);
    let message = world.told()[0].message.clone();
    assert!(
        message.contains("what the tag means now is for linux/arm64, and the tasks run on linux/amd64"),
        "{message}"
    );
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    let week = world.told()[1].message.clone();
    assert!(week.contains(&format!("what runs is {digest}, and the tag means {}", arm.top.digest)), "{week}");

    let mut world = Setup::new().build();
    let (old, new) = (Sample::new(1).build(), Sample::new(2).build());
    new.push(world.hub.store(), "acme/app", "1");
    old.push(world.images.store(), "docker-hub/acme/app", "1");
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(600).await;
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "it is not urgent");
    world.deliver(&json!({ "pullsafe": "tell-outlooks" })).await;
    let week = world.told()[0].message.clone();
    let said = format!("the mirror has {}, and the tag means {}", old.top.digest, new.top.digest);
    assert!(week.contains(&said), "{week}");
}

#[tokio::test]
async fn what_could_not_be_read_is_no_finding() {
    let (mut world, digest) = running(Setup::new(), "1").await;
    world.images.store().remove_image("app", &digest);
    world.aws.inject(AwsFault::on("ecr", "DescribeImages", FaultKind::AccessDenied));
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new());
}

/// An index may hold what runs. If the index cannot be read, nobody knows what the policy does to that image, and
/// nothing is claimed.
#[tokio::test]
async fn an_index_that_cannot_be_read_makes_no_deletion() {
    let mut world = Setup::new().build();
    let image = Sample::multi_arch(3).build();
    image.push(world.images.store(), "app", "1");
    let member = image.children[0].digest.clone();
    let definition = world.define("app", &[&format!("{REGISTRY}/app@{member}")]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(600).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    policy(&world, untagged_after(1));
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new(), "its index keeps it");
    world.aws.inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::AccessDenied).always());
    look(&mut world).await;
    assert_eq!(subjects(&world), Vec::<String>::new());
}

/// The process dies at any call of the look and is started again: the message and its id are the same, and so is the
/// row.
#[tokio::test]
async fn a_look_that_dies_is_told_under_the_same_id() {
    let (mut world, digest) = running(Setup::new(), "1").await;
    world.images.store().remove_image("app", &digest);
    let before = world.aws.calls().len();
    look(&mut world).await;
    let calls = world.aws.calls().len() - before;
    assert!(calls > 8, "{calls}");
    for number in 1..=calls {
        let (mut world, digest) = running(Setup::new(), "1").await;
        world.images.store().remove_image("app", &digest);
        let last = world.aws.calls().last().map_or(0, |call| call.number);
        world.aws.die_after(last + number as u64);
        look(&mut world).await;
        world.run_for(1200).await;
        let ids: std::collections::BTreeSet<String> =
            world.told().iter().map(|told| format!("{:?}", told.attributes)).collect();
        assert_eq!(ids.len(), 1, "at call {number}");
        assert!(world.tables.items("pullsafe").iter().any(|row| row["pk"] == "outlook"), "at call {number}");
    }
}
