//! Ahead of the failure: a deployment starts with images of Docker Hub.
//!
//! The mirror is asked for what it lacks before the first pull fails, people are told once per task definition, and,
//! where the policy says so, the service is moved while its pulls still work.

use crate::limit::is_to_move;
use crate::observation::Observation;
use pullsafe::count::count;
use pullsafe::lookup::Lookup;
use pullsafe::settings::{Ahead, Settings};
use pullsafe_diagnosis::cause::RemedyName;
use pullsafe_incident::plan::{Plan, Step};

use super::move_to_mirror::{follow_up, move_step};
use super::target::{self, MoveTarget};

/// What to do about a deployment that just started; `None` if it needs nothing.
pub fn prepare(settings: &Settings, seen: &Observation) -> Option<Plan> {
    let (Some(service), Some(definition)) = (seen.service.found(), seen.task_definition.found()) else {
        return None;
    };
    if settings.ahead == Ahead::Off || seen.hub_images.is_empty() || service.is_rolling_back() {
        return None;
    }
    let platform = definition.platform();
    let role = |repository: &str| seen.role_may_pull.get(repository).cloned().unwrap_or_else(Lookup::not_asked);
    let (mut moves, mut steps, mut stuck) = (Vec::new(), Vec::new(), Vec::new());
    for image in &seen.hub_images {
        match target::of(image, &platform, role, settings) {
            MoveTarget::Verified(found) => moves.push(found),
            MoveTarget::MirrorCanBeAsked(target) => {
                steps.push(Step::AskMirror {
                    source: image.reference.clone(),
                    target,
                    requested_by: service.id.arn(),
                });
            }
            MoveTarget::Nowhere(why) => stuck.push(format!("  {}: {}", image.written, why.join("; "))),
        }
    }
    let complete = steps.is_empty() && stuck.is_empty();
    let limit = seen.limit.as_ref().map(|limit| format!(". {}", limit.says())).unwrap_or_default();
    let wanted = settings.ahead == Ahead::Move && is_to_move(seen.limit.as_ref(), &service.id);
    if complete && wanted && super::guard::deployed_by_ecs(service).is_empty() {
        let advice = follow_up(&moves);
        return Some(Plan {
            remedy: RemedyName::MoveToMirror,
            result: "moved to the mirror".to_owned(),
            summary: format!(
                "a deployment of {} starts with {} of Docker Hub: move it to verified copies first{limit}",
                service.id,
                count(moves.len(), "image")
            ),
            steps: vec![move_step(service, definition, moves)],
            then_wait_for: None,
            follow_up: advice,
        });
    }
    let mut advice = Vec::new();
    if !moves.is_empty() {
        advice.push(follow_up(&moves));
    }
    if !stuck.is_empty() {
        advice.push(format!("Without a copy to move to:\n{}", stuck.join("\n")));
    }
    Some(Plan {
        remedy: RemedyName::PrepareMirror,
        result: "queued for the mirror".to_owned(),
        summary: format!(
            "a deployment of {} pulls {} from Docker Hub, whose quota it shares with everything behind the \
             same address: {} with a verified copy, {} to ask the mirror for, {} without either{limit}",
            service.id,
            count(seen.hub_images.len(), "image"),
            moves.len(),
            steps.len(),
            stuck.len()
        ),
        steps,
        then_wait_for: None,
        follow_up: advice.join("\n"),
    })
}
