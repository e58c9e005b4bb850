//! The door: what is said to a deployment that waits at its hook before its first task.
//!
//! The hook belongs to the service's owner, who may have others: only one that goes on by itself when nobody answers is
//! taken for pullsafe's. Where something is not known, the deployment goes on. It is rolled back only if it is certain
//! to fail, the mode is act, and there is something to go back to. An answer comes before the hook's own time is over,
//! or not at all.

use std::collections::BTreeMap;
use std::fmt;

use crate::state::{DeploymentStatus, HookKind, HookStatus, TimeoutAction};
use pullsafe::lookup::{Lookup, Storage};
use pullsafe::reference::{Digest, Reference};
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::RemedyName;
use pullsafe_events::hook::HookWaits;
use pullsafe_incident::plan::Plan;
use pullsafe_incident::waiting::WaitingFor;
use pullsafe_inspect::{ImageSeen, InspectFault, InspectFinding, LaunchPlatform, Needs, Seen};

use super::build_offer::asked;
use super::observation::DockerHubImage;

/// How many seconds before its time is over a hook is answered, whatever is still waited for: the sweep comes once a
/// minute.
const ANSWER_SECONDS: i64 = 90;
/// The longest wait in seconds, even where the hook would wait longer.
const LONGEST_WAIT_SECONDS: i64 = 15 * 60;

/// Why a first deployment is not rolled back: ECS would stop trying, and a push that comes later would start nothing.
const NOTHING_TO_GO_BACK_TO: &str = "there is no earlier deployment to go back to";

/// A hook of a deployment, as ECS shows it while it is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub id: String,
    pub kind: HookKind,
    pub status: HookStatus,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What happens then.
    pub then: TimeoutAction,
}

/// A hook as a service is configured with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    pub kind: HookKind,
    /// The stages at which it stops a deployment.
    pub stages: Vec<String>,
    /// What happens when nobody answers.
    pub then: TimeoutAction,
}

/// A deployment of a service, as DescribeServiceDeployments shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDeployment {
    pub status: DeploymentStatus,
    /// Its active hooks.
    pub hooks: Vec<Hook>,
    /// The hooks of its service.
    pub configured: Vec<Configured>,
    /// The ARN of the revision that it is to run.
    pub target: Option<String>,
    /// Whether there is a revision that it replaces.
    pub replaces: bool,
}

/// A revision of a service: what a deployment is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The task definition's ARN.
    pub task_definition: String,
    /// Where its tasks run.
    pub launch: LaunchPlatform,
    /// The digests that ECS has resolved tags to, by container.
    pub digests: BTreeMap<String, Digest>,
}

/// Whether a hook is pullsafe's to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOwnership {
    /// It is pullsafe's, until this moment.
    Ours(Timestamp),
    /// It does not wait any more, and what became of it.
    Over(HookEnd),
    /// It is somebody else's, and why.
    NotOurs(String),
}

/// Why a hook does not wait any more. Displays as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEnd {
    /// ECS shows it with this status.
    Status(HookStatus),
    /// Its end was not seen, and why.
    Unseen(String),
}

impl fmt::Display for HookEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(formatter),
            Self::Unseen(why) => formatter.write_str(why),
        }
    }
}

/// Finds out whether a hook is pullsafe's to answer. Hooks have no name. A hook is pullsafe's if it waits before the
/// first task and at no other stage, if the deployment goes on when nobody answers, and if there is no second one like
/// it.
pub fn standing(deployment: &WaitingDeployment, waits: &HookWaits) -> HookOwnership {
    let Some(hook) = deployment.hooks.iter().find(|hook| hook.id == waits.hook) else {
        return HookOwnership::Over(HookEnd::Unseen("the deployment no longer shows it".to_owned()));
    };
    if hook.status != HookStatus::AwaitingAction {
        return HookOwnership::Over(HookEnd::Status(hook.status.clone()));
    }
    if !matches!(deployment.status, DeploymentStatus::InProgress | DeploymentStatus::Pending) {
        return HookOwnership::Over(HookEnd::Unseen(format!("its deployment is {}", deployment.status)));
    }
    if hook.kind != HookKind::Pause || hook.then != TimeoutAction::Continue {
        return HookOwnership::NotOurs(
            "its deployment is rolled back when nobody answers, so that somebody means to".to_owned(),
        );
    }
    let alike = |other: &&Hook| {
        other.kind == HookKind::Pause
            && other.status == HookStatus::AwaitingAction
            && other.then == TimeoutAction::Continue
    };
    if deployment.hooks.iter().filter(alike).count() > 1 {
        return HookOwnership::NotOurs(
            "the deployment waits at two hooks alike, and nothing tells which is whose".to_owned(),
        );
    }
    let here = |hook: &&Configured| {
        hook.kind == HookKind::Pause
            && hook.then == TimeoutAction::Continue
            && hook.stages == [pullsafe_events::hook::BEFORE_THE_FIRST_TASK]
    };
    if !deployment.configured.is_empty() && deployment.configured.iter().filter(here).count() != 1 {
        return HookOwnership::NotOurs(
            "the service has no hook of its own for this stage that goes on when nobody answers, or two".to_owned(),
        );
    }
    match hook.expires_at {
        Some(expires_at) => HookOwnership::Ours(expires_at),
        None => HookOwnership::NotOurs("when its time is over is not said".to_owned()),
    }
}

/// The hook that a deployment waits at, if it waits at one: nothing else is done to its service meanwhile.
pub fn held_by(deployment: &WaitingDeployment) -> Option<&Hook> {
    let waits = |hook: &&Hook| matches!(hook.status, HookStatus::AwaitingAction | HookStatus::InProgress);
    deployment.hooks.iter().find(waits)
}

/// What is known of an image of Docker Hub by the look that a move needs too.
pub fn seen_at_hub(image: &DockerHubImage) -> ImageSeen {
    ImageSeen {
        mirror: image.mirror.clone(),
        pulls_left: image.left,
        ..ImageSeen::only(image.hub.clone())
    }
}

/// Everything that a decision at the door is based on.
#[derive(Debug, Clone, Copy)]
pub struct DoorSituation<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// When the deployment began to wait.
    pub since: Timestamp,
    /// When the hook's own time is over.
    pub expires_at: Timestamp,
    /// What pullsafe may do.
    pub mode: Mode,
    pub findings: &'a [InspectFinding],
    /// The plan for its images of Docker Hub, where there is one.
    pub ahead: Option<&'a Plan>,
    /// The images that lie in ECR's archive, by their digests.
    pub archived: &'a [Reference],
    /// Whether there is a revision to go back to.
    pub replaces: bool,
}

/// What is said to a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum DoorDecision {
    /// It goes on, for nothing speaks against it.
    GoesOn,
    /// It goes on, although its tasks will fail, and why it is not rolled back.
    GoesOnToFail(&'static str),
    /// It goes on, and its service is moved to the mirror at once.
    GoesOnAndMoves,
    /// It waits for these, at most until this moment.
    Waits(Vec<WaitingFor>, Timestamp),
    /// It is rolled back.
    IsRolledBack,
}

/// Decides what is said to a deployment.
pub fn decide(situation: DoorSituation<'_>) -> DoorDecision {
    let DoorSituation {
        now,
        since,
        expires_at,
        mode,
        findings,
        ahead,
        archived,
        replaces,
    } = situation;
    let failing: Vec<&InspectFinding> = findings.iter().filter(|finding| finding.is_certain_failure()).collect();
    let until = expires_at.plus_seconds(-ANSWER_SECONDS).min(since.plus_seconds(LONGEST_WAIT_SECONDS));
    let may_wait = now < until;
    if mode < Mode::Act {
        let why = match (replaces, mode) {
            (false, _) => NOTHING_TO_GO_BACK_TO,
            (true, Mode::Ask) => "the mode is ask, and a deployment does not wait here for a person",
            (true, _) => "the mode is observe",
        };
        return if failing.is_empty() {
            DoorDecision::GoesOn
        } else {
            DoorDecision::GoesOnToFail(why)
        };
    }
    if !failing.is_empty() {
        if may_wait && failing.iter().all(|finding| finding.fault.may_pass()) {
            let absent = failing.iter().filter(|finding| finding.fault == InspectFault::ImageAbsent);
            let absent = absent.filter_map(|finding| finding.about.parse().ok()).map(WaitingFor::Image);
            return DoorDecision::Waits(
                absent.chain(archived.iter().cloned().map(WaitingFor::Restored)).collect(),
                until,
            );
        }
        return if replaces {
            DoorDecision::IsRolledBack
        } else {
            DoorDecision::GoesOnToFail(NOTHING_TO_GO_BACK_TO)
        };
    }
    if may_wait && !archived.is_empty() {
        return DoorDecision::Waits(archived.iter().cloned().map(WaitingFor::Restored).collect(), until);
    }
    let Some(plan) = ahead else { return DoorDecision::GoesOn };
    let asked = asked(plan);
    if plan.remedy == RemedyName::MoveToMirror {
        return DoorDecision::GoesOnAndMoves;
    }
    if may_wait && !asked.is_empty() {
        DoorDecision::Waits(vec![WaitingFor::Mirror(asked)], until)
    } else {
        DoorDecision::GoesOn
    }
}

/// The images that lie in ECR's archive, by their digests.
pub fn archived(needs: &Needs, seen: &Seen) -> Vec<Reference> {
    let images = needs
        .images
        .iter()
        .filter_map(|image| Some((image.reference.as_ref()?, seen.images.get(&image.written)?)));
    let archived = images.filter(|(_, seen)| seen.storage != Storage::Standard);
    archived
        .filter_map(|(image, seen)| Some(image.pinned_to(seen.found.found()?.digest.clone())))
        .collect()
}

/// How many tasks a deployment starts; 1 where that is not known.
pub fn tasks(service: &Lookup<super::service::Service>) -> u64 {
    service.found().map_or(1, |service| service.desired.max(0).unsigned_abs())
}
