//! The guards that several remedies share. Each returns the reason why not, as a sentence.

use crate::service::Service;
use crate::state::{Controller, ServiceStatus, Strategy};
use pullsafe::count::counted;
use pullsafe::lookup::Lookup;

use super::Situation;

/// The service, if it could be looked up and is active.
pub fn active_service<'a>(situation: &Situation<'a>) -> Result<&'a Service, String> {
    match &situation.seen.service {
        Lookup::Found(service) if service.status == ServiceStatus::Active => Ok(service),
        Lookup::Found(service) => Err(format!("the service is {}", service.status)),
        Lookup::Absent => Err("the service no longer exists".to_owned()),
        Lookup::Unknown(why) => Err(format!("the service could not be looked up: {why}")),
    }
}

/// What speaks against any act on a service, whatever the remedy.
pub fn for_any_act(situation: &Situation<'_>, service: &Service) -> Vec<String> {
    let mut reasons = deployed_by_ecs(service);
    reasons.extend(another_stack(&situation.settings.stack, service));
    reasons.extend(first_act(situation));
    reasons.extend(not_rolling_back(service));
    reasons.extend(not_held(service));
    reasons.extend(current_definition(situation, service));
    reasons
}

/// Two stacks of pullsafe hear the same events: what one has under way, the other leaves alone.
pub fn another_stack(stack: &str, service: &Service) -> Option<String> {
    let other = service.paused_by_another(stack)?;
    Some(format!(
        "the stack {other} of pullsafe has paused it, and alone brings it back: keep one stack in a region, or let \
         the others observe"
    ))
}

/// Only services that ECS itself deploys, by replacing tasks, may be changed from outside.
pub fn deployed_by_ecs(service: &Service) -> Vec<String> {
    let mut reasons = Vec::new();
    match &service.controller {
        Controller::Ecs => {}
        Controller::CodeDeploy => {
            reasons.push("CodeDeploy deploys this service; only a new CodeDeploy deployment can change it".to_owned())
        }
        Controller::External => {
            reasons.push("an external controller deploys this service through task sets".to_owned())
        }
        Controller::Other(name) => reasons.push(format!("the deployment controller {name} is not known to pullsafe")),
    }
    if service.daemon {
        reasons.push("it is a DAEMON service, whose task count follows the container instances".to_owned());
    }
    if service.managed_by_ecs {
        reasons.push("ECS itself owns this service's configuration (Express service)".to_owned());
    }
    if service.strategy != Strategy::Rolling {
        reasons.push(format!(
            "its deployments are {}, with hooks and bake times that belong to its owner",
            service.strategy
        ));
    }
    reasons
}

/// The circuit breaker is left alone.
fn not_rolling_back(service: &Service) -> Option<String> {
    service
        .is_rolling_back()
        .then(|| "the deployment circuit breaker is rolling the service back, or has failed the deployment".to_owned())
}

/// What UpdateService does to a deployment that a hook has stopped is not documented; whoever stopped it decides.
pub fn not_held(service: &Service) -> Option<String> {
    match &service.held {
        Lookup::Absent => None,
        Lookup::Found(hook) => {
            Some(format!("a deployment waits at the hook {hook}, and whoever stopped it there decides about it"))
        }
        Lookup::Unknown(why) => Some(format!("whether a deployment waits at a hook could not be found out: {why}")),
    }
}

/// One act per incident: a second one would fight with whatever undid the first.
fn first_act(situation: &Situation<'_>) -> Option<String> {
    let remedy = situation.incident.acted()?;
    Some(format!("this incident has had its one act ({remedy})"))
}

/// The failure must be one of what the service runs now, not of what it ran before.
fn current_definition(situation: &Situation<'_>, service: &Service) -> Option<String> {
    let failed = situation.blocker.task_definition.as_str();
    (service.task_definition != failed).then(|| {
        let revision = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
        format!(
            "the tasks that failed ran {}, and the service has moved on to {}",
            revision(failed),
            revision(&service.task_definition)
        )
    })
}

/// Nothing that would stop or replace a task may happen while one runs.
pub fn nothing_runs(service: &Service) -> Option<String> {
    let running = service.running.max(service.deployments.iter().map(|deployment| deployment.running).sum());
    (running > 0).then(|| counted(running, "task", "of the service runs", "of the service run"))
}
