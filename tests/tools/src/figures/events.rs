//! The events of `events/`, changed so that they are about services of a [`super::account::PlayedAccount`].

use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

/// A task stopped because of Docker Hub's quota.
pub const QUOTA: &str = include_str!("../../../../events/task-stopped-hub-quota.json");
/// A task stopped because its image does not exist.
pub const NOT_FOUND: &str = include_str!("../../../../events/task-stopped-image-not-found.json");
/// A task stopped because its pinned digest is gone.
pub const DIGEST_GONE: &str = include_str!("../../../../events/task-stopped-digest-gone.json");
/// A task stopped by scaling, which is normal.
pub const SCALING: &str = include_str!("../../../../events/task-stopped-scaling.json");

/// A service whose tasks stop.
#[derive(Debug, Clone)]
pub struct Stopping {
    pub service: ServiceId,
    /// The ARN of its task definition.
    pub definition: String,
    /// The image that its container `app` pulls, as the event names it.
    pub image: String,
}

impl Stopping {
    /// The event of one of its tasks that stops, like this event of `events/`.
    pub fn event(&self, like: &str, task: u64, at: Timestamp) -> Value {
        let mut event = read(like);
        let detail = &mut event["detail"];
        let written = detail["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
        let reason = detail["stoppedReason"].as_str().unwrap_or_default().replace(&written, &self.image);
        let task = format!("{}/{task:032x}", self.service.cluster_arn.replace(":cluster/", ":task/"));
        detail["stoppedReason"] = json!(reason);
        detail["clusterArn"] = json!(self.service.cluster_arn);
        detail["group"] = json!(format!("service:{}", self.service.name));
        detail["taskArn"] = json!(task);
        detail["taskDefinitionArn"] = json!(self.definition);
        detail["containers"][0]["image"] = json!(self.image);
        detail["containers"][0]["name"] = json!("app");
        for moment in ["stoppingAt", "stoppedAt", "updatedAt"] {
            detail[moment] = json!(at.to_string());
        }
        event["resources"] = json!([task]);
        event["time"] = json!(at.to_string());
        event
    }

    /// The event of a deployment of the service that begins.
    pub fn deployment_started(&self, at: Timestamp) -> Value {
        let mut event = read(include_str!("../../../../events/deployment-in-progress.json"));
        event["resources"] = json!([self.service.arn()]);
        event["time"] = json!(at.to_string());
        event
    }
}

/// The event of a task that runs: there is nothing to do.
pub fn running() -> Value {
    read(include_str!("../../../../events/task-running.json"))
}

/// The event of a tag that was pushed to a repository of ECR.
pub fn pushed(repository: &str, tag: &str) -> Value {
    let mut event = read(include_str!("../../../../events/ecr-image-pushed.json"));
    event["detail"]["repository-name"] = json!(repository);
    event["detail"]["image-tag"] = json!(tag);
    event["region"] = json!(testkit::aws::REGION);
    event
}

/// The event of an image that the mirror has copied.
pub fn mirrored(source: &str) -> Value {
    let mut event = read(include_str!("../../../../events/image-mirrored.json"));
    event["detail"]["source"] = json!(source);
    event
}

/// The schedule's event.
pub fn sweep() -> Value {
    read(include_str!("../../../../events/sweep.json"))
}

fn read(event: &str) -> Value {
    serde_json::from_str(event).expect("a file of events/ is JSON")
}
