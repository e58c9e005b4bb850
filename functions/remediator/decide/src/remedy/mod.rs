//! The remedies, and the decision between them.
//!
//! A remedy is one file: what it treats, what it has to see, and a function that looks at a [`Situation`] and says what
//! it would do, or why not. It is listed in [`REMEDIES`], in the order in which they are asked; the first that acts or
//! waits is chosen, and the reasons of all that declined are kept.

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
    /// The configuration.
    pub settings: &'a Settings,
    /// The service.
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
    /// On a closer look it is nothing that this remedy is for.
    NotForThis,
    /// It would help, and these guards hold it back.
    Declined(Vec<String>),
    /// It cannot act yet.
    Wait(WaitingFor),
    /// It waits on, and could not see whether the wait is over.
    Unseen(WaitingFor, Doubt),
    /// This is to be done.
    Act(Box<Plan>),
}

/// What a remedy is for.
#[derive(Debug, Clone, Copy)]
pub enum Treats {
    /// A failure that was diagnosed so.
    Failure(fn(&Diagnosis) -> bool),
    /// A failure that may hide what it is for, which only a look shows. It gives the failure its name where the text
    /// says so by itself.
    Hidden {
        /// The failures behind which it may be.
        behind: fn(&Diagnosis) -> bool,
        /// Those that name it.
        named: fn(&Diagnosis) -> bool,
    },
    /// A service in such a state, whatever fails. While it is in it, no other remedy is asked.
    State(fn(&Service) -> bool),
}

/// What a remedy looks at, beside the service itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecondLook {
    /// The task definition that the service uses.
    TaskDefinition,
    /// That, and its images of Docker Hub: everywhere they could be pulled from, and whether the execution role may.
    HubImages,
    /// What the missing image's tag means now.
    Wanted,
    /// Whether ECR has it, and where it keeps it.
    Kept,
    /// The service's stack.
    Stack,
    /// The service's scalable target.
    Scaling,
}

/// A remedy.
#[derive(Debug, Clone, Copy)]
pub struct Remedy {
    /// The name.
    pub name: RemedyName,
    /// What it is for.
    pub treats: Treats,
    /// What it has to see.
    pub looks: &'static [SecondLook],
    /// What its guards have found to hold where it acts, for whoever is asked whether it may.
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

/// What has to be looked at before anything is decided: all that the remedies look at which will be asked.
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
    /// What was found to hold for it.
    pub holds: &'static [&'static str],
    /// What to wait for, where nothing can be done yet.
    pub waiting: Option<WaitingFor>,
    /// Why nobody knows whether that wait is over, if it could not be seen.
    pub unseen: Option<Doubt>,
    /// The remedies that the cause calls for and that a guard held back.
    pub declined: Vec<Declined>,
}

impl Decision {
    /// The wait goes on, and it is said that nobody knows whether it is over.
    fn wait_unseen(&mut self, remedy: RemedyName, waiting: WaitingFor, doubt: Doubt) {
        self.declined.push(Declined {
            remedy,
            reasons: vec![format!("whether the wait is over could not be found out: {doubt}")],
        });
        (self.waiting, self.unseen) = (Some(waiting), Some(doubt));
    }
}

/// Asks every remedy in turn that is for this.
pub fn decide(situation: Situation<'_>) -> Decision {
    let mut decision = Decision {
        plan: None,
        holds: &[],
        waiting: None,
        unseen: None,
        declined: Vec::new(),
    };
    // A service that cannot be seen ends no wait either.
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
