//! A bad hour: lookups without an answer, services that are busy, events that AWS did not send.

use scenarios::world::{DEAD_LETTERS, NAT, Setup, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::registry::Sample;
use testkit::registry::server::fault::{FaultRule, Gate, RegistryFault};

fn quota_used_up(tasks: i64) -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, tasks, json!({}));
    world
}

async fn stops(world: &mut World, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    while found.len() < count {
        let until = world.clock.now().plus_seconds(600);
        let events = world.scheduler.next_events(until).await;
        found.extend(events.into_iter().filter(|event| event["detail"]["lastStatus"] == "STOPPED"));
    }
    found
}

/// Lambda ends a chain of messages that a function sends to itself after 16. So a message about a busy service is
/// hidden instead of sent again.
#[tokio::test]
async fn a_message_about_a_busy_service_is_hidden_and_not_sent_again() {
    let mut world = quota_used_up(4);
    for event in stops(&mut world, 4).await {
        world.queues.send(WORK_QUEUE, &event);
    }
    let batches: Vec<Value> = (0..4).filter_map(|_| world.queues.deliver(WORK_QUEUE, 1)).collect();
    let [one, two, three, four] = batches.as_slice() else {
        panic!("{batches:?}")
    };
    let remediator = world.remediator.clone().unwrap();
    let handled = tokio::join!(
        remediator.handle(one, "a"),
        remediator.handle(two, "b"),
        remediator.handle(three, "c"),
        remediator.handle(four, "d")
    );
    let mut hidden = 0;
    for (batch, answer) in batches.iter().zip([handled.0, handled.1, handled.2, handled.3]) {
        let failed: Vec<String> = answer.unwrap()["batchItemFailures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["itemIdentifier"].as_str().unwrap().to_owned())
            .collect();
        hidden += failed.len();
        world.queues.settle(WORK_QUEUE, batch, &failed);
    }
    assert!(hidden > 0, "one is at work, the others wait");
    assert_eq!(world.aws.count("ChangeMessageVisibility"), hidden);
    let sent = world.aws.calls_of("SendMessage");
    assert!(sent.iter().all(|call| !call.request.to_string().contains(WORK_QUEUE)), "{sent:?}");
    world.run_for(300).await;
    let record = &world.records()[0];
    assert_eq!(record["open"]["causes"][0]["tasks"], 4, "those that had to wait were counted too: {record}");
    assert_eq!(world.queues.bodies(DEAD_LETTERS), Vec::<Value>::new(), "nobody has failed");
}

/// The state of a registry that accepts connections but does not answer stays unknown, and people are told so.
#[tokio::test]
async fn a_registry_that_does_not_answer_costs_one_budget() {
    let mut world = quota_used_up(1);
    let unanswered = Gate::closed();
    world
        .hub
        .plant(FaultRule::new(http::Method::HEAD, "acme/app", RegistryFault::Hold(unanswered.clone())).always());
    let stop = stops(&mut world, 1).await.remove(0);
    let remediator = world.remediator.clone().unwrap();
    let begin = std::time::Instant::now();
    remediator.handle(&stop, "a").await.unwrap();
    // The function has 60 s. Time is real in this test: a clock that jumps would also jump over answers that are on
    // their way.
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    let record = &world.records()[0];
    assert!(record["open"]["declined"].to_string().contains("no answer in 8 s"), "{record}");
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// Anybody who may put events on the bus can write every field of them except the source.
#[tokio::test]
async fn an_event_of_another_source_is_not_believed() {
    let mut world = quota_used_up(1);
    let mut stop = stops(&mut world, 1).await.remove(0);
    for source in ["com.example.app", "aws.ecs.copy", "", "pullsafe"] {
        stop["source"] = json!(source);
        world.deliver(&stop).await;
    }
    assert_eq!(world.records(), Vec::<Value>::new());
    assert_eq!(world.told().len(), 0);
    stop["source"] = json!("aws.ecs");
    world.deliver(&stop).await;
    assert_eq!(world.records().len(), 1);
}
