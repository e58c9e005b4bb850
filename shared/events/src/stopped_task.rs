//! A task as an ECS event or DescribeTasks shows it, read tolerantly.
//!
//! AWS adds fields without notice, leaves documented ones out (a GuardDuty container has no image) and writes
//! `"null"` where it means nothing. So every field is optional, a field of a wrong type counts as absent, and the
//! text of the stop is never lost.
//! Sources: Amazon ECS Developer Guide, "Amazon ECS task state change events"; the Task shape of the API model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::task_definition::TaskDefinition;
use pullsafe::timestamp::Timestamp;

/// One container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The name in the task definition, or of an injected container.
    pub name: String,
    /// The image as ECS shows it; absent for some injected containers.
    pub image: Option<String>,
    /// The digest that was pulled.
    pub image_digest: Option<String>,
    /// The exit code; present only if the container ran.
    pub exit_code: Option<i64>,
    /// Why the container stopped, as the agent put it.
    pub reason: Option<String>,
    /// The container's status: `PENDING`, `RUNNING` or `STOPPED`.
    pub last_status: Option<String>,
    /// The container's id in its runtime.
    #[serde(default)]
    pub runtime_id: Option<String>,
    /// Whether the task cannot go on without it; no event says so, only the task definition.
    #[serde(default)]
    pub essential: Option<bool>,
    /// The log driver that the task definition names for it; no event says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_driver: Option<String>,
}

impl Container {
    /// Whether ECS or another AWS service put this container into the task, so that the task definition lacks it.
    pub fn is_injected(&self) -> bool {
        self.name.starts_with("aws-guardduty-agent")
            || self.name.starts_with("ecs-service-connect")
            || self.name.starts_with("~internal~")
    }
}

/// A task, at the moment of the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedTask {
    pub task_arn: String,
    pub cluster_arn: String,
    /// The task definition's ARN, with its revision.
    pub task_definition_arn: String,
    /// `service:<name>` or `family:<family>`.
    pub group: Option<String>,
    /// `ecs-svc/<deployment id>` for tasks of a service.
    pub started_by: Option<String>,
    /// `FARGATE`, `EC2` or `EXTERNAL`.
    pub launch_type: Option<String>,
    /// `Linux`, `Windows_Server_2022_Core` and the like, where ECS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_family: Option<String>,
    /// `awsvpc`, `bridge`, `host` or `none`, as the task definition says; an attached network interface means `awsvpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    /// The task's status; `STOPPED` for a stop.
    pub last_status: Option<String>,
    /// The status that ECS wants the task to have.
    pub desired_status: Option<String>,
    /// ECS's own class of the stop, such as `TaskFailedToStart`.
    pub stop_code: Option<String>,
    /// Why the task stopped, in words.
    pub stopped_reason: Option<String>,
    /// The counter of changes to this task; equal means a duplicate, lower means older.
    pub version: u64,
    pub created_at: Option<Timestamp>,
    /// When the first image pull began.
    pub pull_started_at: Option<Timestamp>,
    /// When the last image pull ended; absent if it never did.
    pub pull_stopped_at: Option<Timestamp>,
    /// When the task began to run; absent if it never did.
    pub started_at: Option<Timestamp>,
    /// When the stop began.
    pub stopping_at: Option<Timestamp>,
    /// When the task had stopped.
    pub stopped_at: Option<Timestamp>,
    /// The containers in ECS's order, which has no meaning.
    pub containers: Vec<Container>,
}

impl StoppedTask {
    /// Reads the `detail` of an `ECS Task State Change`, or a task of DescribeTasks.
    pub fn from_json(detail: &Value) -> Self {
        let text = |key: &str| detail.get(key).and_then(Value::as_str).map(str::to_owned);
        let moment = |key: &str| match detail.get(key) {
            Some(Value::String(text)) => Timestamp::parse(text),
            Some(Value::Number(seconds)) => seconds.as_f64().map(Timestamp::from_epoch_seconds),
            _ => None,
        };
        let attached = detail.get("attachments").and_then(Value::as_array).into_iter().flatten();
        let has_interface = attached
            .filter_map(|of| of.get("type")?.as_str())
            .any(|kind| matches!(kind, "eni" | "ElasticNetworkInterface"));
        Self {
            task_arn: text("taskArn").unwrap_or_default(),
            cluster_arn: text("clusterArn").unwrap_or_default(),
            task_definition_arn: text("taskDefinitionArn").unwrap_or_default(),
            group: text("group"),
            started_by: text("startedBy"),
            launch_type: text("launchType"),
            platform_family: text("platformFamily"),
            network_mode: has_interface.then(|| "awsvpc".to_owned()),
            last_status: text("lastStatus"),
            desired_status: text("desiredStatus"),
            stop_code: text("stopCode"),
            stopped_reason: text("stoppedReason"),
            version: detail.get("version").and_then(Value::as_u64).unwrap_or_default(),
            created_at: moment("createdAt"),
            pull_started_at: moment("pullStartedAt"),
            pull_stopped_at: moment("pullStoppedAt"),
            started_at: moment("startedAt"),
            stopping_at: moment("stoppingAt"),
            stopped_at: moment("stoppedAt"),
            containers: detail
                .get("containers")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(container)
                .collect(),
        }
    }

    /// Returns the service that this task belongs to, if any. The group is the only link that an event has.
    pub fn service_name(&self) -> Option<&str> {
        self.group.as_deref()?.strip_prefix("service:")
    }

    /// Whether the task says that ECS started it for a deployment of a service. Whoever runs a task can make it say so
    /// too. AWS promises the prefix but not that digits follow, so that hexadecimal ids count as well.
    pub fn is_of_a_deployment(&self) -> bool {
        let id = self.started_by.as_deref().and_then(|by| by.strip_prefix("ecs-svc/"));
        id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Returns the task's id: the last part of its ARN.
    pub fn task_id(&self) -> &str {
        self.task_arn.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this is a stop rather than another change of the task. A task without a status is taken for a stop if
    /// it says why it stopped: a field may be missing.
    pub fn is_stop(&self) -> bool {
        match self.last_status.as_deref() {
            Some(status) => status.eq_ignore_ascii_case("STOPPED"),
            None => {
                self.stop_code.is_some()
                    || self.stopped_reason.is_some()
                    || self
                        .containers
                        .iter()
                        .any(|container| container.reason.is_some() || container.exit_code.is_some())
            }
        }
    }

    /// Returns the same task, with what its definition says of its containers and its network mode.
    #[must_use]
    pub fn with_definition(mut self, definition: &TaskDefinition) -> Self {
        for container in &mut self.containers {
            let essential = |container: &Value| container.get("essential").and_then(Value::as_bool).unwrap_or(true);
            let defined = definition.container(&container.name);
            container.essential = defined.map(essential);
            container.log_driver =
                defined.and_then(|of| of.pointer("/logConfiguration/logDriver")?.as_str()).map(str::to_owned);
        }
        self.network_mode = definition.network_mode().map(str::to_owned).or(self.network_mode);
        self
    }

    /// Whether any container of the task ran. A pull error beside an exit code means that it ran from a cached image.
    pub fn ran(&self) -> bool {
        self.started_at.is_some() || self.containers.iter().any(|container| container.exit_code.is_some())
    }
}

/// Returns the family in a task definition's ARN.
pub fn family(task_definition_arn: &str) -> &str {
    let name = task_definition_arn.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

fn container(value: &Value) -> Container {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Container {
        name: text("name").unwrap_or_default(),
        image: text("image"),
        image_digest: text("imageDigest"),
        exit_code: value.get("exitCode").and_then(Value::as_i64),
        reason: text("reason"),
        last_status: text("lastStatus"),
        runtime_id: text("runtimeId"),
        essential: None,
        log_driver: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_adds_what_no_event_says() {
        let answer = json!({"taskDefinition": {"networkMode": "bridge", "containerDefinitions": [
            {"name": "app", "essential": false, "logConfiguration": {"logDriver": "syslog"}}, {"name": "side"}]}});
        let definition = TaskDefinition::from_json(&answer).unwrap();
        let task =
            StoppedTask::from_json(&json!({"containers": [{"name": "app"}, {"name": "side"}, {"name": "injected"}]}));
        let task = task.with_definition(&definition);
        let told: Vec<_> = task
            .containers
            .iter()
            .map(|container| (container.essential, container.log_driver.as_deref()))
            .collect();
        assert_eq!(told, [(Some(false), Some("syslog")), (Some(true), None), (None, None)]);
        assert_eq!(task.network_mode.as_deref(), Some("bridge"));
        let attached =
            StoppedTask::from_json(&json!({"attachments": [{"id": "1", "type": "eni"}], "platformFamily": "Linux"}));
        assert_eq!(
            (attached.network_mode.as_deref(), attached.platform_family.as_deref()),
            (Some("awsvpc"), Some("Linux"))
        );
    }
}
