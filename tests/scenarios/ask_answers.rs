//! Who may answer a question of mode `ask`, by which ways an answer comes, and how many questions one answer settles.

use pullsafe_events::answer::YesOrNo;
use scenarios::world::{DEAD_LETTERS, FUNCTION, TABLE, WORK_QUEUE};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Mutability;

use crate::ask::{ALICE, IMAGE, applied, asked, asking, code, heard, incident, movable, signed, until_asked, yes};

/// An answer without a valid signature counts as nobody's, and nothing is done.
#[tokio::test]
async fn a_name_that_is_not_proven_does_nothing() {
    let mut world = until_asked(movable(asking())).await;
    let code = code(&world);
    let proof = |authorization: String| json!({ "authorization": authorization, "date": "20260115T191700Z", "token": "session-PLANTED" });
    let other = world.sts.signs(ALICE, "approve 00000000");
    let right = world.sts.signs(ALICE, &format!("approve {code}"));
    for (authorization, why) in [
        // A signature of another answer, three that cover too little, and none at all.
        (
            other.replace(";x-pullsafe-answer", ";x-pullsafe-answer;x-amz-security-token"),
            "SignatureDoesNotMatch",
        ),
        (right.replace(";x-pullsafe-answer", ""), "does not cover"),
        (right.replace("host;", ""), "does not cover"),
        (right.clone(), "does not cover"),
        ("nothing".to_owned(), "does not cover"),
    ] {
        let mut event = yes(&code);
        event["proof"] = proof(authorization);
        let answer = world.ask(&event).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(why) && error.contains("nothing was done") && !error.contains("PLANTED"), "{answer}");
    }
    world.aws.inject(AwsFault::on("sts", "GetCallerIdentity", FaultKind::InternalError).always());
    let event = signed(&world, ALICE, YesOrNo::Yes, &code);
    let answer = world.ask(&event).await;
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("could not be found out")), "{answer}");
    world.aws.clear_faults();
    assert_eq!(world.writes(), Vec::<String>::new());
    // The question still waits.
    let answer = world.ask(&yes(&code)).await;
    assert_eq!(heard(&answer).0, "done", "{answer}");
}

/// Two people answer, one after the other or at once, yes and yes or yes and no: there is one act at most.
#[tokio::test]
async fn two_people_are_one_act_at_most() {
    for second in ["approve", "decline"] {
        let mut world = until_asked(movable(asking())).await;
        let code = code(&world);
        let remediator = world.remediator.clone().expect("it is deployed");
        let (one, other) = (yes(&code), json!({ "pullsafe": second, "codes": [code] }));
        let (one, other) = tokio::join!(remediator.handle(&one, "one"), remediator.handle(&other, "other"));
        let (one, other) = (one.expect("it answers"), other.expect("it answers"));
        let outcomes = [heard(&one).0, heard(&other).0];
        assert!(
            outcomes.iter().filter(|outcome| ["done", "declined"].contains(outcome)).count() == 1,
            "{one} {other}"
        );
        assert!(
            outcomes.iter().all(|outcome| ["done", "declined", "busy", "answered-before"].contains(outcome)),
            "{outcomes:?}"
        );
        let later = world.ask(&yes(&code)).await;
        assert_eq!(heard(&later).0, "answered-before", "{later}");
        world.settle().await;
        let clones = world.writes().iter().filter(|write| *write == "ecs:RegisterTaskDefinition").count();
        assert!(clones <= 1 && applied(&world) <= 1, "{:?}", world.writes());
    }
}

/// Many services behind one address: one question for each, one list of them, and one answer for all.
#[tokio::test]
async fn a_storm_is_answered_in_one_go() {
    const SERVICES: usize = 12;
    let mut world = movable(asking());
    let definition = world.service("web")["taskDefinition"].as_str().unwrap_or_default().to_owned();
    for number in 1..SERVICES {
        world.create_service(&format!("web-{number}"), &definition, 1, json!({}));
    }
    let other = world.define("other", &[IMAGE]);
    world.images.store().create_repository("app", Mutability::Mutable);
    world.create_service("other", &other, 1, json!({}));
    world.run_for(600).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    // The first questions come one by one, the others in the digests of the outbreak.
    let told = world.told();
    assert!(
        told.len() <= 5 && told.iter().any(|notice| notice.message.contains("`pullsafe approve CODE --all`")),
        "{told:#?}"
    );
    let all = world.ask(&json!({ "pullsafe": "questions" })).await;
    let codes = |list: &Value| -> Vec<String> {
        list["questions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["code"].as_str())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(codes(&all).len(), SERVICES + 1, "{all}");
    let one = all["questions"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["subject"] == "prod/web"))
        .expect("web asks");
    let alike = world.ask(&json!({ "pullsafe": "questions", "like": one["code"] })).await;
    assert_eq!(codes(&alike).len(), SERVICES, "{alike}");
    world.tables.take_units();
    let answer = world.ask(&json!({ "pullsafe": "approve", "codes": codes(&alike) })).await;
    let units = world.tables.take_units();
    let outcomes = answer["answers"].as_array().expect("answers");
    assert!(outcomes.len() == SERVICES && outcomes.iter().all(|one| one["outcome"] == "done"), "{answer}");
    let updates = world.writes().iter().filter(|write| *write == "ecs:UpdateService").count();
    assert_eq!(updates, SERVICES);
    println!("{SERVICES} answers: {} writes, {} write units", units.writes, units.write);
    assert!(units.writes <= 8 * SERVICES as u64, "{units:?}");
    // The last of them gets no answer, and is not asked again.
    let questions = asked(&world);
    world.run_for(6 * 3600).await;
    assert_eq!(asked(&world), questions);
}

/// Unanswered questions of a storm are told in its digests, not in a message each.
#[tokio::test]
async fn a_storm_that_nobody_answers_is_no_storm_of_messages() {
    let mut world = movable(asking());
    let definition = world.service("web")["taskDefinition"].as_str().unwrap_or_default().to_owned();
    for number in 1..12 {
        world.create_service(&format!("web-{number}"), &definition, 1, json!({}));
    }
    world.run_for(3 * 3600).await;
    let kinds: Vec<String> = world.told().iter().map(|told| told.attributes["detail-type"].clone()).collect();
    let of = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(of("Approval Requested"), 2, "{kinds:?}");
    assert!(of("Approval Expired") <= 2 && kinds.len() <= 10, "{kinds:?}");
    let last = world.told().pop().expect("a digest").message;
    assert!(last.contains("12 were not approved"), "{last}");
}

/// Only an invocation of the function itself can answer.
#[tokio::test]
async fn what_comes_by_a_queue_or_a_rule_is_no_answer() {
    let mut world = until_asked(movable(asking())).await;
    let code = code(&world);
    world.queues.send(WORK_QUEUE, &yes(&code));
    world.queues.send(WORK_QUEUE, &json!({ "requestPayload": yes(&code) }));
    world.settle().await;
    let wrapped = [
        json!({ "requestPayload": yes(&code) }),
        json!({ "source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": yes(&code) }),
        json!({ "source": "pullsafe", "detail-type": "Image Mirrored", "detail": yes(&code) }),
        json!({ "Records": [{ "eventSource": "aws:sns", "Sns": { "Message": yes(&code).to_string() } }] }),
    ];
    for event in &wrapped {
        world.deliver(event).await;
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    let ignored = world
        .answers
        .iter()
        .filter(|answer| answer["why"].as_str().is_some_and(|why| why.contains("invoking the function")));
    assert_eq!(ignored.count(), 1, "{:?}", world.answers);
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new());
    // A code that never existed, or that is forgotten, reveals nothing.
    for wrong in ["00000000", "ZZZZZZZZ"] {
        let answer = world.ask(&yes(wrong)).await;
        assert_eq!(heard(&answer), ("unknown", "there is no question with this code, or it is long over"), "{answer}");
        assert_eq!(answer["answers"][0].get("subject"), None);
    }
    for wrong in [json!({ "pullsafe": "approve" }), json!({ "pullsafe": "approve", "codes": ["x"] })] {
        assert!(world.ask(&wrong).await["error"].is_string());
    }
    assert_eq!(incident(&world)["act"]["state"], "asked");
}

/// The commands behind the buttons of a channel (packages/integrations), with the code that the message gives them.
#[tokio::test]
async fn the_buttons_of_a_channel_answer() {
    const TEMPLATE: &str = include_str!("../../packages/integrations/slack.yaml");
    let payloads: Vec<&str> = TEMPLATE
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("CommandText: !Sub '")?.strip_suffix('\'')?.split_once("--payload ")
        })
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(payloads.len(), 2, "{payloads:?}");
    for (payload, outcome) in payloads.into_iter().zip(["done", "declined"]) {
        let mut world = until_asked(movable(asking().with("PULLSAFE_NOTIFICATION_FORMAT", "chatbot"))).await;
        let message: Value = serde_json::from_str(&world.told()[0].message).expect("a message for a channel");
        let given = message["metadata"]["additionalContext"]["code"].as_str().expect("the code").to_owned();
        assert_eq!(given, code(&world));
        let said: Value = serde_json::from_str(&payload.replace("$Code", &given)).expect("JSON");
        let answer = world.ask(&said).await;
        assert_eq!(heard(&answer).0, outcome, "{answer}");
    }
}

/// The message names the function that takes the answer, and contains no secret.
#[tokio::test]
async fn the_message_says_how_to_answer() {
    let world = until_asked(movable(asking())).await;
    let message = world.told().pop().expect("it is asked").message;
    let code = code(&world);
    for wanted in [
        format!("pullsafe approve {code} --function arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}"),
        format!("--function-name {FUNCTION} --region eu-west-1"),
        format!("'{{\"pullsafe\":\"approve\",\"codes\":[\"{code}\"]}}'"),
        format!("pullsafe decline {code} --for 7d"),
    ] {
        assert!(message.contains(&wanted), "{wanted}: {message}");
    }
    let rows = world.tables.items(TABLE);
    assert!(rows.iter().any(|row| row["pk"] == json!(format!("waits#answer#{code}"))), "{rows:?}");
}
