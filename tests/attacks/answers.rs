//! Forged answers to a question of pullsafe (mode `ask`): nobody who may answer has given them.

use pullsafe_events::answer::code_of;
use scenarios::world::{NAT, Setup, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;

use super::secrets::{outputs, search, traced};

async fn asked() -> (World, String) {
    let mut world = Setup::new().with("PULLSAFE_MODE", "ask").build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    world.run_for(900).await;
    let records = world.records();
    let code = records
        .iter()
        .find_map(|record| record["open"]["act"]["question"]["code"].as_str())
        .expect("it is asked")
        .to_owned();
    (world, code)
}

fn yes(code: &str) -> Value {
    json!({ "pullsafe": "approve", "codes": [code] })
}

fn state(world: &World) -> Value {
    world
        .records()
        .iter()
        .map(|record| record["open"]["act"]["state"].clone())
        .find(|state| !state.is_null())
        .unwrap_or_default()
}

pub(crate) async fn forged() -> String {
    let (mut world, code) = asked().await;
    let yes = yes(&code);
    world.queues.send(WORK_QUEUE, &yes);
    world.queues.send(WORK_QUEUE, &json!({ "requestPayload": yes }));
    let mut events = vec![json!({ "requestPayload": yes }), json!({ "detail": yes }), json!([yes])];
    for source in ["pullsafe", "aws.ecs", "aws.events"] {
        events.push(json!({ "source": source, "detail-type": "Scheduled Event", "detail": yes, "pullsafe": ["approve"], "codes": [code] }));
    }
    for event in &events {
        world.deliver(event).await;
    }
    // Tags on the service that look like an approval, with the code that the message shows.
    let arn = world.service("web")["serviceArn"].clone();
    let tags = json!([{ "key": "pullsafe:approved-by", "value": "me" }, { "key": "pullsafe:approve", "value": code }]);
    world
        .ecs
        .call("TagResource", &json!({ "resourceArn": arn, "tags": tags }))
        .expect("a tenant tags it");
    world.run_for(1200).await;
    assert_eq!((world.writes(), state(&world)), (Vec::new(), json!("asked")));
    format!("{} events and messages, and tags: the question waits", events.len() + 2)
}

pub(crate) async fn guessed() -> String {
    let (mut world, code) = asked().await;
    let known = world.aws.calls().len();
    let mut answers = std::collections::BTreeSet::new();
    for number in 0..500 {
        let guess = code_of(&format!("guess {number}"));
        assert_ne!(guess, code);
        let answer = world.ask(&yes(&guess)).await;
        answers.insert(answer["answers"][0]["said"].to_string());
    }
    assert_eq!(answers.len(), 1, "one sentence for all of them: {answers:?}");
    let calls = world.aws.calls();
    assert!(
        calls.iter().skip(known).all(|call| call.operation == "Query"),
        "a query each, and nothing is written"
    );
    assert_eq!((world.writes(), state(&world)), (Vec::new(), json!("asked")));
    "one sentence for every wrong code, and a query each".to_owned()
}

pub(crate) async fn claimed_name() -> String {
    let (mut world, code) = asked().await;
    let admin = "arn:aws:iam::123456789012:role/admin";
    // A signature that an admin made for something else, and an admin's name without a signature.
    let other = world.sts.signs(admin, "approve 00000000");
    let proof = json!({ "authorization": other, "date": "20260115T191700Z" });
    for extra in [
        json!({ "proof": proof }),
        json!({ "proof": admin }),
        json!({ "proof": { "authorization": admin, "date": "now", "arn": admin } }),
    ] {
        let mut event = yes(&code);
        event["proof"] = extra["proof"].clone();
        event["by"] = json!(admin);
        assert!(world.ask(&event).await["error"].is_string(), "{extra}");
    }
    assert_eq!((world.writes(), state(&world)), (Vec::new(), json!("asked")));
    let mut event = yes(&code);
    event["by"] = json!(admin);
    let answer = world.ask(&event).await;
    assert!(!answer.to_string().contains("admin"), "{answer}");
    assert_eq!(world.service_tag("web", "pullsafe:approved-by"), "unnamed");
    assert!(!format!("{:?} {:?}", world.told(), world.records()).contains("role/admin"));
    "no name but the one that STS gives is written anywhere".to_owned()
}

pub(crate) async fn shown_proof() -> String {
    const TOKEN: &str = "hunter2plantedSession";
    let play = async {
        let (mut world, code) = asked().await;
        let mut answers = Vec::new();
        for statement in ["approve 00000000".to_owned(), format!("approve {code}")] {
            let signature = world.sts.signs("arn:aws:iam::123456789012:user/alice", &statement);
            let signature = signature.replace("host;", "host;x-amz-security-token;");
            let mut event = yes(&code);
            event["proof"] = json!({ "authorization": signature, "date": "20260115T191700Z", "token": TOKEN });
            answers.push(world.ask(&event).await);
        }
        assert!(answers[0]["error"].is_string() && answers[1]["answers"][0]["outcome"] == "done", "{answers:?}");
        world.answers.extend(answers);
        world
    };
    let (world, log, finest) = traced(play).await;
    assert!(finest > 0);
    let searched = search(&outputs(&world, log), &[TOKEN, "0000000000000001", "0000000000000002"]);
    format!("{searched} searches, 0 hits")
}
