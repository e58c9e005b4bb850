//! Events of ECS. Shapes: Amazon ECS Developer Guide, "Amazon ECS events".

use serde_json::Value;

use super::{Event, ServiceChange, ServiceChanged, Subject, TaskStopped};
use crate::stopped_task::StoppedTask;
use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;

pub(super) fn task_state_change(detail: &Value) -> Event {
    let task = StoppedTask::from_json(detail);
    // A Spot warning already has a stop code while the task still runs: only the last status says that it stopped.
    if task.last_status.as_deref() != Some("STOPPED") {
        return Event::Ignored(format!(
            "the task is {}, not STOPPED",
            task.last_status.as_deref().unwrap_or("in no state")
        ));
    }
    if task.task_arn.is_empty() || task.cluster_arn.is_empty() {
        return Event::Ignored("`detail.taskArn` or `detail.clusterArn` is missing".to_owned());
    }
    // Whoever runs a task chooses its group: only a task that ECS started for a deployment belongs to the service.
    let subject = match task.service_name().filter(|_| task.is_of_a_deployment()) {
        Some(name) => Subject::Service(ServiceId { cluster_arn: task.cluster_arn.clone(), name: name.to_owned() }),
        None => TaskStopped::of_no_service(&task),
    };
    Event::TaskStopped(Box::new(TaskStopped { subject, task }))
}

pub(super) fn service_change(payload: &Value, detail: &Value, at: Timestamp) -> Event {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arn = payload
        .get("resources")
        .and_then(|resources| resources.get(0))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(service) = ServiceId::from_arn(arn) else {
        return Event::Ignored(format!("`resources[0]` (`{arn}`) does not name a service and its cluster"));
    };
    let name = text("eventName");
    let change = match name.as_str() {
        "SERVICE_DEPLOYMENT_IN_PROGRESS" => ServiceChange::DeploymentStarted,
        "SERVICE_DEPLOYMENT_COMPLETED" | "SERVICE_STEADY_STATE" => ServiceChange::Settled,
        "SERVICE_DEPLOYMENT_FAILED" => ServiceChange::Trouble,
        "SERVICE_TASK_START_IMPAIRED" => ServiceChange::Impaired,
        "SERVICE_TASK_PLACEMENT_FAILURE" | "SERVICE_TASK_CONFIGURATION_FAILURE" => ServiceChange::Unplaceable,
        _ => return Event::Ignored(format!("`{name}` changes nothing for pullsafe")),
    };
    Event::ServiceChanged(ServiceChanged { service, change, name, reason: text("reason"), at })
}
