//! Pause hooks before the first task, and deployments and revisions of services as ECS shows them.
//!
//! Not modelled: hooks at other stages, and Lambda hooks. It is not documented what UpdateService does while a
//! deployment is paused. Here it is refused, so that a test notices the attempt.

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::arguments::{epoch, invalid, required, text, texts};
use super::deployment::{FakeDeployment, Rollout};
use super::services::ServiceRecord;
use super::state::{EcsState, ScheduledWork};
use crate::aws::service::AwsError;

const STAGE: &str = "PRE_SCALE_UP";

/// A hook at which a deployment has been stopped.
#[derive(Debug, Clone)]
pub(super) struct StoppedAtHook {
    id: String,
    status: &'static str,
    expires_at: Timestamp,
    rolls_back: bool,
}

impl StoppedAtHook {
    fn waits(&self) -> bool {
        self.status == "AWAITING_ACTION"
    }

    fn json(&self) -> Value {
        json!({
            "hookId": self.id, "targetType": "PAUSE", "status": self.status, "expiresAt": epoch(self.expires_at),
            "timeoutAction": if self.rolls_back { "ROLLBACK" } else { "CONTINUE" },
        })
    }
}

impl FakeDeployment {
    /// Whether a hook keeps the deployment from launching tasks.
    pub(super) fn is_held(&self) -> bool {
        self.hooks.iter().any(StoppedAtHook::waits)
    }
}

impl EcsState {
    /// Stops a new deployment at the hooks of its service.
    pub(super) fn stop_at_hooks(&mut self, service: &str, deployment: &str) {
        let now = self.now();
        let Some(record) = self.services.get(service).filter(|record| record.controller() == "ECS") else {
            return;
        };
        let configured = record
            .record
            .get("deploymentConfiguration")
            .map(|configuration| configuration["lifecycleHooks"].clone());
        let pauses = configured.as_ref().and_then(Value::as_array).into_iter().flatten().filter(|hook| {
            hook["targetType"] == "PAUSE"
                && hook["lifecycleStages"].as_array().is_some_and(|stages| stages.iter().any(|stage| stage == STAGE))
        });
        let pauses: Vec<(i64, bool)> = pauses
            .map(|hook| {
                let timeout = &hook["timeoutConfiguration"];
                (timeout["timeoutInMinutes"].as_i64().unwrap_or(1440), timeout["action"] != "CONTINUE")
            })
            .collect();
        for (minutes, rolls_back) in pauses {
            let hook = StoppedAtHook {
                id: format!("ecs-pause-{}", self.next_id()),
                status: "AWAITING_ACTION",
                expires_at: now.plus_seconds(minutes * 60),
                rolls_back,
            };
            self.after(minutes * 60, ScheduledWork::HookExpires { service: service.to_owned(), hook: hook.id.clone() });
            if let Some(deployment) = self.deployment_mut(service, deployment) {
                deployment.hooks.push(hook.clone());
            }
            self.emit_hook(service, deployment, &hook, "HOOK_AWAITING_ACTION");
        }
    }

    fn deployment_mut(&mut self, service: &str, deployment: &str) -> Option<&mut FakeDeployment> {
        self.services.get_mut(service)?.deployments.iter_mut().find(|known| known.id == deployment)
    }

    fn emit_hook(&mut self, service: &str, deployment: &str, hook: &StoppedAtHook, name: &str) {
        let Some(record) = self.services.get(service) else {
            return;
        };
        let arn = deployment_arn(record, deployment);
        let detail = json!({
            "eventType": "INFO", "eventName": name, "hookId": hook.id, "hookType": "PAUSE", "expiresAt": hook.expires_at, "lifecycleStage": STAGE,
            "clusterArn": record.cluster_arn, "serviceArn": record.arn, "serviceDeploymentArn": arn, "updatedAt": self.now(),
        });
        self.emit("ECS Hook State Change", &arn, detail);
    }

    /// Ends a hook that has timed out.
    pub(super) fn hook_expires(&mut self, service: &str, hook: &str) {
        self.end_hook(service, hook, None);
    }

    pub(super) fn continue_deployment(&mut self, request: &Value) -> Result<Value, AwsError> {
        let arn = required(request, "serviceDeploymentArn")?.to_owned();
        let hook = required(request, "hookId")?.to_owned();
        let found = self.services.values().find_map(|record| {
            let deployment = record.all_deployments().find(|known| deployment_arn(record, &known.id) == arn)?;
            Some((
                record.arn.clone(),
                deployment.rollout,
                deployment.hooks.iter().any(|known| known.id == hook && known.waits()),
            ))
        });
        let Some((service, rollout, waits)) = found else {
            return Err(AwsError::client(
                "ServiceDeploymentNotFoundException",
                "The service deployment was not found.",
            ));
        };
        if !waits || rollout != Rollout::InProgress {
            return Err(invalid(format!("The hook {hook} is not awaiting an action.")));
        }
        self.end_hook(&service, &hook, Some(text(request, "action") == Some("ROLLBACK")));
        Ok(json!({"serviceDeploymentArn": arn}))
    }

    /// Ends a hook: by an answer, or (with `None`) because its time is over.
    fn end_hook(&mut self, service: &str, id: &str, answer: Option<bool>) {
        let Some(record) = self.services.get_mut(service) else {
            return;
        };
        let mut ended = None;
        for deployment in &mut record.deployments {
            if let Some(hook) = deployment.hooks.iter_mut().find(|hook| hook.id == id && hook.waits()) {
                let rolls_back = answer.unwrap_or(hook.rolls_back);
                let (status, name) = match (answer, rolls_back) {
                    (None, _) => ("TIMED_OUT", "HOOK_TIMED_OUT"),
                    (Some(_), true) => ("FAILED", "HOOK_FAILED"),
                    (Some(_), false) => ("SUCCEEDED", "HOOK_SUCCEEDED"),
                };
                hook.status = status;
                ended = Some((deployment.id.clone(), hook.clone(), name, rolls_back));
            }
        }
        let Some((deployment, hook, name, rolls_back)) = ended else {
            return;
        };
        self.emit_hook(service, &deployment, &hook, name);
        if rolls_back {
            self.fail_deployment(service, "Deployment rolled back at a lifecycle hook.", true);
        }
        self.after(0, ScheduledWork::Reconcile(service.to_owned()));
    }

    pub(super) fn describe_service_deployments(&self, request: &Value) -> Result<Value, AwsError> {
        let wanted = texts(request, "serviceDeploymentArns");
        let all = self
            .services
            .values()
            .flat_map(|record| record.all_deployments().map(move |deployment| (record, deployment)));
        let found = all.filter(|(record, deployment)| wanted.contains(&deployment_arn(record, &deployment.id)));
        let shown: Vec<Value> = found.map(|(record, deployment)| whole(record, deployment)).collect();
        Ok(json!({"serviceDeployments": shown, "failures": []}))
    }

    pub(super) fn describe_service_revisions(&self, request: &Value) -> Result<Value, AwsError> {
        let wanted = texts(request, "serviceRevisionArns");
        let all = self
            .services
            .values()
            .flat_map(|record| record.all_deployments().map(move |deployment| (record, deployment)));
        let found = all.filter(|(record, deployment)| wanted.contains(&revision_arn(record, &deployment.id)));
        let shown: Vec<Value> = found.map(|(record, deployment)| self.revision(record, deployment)).collect();
        Ok(json!({"serviceRevisions": shown, "failures": []}))
    }

    fn revision(&self, record: &ServiceRecord, deployment: &FakeDeployment) -> Value {
        let definition = self.definition(&deployment.definition).cloned().unwrap_or_default();
        let containers = definition["containerDefinitions"].as_array().cloned().unwrap_or_default();
        let images = containers.iter().map(|container| {
            let mut image = json!({"containerName": container["name"], "image": container["image"]});
            if let Some(digest) = container["name"].as_str().and_then(|name| deployment.pinned.get(name)) {
                image["imageDigest"] = json!(digest);
            }
            image
        });
        json!({
            "serviceRevisionArn": revision_arn(record, &deployment.id), "serviceArn": record.arn, "clusterArn": record.cluster_arn,
            "taskDefinition": deployment.definition, "launchType": record.launch_type(), "createdAt": epoch(deployment.created_at),
            "containerImages": images.collect::<Vec<_>>(),
        })
    }
}

pub(super) fn deployment_arn(record: &ServiceRecord, deployment: &str) -> String {
    let place = record.arn.replacen(":service/", ":service-deployment/", 1);
    format!("{place}/{}", deployment.trim_start_matches("ecs-svc/"))
}

fn revision_arn(record: &ServiceRecord, deployment: &str) -> String {
    let place = record.arn.replacen(":service/", ":service-revision/", 1);
    format!("{place}/{}", deployment.trim_start_matches("ecs-svc/"))
}

/// A deployment as DescribeServiceDeployments shows it.
fn whole(record: &ServiceRecord, deployment: &FakeDeployment) -> Value {
    let mut json = deployment.brief_json(record);
    let summary = |id: &str| json!({"arn": revision_arn(record, id), "requestedTaskCount": record.desired});
    json["targetServiceRevision"] = summary(&deployment.id);
    let sources = record
        .deployments
        .iter()
        .filter(|known| known.id != deployment.id && known.rollout == Rollout::Completed);
    json["sourceServiceRevisions"] = sources.map(|known| summary(&known.id)).collect();
    json["lifecycleHookDetails"] = deployment.hooks.iter().map(StoppedAtHook::json).collect();
    json["lifecycleStage"] = if deployment.is_held() { json!(STAGE) } else { Value::Null };
    json["deploymentConfiguration"] =
        record.record.get("deploymentConfiguration").cloned().unwrap_or_else(|| json!({}));
    json
}
