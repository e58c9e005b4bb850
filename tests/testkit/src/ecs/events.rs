//! The events that EventBridge would deliver, in their envelopes.

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::deployment::Rollout;
use super::state::EcsState;
use super::task::Times;

impl EcsState {
    /// `ECS Task State Change`, with the task as it is now.
    pub(super) fn emit_task(&mut self, arn: &str) {
        let Some(detail) = self.tasks.get(arn).map(|task| task.json(Times::Text)) else {
            return;
        };
        self.emit("ECS Task State Change", arn, detail);
    }

    /// `ECS Service Action`.
    pub(super) fn emit_service(&mut self, service: &str, kind: &str, name: &str) {
        let Some(cluster) = self.services.get(service).map(|service| service.cluster_arn.clone()) else {
            return;
        };
        let detail =
            json!({"eventType": kind, "eventName": name, "clusterArn": cluster, "createdAt": whole(self.now())});
        self.emit("ECS Service Action", service, detail);
    }

    /// `ECS Deployment State Change`.
    pub(super) fn emit_deployment(&mut self, service: &str, deployment: &str, rollout: Rollout, reason: &str) {
        let kind = match rollout {
            Rollout::InProgress | Rollout::Completed => "INFO",
            Rollout::Failed => "ERROR",
        };
        let detail = json!({
            "eventType": kind,
            "eventName": format!("SERVICE_DEPLOYMENT_{}", rollout.as_str()),
            "deploymentId": deployment,
            "updatedAt": whole(self.now()),
            "reason": reason,
        });
        self.emit("ECS Deployment State Change", service, detail);
    }

    pub(super) fn emit(&mut self, detail_type: &str, resource: &str, detail: Value) {
        let event = json!({
            "version": "0",
            "id": self.next_uuid(),
            "detail-type": detail_type,
            "source": "aws.ecs",
            "account": self.account,
            "time": whole(self.now()),
            "region": self.region,
            "resources": [resource],
            "detail": detail,
        });
        self.events.push_back(event);
    }
}

/// Cuts a moment to whole seconds, as envelopes have them.
fn whole(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.seconds() * 1000)
}
