//! The image that was missing is there, and the service was not paused for it: start a new deployment instead of
//! waiting for ECS, which tries again less and less often.
//!
//! Only a new task definition ends that at once, as ECS documents it; a forced deployment of the same one need not. So
//! the definition is registered again as it is, and the service moves to it.

use pullsafe::lookup::Lookup;
use pullsafe::reference::Reference;
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_incident::plan::Plan;
use pullsafe_incident::waiting::WaitingFor;

use super::move_to_mirror::move_step;
use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::ForceNewDeployment,
    treats: Treats::Failure(|diagnosis| diagnosis.cause == Cause::ImageNotFound),
    looks: &[SecondLook::TaskDefinition, SecondLook::Wanted],
    holds: &[
        "ECS itself deploys the service, and nothing rolls it back or holds it at a hook",
        "the tasks that failed ran the very task definition that the service uses",
        "nothing was done in this incident before",
        "no task of the service runs, and none is starting",
        "the image is there now",
    ],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let Lookup::Found(resolved) = &situation.seen.wanted else {
        return RemedyVerdict::NotForThis;
    };
    let service = match guard::active_service(&situation) {
        Ok(service) => service,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    let image = situation.blocker.diagnosis.image.as_deref().unwrap_or("the image");
    let awaited = situation.incident.waiting.as_ref().map(|waiting| &waiting.cause).filter(|cause| match cause {
        WaitingFor::Push { image: awaited, .. } => image.parse::<Reference>().is_ok_and(|image| image == *awaited),
        WaitingFor::Mirror(_) | WaitingFor::Image(_) | WaitingFor::Restored(_) | WaitingFor::MoreFailures => false,
    });
    let Some(awaited) = awaited else {
        return RemedyVerdict::Declined(vec![format!("{image} exists now; ECS will find it at its next try")]);
    };
    // A task that is starting may have asked for the image too early; the next look will show it.
    if service.pending > 0 {
        return RemedyVerdict::Wait(awaited.clone());
    }
    let mut reasons = guard::for_any_act(&situation, service);
    reasons.extend(guard::nothing_runs(service));
    let definition = match &situation.seen.task_definition {
        Lookup::Found(definition) => definition,
        Lookup::Absent => return RemedyVerdict::Declined(vec!["the task definition no longer exists".to_owned()]),
        Lookup::Unknown(doubt) => return RemedyVerdict::Unseen(awaited.clone(), doubt.clone()),
    };
    if !reasons.is_empty() {
        return RemedyVerdict::Declined(reasons);
    }
    RemedyVerdict::Act(Box::new(Plan {
        remedy: RemedyName::ForceNewDeployment,
        result: "deployed anew".to_owned(),
        summary: format!(
            "{image} exists now ({}) and nothing of {} runs: deploy it anew, with its task definition registered \
             again as it is",
            resolved.digest, service.id
        ),
        steps: vec![move_step(service, definition, Vec::new())],
        then_wait_for: None,
        follow_up:
            "To keep this from happening, deploy the image before the service, or let the stack wait for it with \
             `Custom::PullsafeImage`."
                .to_owned(),
    }))
}
