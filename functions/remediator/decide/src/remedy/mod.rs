//! The remedies, and the decision between them.
//!
//! A remedy is one file: what it treats, what it has to see, and a function that looks at a [`Situation`] and says what
//! it would do, or why not. [`REMEDIES`] lists the remedies in the order in which they are asked. The first that acts
//! or waits is chosen, and the reasons of all that declined are kept.

pub mod ahead;
mod force_new_deployment;
pub mod guard;
mod move_to_mirror;
mod pause;
pub mod restore;
pub mod target;
#[cfg(test)]
pub(crate) mod tests;
mod unarchive;
mod wake;

use std::collections::BTreeSet;

use super::observation::Observation;
use super::service::Service;
use pullsafe::arn::ServiceId;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::settings::Settings;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Diagnosis, RemedyName};
use pullsafe_incident::incident::{CauseSeen, Incident};
use pullsafe_incident::plan::{Declined, Plan};
use pullsafe_incident::waiting::WaitingFor;

/// Everything a remedy may look at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    pub settings: &'a Settings,
    pub service: &'a ServiceId,
    /// What happened so far.
    pub incident: &'a Incident,
    /// The cause that stopped the latest task.
    pub blocker: &'a CauseSeen,
    /// What the look at the world found.
    pub seen: &'a Observation,
}

/// What a remedy says to a situation.
#[derive(Debug, Clone, PartialEq)]
pub enum RemedyVerdict {
    /// On a closer look, the remedy is not for this situation.
    NotForThis,
    /// It would help, and these guards hold it back.
    Declined(Vec<String>),
    /// It cannot act before this has happened.
    Wait(WaitingFor),
    /// It goes on waiting, because it could not see whether the wait is over.
    Unseen(WaitingFor, Doubt),
    /// This is to be done.
    Act(Box<Plan>),
}

/// What a remedy is for.
#[derive(Debug, Clone, Copy)]
pub enum Treats {
    /// A failure with such a diagnosis.
    Failure(fn(&Diagnosis) -> bool),
    /// A failure that may hide the cause that the remedy is for, which only a look shows. Where the text itself names
    /// that cause, the remedy is the failure's own.
    Hidden {
        /// The failures that may hide the cause.
        behind: fn(&Diagnosis) -> bool,
        /// The failures whose text names it.
        named: fn(&Diagnosis) -> bool,
    },
    /// A service in such a state, whatever fails. While it is in this state, no other remedy is asked.
    State(fn(&Service) -> bool),
}

/// What a remedy looks at, beside the service itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecondLook {
    /// The task definition that the service uses.
    TaskDefinition,
    /// The task definition and its images of Docker Hub: everywhere they could be pulled from, and whether the
    /// execution role may pull.
    HubImages,
    /// What the missing image's tag means now.
    Wanted,
    /// Whether ECR has the image that failed, and where it keeps it.
    Kept,
    /// The service's stack.
    Stack,
    /// The service's scalable target.
    Scaling,
}

/// A remedy.
#[derive(Debug, Clone, Copy)]
pub struct Remedy {
    pub name: RemedyName,
    pub treats: Treats,
    /// What has to be looked at for it.
    pub looks: &'static [SecondLook],
    /// What its guards have found to hold where it acts, in words for the person who is asked.
    pub holds: &'static [&'static str],
    /// Considers a situation that it treats.
    pub consider: fn(Situation<'_>) -> RemedyVerdict,
}

/// Every remedy for a failure, in the order in which they are asked.
pub const REMEDIES: &[Remedy] = &[
    restore::REMEDY,
    move_to_mirror::REMEDY,
    unarchive::REMEDY,
    force_new_deployment::REMEDY,
    pause::REMEDY,
    wake::REMEDY,
];

/// The remedies that are asked about a failure of a service, in order.
fn treating(diagnosis: &Diagnosis, service: Option<&Service>) -> Vec<&'static Remedy> {
    let for_state = |remedy: &&Remedy| matches!(remedy.treats, Treats::State(is) if service.is_some_and(is));
    let for_failure = |remedy: &&Remedy| match remedy.treats {
        Treats::Failure(is) | Treats::Hidden { behind: is, .. } => is(diagnosis),
        Treats::State(_) => false,
    };
    let found: Vec<_> = REMEDIES.iter().filter(for_state).collect();
    if found.is_empty() {
        REMEDIES.iter().filter(for_failure).collect()
    } else {
        found
    }
}

/// What has to be looked at before anything is decided: everything that the remedies in question need.
///
/// Without the service, it is what the failure alone calls for.
pub fn looks(diagnosis: &Diagnosis, service: Option<&Service>) -> BTreeSet<SecondLook> {
    treating(diagnosis, service).into_iter().flat_map(|remedy| remedy.looks).copied().collect()
}

/// The remedy that is asked first about a failure, before any guard; advice where there is none.
pub fn name_for(diagnosis: &Diagnosis) -> RemedyName {
    if diagnosis.cause.is_benign() {
        return RemedyName::None;
    }
    let names = |remedy: &&&Remedy| !matches!(remedy.treats, Treats::Hidden { named, .. } if !named(diagnosis));
    treating(diagnosis, None).iter().find(names).map_or(RemedyName::Advise, |remedy| remedy.name)
}

/// What was decided, and what was declined on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do now.
    pub plan: Option<Plan>,
    /// What was found to hold for the plan.
    pub holds: &'static [&'static str],
    /// What to wait for, where nothing can be done yet.
    pub waiting: Option<WaitingFor>,
    /// Why nobody knows whether that wait is over, if it could not be seen.
    pub unseen: Option<Doubt>,
    /// The remedies that the cause calls for and that a guard held back.
    pub declined: Vec<Declined>,
}

impl Decision {
    /// Lets a wait go on, and says that nobody knows whether it is over.
    fn wait_unseen(&mut self, remedy: RemedyName, waiting: WaitingFor, doubt: Doubt) {
        self.declined.push(Declined {
            remedy,
            reasons: vec![format!("whether the wait is over could not be found out: {doubt}")],
        });
        (self.waiting, self.unseen) = (Some(waiting), Some(doubt));
    }
}

/// Asks the remedies for this situation in turn, until one acts or waits.
pub fn decide(situation: Situation<'_>) -> Decision {
    let mut decision = Decision {
        plan: None,
        holds: &[],
        waiting: None,
        unseen: None,
        declined: Vec::new(),
    };
    // A wait does not end because the service cannot be seen.
    if let (Lookup::Unknown(doubt), Some(waiting)) = (&situation.seen.service, &situation.incident.waiting) {
        let remedy = situation.incident.acted().unwrap_or_else(|| name_for(&situation.blocker.diagnosis));
        decision.wait_unseen(remedy, waiting.cause.clone(), doubt.clone());
        return decision;
    }
    for remedy in treating(&situation.blocker.diagnosis, situation.seen.service.found()) {
        match (remedy.consider)(situation) {
            RemedyVerdict::NotForThis => {}
            RemedyVerdict::Declined(reasons) => decision.declined.push(Declined { remedy: remedy.name, reasons }),
            RemedyVerdict::Wait(waiting) => {
                decision.waiting = Some(waiting);
                break;
            }
            RemedyVerdict::Unseen(waiting, doubt) => {
                decision.wait_unseen(remedy.name, waiting, doubt);
                break;
            }
            RemedyVerdict::Act(plan) => {
                decision.waiting.clone_from(&plan.then_wait_for);
                (decision.plan, decision.holds) = (Some(*plan), remedy.holds);
                break;
            }
        }
    }
    decision
}
