//! The remedies, and the decision between them.
//!
//! A remedy is one file with one function that looks at a [`Situation`] and says what it would do, or why not. It
//! is listed in [`REMEDIES`], in the order in which they are asked; the first that acts or waits is chosen, and the
//! reasons of all that declined are kept.

pub mod ahead;
mod force_new_deployment;
mod guard;
mod move_to_mirror;
mod pause;
mod restore;
pub mod target;
#[cfg(test)]
mod tests;

use super::observation::Observation;
use pullsafe::arn::ServiceId;
use pullsafe::settings::Settings;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::RemedyName;
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
pub enum Verdict {
    /// The cause does not call for it.
    NotForThis,
    /// The cause calls for it, and these guards hold it back.
    Declined(Vec<String>),
    /// It cannot act yet.
    Wait(WaitingFor),
    /// This is to be done.
    Act(Box<Plan>),
}

/// A remedy: its name, and the function that considers it.
#[derive(Debug, Clone, Copy)]
pub struct Remedy {
    /// The name.
    pub name: RemedyName,
    /// Considers a situation.
    pub consider: fn(Situation<'_>) -> Verdict,
}

/// Every remedy for a failure, in the order in which they are asked.
pub const REMEDIES: &[Remedy] = &[
    Remedy { name: RemedyName::PauseAndRestore, consider: restore::consider },
    Remedy { name: RemedyName::MoveToMirror, consider: move_to_mirror::consider },
    Remedy { name: RemedyName::PauseAndRestore, consider: pause::consider },
    Remedy { name: RemedyName::ForceNewDeployment, consider: force_new_deployment::consider },
];

/// What was decided, and what was declined on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do now.
    pub plan: Option<Plan>,
    /// What to wait for, where nothing can be done yet.
    pub waiting: Option<WaitingFor>,
    /// The remedies that the cause calls for and that a guard held back.
    pub declined: Vec<Declined>,
}

/// Asks every remedy in turn.
pub fn decide(situation: Situation<'_>) -> Decision {
    let mut decision = Decision { plan: None, waiting: None, declined: Vec::new() };
    for remedy in REMEDIES {
        match (remedy.consider)(situation) {
            Verdict::NotForThis => {}
            Verdict::Declined(reasons) => decision.declined.push(Declined { remedy: remedy.name, reasons }),
            Verdict::Wait(waiting) => {
                decision.waiting = Some(waiting);
                break;
            }
            Verdict::Act(plan) => {
                decision.waiting.clone_from(&plan.then_wait_for);
                decision.plan = Some(*plan);
                break;
            }
        }
    }
    decision
}
