//! A repository that was created but not finished, because the process died in between.

use mirror::aws::table::MirrorTable;
use mirror::decide::Unfinished;
use scenarios::world::{MIRROR_QUEUE, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Sample;

const REPOSITORY: &str = "docker-hub/acme/app";

fn world() -> World {
    let world = Setup::new()
        .mirroring("registry: {registry}\nimages:\n- acme/app: ['1']\nrepositories: {lifecycle: {keep: 9}}\n")
        .build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world
}

fn ask(world: &World) {
    let target = format!("{}/{REPOSITORY}:1", world.images.host());
    world
        .queues
        .send(MIRROR_QUEUE, &json!({"source": "acme/app:1", "target": target, "requested_by": "me"}));
}

fn keeps(world: &World) -> Option<u64> {
    let text = world.images.settings(REPOSITORY)["lifecyclePolicyText"].as_str()?.to_owned();
    serde_json::from_str::<Value>(&text).unwrap()["rules"][0]["selection"]["countNumber"].as_u64()
}

fn marks(world: &World) -> Value {
    let rows = world.tables.items(TABLE);
    let row = rows.iter().find(|row| row["pk"] == json!("mirror") && row["sk"] == json!("state"));
    row.and_then(|row| row.get("unfinished")).map_or(Value::Null, |marks| json!(marks))
}

async fn mark(world: &World, seconds_ago: i64) {
    let since = world.clock.now().plus_seconds(-seconds_ago);
    let mark = Unfinished {
        registry: world.images.host(),
        repository: REPOSITORY.to_owned(),
        since,
    };
    MirrorTable::new(&world.aws.sdk_config(), TABLE).mark(&mark).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_leaves_a_repository_that_the_next_run_finishes() {
    let mut between = 0;
    for after in 1..60 {
        let mut world = world();
        ask(&world);
        let last = world.aws.calls().last().map_or(0, |call| call.number);
        world.aws.die_after(last + after);
        world.settle().await;
        let dead = world.aws.calls().last().is_some_and(|call| call.number >= last + after);
        world.aws.clear_faults();
        world.restart_mirror();
        if !dead {
            break;
        }
        between += usize::from(world.images.store().read(REPOSITORY, |_| ()).is_some() && keeps(&world).is_none());
        world.clock.advance(961);
        world.settle().await;
        world.plan_mirror().await.unwrap();
        world.settle().await;
        assert_eq!((keeps(&world), marks(&world)), (Some(9), Value::Null), "after call {after}");
        assert!(world.images.store().image(REPOSITORY, "1").is_some(), "after call {after}");
    }
    assert_eq!(between, 1, "once it died between the two calls");
}

#[tokio::test]
async fn an_answer_that_was_lost_leaves_no_repository_without_its_policy() {
    for operation in ["CreateRepository", "PutLifecyclePolicy"] {
        for kind in FaultKind::ALL {
            let mut world = world();
            world.aws.inject(AwsFault::on("ecr", operation, kind));
            ask(&world);
            world.settle().await;
            world.clock.advance(61);
            world.settle().await;
            world.plan_mirror().await.unwrap();
            assert_eq!((keeps(&world), marks(&world)), (Some(9), Value::Null), "{operation}, {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_run_that_finds_no_mark_asks_nothing_more() {
    let mut world = world();
    world.plan_mirror().await.unwrap();
    world.settle().await;
    let marking = world
        .aws
        .calls()
        .iter()
        .filter(|call| call.request["UpdateExpression"].as_str().is_some_and(|text| text.contains("#marks")))
        .count();
    assert_eq!((keeps(&world), marks(&world), marking), (Some(9), Value::Null, 2), "one write before, one after");
    world.clock.advance(3600);
    world.plan_mirror().await.unwrap();
    assert_eq!(world.aws.count("GetLifecyclePolicy"), 0);
    assert_eq!(world.aws.count("PutLifecyclePolicy"), 1);
}

#[tokio::test]
async fn what_a_person_has_set_or_made_stays() {
    // A person's policy on a repository that a dead worker had created.
    let mut world = world();
    mark(&world, 5).await;
    world.images.call("CreateRepository", &json!({"repositoryName": REPOSITORY})).unwrap();
    let own = json!({"rules": [{"selection": {"countNumber": 3}}]}).to_string();
    world
        .images
        .call("PutLifecyclePolicy", &json!({"repositoryName": REPOSITORY, "lifecyclePolicyText": own}))
        .unwrap();
    world.plan_mirror().await.unwrap();
    assert_eq!((keeps(&world), marks(&world)), (Some(3), Value::Null));

    // A person's repository, created long before or long after the mark.
    for seconds_ago in [7200, -7200] {
        let mut world = self::world();
        mark(&world, seconds_ago).await;
        world.images.call("CreateRepository", &json!({"repositoryName": REPOSITORY})).unwrap();
        world.plan_mirror().await.unwrap();
        assert_eq!((keeps(&world), marks(&world)), (None, Value::Null), "{seconds_ago}");
    }

    // The repository was never created.
    let mut world = self::world();
    mark(&world, 5).await;
    world.plan_mirror().await.unwrap();
    assert_eq!((world.aws.count("PutLifecyclePolicy"), marks(&world)), (0, Value::Null));
}

#[tokio::test]
async fn what_cannot_be_finished_now_is_tried_by_the_next_run() {
    let mut world = world();
    mark(&world, 5).await;
    world.images.call("CreateRepository", &json!({"repositoryName": REPOSITORY})).unwrap();
    world.aws.inject(AwsFault::on("ecr", "PutLifecyclePolicy", FaultKind::AccessDenied));
    let answer = world.plan_mirror().await.unwrap();
    assert_eq!((keeps(&world), &answer["planned"]), (None, &json!(1)), "and nothing else suffers");
    assert_ne!(marks(&world), Value::Null);
    world.clock.advance(3600);
    world.plan_mirror().await.unwrap();
    assert_eq!((keeps(&world), marks(&world)), (Some(9), Value::Null));
}
