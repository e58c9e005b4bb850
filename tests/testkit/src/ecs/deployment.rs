//! One deployment of a service: what it runs, how far it has come, and which digests it has pinned.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::arguments::epoch;
use super::hooks::{StoppedAtHook, deployment_arn};
use super::services::ServiceRecord;
use super::state::EcsState;

/// How far a deployment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

impl Rollout {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A deployment. The first one in a service's list is PRIMARY.
#[derive(Debug, Clone)]
pub(super) struct FakeDeployment {
    pub(super) id: String,
    pub(super) definition: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Failures in a row. A task that becomes healthy resets the count.
    pub(super) failed_tasks: u32,
    pub(super) rollout: Rollout,
    pub(super) reason: String,
    /// The digest that the first task resolved each container's tag to. Later tasks pull that digest.
    pub(super) pinned: BTreeMap<String, String>,
    /// How many tasks failed on an unresolved tag while no tag was pinned.
    pub(super) failed_resolutions: u32,
    /// Whether ECS has given up on digests for this deployment.
    pub(super) unpinned: bool,
    /// The hooks that the deployment has been stopped at.
    pub(super) hooks: Vec<StoppedAtHook>,
}

impl FakeDeployment {
    pub(super) fn new(id: String, definition: String, now: Timestamp, reason: String) -> Self {
        Self {
            id,
            definition,
            created_at: now,
            updated_at: now,
            failed_tasks: 0,
            rollout: Rollout::InProgress,
            reason,
            pinned: BTreeMap::new(),
            failed_resolutions: 0,
            unpinned: false,
            hooks: Vec::new(),
        }
    }

    /// Changes the state of the rollout, with its reason.
    pub(super) fn move_to(&mut self, rollout: Rollout, reason: String, now: Timestamp) {
        self.rollout = rollout;
        self.reason = reason;
        self.updated_at = now;
    }

    /// The deployment as ListServiceDeployments shows it.
    pub(super) fn brief_json(&self, service: &ServiceRecord) -> Value {
        let status = match self.rollout {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "SUCCESSFUL",
            Rollout::Failed => "STOPPED",
        };
        json!({
            "serviceDeploymentArn": deployment_arn(service, &self.id),
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "createdAt": epoch(self.created_at),
            "startedAt": epoch(self.created_at),
            "status": status,
            "statusReason": self.reason,
        })
    }
}

/// Tasks of a deployment, counted as DescribeServices does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TaskCounts {
    pub(super) wanted: usize,
    pub(super) running: usize,
    pub(super) pending: usize,
}

impl EcsState {
    pub(super) fn counts(&self, deployment: &str) -> TaskCounts {
        let tasks = self.wanted_tasks(deployment);
        let running = tasks.iter().filter(|task| task.last_status == "RUNNING").count();
        TaskCounts { wanted: tasks.len(), running, pending: tasks.len() - running }
    }

    /// The members of `deployments` in DescribeServices.
    pub(super) fn deployments_json(&self, service: &ServiceRecord) -> Vec<Value> {
        let launch_type = service.launch_type();
        let mut shown = Vec::new();
        for (index, deployment) in service.deployments.iter().enumerate() {
            let counts = self.counts(&deployment.id);
            let desired = match (index, deployment.rollout) {
                (_, Rollout::Failed) => 0,
                (0, Rollout::InProgress | Rollout::Completed) => service.desired,
                (_, Rollout::InProgress | Rollout::Completed) => counts.wanted,
            };
            let mut json = json!({
                "id": deployment.id,
                "status": if index == 0 { "PRIMARY" } else { "ACTIVE" },
                "taskDefinition": deployment.definition,
                "desiredCount": desired,
                "pendingCount": counts.pending,
                "runningCount": counts.running,
                "failedTasks": deployment.failed_tasks,
                "createdAt": epoch(deployment.created_at),
                "updatedAt": epoch(deployment.updated_at),
                "launchType": launch_type,
                "rolloutState": deployment.rollout.as_str(),
                "rolloutStateReason": deployment.reason,
            });
            for member in ["networkConfiguration", "capacityProviderStrategy"] {
                if let Some(value) = service.record.get(member) {
                    json[member] = value.clone();
                }
            }
            if launch_type == "FARGATE" {
                json["platformVersion"] = json!("1.4.0");
                json["platformFamily"] = json!("Linux");
            }
            shown.push(json);
        }
        shown
    }
}
