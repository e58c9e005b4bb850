//! Docker Hub's pull quota is used up: move every Docker Hub image of the service to a verified copy.
//!
//! All of them move, sidecars too, or the next pull hits the limit. No other limit moves a service: bursts, limits of
//! other registries and API throttling pass, and people get advice (docs/adr/0005).

use std::collections::BTreeMap;

use crate::service::{Service, marks};
use pullsafe::count::count;
use pullsafe::lookup::Lookup;
use pullsafe::reference::pull_quota;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Diagnosis, RemedyName};
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::plan::{ImageMove, Plan, Step};
use pullsafe_incident::waiting::WaitingFor;

use super::target::{self, MoveTarget};
use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

/// For how long the mirror is waited for before people are told that it does not answer.
const MIRROR_PATIENCE_SECONDS: i64 = 20 * 60;

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::MoveToMirror,
    treats: Treats::Failure(Diagnosis::docker_hub_quota),
    looks: &[SecondLook::HubImages],
    holds: &[
        "ECS itself deploys the service, and nothing rolls it back or holds it at a hook",
        "the tasks that failed ran the very task definition that the service uses",
        "nothing was done in this incident before",
        "Docker Hub has refused more than once, for its pull quota",
        "every image has a copy with the same digest and platform, which the execution role may pull",
        "the service was not moved lately",
    ],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let service = match guard::active_service(&situation) {
        Ok(service) => service,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    let mut reasons = guard::for_any_act(&situation, service);
    reasons.extend(cooled_down(&situation, service));
    reasons.extend(seen_often_enough(&situation));
    if !reasons.is_empty() {
        return RemedyVerdict::Declined(reasons);
    }
    match moves(&situation) {
        Err(reasons) => RemedyVerdict::Declined(reasons),
        Ok(Moves::Waiting(images)) => RemedyVerdict::Wait(WaitingFor::Mirror(images)),
        Ok(Moves::Ask(plan)) => RemedyVerdict::Act(Box::new(plan)),
        Ok(Moves::Ready(definition, moves)) => {
            RemedyVerdict::Act(Box::new(plan(&situation, service, definition, moves)))
        }
    }
}

/// Why a service that was moved lately is not moved again: if it hits the limit again, something moves it back, and
/// another move would be a tug of war.
fn cooled_down(situation: &Situation<'_>, service: &Service) -> Option<String> {
    let moved_at = Timestamp::parse(service.tags.get(marks::MOVED_AT)?)?;
    let hours = situation.settings.move_cooldown_hours;
    // This says no more than was seen: the stop may be a late one, of a task from before the move.
    let since = match situation.seen.hub_images.is_empty() {
        true => "it names no image of Docker Hub now, so that the task that failed may be one from before",
        false => {
            "its task definition names images of Docker Hub again, so that a deployment since then has put them back"
        }
    };
    let within = situation.now < moved_at.plus_seconds(hours * 3600);
    within.then(|| format!("the service was moved at {moved_at}, less than {hours} hours ago; {since}"))
}

/// The registry itself must have said it more than once: on two tasks, or on several tries of one task.
fn seen_often_enough(situation: &Situation<'_>) -> Option<String> {
    let tries = situation.blocker.diagnosis.attempts.unwrap_or(1);
    (situation.blocker.tasks < 2 && tries < 2)
        .then(|| "the limit was met once, on one task; a second refusal settles it".to_owned())
}

enum Moves<'a> {
    Ready(&'a TaskDefinition, Vec<ImageMove>),
    Ask(Plan),
    Waiting(Vec<pullsafe::reference::Reference>),
}

fn moves<'a>(situation: &Situation<'a>) -> Result<Moves<'a>, Vec<String>> {
    let seen = situation.seen;
    let definition = match &seen.task_definition {
        Lookup::Found(definition) => definition,
        Lookup::Absent => return Err(vec!["the task definition no longer exists".to_owned()]),
        Lookup::Unknown(why) => return Err(vec![format!("the task definition could not be read: {why}")]),
    };
    if seen.hub_images.is_empty() {
        return Err(vec!["the task definition names no image of Docker Hub".to_owned()]);
    }
    let platform = definition.platform();
    let role = |repository: &str| seen.role_may_pull.get(repository).cloned().unwrap_or_else(Lookup::not_asked);
    let (mut ready, mut asked, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for image in &seen.hub_images {
        match target::of(image, &platform, role, situation.settings) {
            MoveTarget::Verified(found) => ready.push(found),
            MoveTarget::MirrorCanBeAsked(place) => asked.push((image.reference.clone(), place)),
            MoveTarget::Nowhere(why) => {
                reasons.push(format!("{} has nowhere to go: {}", image.written, why.join("; ")))
            }
        }
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    if asked.is_empty() {
        return Ok(Moves::Ready(definition, ready));
    }
    let images: Vec<_> = asked.iter().map(|(source, _)| source.clone()).collect();
    match &situation.incident.waiting {
        Some(waiting) if waiting.cause == WaitingFor::Mirror(images.clone()) => {
            if situation.now.seconds_since(waiting.since) < MIRROR_PATIENCE_SECONDS {
                Ok(Moves::Waiting(images))
            } else {
                Err(vec![format!(
                    "the mirror was asked at {} and has not delivered; its dead-letter queue and log say why",
                    waiting.since
                )])
            }
        }
        Some(_) | None => Ok(Moves::Ask(ask(situation, asked))),
    }
}

fn ask(
    situation: &Situation<'_>,
    asked: Vec<(pullsafe::reference::Reference, pullsafe::reference::Reference)>,
) -> Plan {
    let requested_by = situation.service.arn();
    let names: Vec<_> = asked.iter().map(|(source, _)| source.to_string()).collect();
    Plan {
        remedy: RemedyName::PrepareMirror,
        result: "queued for the mirror".to_owned(),
        summary: format!(
            "Docker Hub's pull quota is used up and the mirror lacks {}: ask the mirror, then move the service",
            names.join(", ")
        ),
        then_wait_for: Some(WaitingFor::Mirror(asked.iter().map(|(source, _)| source.clone()).collect())),
        steps: asked
            .into_iter()
            .map(|(source, target)| Step::AskMirror { source, target, requested_by: requested_by.clone() })
            .collect(),
        follow_up: String::new(),
    }
}

fn plan(situation: &Situation<'_>, service: &Service, definition: &TaskDefinition, moves: Vec<ImageMove>) -> Plan {
    let mut tags = BTreeMap::from([
        (marks::MOVED_FROM.to_owned(), definition.arn().to_owned()),
        (marks::MOVED_AT.to_owned(), situation.now.to_string()),
        (marks::CAUSE.to_owned(), situation.blocker.diagnosis.cause.as_str().to_owned()),
    ]);
    let stack = &situation.settings.stack;
    tags.extend((!stack.is_empty()).then(|| (marks::MOVED_BY.to_owned(), stack.clone())));
    Plan {
        remedy: RemedyName::MoveToMirror,
        result: "moved to the mirror".to_owned(),
        summary: format!(
            "Docker Hub's pull quota is used up: move {} of {} to a verified copy. {}",
            count(moves.len(), "image"),
            service.id,
            budget(situation.incident, situation.now)
        ),
        follow_up: follow_up(&moves),
        steps: vec![move_step(service, definition, moves), Step::TagService { service: service.id.clone(), tags }],
        then_wait_for: None,
    }
}

/// The step that clones the definition and moves the service to the clone.
pub(crate) fn move_step(service: &Service, definition: &TaskDefinition, moves: Vec<ImageMove>) -> Step {
    let replacements: Vec<_> = moves.iter().map(|image| (image.from.clone(), image.to.clone())).collect();
    Step::MoveService {
        service: service.id.clone(),
        from: definition.arn().to_owned(),
        request: definition.clone_request(&replacements),
        moves,
    }
}

/// The change that a person should make so that the next deployment does not put the old images back.
pub(crate) fn follow_up(moves: &[ImageMove]) -> String {
    let lines: Vec<_> = moves.iter().map(|image| format!("  {}  ->  {}", image.from, image.to)).collect();
    format!(
        "The template still names the old images: the next deployment from it brings them back. Change there:\n{}\n\
         The new names are pinned by their digests, so that nothing that runs changes when the mirror's tag moves. To \
         follow the tag \
         instead, leave out `@sha256:...`.",
        lines.join("\n")
    )
}

/// What the incident says about the quota: pulls spent by the failing launches, and how many launches empty it.
fn budget(incident: &Incident, now: Timestamp) -> String {
    let spent = incident.pulls_since(now.plus_seconds(-pull_quota::WINDOW_SECONDS.cast_signed()));
    let limit = incident.quota_limit.unwrap_or(pull_quota::ANONYMOUS);
    let per_launch = incident.pulls_per_launch();
    format!(
        "Failing launches of this service tried {} in the last 6 hours; {} failing launches of \
         {per_launch} tries each empty a quota of {limit}.",
        count(spent, "pull"),
        limit / per_launch
    )
}
