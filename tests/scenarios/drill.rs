//! The drill: a made-up stop shows what would be told and done. It changes nothing, whatever the mode.

use crate::ask::movable;
use scenarios::world::{CLUSTER, Setup, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};

pub(crate) fn asked(name: &str) -> Value {
    let service =
        json!({ "cluster_arn": format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{CLUSTER}"), "name": name });
    json!({ "pullsafe": "drill", "subject": { "service": service } })
}

async fn drill(world: &mut World, name: &str) -> Value {
    world.deliver(&asked(name)).await;
    world.answers.pop().expect("an answer")
}

/// The calls that are neither reads nor one of the two messages, nor the count of drills.
fn beyond(world: &World) -> Vec<String> {
    let reads = ["Describe", "List", "Get", "BatchGet", "Query", "Simulate"];
    let calls = world.aws.calls();
    let others = calls.iter().filter(|call| !reads.iter().any(|verb| call.operation.starts_with(verb)));
    let counts =
        |call: &testkit::aws::Call| call.operation == "UpdateItem" && call.request["Key"]["pk"]["S"] == "author#drill";
    let others = others.filter(|call| !counts(call) && !["Publish", "PutEvents"].contains(&call.operation.as_str()));
    others.map(|call| format!("{}:{} {}", call.service, call.operation, call.request)).collect()
}

/// The message without the part that depends on real time.
fn untimed(message: &str) -> &str {
    message.split("\nLooked and decided in ").next().unwrap_or(message)
}

#[tokio::test]
async fn in_act_mode_it_says_what_would_be_done_and_changes_nothing() {
    let mut world = movable(Setup::new());
    let pulls = world.hub.log().len();
    let answer = drill(&mut world, "web").await;
    assert_eq!((&answer["outcome"], &answer["remedy"]), (&json!("drill"), &json!("move-to-mirror")));
    assert_eq!((&answer["shown"]["people"], &answer["shown"]["programs"]), (&json!("told"), &json!("told")));
    assert_eq!(beyond(&world), Vec::<String>::new());
    assert!(world.writes().is_empty() && world.records().is_empty(), "{:?}", world.writes());
    let manifests = world
        .hub
        .log()
        .iter()
        .skip(pulls)
        .filter(|access| access.method == "GET" && access.is_manifest_of("acme/app"))
        .count();
    assert_eq!(manifests, 0, "a drill costs no pull");
    let [told] = &world.told()[..] else {
        panic!("one message: {:?}", world.told())
    };
    assert_eq!(
        told.subject.as_deref(),
        Some("pullsafe: DRILL for prod/web: registry-rate-limited, would be moved to the mirror")
    );
    insta::assert_snapshot!("drill_act", untimed(&told.message));
    let events = world.bus.events();
    let [event] = &events[..] else {
        panic!("one event: {events:?}")
    };
    let detail = &event["detail"];
    assert_eq!(
        (&event["detail-type"], &detail["drill"], &detail["applied"]),
        (&json!("Drill"), &json!(true), &json!(false)),
        "{event}"
    );

    // The drill has left nothing behind: a real failure is handled as usual.
    world.run_for(900).await;
    assert_eq!(world.service("web")["runningCount"], 2);
    assert!(world.answers.iter().any(|answer| answer["outcome"] == "acted"));
}

#[tokio::test]
async fn what_would_be_told_depends_on_mode_and_image() {
    let mut observing = movable(Setup::new().with("PULLSAFE_MODE", "observe"));
    assert_eq!(drill(&mut observing, "web").await["remedy"], "move-to-mirror");
    assert!(
        observing.told()[0].message.contains("Would be told and not done, for the mode is observe"),
        "{}",
        observing.told()[0].message
    );

    let mut world = movable(Setup::new());
    let definition = world.define("own", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]);
    world.create_service("own", &definition, 1, json!({}));
    let answer = drill(&mut world, "own").await;
    assert_eq!(answer["outcome"], "drill");
    insta::assert_snapshot!("drill_not_found", untimed(&world.told()[0].message));

    let off = json!({ "tags": [{ "key": "pullsafe:mode", "value": "off" }] });
    let definition = world.define("left", &["acme/app:1"]);
    world.create_service("left", &definition, 1, off);
    for (name, why) in [("left", "pullsafe is off for prod/left"), ("none", "there is no service prod/none")] {
        let answer = drill(&mut world, name).await;
        assert!(
            answer["why"].as_str().is_some_and(|text| text.starts_with(why)) && answer.get("shown").is_none(),
            "{answer}"
        );
    }
    assert_eq!((world.told().len(), beyond(&world)), (1, Vec::new()));
}

#[tokio::test]
async fn many_drills_are_few_messages_and_each_is_answered() {
    let mut world = movable(Setup::new());
    let mut told = 0;
    for _ in 0..20 {
        let answer = drill(&mut world, "web").await;
        told += usize::from(answer["shown"]["people"] == "told");
        assert!(answer["shown"]["text"].as_str().is_some_and(|text| text.starts_with("DRILL")), "{answer}");
    }
    assert_eq!((told, world.told().len(), world.bus.events().len()), (3, 3, 3));
    assert_eq!(beyond(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_topic_that_may_not_be_written_to_is_what_a_drill_finds() {
    let mut world = movable(Setup::new());
    world.aws.inject(AwsFault::on("sns", "Publish", FaultKind::AccessDenied).always());
    let answer = drill(&mut world, "web").await;
    assert!(
        answer["shown"]["people"].as_str().is_some_and(|why| why.starts_with("not told: sns:Publish")),
        "{answer}"
    );
    assert_eq!(answer["shown"]["programs"], "told");
}
