//! A deployment that waits at a hook. Shape: Amazon ECS Developer Guide, "Amazon ECS events", deployment lifecycle
//! hooks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Event;
use pullsafe::arn::ServiceId;

/// The stage before a deployment's first task.
pub const BEFORE_THE_FIRST_TASK: &str = "PRE_SCALE_UP";

/// A deployment that waits at a pause hook before its first task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookWaits {
    pub service: ServiceId,
    /// The ARN of the service deployment.
    pub deployment: String,
    /// The hook's id, which is new for each deployment.
    pub hook: String,
}

pub(super) fn state_change(payload: &Value, detail: &Value) -> Event {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, kind, stage) = (text("eventName"), text("hookType"), text("lifecycleStage"));
    if name != "HOOK_AWAITING_ACTION" {
        return Event::Ignored(format!("`{name}` of a hook asks for nothing"));
    }
    if kind != "PAUSE" || stage != BEFORE_THE_FIRST_TASK {
        return Event::Ignored(format!("a {kind} hook at {stage} is somebody else's"));
    }
    let first = payload.get("resources").and_then(|resources| resources.get(0)).and_then(Value::as_str);
    let deployment = Some(text("serviceDeploymentArn")).filter(|arn| !arn.is_empty()).or(first).unwrap_or_default();
    let Some(service) = ServiceId::from_arn(text("serviceArn")) else {
        return Event::Ignored(format!(
            "`detail.serviceArn` (`{}`) does not name a service and its cluster",
            text("serviceArn")
        ));
    };
    // The answer goes to this deployment, so it has to be one of this service.
    if !is_of(deployment, &service) {
        return Event::Ignored(format!("`{deployment}` is no deployment of {service}"));
    }
    let hook = text("hookId");
    if hook.is_empty() {
        return Event::Ignored("`detail.hookId` is missing".to_owned());
    }
    Event::HookWaits(HookWaits {
        service,
        deployment: deployment.to_owned(),
        hook: hook.to_owned(),
    })
}

/// Whether an ARN is that of a deployment of this service: `...:service-deployment/cluster/service/id`.
fn is_of(deployment: &str, service: &ServiceId) -> bool {
    let begin = service.arn().replacen(":service/", ":service-deployment/", 1);
    deployment
        .strip_prefix(&begin)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|id| !id.is_empty() && !id.contains('/'))
}
