//! What somebody who may invoke the remediator, or write to its queue, tries with drills: to have one change something,
//! or report something that is not a drill.

use scenarios::world::{CLUSTER, NAT, Setup, WORK_QUEUE};
use serde_json::{Value, json};
use testkit::aws::service::FakeService as _;
use testkit::registry::Sample;

pub(crate) async fn forged() -> String {
    let mut world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 0, json!({}));
    let service = |name: &str| json!({ "service": { "cluster_arn": format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{CLUSTER}"), "name": name } });
    let with = |more: Value| {
        let mut drill = json!({ "pullsafe": "drill", "subject": service("web") });
        drill.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        drill
    };
    let evil = [
        with(json!({})),
        with(
            json!({ "mode": "act", "act": true, "applied": true, "plan": { "steps": [{ "ForceNewDeployment": { "service": "x" } }] } }),
        ),
        with(
            json!({ "stoppedReason": "<!channel> pay here", "text": "Remedy Applied", "detail-type": "Remedy Applied" }),
        ),
        json!({ "requestPayload": with(json!({})) }),
        json!({ "pullsafe": "drill", "subject": service("web\u{202e}<!channel>") }),
        json!({ "pullsafe": "drill", "subject": { "project": { "scope": "arn:aws:codebuild:eu-west-1:1", "name": "web" } } }),
        json!({ "pullsafe": ["drill"], "subject": service("web") }),
        json!({ "pullsafe": "drill" }),
    ];
    let mut tried = 0;
    for _ in 0..15 {
        for event in &evil {
            world.deliver(event).await;
            let message =
                json!({ "QueueUrl": testkit::aws::sqs::Sqs::url(WORK_QUEUE), "MessageBody": event.to_string() });
            world.queues.call("SendMessage", &message).expect("it is taken");
            tried += 2;
        }
    }
    world.run_for(300).await;
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.records(), Vec::<Value>::new(), "no incident, no memory of one");
    let told = world.told();
    assert_eq!(told.len(), 3, "{told:?}");
    for notice in &told {
        assert!(
            notice.subject.as_deref().is_some_and(|subject| subject.starts_with("pullsafe: DRILL for prod/web")),
            "{notice:?}"
        );
        assert!(notice.message.starts_with("DRILL") && !notice.message.contains("pay here"), "{notice:?}");
    }
    let events = world.bus.events();
    assert!(
        events.iter().all(|event| event["detail-type"] == "Drill" && event["detail"]["applied"] == false),
        "{events:?}"
    );
    format!("{tried} drills are {} messages that say so", told.len())
}
