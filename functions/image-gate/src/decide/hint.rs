//! What wakes the waker. An event says where to look; nothing else in it is relied upon.

use serde_json::{Value, json};

use super::key;
use pullsafe::reference::{Reference, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_events as event;
use pullsafe_events::Event;

/// Marks a delayed message as a timer, which wakes the waker shortly before the end of a wait.
const TIMER: &str = "gate-timer";

/// The delayed message that leads to the waiters of a partition.
pub fn timer(partition: &str) -> Value {
    json!({"pullsafe": TIMER, "partition": partition})
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// At everything that waits.
    Sweep,
    /// At the waiters of one partition: an image has appeared in their repository.
    Repository(String),
    /// Nowhere, and why.
    Nothing(String),
}

/// Reads an event, or the event in Lambda's record of an invocation that failed.
pub fn hint(payload: &Value, now: Timestamp) -> Hint {
    if let Some(original) = payload.get("requestPayload") {
        return hint(original, now);
    }
    if payload["pullsafe"] == TIMER {
        let partition = payload["partition"].as_str().filter(|partition| partition.starts_with(key::WAITERS));
        return partition.map_or_else(
            || Hint::Nothing("a timer of nobody".to_owned()),
            |partition| Hint::Repository(partition.to_owned()),
        );
    }
    match event::parse(payload, now) {
        Event::Sweep => Hint::Sweep,
        Event::ImageArrived(arrival) => {
            Hint::Repository(key::waiters(&arrival.account, &arrival.region, &arrival.repository))
        }
        Event::ImageMirrored(copy) => of_copy(&copy.target),
        Event::TaskStopped(_)
        | Event::ServiceChanged(_)
        | Event::HookWaits(_)
        | Event::BuildFailed(_)
        | Event::Look(_)
        | Event::TryAgain(_)
        | Event::Drill(_)
        | Event::FindPaused
        | Event::FindOutlooks
        | Event::LookOut(..)
        | Event::TellOutlooks
        | Event::QuotaRead(_)
        | Event::MoveAhead(_)
        | Event::Summary(..)
        | Event::Paused(_) => Hint::Nothing("the event is not for the image gate".to_owned()),
        Event::Ignored(why) => Hint::Nothing(why),
    }
}

/// A mirrored image is where the mirror was told to put it.
fn of_copy(target: &Reference) -> Hint {
    match ecr_host(target.registry()) {
        Some(host) => Hint::Repository(key::waiters(host.account, host.region, target.repository())),
        None => Hint::Nothing("the copy is not in a private ECR registry".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(payload: &Value) -> Hint {
        hint(payload, Timestamp::from_millis(0))
    }

    #[test]
    fn whatever_brings_an_image_leads_to_its_repository() {
        let event = |detail_type: &str, detail: Value| json!({"source": "aws.ecr", "detail-type": detail_type, "account": "111122223333", "region": "eu-west-1", "detail": detail});
        let web = Hint::Repository("gate#111122223333/eu-west-1/web".to_owned());
        for (detail_type, detail) in [
            (
                "ECR Image Action",
                json!({"action-type": "PUSH", "result": "SUCCESS", "repository-name": "web", "image-tag": "1"}),
            ),
            (
                "ECR Image Action",
                json!({"action-type": "UPDATE_STORAGE_CLASS", "result": "SUCCESS", "repository-name": "web"}),
            ),
            (
                "ECR Replication Action",
                json!({"action-type": "REPLICATE", "result": "SUCCESS", "repository-name": "web"}),
            ),
            ("ECR Pull Through Cache Action", json!({"sync-status": "SUCCESS", "repository-name": "web"})),
        ] {
            assert_eq!(of(&event(detail_type, detail)), web, "{detail_type}");
        }
        let target = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1";
        let mirrored = json!({"source": "pullsafe", "detail-type": "Image Mirrored", "detail": {"source": "docker.io/library/redis:7", "target": target}});
        assert_eq!(of(&mirrored), web);
        assert_eq!(of(&json!({"requestContext": {}, "requestPayload": mirrored})), web);
        assert_eq!(of(&json!({"pullsafe": "sweep"})), Hint::Sweep);
        assert_eq!(of(&timer("gate#111122223333/eu-west-1/web")), web);
        assert!(matches!(of(&timer("incident#x")), Hint::Nothing(_)), "only the gate's own rows");
        for nothing in [
            json!(null),
            json!({"hello": 1}),
            event("ECR Image Action", json!({"action-type": "DELETE", "result": "SUCCESS", "repository-name": "web"})),
        ] {
            assert!(matches!(of(&nothing), Hint::Nothing(_)), "{nothing}");
        }
    }
}
