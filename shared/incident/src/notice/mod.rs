//! Messages: for people (subject and text) and for programs (an event), from one incident.
//!
//! A message can be read by itself: cause, evidence, what was done or why nothing was, and the exact change to make. It
//! is written once, kept in the record until it has gone out, and always carries the same id, so that a receiver can
//! drop the second copy that at-least-once delivery may bring.

mod deployment;
mod held_back;
mod stray;
mod text;

use pullsafe::count::count;
use pullsafe::notice::{Notice, Severity};

use crate::incident::{ActState, CauseSeen, Incident};
use crate::plan::{Declined, Plan};
use crate::published::{Blocker, IncidentResolved, Published};
use crate::refusal::StepRefusal;
use crate::waiting::WaitingFor;

pub use deployment::{Prepared, ahead, door};
pub use held_back::held_back;
pub use stray::{Stray, stray};
pub(crate) use text::{NoticeText, subject_line};

/// What happened to a plan, for a message about it.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanOutcome<'a> {
    /// No remedy, or none yet: the message has cause and advice.
    Advised(Option<&'a WaitingFor>),
    /// This was done.
    Applied(&'a Plan),
    /// In observe mode: this would have been done.
    WouldApply(&'a Plan),
    /// This was begun and given up, for this reason.
    Abandoned(&'a Plan, &'a str),
    /// AWS refused a step of this. The text is the command with which a person has it tried again.
    Refused(&'a Plan, &'a StepRefusal, &'a str),
}

impl PlanOutcome<'_> {
    /// Whether a digest can say the same of many services. A plan that was left half done, or given up, concerns one
    /// service.
    pub fn is_like_others(&self) -> bool {
        match self {
            Self::Advised(_) | Self::Applied(_) | Self::WouldApply(_) => true,
            Self::Refused(_, refusal, _) => refusal.done.is_empty() && refusal.left.is_empty(),
            Self::Abandoned(..) => false,
        }
    }

    /// Says what is being done, for the first line.
    fn briefly(&self) -> String {
        match self {
            Self::Advised(Some(waiting)) => format!("pullsafe waits {}", waiting.briefly()),
            Self::Advised(None) => "pullsafe changes nothing, see what to do".to_owned(),
            Self::Applied(plan) => format!("it was {}", plan.result),
            Self::WouldApply(plan) => format!("it would be {} (observing)", plan.result),
            Self::Abandoned(plan, _) => format!("{} was given up", plan.remedy),
            Self::Refused(_, refusal, _) => format!("AWS refused {}", refusal.call),
        }
    }
}

/// Returns what an event says of a blocker and of its plan, as long as nothing was done or refused and nobody is asked.
pub(crate) fn blocked(
    subject: &str,
    incident: &Incident,
    blocker: &CauseSeen,
    plan: Option<&Plan>,
    id: &str,
) -> Blocker {
    let diagnosis = &blocker.diagnosis;
    Blocker {
        notice: id.to_owned(),
        incident: incident.id.clone(),
        subject: subject.to_owned(),
        docker_hub_quota: diagnosis.docker_hub_quota(),
        diagnosis: diagnosis.clone(),
        remedy: plan.map(|plan| plan.remedy),
        applied: false,
        steps: plan.map(|plan| plan.steps.iter().map(crate::plan::Step::describe).collect()),
        declined: incident.declined.clone(),
        tasks: blocker.tasks,
        since: blocker.first_at,
        refused: None,
        outbreak: None,
        question: None,
    }
}

/// Writes the message about the current blocker of an incident and the outcome.
pub fn about(subject: &str, incident: &Incident, blocker: &CauseSeen, outcome: &PlanOutcome<'_>, id: String) -> Notice {
    let diagnosis = &blocker.diagnosis;
    let (detail_type, headline) = match outcome {
        PlanOutcome::Advised(_) => ("Diagnosis", format!("{subject}: {}", diagnosis.cause)),
        PlanOutcome::Applied(plan) => ("Remedy Applied", format!("{subject}: {} ({})", plan.result, diagnosis.cause)),
        PlanOutcome::WouldApply(plan) => {
            ("Diagnosis", format!("{subject}: {}, would be {} (observing)", diagnosis.cause, plan.result))
        }
        PlanOutcome::Abandoned(plan, _) => {
            ("Diagnosis", format!("{subject}: {} given up ({})", plan.remedy, diagnosis.cause))
        }
        PlanOutcome::Refused(plan, refusal, _) => {
            ("Diagnosis", format!("{subject}: {} refused at {} ({})", plan.remedy, refusal.call, diagnosis.cause))
        }
    };
    let mut text = NoticeText::default();
    let runs = incident.runs.map(|runs| format!("{}; ", runs.words())).unwrap_or_default();
    let summary = crate::incident::summary(diagnosis);
    text.line(&format!("{subject}: {summary} since {}: {runs}{}.", blocker.first_at, outcome.briefly()));
    text.line(&format!(
        "Current blocker since {}, {}, confidence {}.",
        blocker.first_at,
        count(blocker.tasks, "task"),
        diagnosis.confidence
    ));
    if let Some(hidden_by) = blocker.hidden_by {
        text.line(&format!("It was hidden by {hidden_by} before."));
    }
    let from = text.len();
    text.section(
        "Evidence",
        diagnosis.evidence.iter().map(|evidence| format!("{}: {}", evidence.source, evidence.text)),
    );
    let mut evidence = (from, text.len());
    let plan = match outcome {
        PlanOutcome::Advised(waiting) => {
            text.advice("What to do", diagnosis);
            // Advice about an application repeats what its log says, so it counts as evidence.
            if diagnosis.signature.is_some() {
                evidence.1 = text.len();
            }
            if let Some(waiting) = waiting {
                text.section("pullsafe waits", [waiting.describe()]);
            }
            None
        }
        PlanOutcome::Applied(plan) => {
            text.section(
                "Done",
                std::iter::once(plan.summary.clone())
                    .chain(plan.steps.iter().map(|step| format!("  {}", step.describe()))),
            );
            Some(*plan)
        }
        PlanOutcome::WouldApply(plan) => {
            let steps = plan.steps.iter().map(|step| format!("  would {}", step.describe()));
            text.section("In observe mode nothing was changed", std::iter::once(plan.summary.clone()).chain(steps));
            Some(*plan)
        }
        PlanOutcome::Abandoned(plan, why) => {
            text.section("Given up", [plan.summary.clone(), (*why).to_owned()]);
            text.advice("What to do", diagnosis);
            None
        }
        PlanOutcome::Refused(plan, refusal, again) => {
            text.refusal(refusal, Some(&plan.summary), Some(again));
            text.advice("What to do about the cause", diagnosis);
            Some(*plan).filter(|_| !refusal.done.is_empty())
        }
    };
    if let Some(plan) = plan.filter(|plan| !plan.follow_up.is_empty()) {
        text.section("For you to do", [plan.follow_up.clone()]);
    }
    text.section("Declined", incident.declined.iter().map(declined));
    let earlier = incident.causes.iter().filter(|seen| seen.diagnosis.cause != diagnosis.cause);
    text.section(
        "Other causes in this incident, oldest first",
        earlier.map(|seen| {
            let tasks = count(seen.tasks, "task");
            format!("{} from {} to {} ({tasks})", seen.diagnosis.cause, seen.first_at, seen.last_at)
        }),
    );
    text.short_form(incident);
    text.line(&format!("\nIncident {}", incident.id));
    let detail = Published::Blocker(Box::new(Blocker {
        applied: matches!(outcome, PlanOutcome::Applied(_)),
        refused: match outcome {
            PlanOutcome::Refused(_, refusal, _) => Some((*refusal).clone()),
            PlanOutcome::Advised(_)
            | PlanOutcome::Applied(_)
            | PlanOutcome::WouldApply(_)
            | PlanOutcome::Abandoned(..) => None,
        },
        ..blocked(subject, incident, blocker, plan, &id)
    }))
    .detail();
    let text = text.finish();
    // A text that was cut may end within the evidence.
    let evidence = Some((evidence.0.min(text.len()), evidence.1.min(text.len()))).filter(|(from, to)| from < to);
    Notice {
        id,
        detail_type: detail_type.to_owned(),
        subject: subject_line(&headline),
        text,
        evidence,
        severity: incident.severity(),
        links: Vec::new(),
        detail,
    }
}

/// Writes the message that an incident is over.
pub fn resolved(subject: &str, incident: &Incident, how: &str, id: String) -> Notice {
    let mut text = NoticeText::default();
    text.line(&format!("{subject}: resolved: {how}. It began at {}.", incident.opened_at));
    let causes = incident.causes.iter().map(|seen| {
        let hidden = seen.hidden_by.map(|cause| format!(", hidden by {cause} before")).unwrap_or_default();
        format!(
            "{} from {} to {}, {}{hidden}",
            crate::incident::summary(&seen.diagnosis),
            seen.first_at,
            seen.last_at,
            count(seen.tasks, "task")
        )
    });
    text.section("What it was, oldest first", causes);
    if let Some(act) = incident.act.as_ref().filter(|act| act.state == ActState::Done) {
        text.section("What pullsafe did", [act.plan.summary.clone()]);
        if !act.plan.follow_up.is_empty() {
            text.section("Still for you to do", [act.plan.follow_up.clone()]);
        }
    }
    text.short_form(incident);
    text.line(&format!("\nIncident {}", incident.id));
    let detail = Published::Resolved(IncidentResolved {
        notice: id.clone(),
        incident: incident.id.clone(),
        subject: subject.to_owned(),
        how: how.to_owned(),
        opened_at: incident.opened_at,
        causes: incident.causes.iter().map(|seen| seen.diagnosis.cause).collect(),
        remedy: incident.acted(),
        outbreak: None,
    })
    .detail();
    Notice {
        id,
        detail_type: "Incident Resolved".to_owned(),
        subject: subject_line(&format!("{subject}: resolved")),
        text: text.finish(),
        evidence: None,
        severity: Severity::Info,
        links: Vec::new(),
        detail,
    }
}

pub(crate) fn declined(declined: &Declined) -> String {
    format!("{}: {}", declined.remedy, declined.reasons.join("; "))
}
