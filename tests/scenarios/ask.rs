//! Mode `ask`: nothing is changed without a person's yes, one yes leads to one act at most, and every guard is checked
//! again before the act.

use pullsafe_events::answer::{Answer, YesOrNo};
use scenarios::world::{MIRROR_QUEUE, NAT, Setup, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

pub(crate) const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
pub(crate) const ALICE: &str = "arn:aws:sts::123456789012:assumed-role/oncall/alice@example.com";
pub(crate) const BOB: &str = "arn:aws:sts::123456789012:assumed-role/oncall/bob,b";

pub(crate) fn asking() -> Setup {
    Setup::new().with("PULLSAFE_MODE", "ask").paced(Pacing::default())
}

/// A service whose Docker Hub image has a copy in the mirror, behind a used-up quota: it could be moved.
pub(crate) fn movable(setup: Setup) -> World {
    let world = setup.build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 2, json!({}));
    world
}

/// A service whose image does not exist: it could be paused.
fn pausable(setup: Setup) -> World {
    let mut world = setup.with("PULLSAFE_PAUSE_AFTER", "1").build();
    world.images.store().create_repository("app", Mutability::Mutable);
    world.scale("service/prod/web", 1, 10);
    let definition = world.define("app", &[IMAGE]);
    world.create_service("web", &definition, 2, json!({}));
    world
}

fn subject(world: &World, name: &str) -> Value {
    json!({ "service": { "cluster_arn": world.service(name)["clusterArn"], "name": name } })
}

/// The open incident, of the only record that has one.
pub(crate) fn incident(world: &World) -> Value {
    world
        .records()
        .into_iter()
        .map(|record| record["open"].clone())
        .find(|open| !open.is_null())
        .unwrap_or_default()
}

/// The code of the open question.
pub(crate) fn code(world: &World) -> String {
    let question = &incident(world)["act"]["question"];
    question["code"]
        .as_str()
        .unwrap_or_else(|| panic!("nothing is asked: {}", incident(world)))
        .to_owned()
}

pub(crate) fn yes(code: &str) -> Value {
    json!({ "pullsafe": "approve", "codes": [code] })
}

/// An answer, signed by `who`.
pub(crate) fn signed(world: &World, who: &str, verdict: YesOrNo, code: &str) -> Value {
    let answer = Answer { verdict, codes: vec![code.to_owned()], proof: None };
    let mut event = answer.to_event();
    event["proof"] = json!({ "authorization": world.sts.signs(who, &answer.statement()), "date": "20260115T191700Z" });
    event
}

pub(crate) fn heard(answer: &Value) -> (&str, &str) {
    let one = &answer["answers"][0];
    (one["outcome"].as_str().unwrap_or("none"), one["said"].as_str().unwrap_or_default())
}

pub(crate) fn asked(world: &World) -> usize {
    world
        .told()
        .iter()
        .filter(|told| told.attributes.get("detail-type").is_some_and(|kind| kind == "Approval Requested"))
        .count()
}

pub(crate) fn applied(world: &World) -> usize {
    world
        .told()
        .iter()
        .filter(|told| told.attributes.get("detail-type").is_some_and(|kind| kind == "Remedy Applied"))
        .count()
}

pub(crate) async fn until_asked(mut world: World) -> World {
    world.run_for(600).await;
    assert_eq!((world.writes(), asked(&world), applied(&world)), (Vec::new(), 1, 0), "{:#?}", world.told());
    world
}

#[tokio::test]
async fn a_yes_moves_the_service_and_says_who_gave_it() {
    let mut world = until_asked(movable(asking())).await;
    let question = world.told().into_iter().find(|told| told.message.contains("may it be")).expect("it is asked");
    insta::assert_snapshot!("asked_move", format!("{}\n\n{}", question.subject.unwrap_or_default(), question.message));
    let code = code(&world);
    let answer = signed(&world, ALICE, YesOrNo::Yes, &code);
    let answer = world.ask(&answer).await;
    assert_eq!(heard(&answer).0, "done", "{answer}");
    assert_eq!(answer["by"], ALICE);
    assert_eq!(world.service_tag("web", "pullsafe:approved-by"), ALICE);
    let clones = world.writes().iter().filter(|write| *write == "ecs:RegisterTaskDefinition").count();
    assert_eq!((clones, applied(&world), asked(&world)), (1, 1, 1), "{:?}", world.writes());
    let told = world.told().pop().expect("it is told");
    assert!(told.message.contains(&format!("question {code} approved by {ALICE}")), "{}", told.message);
    world.run_for(3600).await;
    assert_eq!((applied(&world), asked(&world)), (1, 1));
    assert!(
        world.told().iter().any(|told| told.subject.as_deref() == Some("pullsafe: prod/web: resolved")),
        "{:#?}",
        world.told()
    );
    // The second answer is told what happened, even after the act is over.
    let second = signed(&world, BOB, YesOrNo::Yes, &code);
    let second = world.ask(&second).await;
    assert!(
        heard(&second).0 == "answered-before" && heard(&second).1.contains(&format!("approved by {ALICE}")),
        "{second}"
    );
}

#[tokio::test]
async fn a_yes_pauses_the_service_and_its_way_back_needs_no_other() {
    let mut world = until_asked(pausable(asking())).await;
    let question = world.told().pop().expect("it is asked");
    insta::assert_snapshot!("asked_pause", format!("{}\n\n{}", question.subject.unwrap_or_default(), question.message));
    let answer = yes(&code(&world));
    let answer = world.ask(&answer).await;
    assert_eq!(heard(&answer).0, "done", "{answer}");
    assert_eq!(world.service("web")["desiredCount"], 0);
    assert_eq!(world.service_tag("web", "pullsafe:approved-by"), "unnamed");
    Sample::new(3).build().push(world.images.store(), "app", "1");
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 2, "{:#?}", world.told());
    assert_eq!(world.service_tag("web", "pullsafe:approved-by"), Value::Null, "the mark goes with the others");
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_no_is_remembered_for_the_service_and_the_cause() {
    let mut world = until_asked(pausable(asking())).await;
    let first = code(&world);
    let no = signed(&world, ALICE, YesOrNo::No(Some(7 * 24 * 3600)), &first);
    let answer = world.ask(&no).await;
    assert_eq!(heard(&answer).0, "declined", "{answer}");
    let late = world.ask(&yes(&first)).await;
    assert!(
        heard(&late).0 == "answered-before" && heard(&late).1.contains(&format!("declined by {ALICE}")),
        "{late}"
    );
    world.run_for(6 * 3600).await;
    assert_eq!((world.writes(), asked(&world)), (Vec::new(), 1));
    // Another incident of the same cause within that time is told, but nobody is asked.
    world.update_service("web", json!({ "desiredCount": 0 }));
    world.run_for(1800).await;
    assert_eq!(incident(&world), Value::Null, "{:#?}", incident(&world));
    let told = world.told().len();
    world.update_service("web", json!({ "desiredCount": 2 }));
    world.run_for(1800).await;
    assert_eq!((world.writes(), asked(&world)), (Vec::new(), 1));
    let advice = &world.told()[told];
    assert!(advice.message.contains(&format!("{ALICE} declined it at")), "{}", advice.message);
    // A person's no also holds in act mode. The message that asks for another try takes it back.
    world.restart(&[("PULLSAFE_PAUSE_AFTER", "1")]);
    world.run_for(1800).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    world.restart(&[("PULLSAFE_MODE", "ask"), ("PULLSAFE_PAUSE_AFTER", "1")]);
    let again = json!({ "pullsafe": "try-again", "subject": subject(&world, "web") });
    world.queues.send(WORK_QUEUE, &again);
    world.run_for(600).await;
    assert_eq!(asked(&world), 2, "{:#?}", world.told());
}

#[tokio::test]
async fn a_no_without_a_time_holds_for_the_incident() {
    let mut world = until_asked(pausable(asking())).await;
    let no = json!({ "pullsafe": "decline", "codes": [code(&world)] });
    assert_eq!(heard(&world.ask(&no).await).0, "declined");
    world.run_for(6 * 3600).await;
    assert_eq!((world.writes(), asked(&world)), (Vec::new(), 1));
    world.update_service("web", json!({ "desiredCount": 0 }));
    world.run_for(1800).await;
    world.update_service("web", json!({ "desiredCount": 2 }));
    world.run_for(1800).await;
    assert_eq!(asked(&world), 2, "{:#?}", world.told());
}

/// If nobody answers in time, a late yes leads to a new question, and only a yes to that one counts.
#[tokio::test]
async fn a_late_yes_becomes_a_new_question() {
    for swept in [true, false] {
        let mut world = until_asked(movable(asking())).await;
        let first = code(&world);
        match swept {
            true => world.run_for(2 * 3600).await,
            false => world.clock.advance(2 * 3600),
        }
        assert_eq!((world.writes(), asked(&world)), (Vec::new(), 1));
        let late = world.ask(&yes(&first)).await;
        assert_eq!(heard(&late).0, "asked-anew", "{late}");
        assert_eq!((world.writes(), asked(&world)), (Vec::new(), 2));
        let second = late["answers"][0]["question"].as_str().expect("a new question").to_owned();
        assert_ne!(first, second);
        assert_eq!(heard(&world.ask(&yes(&first)).await).0, "answered-before");
        assert_eq!(world.writes(), Vec::<String>::new());
        let answer = world.ask(&yes(&second)).await;
        assert_eq!(heard(&answer).0, "done", "{answer}");
        assert_eq!(applied(&world), 1);
    }
}

/// An unanswered question is told once, in the incident's thread, and wakes nobody. A question that was answered, or
/// replaced by another, is not told as unanswered.
#[tokio::test]
async fn an_unanswered_question_is_told_once_and_quietly() {
    let expired = |world: &World| -> Vec<_> {
        let told = world.told().into_iter();
        told.filter(|told| told.attributes["detail-type"] == "Approval Expired").collect()
    };
    let mut world = until_asked(movable(asking())).await;
    let first = code(&world);
    world.run_for(2 * 3600).await;
    let told = expired(&world);
    assert_eq!(told.len(), 1, "{:#?}", world.told());
    assert_eq!(told[0].attributes["severity"], "info");
    insta::assert_snapshot!(
        "asked_expired",
        format!("{}\n\n{}", told[0].subject.clone().unwrap_or_default(), told[0].message)
    );
    let event = world.bus.events_of("Approval Expired").pop().expect("programs hear of it");
    assert_eq!(
        (&event["detail"]["question"]["code"], &event["detail"]["thread"], &event["detail"]["opens"]),
        (&json!(first), &incident(&world)["id"], &json!(false))
    );
    // The late yes leads to another question, which expires on its own.
    let late = world.ask(&yes(&first)).await;
    assert_eq!(heard(&late).0, "asked-anew", "{late}");
    world.run_for(2 * 3600).await;
    assert_eq!(expired(&world).len(), 2);

    let mut world = until_asked(movable(asking())).await;
    let answer = yes(&code(&world));
    assert_eq!(heard(&world.ask(&answer).await).0, "done");
    world.run_for(6 * 3600).await;
    assert_eq!(expired(&world).len(), 0);
}

/// A person changes the service between the question and the yes. The plan would now be another one, or none.
#[tokio::test]
async fn a_yes_to_what_has_changed_does_nothing() {
    // The plan is now another one, so there is a new question.
    let mut world = until_asked(pausable(asking())).await;
    let first = code(&world);
    world.update_service("web", json!({ "desiredCount": 5 }));
    let answer = world.ask(&yes(&first)).await;
    assert_eq!(heard(&answer).0, "asked-anew", "{answer}");
    assert_eq!(world.writes(), Vec::<String>::new());
    let message = world.told().pop().expect("it is asked anew").message;
    assert!(
        message.contains(&format!("It takes the place of question {first}")) && message.contains("- 5\n"),
        "{message}"
    );
    let second = code(&world);
    let before = world.ask(&yes(&first)).await;
    assert!(heard(&before).1.contains(&format!("question {second} took its place")), "{before}");
    assert_eq!(heard(&world.ask(&yes(&second)).await).0, "done");
    assert_eq!(world.service_tag("web", "pullsafe:paused-count"), "5");

    // No plan is left. The guards say why, and the question still waits.
    let mut world = until_asked(movable(asking())).await;
    let definition = world.define("app", &["acme/app:2"]);
    world.update_service("web", json!({ "taskDefinition": definition }));
    let writes = world.writes().len();
    let answer = world.ask(&yes(&code(&world))).await;
    assert!(
        heard(&answer).0 == "not-now" && heard(&answer).1.contains("the service has moved on to app:2"),
        "{answer}"
    );
    assert_eq!(world.writes().len(), writes);
}

#[tokio::test]
async fn a_yes_after_recovery_hears_that_it_is_over() {
    for swept in [true, false] {
        let mut world = until_asked(movable(asking())).await;
        let code = code(&world);
        let definition = world.define("app", &[&format!("{}/docker-hub/acme/app:1", world.images.host())]);
        world.update_service("web", json!({ "taskDefinition": definition }));
        let until = world.clock.now().plus_seconds(1200);
        while world.clock.now() < until {
            world.scheduler.next_events(until).await;
        }
        if swept {
            world.run_for(1800).await;
        }
        let writes = world.writes().len();
        let answer = world.ask(&yes(&code)).await;
        let expected = if swept { "answered-before" } else { "over" };
        let (outcome, said) = heard(&answer);
        assert!(
            outcome == expected
                && ["the incident was over", "The incident is over"].iter().any(|over| said.contains(over)),
            "{answer}"
        );
        assert_eq!(world.writes().len(), writes);
        assert_eq!(applied(&world), 0);
    }
}

/// The mode is lowered after the question, or between the yes and a step of its act.
#[tokio::test]
async fn a_yes_counts_no_more_where_the_mode_says_so() {
    for mode in ["observe", "off"] {
        let mut world = until_asked(movable(asking())).await;
        let code = code(&world);
        world.restart(&[("PULLSAFE_MODE", mode)]);
        let answer = world.ask(&yes(&code)).await;
        assert_eq!(heard(&answer).0, "not-now", "{answer}");
        assert_eq!(world.writes(), Vec::<String>::new());
    }
    let mut world = until_asked(movable(asking())).await;
    let (ecs, arn) = (world.ecs.clone(), world.service("web")["serviceArn"].clone());
    world.aws.before("ecs", "RegisterTaskDefinition", move || {
        let tags = json!([{ "key": "pullsafe:mode", "value": "observe" }]);
        ecs.call("TagResource", &json!({ "resourceArn": arn, "tags": tags })).expect("a person tags it");
    });
    let definition = world.service("web")["taskDefinition"].clone();
    let answer = yes(&code(&world));
    let answer = world.ask(&answer).await;
    assert!(heard(&answer).0 == "not-now" && heard(&answer).1.contains("the mode is observe now"), "{answer}");
    assert_eq!(world.service("web")["taskDefinition"], definition);
}

/// A refused act needs another yes: the question is asked again once the act may be tried again.
#[tokio::test]
async fn a_refused_act_is_asked_about_again() {
    let mut world = until_asked(movable(asking())).await;
    world.aws.inject(AwsFault::on("ecs", "RegisterTaskDefinition", FaultKind::AccessDenied).always());
    let first = code(&world);
    let answer = world.ask(&yes(&first)).await;
    assert!(heard(&answer).0 == "not-now" && heard(&answer).1.contains("RegisterTaskDefinition"), "{answer}");
    world.aws.clear_faults();
    let writes = world.writes().len();
    world.run_for(1200).await;
    assert_eq!((world.writes().len(), asked(&world)), (writes, 2), "{:#?}", world.told());
    let answer = yes(&code(&world));
    assert_eq!(heard(&world.ask(&answer).await).0, "done");
}

/// The mirror belongs to the stack and is filled without a question. An image is brought back from the archive only
/// after a question.
#[tokio::test]
async fn the_mirror_is_filled_without_a_question() {
    let world = asking().build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 1, json!({}));
    let mut world = world;
    world.run_for(3000).await;
    assert!(world.queues.bodies(MIRROR_QUEUE).is_empty(), "the mirror has worked it off");
    let to_people: Vec<String> = world.told().iter().filter_map(|told| told.subject.clone()).collect();
    println!("{to_people:#?}");
    assert!(
        world.writes().iter().all(|write| write.starts_with("ecr:")),
        "only the mirror writes: {:?}",
        world.writes()
    );
}

#[tokio::test]
async fn a_tag_lowers_act_to_ask_and_raises_it_only_where_tags_may() {
    let tagged = |value: &str| json!({ "tags": [{ "key": "pullsafe:mode", "value": value }] });
    for (mode, raises, asks) in [("act", "false", true), ("observe", "false", false), ("observe", "true", true)] {
        let setup = Setup::new()
            .with("PULLSAFE_MODE", mode)
            .with("PULLSAFE_ALLOW_TAG_TO_ACT", raises)
            .paced(Pacing::default());
        let mut world = movable(setup);
        let definition = world.service("web")["taskDefinition"].as_str().unwrap_or_default().to_owned();
        world.update_service("web", json!({ "desiredCount": 0 }));
        world.create_service("tagged", &definition, 1, tagged("ask"));
        world.run_for(600).await;
        assert_eq!(world.writes(), Vec::<String>::new(), "{mode}");
        assert_eq!(asked(&world), usize::from(asks), "{mode} {raises}: {:#?}", world.told());
    }
}
