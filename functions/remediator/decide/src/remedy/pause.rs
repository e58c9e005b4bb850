//! The image does not exist: set the desired count to 0 until it does, instead of failing tasks for ever.
//!
//! What was there before is written on the service as tags before anything changes, so that a person can see and
//! undo it without pullsafe. The way back is `restore`.

use std::collections::BTreeMap;

use crate::service::{Service, marks};
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_incident::plan::{Plan, Step, Suspended};
use pullsafe_incident::waiting::WaitingFor;

use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

/// How many seconds ago another cause may have been seen and still count as present.
const SIBLING_SECONDS: i64 = 3600;

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::PauseAndRestore,
    treats: Treats::Failure(|diagnosis| matches!(diagnosis.cause, Cause::ImageNotFound | Cause::ImageDigestGone)),
    looks: &[SecondLook::Wanted, SecondLook::Stack, SecondLook::Scaling],
    holds: &[
        "ECS itself deploys the service, and nothing rolls it back or holds it at a hook",
        "the tasks that failed ran the very task definition that the service uses",
        "nothing was done in this incident before",
        "no task of the service runs",
        "the image is certainly not there",
        "no other cause stopped its tasks within an hour",
        "no stack that it belongs to is being deployed",
    ],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let service = match guard::active_service(&situation) {
        Ok(service) => service,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    if service.desired == 0 {
        return RemedyVerdict::Declined(vec!["the desired count is 0 already".to_owned()]);
    }
    let image = match wanted(&situation) {
        Ok(image) => image,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    // The image is there, so waiting for it cures nothing.
    if let Lookup::Found(_) = situation.seen.wanted {
        return RemedyVerdict::NotForThis;
    }
    // A look that fails ends no wait, or the push that comes next would find nobody waiting.
    let seen = situation.seen;
    let doubts = [doubt(&seen.wanted), doubt(&seen.stack), doubt(&seen.scaling)];
    if let (Some(doubt), Some(waiting)) = (doubts.into_iter().flatten().next(), &situation.incident.waiting)
        && matches!(&waiting.cause, WaitingFor::Push { image: awaited, .. } if *awaited == image)
    {
        return RemedyVerdict::Unseen(waiting.cause.clone(), doubt.clone());
    }
    let mut reasons = guard::for_any_act(&situation, service);
    reasons.extend((!situation.settings.pause).then(|| "pausing services is switched off".to_owned()));
    reasons.extend(guard::nothing_runs(service));
    reasons.extend(certainly_absent(&situation, &image));
    reasons.extend(no_other_cause(&situation));
    reasons.extend(stack_at_rest(&situation));
    let suspended = match &situation.seen.scaling {
        Lookup::Found(target) => Some(target.suspended),
        Lookup::Absent => None,
        Lookup::Unknown(why) => {
            reasons.push(format!("whether autoscaling would raise the count again could not be found out: {why}"));
            None
        }
    };
    if !reasons.is_empty() {
        return RemedyVerdict::Declined(reasons);
    }
    let pause_at = deployed_at(&situation, service).plus_seconds(situation.settings.pause_after_minutes * 60);
    if situation.settings.pause_after_minutes > 0 && situation.now < pause_at {
        return RemedyVerdict::Wait(WaitingFor::Push { image, pause_at });
    }
    if situation.blocker.tasks < situation.settings.pause_after {
        return RemedyVerdict::Wait(WaitingFor::MoreFailures);
    }
    RemedyVerdict::Act(Box::new(plan(&situation, service, image, suspended)))
}

/// Why something could not be found out, if it could not.
fn doubt<T>(looked_up: &Lookup<T>) -> Option<&Doubt> {
    match looked_up {
        Lookup::Unknown(doubt) => Some(doubt),
        Lookup::Found(_) | Lookup::Absent => None,
    }
}

/// When the newest deployment began. A young deployment is not paused: with a desired count of 0 it is stable at once,
/// and a pipeline that waits for it would go on as if it had succeeded.
fn deployed_at(situation: &Situation<'_>, service: &Service) -> Timestamp {
    service.primary().and_then(|primary| primary.created_at).unwrap_or(situation.incident.opened_at)
}

/// The image that is missing, by its tag: a pinned digest that is gone never comes back, its tag may.
fn wanted(situation: &Situation<'_>) -> Result<Reference, String> {
    let image = situation.blocker.diagnosis.image.as_deref().ok_or("the message does not name the image")?;
    let reference: Reference = image.parse().map_err(|error| format!("{error}"))?;
    match (situation.blocker.diagnosis.cause, reference.tag()) {
        (Cause::ImageDigestGone, Some(tag)) => {
            Reference::new(reference.registry(), reference.repository(), Some(tag), None)
                .map_err(|error| format!("{error}"))
        }
        _ => Ok(reference),
    }
}

fn certainly_absent(situation: &Situation<'_>, image: &Reference) -> Option<String> {
    match &situation.seen.wanted {
        Lookup::Absent => None,
        Lookup::Unknown(why) => Some(format!("whether {image} is missing could not be confirmed: {why}")),
        Lookup::Found(_) => Some(format!("{image} exists")),
    }
}

fn no_other_cause(situation: &Situation<'_>) -> Option<String> {
    let since = situation.now.plus_seconds(-SIBLING_SECONDS);
    let mut others = situation
        .incident
        .causes
        .iter()
        .filter(|seen| seen.last_at > since && seen.diagnosis.cause != situation.blocker.diagnosis.cause);
    others.next().map(|seen| {
        format!(
            "tasks of this service also stopped for another cause ({}), which a pause would hide",
            seen.diagnosis.cause
        )
    })
}

/// With a desired count of 0 a service is stable at once, and CloudFormation would report success with nothing running.
fn stack_at_rest(situation: &Situation<'_>) -> Option<String> {
    match &situation.seen.stack {
        Lookup::Found(stack) => stack.status.under_way().map(|status| {
            format!(
                "stack {} is {status}: it would take a paused service for a stable one and report success with \
                 nothing running",
                stack.name
            )
        }),
        Lookup::Unknown(why) => {
            Some(format!("whether the service's stack is being deployed could not be found out: {why}"))
        }
        Lookup::Absent => None,
    }
}

fn plan(situation: &Situation<'_>, service: &Service, image: Reference, suspended: Option<Suspended>) -> Plan {
    let mut tags = BTreeMap::from([
        (marks::PAUSED_COUNT.to_owned(), service.desired.to_string()),
        (marks::PAUSED_AT.to_owned(), situation.now.to_string()),
        (marks::PAUSED_FOR.to_owned(), image.to_string()),
        (marks::CAUSE.to_owned(), situation.blocker.diagnosis.cause.as_str().to_owned()),
    ]);
    let stack = &situation.settings.stack;
    tags.extend((!stack.is_empty()).then(|| (marks::PAUSED_BY.to_owned(), stack.clone())));
    tags.extend(suspended.map(|state| (marks::PAUSED_SCALING.to_owned(), state.to_string())));
    let mut steps = vec![Step::TagService { service: service.id.clone(), tags }];
    steps.extend(suspended.map(|expected| Step::SetScaling {
        service: service.id.clone(),
        suspended: Suspended::ALL,
        expected,
    }));
    steps.push(Step::SetDesiredCount {
        service: service.id.clone(),
        from: service.desired,
        to: 0,
        force: false,
    });
    Plan {
        remedy: RemedyName::PauseAndRestore,
        result: "paused".to_owned(),
        summary: format!(
            "{image} does not exist and nothing of {} runs: pause it ({} -> 0 tasks) until the image is pushed, then \
             restore it",
            service.id, service.desired
        ),
        steps,
        follow_up: format!(
            "Push {image}: the service is restored by itself within seconds. To undo the pause by hand, set the \
             desired count to {}.\nTo keep this from happening, deploy the image before the service, or let the stack \
             wait for it with `Custom::PullsafeImage`.",
            service.desired
        ),
        then_wait_for: Some(WaitingFor::Image(image)),
    }
}
