//! UpdateService: what starts a deployment, what only changes the count, what is refused.

use serde_json::{Value, json};

use super::arguments::{invalid, text};
use super::deployment::{FakeDeployment, Rollout};
use super::services::{Throttle, count, daemon_count};
use super::state::{EcsState, ScheduledWork};
use crate::aws::service::AwsError;

/// Members of a request that name the service, or that are stored elsewhere.
const NOT_KEPT: [&str; 6] =
    ["cluster", "service", "desiredCount", "taskDefinition", "forceNewDeployment", "clientToken"];
/// Members that change how tasks run, so that changing one starts a deployment.
const DEPLOYS: [&str; 6] = [
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "platformVersion",
    "capacityProviderStrategy",
    "serviceConnectConfiguration",
];

impl EcsState {
    pub(super) fn update_service(&mut self, request: &Value) -> Result<Value, AwsError> {
        let arn = self.service_arn(request, "service")?;
        let service = &self.services[&arn];
        if !service.active {
            return Err(AwsError::client("ServiceNotActiveException", "Service was not ACTIVE."));
        }
        let forced = request["forceNewDeployment"] == true;
        refuse_deployment(service.controller(), text(request, "taskDefinition").is_some(), forced)?;
        let desired = count(request)?;
        if desired.is_some() && service.strategy() == "DAEMON" {
            return Err(daemon_count());
        }
        let current = service.deployments.first().map(|primary| primary.definition.clone());
        let asked = match text(request, "taskDefinition") {
            Some(name) => Some(self.usable_definition(name)?),
            None => None,
        };
        let definition_changed = asked.is_some() && asked != current;
        if (definition_changed || forced) && service.deployments.first().is_some_and(|primary| primary.is_held()) {
            return Err(invalid("A deployment of this service is paused."));
        }
        let settings_changed = DEPLOYS
            .iter()
            .any(|member| request.get(*member).is_some_and(|value| service.record.get(*member) != Some(value)));

        if let Some(service) = self.services.get_mut(&arn) {
            for (member, value) in
                request.as_object().into_iter().flatten().filter(|(member, _)| !NOT_KEPT.contains(&member.as_str()))
            {
                service.record.insert(member.clone(), value.clone());
            }
            if let Some(desired) = desired {
                service.steady &= service.desired == desired;
                service.desired = desired;
            }
        }
        // A new count alone starts no deployment, and neither does the task definition that the service already has.
        if let Some(definition) = asked.or(current).filter(|_| definition_changed || forced || settings_changed) {
            self.start_deployment(&arn, definition);
        }
        self.after(0, ScheduledWork::Reconcile(arn.clone()));
        Ok(json!({"service": self.service_json(&arn, true)}))
    }

    /// Starts a new PRIMARY deployment. A new task definition ends the start throttle; with the same one it stays.
    pub(super) fn start_deployment(&mut self, service: &str, definition: String) {
        let (id, now) = (self.next_deployment_id(), self.now());
        let Some(record) = self.services.get_mut(service) else {
            return;
        };
        if record.deployments.first().is_none_or(|primary| primary.definition != definition) {
            record.throttle = Throttle::default();
        }
        record.steady = false;
        let reason = format!("ECS deployment {id} in progress.");
        record.deployments.insert(0, FakeDeployment::new(id.clone(), definition, now, reason.clone()));
        if record.controller() == "ECS" {
            self.emit_deployment(service, &id, Rollout::InProgress, &reason);
        }
        self.stop_at_hooks(service, &id);
        self.after(0, ScheduledWork::Reconcile(service.to_owned()));
    }
}

/// Refuses a deployment by UpdateService under any controller but ECS's own. The text for EXTERNAL is a guess: none has
/// been observed.
fn refuse_deployment(controller: &str, definition: bool, forced: bool) -> Result<(), AwsError> {
    let then = match controller {
        "CODE_DEPLOY" => "a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.",
        "EXTERNAL" => "an EXTERNAL deployment controller.",
        _ => return Ok(()),
    };
    match (definition, forced) {
        (true, _) => Err(invalid(format!("Unable to update task definition on services with {then}"))),
        (false, true) => Err(invalid(format!("Cannot force a new deployment on services with {then}"))),
        (false, false) => Ok(()),
    }
}
