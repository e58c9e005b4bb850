//! Calls that AWS refuses for good, or for a while: told once, nothing is left behind that no message names, nothing is
//! tried again by itself, and no message stays in a queue. Also, acting that is no longer allowed: nothing is changed
//! after that.

use std::collections::BTreeSet;

use pullsafe::permission;
use scenarios::world::{DEAD_LETTERS, MIRROR_QUEUE, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::aws::{AwsFault, FaultKind};

use crate::crash::{ASK, Cure, FORCE, MOVE, PAUSE, RESTORE, SCALING, STEP_ASIDE, WAKE, begin, play, quota_used_up};

/// Every cure.
const CURES: [&Cure; 7] = [&MOVE, &ASK, &PAUSE, &RESTORE, &STEP_ASIDE, &WAKE, &FORCE];

/// The calls with which a cure changes something, including the request to the mirror.
async fn acts_of(cure: &Cure) -> BTreeSet<(String, String)> {
    let (mut world, event) = begin(cure).await;
    play(&mut world, event).await;
    // What the mirror stores is not part of the cure.
    let writes = world.aws.writes().into_iter().filter(|call| call.service != "ecr");
    let mut acts: BTreeSet<_> = writes.map(|call| (call.service, call.operation)).collect();
    let asks = world
        .aws
        .calls_of("SendMessage")
        .into_iter()
        .filter(|call| call.request["QueueUrl"].to_string().contains(MIRROR_QUEUE));
    acts.extend(asks.map(|call| (call.service, call.operation)));
    assert!(!acts.is_empty(), "{}", cure.name);
    acts
}

/// The error code of a refusal that no permission can cure.
fn invalid(service: &str) -> FaultKind {
    FaultKind::Code(match service {
        "ecs" => "InvalidParameterException",
        "sqs" => "InvalidMessageContents",
        _ => "ValidationException",
    })
}

/// Plays a cure in which these calls are refused for good.
async fn refuse(cure: &Cure, refused: &[&(String, String)], is_denied: bool) {
    let (mut world, event) = begin(cure).await;
    for (service, operation) in refused {
        let kind = if is_denied { FaultKind::AccessDenied } else { invalid(service) };
        world.aws.inject(AwsFault::on(service, operation, kind).always());
    }
    let (told, marked) = (world.told().len(), marks(&world));
    play(&mut world, event).await;
    let case = format!("{}: {refused:?}, denied: {is_denied}\n{:#?}\n{:#?}", cure.name, world.answers, world.told());
    let said: Vec<String> = world.told().into_iter().skip(told).map(|notice| notice.message).collect();
    let said: Vec<&String> = said.iter().filter(|text| text.contains("Refused by AWS")).collect();
    assert_eq!(said.len(), 1, "told once: {case}");
    let said = said[0];
    let names =
        |(service, operation): &&(String, String)| said.contains(&format!("\"Action\":\"{service}:{operation}\""));
    assert!(
        if is_denied {
            refused.iter().any(names)
        } else {
            said.contains("What is missing")
        },
        "{case}"
    );
    if world.service("web")["desiredCount"] == 0 {
        assert_eq!(marks(&world), marked, "a service that is still paused keeps its marks: {case}");
    } else {
        assert!(
            marks(&world).is_empty() || said.contains("aws ecs untag-resource"),
            "marks are left, and nobody is told: {case}"
        );
        let target = world.scaling.target(SCALING);
        let suspended = target.is_some_and(|target| target["SuspendedState"]["DynamicScalingOutSuspended"] == true);
        assert!(
            !suspended || said.contains("register-scalable-target"),
            "scaling is left suspended, and nobody is told: {case}"
        );
    }
    let revisions = world.ecs.call("ListTaskDefinitions", &json!({ "familyPrefix": "app" })).expect("ECS lists");
    let revisions = revisions["taskDefinitionArns"].as_array().map_or(0, Vec::len);
    let uses_clone = world.service("web")["taskDefinition"].as_str().is_some_and(|arn| !arn.ends_with(":1"));
    assert!(
        revisions == 1 + usize::from(uses_clone) || said.contains("and it is left"),
        "a clone is left, and nobody is told: {case}"
    );
    for queue in [WORK_QUEUE, DEAD_LETTERS] {
        assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}: {case}");
    }
    // A single refused call shows whether it is tried again. With two, the first one that is reached ends the act.
    if refused.len() > 1 {
        return;
    }
    let count = |world: &World| refused.iter().map(|(_, operation)| world.aws.count(operation)).sum::<usize>();
    let (tried, told) = (count(&world), world.told().len());
    for _ in 0..30 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
    let sends = refused.iter().any(|(_, operation)| operation == "SendMessage");
    assert!(sends || count(&world) == tried, "tried again without a reason: {case}");
    assert_eq!(world.told().len(), told, "told again without a reason: {case}");
}

/// Every writing call of every cure, alone and together with every other one, with both kinds of refusal.
#[tokio::test]
async fn what_is_refused_is_told_once_and_leaves_nothing_that_is_not_named() {
    let (mut alone, mut pairs) = (0, 0);
    for cure in CURES {
        let acts: Vec<_> = acts_of(cure)
            .await
            .into_iter()
            .chain([("ecs".to_owned(), "DeregisterTaskDefinition".to_owned())])
            .collect();
        for (at, first) in acts.iter().enumerate() {
            // Deregistering a clone is not a step of a cure.
            if first.1 == "DeregisterTaskDefinition" {
                continue;
            }
            for is_denied in [true, false] {
                refuse(cure, &[first], is_denied).await;
                alone += 1;
                for second in &acts[at + 1..] {
                    refuse(cure, &[first, second], is_denied).await;
                    pairs += 1;
                }
            }
        }
    }
    println!(
        "refusals: {alone} of one writing call, {pairs} of two, all told once, no mark left unnamed, every queue \
         empty at the end"
    );
}

/// Plays a cure in which one reading call is denied, for every reading call in turn: once for a minute, as with a
/// permission that was just granted, and once for good. The first is not told, and the cure succeeds. The second is
/// named in a message, unless the cure does without the call.
async fn denied_reads(cure: &Cure) {
    let (mut world, event) = begin(cure).await;
    let expected = play(&mut world, event).await;
    let own = ["dynamodb", "sqs", "sns", "events"];
    // What the mirror reads besides is not part of the cure.
    let may = permission::remediator_actions();
    let reads = world.aws.calls().into_iter().filter(|call| {
        let is_ours = may.contains(&format!("{}:{}", call.service, call.operation).as_str());
        is_ours && !call.is_write() && !own.contains(&call.service.as_str())
    });
    let reads: BTreeSet<(String, String)> = reads.map(|call| (call.service, call.operation)).collect();
    assert!(reads.len() > 2, "{}: {reads:?}", cure.name);
    for (service, operation) in &reads {
        for for_good in [false, true] {
            let (mut world, event) = begin(cure).await;
            let told = world.told().len();
            // Earlier answers are now too old to be used.
            world.clock.advance(30);
            world.aws.inject(AwsFault::on(service, operation, FaultKind::AccessDenied).always());
            if let Some(event) = &event {
                world.deliver(event).await;
            }
            world.settle().await;
            world.clock.advance(60);
            world.deliver(&json!({ "pullsafe": "sweep" })).await;
            world.settle().await;
            if !for_good {
                world.aws.clear_faults();
            }
            let found = play(&mut world, None).await;
            let pair = format!(
                "{}: {service}:{operation} denied, for good {for_good}\n{:#?}\n{:#?}",
                cure.name,
                world.answers,
                world.told()
            );
            let said: Vec<String> = world.told().into_iter().skip(told).map(|notice| notice.message).collect();
            match for_good {
                false => {
                    assert_eq!(found.applied, expected.applied, "{pair}");
                    // A lookup that belongs to an act is part of it: its refusal is told at once, and it is tried again
                    // after the grace.
                    let news = |text: &&String| text.contains("AccessDenied") && !text.contains("refused: ");
                    assert_eq!(said.iter().find(news), None, "told within the grace: {pair}");
                }
                true if found.applied == expected.applied => {}
                true => {
                    let call = format!("{service}:{operation}");
                    assert_eq!(said.iter().filter(|text| text.contains(&call)).count(), 1, "named, once: {pair}");
                }
            }
            for queue in [WORK_QUEUE, DEAD_LETTERS] {
                assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}: {pair}");
            }
        }
    }
}

#[tokio::test]
async fn a_read_that_is_denied_for_a_minute_is_no_news_and_one_denied_for_good_is_named() {
    for cure in [&WAKE, &MOVE, &FORCE] {
        denied_reads(cure).await;
    }
}

#[tokio::test]
async fn a_read_that_is_denied_around_a_pause_is_named_too() {
    for cure in [&PAUSE, &RESTORE, &STEP_ASIDE] {
        denied_reads(cure).await;
    }
}

/// The tags of a pause on the service.
fn marks(world: &World) -> Vec<String> {
    let service = world.service("web");
    let tags = service["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tag| tag["key"].as_str())
        .map(str::to_owned);
    tags.filter(|key| key.starts_with("pullsafe:paused-")).collect()
}

/// The service was moved before the refusal: the message says so, and another try only adds what is missing.
#[tokio::test]
async fn a_move_without_its_tags_is_told_as_a_move() {
    let (mut world, event) = begin(&MOVE).await;
    world
        .aws
        .inject(AwsFault::on("ecs", "TagResource", FaultKind::Code("InvalidParameterException")).always());
    play(&mut world, event).await;
    let told = world.told();
    let refused = told.iter().find(|notice| notice.message.contains("Refused by AWS")).expect("it is told");
    assert!(
        refused.message.contains("Done before the refusal, and left as it is:\n    clone app:1"),
        "{}",
        refused.message
    );
    assert!(refused.message.contains("fewer than 50 tags"), "{}", refused.message);
}

/// A person repairs the cause and asks for another try.
#[tokio::test]
async fn a_refused_act_is_tried_again_on_a_persons_word() {
    let (mut world, event) = begin(&PAUSE).await;
    world
        .aws
        .inject(AwsFault::on("ecs", "UpdateService", FaultKind::Code("InvalidParameterException")).always());
    play(&mut world, event).await;
    assert_eq!(world.service("web")["desiredCount"], 2);
    let told = world.told();
    let refused = told.iter().find(|notice| notice.message.contains("Refused by AWS")).expect("it is told");
    let (_, body) = refused.message.split_once("--message-body '").expect("the message has the command");
    let (body, _) = body.split_once('\'').expect("and its end");
    world.aws.clear_faults();
    world.queues.send(WORK_QUEUE, &serde_json::from_str(body).expect("what the command sends is JSON"));
    world.settle().await;
    assert_eq!(world.service("web")["desiredCount"], 0, "{:#?}", world.answers);
}

/// The mode is read right before every writing call. Once a tag forbids acting, whatever call comes next, no writing
/// call follows that could have known of the tag.
#[tokio::test]
async fn nothing_is_changed_once_a_tag_forbids_it() {
    let mut moments = 0;
    for cure in CURES {
        let (mut world, event) = begin(cure).await;
        play(&mut world, event).await;
        let last = world
            .aws
            .writes()
            .iter()
            .filter(|call| call.service != "ecr")
            .map(|call| call.number)
            .max()
            .unwrap_or_default();
        for moment in 1..=last {
            let (mut world, event) = begin(cure).await;
            let tag = json!({ "resourceArn": world.service("web")["serviceArn"], "tags": [{ "key": "pullsafe:mode", "value": "observe" }] });
            let ecs = world.ecs.clone();
            world.aws.before_call(moment, move || {
                ecs.call("TagResource", &tag).expect("a person tags it");
            });
            play(&mut world, event).await;
            let calls = world.aws.calls();
            let after = calls.iter().skip_while(|call| call.number < moment);
            let mut knows = false;
            for call in after {
                let undoes = call.operation == "DeregisterTaskDefinition" || call.service == "ecr";
                assert!(
                    !(knows && call.is_write() && !undoes),
                    "{}: forbidden before call {moment}, and call {} is {}\n{:#?}",
                    cure.name,
                    call.number,
                    call.operation,
                    world.told()
                );
                knows |= call.operation == "DescribeServices";
            }
            let state = world.records().first().map(|record| record["open"]["act"]["state"].clone());
            assert_ne!(state, Some(json!("acting")), "{}: forbidden before call {moment}", cure.name);
            assert_eq!(world.queues.bodies(WORK_QUEUE), Vec::<Value>::new());
            moments += 1;
        }
    }
    println!("mode: {moments} moments at which a tag forbids acting, no writing call after that");
}

/// A later change by a person is recognised by comparing with the state right after the refusal. If that state could
/// not be read, the service counts as unchanged.
#[tokio::test]
async fn a_refusal_after_which_the_service_cannot_be_seen_is_not_tried_again() {
    let refuse = |world: &World| {
        world
            .aws
            .inject(AwsFault::on("ecs", "UpdateService", FaultKind::Code("InvalidParameterException")).always());
    };
    let (mut probe, event) = begin(&PAUSE).await;
    refuse(&probe);
    play(&mut probe, event).await;
    let calls = probe.aws.calls();
    let told = calls.iter().position(|call| call.operation == "Publish").expect("it is told");
    let seen = calls[..told]
        .iter()
        .rev()
        .find(|call| call.operation == "DescribeServices")
        .expect("the service is looked at");
    let (mut world, event) = begin(&PAUSE).await;
    refuse(&world);
    world.aws.inject(AwsFault::at_call(seen.number, FaultKind::Unavailable));
    play(&mut world, event).await;
    assert_eq!(world.aws.count("UpdateService"), 1, "{:#?}", world.told());
}

/// The next sweep does the same work, so a refused sweep is not kept, however long the refusals last.
#[tokio::test]
async fn sweeps_that_are_refused_do_not_fill_the_queue() {
    let (mut world, event) = begin(&PAUSE).await;
    play(&mut world, event).await;
    world.aws.inject(AwsFault::on("dynamodb", "Query", FaultKind::AccessDenied).always());
    for _ in 0..60 {
        world.clock.advance(60);
        world.deliver(&json!({ "pullsafe": "sweep" })).await;
        world.settle().await;
    }
    for queue in [WORK_QUEUE, DEAD_LETTERS] {
        assert_eq!(world.queues.bodies(queue), Vec::<Value>::new(), "{queue}");
    }
}

/// A move ahead of a failure is refused like any other act.
#[tokio::test]
async fn a_refused_move_ahead_is_told_once() {
    for (service, operation) in [("ecs", "RegisterTaskDefinition"), ("ecs", "UpdateService")] {
        for kind in [FaultKind::AccessDenied, invalid(service)] {
            let mut world = quota_used_up();
            world.restart(&[("PULLSAFE_AHEAD", "move")]);
            world.aws.inject(AwsFault::on(service, operation, kind).always());
            let service_arn = world.service("web")["serviceArn"].clone();
            let started = json!({
                "version": "0", "id": "1", "detail-type": "ECS Deployment State Change", "source": "aws.ecs", "account": "123456789012",
                "time": world.clock.now(), "region": "eu-west-1", "resources": [service_arn],
                "detail": { "eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS", "deploymentId": "ecs-svc/1", "updatedAt": world.clock.now(), "reason": "ECS deployment ecs-svc/1 in progress." },
            });
            play(&mut world, Some(started)).await;
            let told = world.told();
            let refused = told.iter().filter(|notice| notice.message.contains("Refused by AWS")).count();
            assert_eq!(refused, 1, "{operation} {kind:?}: {told:#?}");
            let revisions =
                world.ecs.call("ListTaskDefinitions", &json!({ "familyPrefix": "app" })).expect("ECS lists");
            assert_eq!(revisions["taskDefinitionArns"].as_array().map(Vec::len), Some(1), "{operation} {kind:?}");
        }
    }
}
