//! Whether an incident is over. Silence is not recovery: ECS waits up to 27 minutes between tries.

use super::service::Service;
use crate::state::ServiceStatus;
use pullsafe::count::{count, counted};
use pullsafe::lookup::Lookup;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::incident::{ActState, Incident};
use pullsafe_incident::pace::{FORGOTTEN_SECONDS, QUIET_SECONDS};
use pullsafe_incident::plan::Step;

/// What the state of the service says about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// A task of the newest deployment runs, the service is steady, and nothing has failed for a while.
    Steady(String),
    /// The incident is over because there is nothing left to be steady.
    Ended(String),
    /// The service looks steady, but a task has failed too lately for that to mean anything.
    TooEarly(String),
    /// The incident goes on, and why.
    NotYet(String),
}

/// Judges an incident of a service.
pub fn of_service(incident: &Incident, service: &Lookup<Service>, now: Timestamp) -> Recovery {
    let service = match service {
        Lookup::Found(service) => service,
        Lookup::Absent => return Recovery::Ended("the service was deleted".to_owned()),
        Lookup::Unknown(why) => return Recovery::NotYet(format!("the service could not be looked up: {why}")),
    };
    if service.status != ServiceStatus::Active {
        return Recovery::Ended(format!("the service is {}", service.status));
    }
    if service.desired == 0 {
        return match service.paused_count() {
            Some(paused) => {
                let tasks = counted(paused, "task", "comes", "come");
                Recovery::NotYet(format!("pullsafe has paused it; {tasks} back with the image"))
            }
            None => Recovery::Ended("a person set the desired count to 0".to_owned()),
        };
    }
    if !service.is_steady() {
        return Recovery::NotYet(format!(
            "{} of {} in {}",
            service.running,
            counted(service.desired, "task", "runs,", "run,"),
            count(service.deployments.len(), "deployment")
        ));
    }
    let last = incident.causes.iter().map(|seen| seen.last_at).max().unwrap_or(incident.opened_at);
    if now.seconds_since(last) < QUIET_SECONDS {
        return Recovery::TooEarly(format!(
            "it looks steady, but a task failed at {last}, less than {} minutes ago",
            QUIET_SECONDS / 60
        ));
    }
    let moved_away = moved_from(incident).is_some_and(|from| service.task_definition == from);
    let how = if moved_away { ", on the old task definition again" } else { "" };
    Recovery::Steady(format!(
        "{} of {} of the newest deployment run and the service is steady{how}",
        service.running,
        count(service.desired, "task")
    ))
}

/// Judges an incident of something that is not a service and so has no steady state.
pub fn of_anything_else(incident: &Incident, now: Timestamp) -> Recovery {
    let last = incident.causes.iter().map(|seen| seen.last_at).max().unwrap_or(incident.opened_at);
    if now.seconds_since(last) >= FORGOTTEN_SECONDS {
        Recovery::Ended(format!("nothing has failed since {last}"))
    } else {
        Recovery::NotYet(format!("the last failure was at {last}"))
    }
}

fn moved_from(incident: &Incident) -> Option<&str> {
    let act = incident.act.as_ref().filter(|act| act.state == ActState::Done)?;
    act.plan.steps.iter().find_map(|step| match step {
        Step::MoveService { from, .. } => Some(from.as_str()),
        Step::TagService { .. }
        | Step::UntagService { .. }
        | Step::SetScaling { .. }
        | Step::SetDesiredCount { .. }
        | Step::ForceNewDeployment { .. }
        | Step::RestoreImage { .. }
        | Step::AskMirror { .. } => None,
    })
}
