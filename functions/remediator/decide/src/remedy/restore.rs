//! A service that pullsafe paused: bring it back once its image exists, or step aside if a person has already done so.
//!
//! Whoever may tag a service could write the marks of a pause. So a restore needs the marks and the table's own memory
//! of that pause, and takes the count, the suspended state and the awaited image from the memory. Where the memory is
//! lost, a person gets the command. A service whose marks somebody removed is left alone.

use crate::service::{Service, marks};
use crate::state::ServiceStatus;
use pullsafe::lookup::Lookup;
use pullsafe::reference::Reference;
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_incident::command;
use pullsafe_incident::plan::{Plan, Step, Suspended};
use pullsafe_incident::waiting::WaitingFor;

use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::PauseAndRestore,
    treats: Treats::State(|service| service.paused_count().is_some()),
    looks: &[SecondLook::Wanted, SecondLook::Scaling],
    // Whoever said yes to the pause said yes to the way back.
    holds: &[],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let Some(service) = situation.seen.service.found().filter(|service| service.status == ServiceStatus::Active) else {
        return RemedyVerdict::NotForThis;
    };
    if let Some(reason) = guard::another_stack(&situation.settings.stack, service) {
        return RemedyVerdict::Declined(vec![reason]);
    }
    if let Some(reason) = guard::not_held(service) {
        return RemedyVerdict::Declined(vec![reason]);
    }
    let pause = situation.incident.pause_steps();
    let count = pause.iter().find_map(|step| {
        let Step::SetDesiredCount { service: paused, from, to: 0, .. } = step else {
            return None;
        };
        (*paused == service.id).then_some(*from)
    });
    let Some(count) = count else {
        return without_memory(service);
    };
    if service.desired != 0 {
        // Registering a scalable target moves the count into its bounds, and a person has set this count.
        let outside = suspended_before(pause).zip(situation.seen.scaling.found()).filter(|(_, target)| {
            let (least, most) = target.bounds;
            service.desired < least || service.desired > most
        });
        let mut steps = way_back(service, pause, None);
        if outside.is_some() {
            steps.retain(|step| !matches!(step, Step::SetScaling { .. }));
        }
        let follow_up = outside.map(|(before, target)| {
            format!(
                "Autoscaling stays suspended, because it would move that count into its bounds of {} to {}. To let \
                 it: {}",
                target.bounds.0,
                target.bounds.1,
                command::scaling(&service.id, before)
            )
        });
        return RemedyVerdict::Act(Box::new(Plan {
            remedy: RemedyName::PauseAndRestore,
            result: "left as a person set it".to_owned(),
            summary: format!(
                "the desired count of {} was set to {} while it was paused: that stands, and the marks of the pause go",
                service.id, service.desired
            ),
            steps,
            then_wait_for: None,
            follow_up: follow_up.unwrap_or_default(),
        }));
    }
    let Some(image) = written(pause, marks::PAUSED_FOR, service).and_then(|image| image.parse::<Reference>().ok())
    else {
        return RemedyVerdict::Declined(vec![format!(
            "the tag {} on the service does not name an image",
            marks::PAUSED_FOR
        )]);
    };
    match &situation.seen.wanted {
        Lookup::Found(_) => {
            let pinned = written(pause, marks::CAUSE, service) == Some(Cause::ImageDigestGone.as_str());
            let restore = Step::SetDesiredCount {
                service: service.id.clone(),
                from: 0,
                to: count,
                force: pinned,
            };
            RemedyVerdict::Act(Box::new(Plan {
                remedy: RemedyName::PauseAndRestore,
                result: "restored".to_owned(),
                summary: format!(
                    "{image} exists now: restore {} to {}",
                    service.id,
                    pullsafe::count::count(count, "task")
                ),
                steps: way_back(service, pause, Some(restore)),
                then_wait_for: None,
                follow_up: String::new(),
            }))
        }
        Lookup::Absent => RemedyVerdict::Wait(WaitingFor::Image(image)),
        Lookup::Unknown(doubt) => RemedyVerdict::Unseen(WaitingFor::Image(image), doubt.clone()),
    }
}

/// What a pause wrote into a tag, by the steps that are remembered, whatever the tag says now. Where these write no
/// tags, the service's own tag is read.
pub fn written<'a>(pause: &'a [Step], key: &str, service: &'a Service) -> Option<&'a str> {
    let tags = pause
        .iter()
        .find_map(|step| if let Step::TagService { tags, .. } = step { Some(tags) } else { None });
    tags.unwrap_or(&service.tags).get(key).map(String::as_str)
}

/// Judges the marks of a pause that the table does not remember: anybody may have written them, so nothing is changed.
fn without_memory(service: &Service) -> RemedyVerdict {
    if service.desired != 0 {
        return RemedyVerdict::NotForThis;
    }
    let restore = command::count(&service.id, 1).replace("--desired-count 1", "--desired-count COUNT");
    RemedyVerdict::Declined(vec![format!(
        "the service carries the tags of a pause that pullsafe does not remember, and tags alone restore nothing; to \
         restore it: {restore}"
    )])
}

/// The steps of the way back: the count first, then autoscaling, and the marks last. Whoever finds the marks knows that
/// the rest may not be done yet.
fn way_back(service: &Service, pause: &[Step], restore: Option<Step>) -> Vec<Step> {
    let mut steps = Vec::from_iter(restore);
    steps.extend(suspended_before(pause).map(|suspended| Step::SetScaling {
        service: service.id.clone(),
        suspended,
        expected: Suspended::ALL,
    }));
    let keys = marks::OF_A_PAUSE
        .iter()
        .filter(|key| service.tags.contains_key(**key))
        .map(|key| (*key).to_owned())
        .collect();
    steps.push(Step::UntagService { service: service.id.clone(), keys });
    steps
}

/// What was suspended before the pause, if the service is scaled automatically.
fn suspended_before(pause: &[Step]) -> Option<Suspended> {
    pause.iter().find_map(|step| {
        if let Step::SetScaling { expected, .. } = step {
            Some(*expected)
        } else {
            None
        }
    })
}
