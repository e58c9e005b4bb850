//! A task, and its JSON as DescribeTasks and EventBridge show it.

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::arguments::epoch;

/// One container of a task.
#[derive(Debug, Clone)]
pub(super) struct TaskContainer {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) image: String,
    pub(super) digest: Option<String>,
    pub(super) last_status: &'static str,
    pub(super) exit_code: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) runtime_id: Option<String>,
    pub(super) cpu: String,
    pub(super) memory: Option<String>,
    pub(super) essential: bool,
    /// Whether ECS may pin the tag of this container to a digest.
    pub(super) versioned: bool,
}

/// The timestamps of a task.
#[derive(Debug, Clone, Default)]
pub(super) struct TaskTimes {
    pub(super) connectivity: Option<Timestamp>,
    pub(super) pull_started: Option<Timestamp>,
    pub(super) pull_stopped: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) stopping: Option<Timestamp>,
    pub(super) execution_stopped: Option<Timestamp>,
    pub(super) stopped: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct TaskRecord {
    pub(super) number: u64,
    pub(super) arn: String,
    pub(super) cluster_arn: String,
    /// The service's ARN, for a task of a service.
    pub(super) service: Option<String>,
    pub(super) definition: String,
    pub(super) group: String,
    /// The deployment's id, for a task of a service.
    pub(super) started_by: String,
    pub(super) launch_type: String,
    pub(super) role: Option<String>,
    pub(super) platform: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) last_status: &'static str,
    /// The stop code and the reason, once the task is stopping.
    pub(super) stop: Option<(&'static str, String)>,
    pub(super) healthy: bool,
    pub(super) version: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) times: TaskTimes,
    pub(super) containers: Vec<TaskContainer>,
    /// The round of the start throttle in which the task was launched.
    pub(super) round: u32,
}

/// How timestamps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// As numbers, as in the API.
    Epoch,
    /// As text, as in events.
    Text,
}

impl TaskRecord {
    pub(super) fn is_service_task(&self) -> bool {
        self.service.is_some()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    pub(super) fn desired_status(&self) -> &'static str {
        if self.is_stopping() { "STOPPED" } else { "RUNNING" }
    }

    /// The id: the last part of the ARN.
    pub(super) fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// The task definition's family.
    pub(super) fn family(&self) -> &str {
        self.definition.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default()
    }

    /// The task as JSON, with all timestamps in one style.
    pub(super) fn json(&self, style: Times) -> Value {
        let moment = |moment: Timestamp| match style {
            Times::Epoch => epoch(moment),
            Times::Text => json!(moment),
        };
        let fargate = self.launch_type == "FARGATE";
        let mut json = json!({
            "attachments": [],
            "attributes": [{"name": "ecs.cpu-architecture", "value": if self.platform == "linux/arm64" { "arm64" } else { "x86_64" }}],
            "availabilityZone": format!("{}a", self.arn.split(':').nth(3).unwrap_or_default()),
            "clusterArn": self.cluster_arn,
            "containers": self.containers.iter().map(|container| container.json(&self.arn)).collect::<Vec<_>>(),
            "cpu": self.cpu,
            "createdAt": moment(self.created_at),
            "desiredStatus": self.desired_status(),
            "enableExecuteCommand": false,
            "group": self.group,
            "lastStatus": self.last_status,
            "launchType": self.launch_type,
            "memory": self.memory,
            "overrides": {"containerOverrides": []},
            "startedBy": self.started_by,
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition,
            "version": self.version,
        });
        if fargate {
            json["platformVersion"] = json!("1.4.0");
            json["platformFamily"] = json!("Linux");
            json["ephemeralStorage"] = json!({"sizeInGiB": 20});
        }
        // `updatedAt` is only in events, `healthStatus` only in the API.
        match style {
            Times::Text => json["updatedAt"] = moment(self.updated_at),
            Times::Epoch => json["healthStatus"] = json!("UNKNOWN"),
        }
        if self.times.connectivity.is_some() {
            json["connectivity"] = json!("CONNECTED");
        }
        let times = [
            ("connectivityAt", self.times.connectivity),
            ("pullStartedAt", self.times.pull_started),
            ("pullStoppedAt", self.times.pull_stopped),
            ("startedAt", self.times.started),
            ("stoppingAt", self.times.stopping),
            ("executionStoppedAt", self.times.execution_stopped),
            ("stoppedAt", self.times.stopped),
        ];
        for (member, at) in times {
            if let Some(at) = at {
                json[member] = moment(at);
            }
        }
        if let Some((code, reason)) = &self.stop {
            json["stopCode"] = json!(code);
            json["stoppedReason"] = json!(reason);
        }
        json
    }
}

impl TaskContainer {
    fn json(&self, task: &str) -> Value {
        let mut json = json!({
            "containerArn": self.arn,
            "taskArn": task,
            "name": self.name,
            "image": self.image,
            "lastStatus": self.last_status,
            "networkInterfaces": [],
            "cpu": self.cpu,
        });
        let optional = [
            ("imageDigest", self.digest.clone().map(Value::from)),
            ("runtimeId", self.runtime_id.clone().map(Value::from)),
            ("exitCode", self.exit_code.map(Value::from)),
            ("reason", self.reason.clone().map(Value::from)),
            ("memory", self.memory.clone().map(Value::from)),
        ];
        for (member, value) in optional {
            if let Some(value) = value {
                json[member] = value;
            }
        }
        json
    }
}
