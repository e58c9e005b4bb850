//! The messages about a deployment that is looked at before its tasks fail.

use pullsafe::notice::{Notice, Severity};

use super::text::{NoticeText, subject_line};
use crate::door::{DoorOutcome, DoorVerdict};
use crate::plan::Plan;
use crate::published::{Answered, Published, Starting};
use crate::refusal::StepRefusal;

/// The outcome of a plan that was made ahead of a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prepared<'a> {
    /// It was done.
    Done,
    /// It was not done, for the mode does not allow it.
    Observed,
    /// AWS refused it.
    Refused(&'a StepRefusal),
}

/// Writes the warning that a starting deployment pulls from Docker Hub.
pub fn ahead(subject: &str, plan: &Plan, became: Prepared<'_>, id: String) -> Notice {
    let applied = became == Prepared::Done;
    let mut text = NoticeText::default();
    text.line(&plan.summary);
    let steps = plan
        .steps
        .iter()
        .map(|step| format!("  {}{}", if applied { "" } else { "would " }, step.describe()));
    let refusal = match became {
        Prepared::Done => {
            text.section("Done", steps);
            None
        }
        Prepared::Observed => {
            text.section("Nothing was changed, for the mode does not allow it", steps);
            None
        }
        Prepared::Refused(refusal) => {
            text.refusal(refusal, None, None);
            Some(refusal)
        }
    };
    if !plan.follow_up.is_empty() {
        text.section("For you to do", [plan.follow_up.clone()]);
    }
    let detail = Published::Starting(Box::new(Starting {
        notice: id.clone(),
        subject: subject.to_owned(),
        remedy: plan.remedy,
        applied,
        summary: plan.summary.clone(),
        refused: refusal.cloned(),
    }))
    .detail();
    let detail_type = if applied && !plan.steps.is_empty() { "Remedy Applied" } else { "Diagnosis" };
    Notice {
        id,
        detail_type: detail_type.to_owned(),
        subject: subject_line(&format!("{subject}: a deployment pulls from Docker Hub")),
        text: text.finish(),
        evidence: None,
        severity: Severity::NextLaunch,
        links: Vec::new(),
        detail,
    }
}

/// Writes the message about a deployment that waited at the door.
pub fn door(subject: &str, verdict: &DoorVerdict, id: String) -> Notice {
    let definition = verdict.task_definition.rsplit('/').next().unwrap_or_default();
    let (detail_type, headline, line) = match &verdict.outcome {
        DoorOutcome::RolledBack => (
            "Remedy Applied",
            "a deployment was rolled back before its first task".to_owned(),
            format!(
                "The deployment of {definition} was rolled back before its first task, for its tasks could not have \
                 started."
            ),
        ),
        DoorOutcome::GoesOn(why) => (
            "Diagnosis",
            "a deployment goes on, and its tasks will fail".to_owned(),
            format!(
                "The deployment of {definition} goes on, for {why}. Otherwise it would have been rolled back before \
                 its first task."
            ),
        ),
        DoorOutcome::NotAnswered(why) => (
            "Diagnosis",
            "a deployment that waits could not be answered".to_owned(),
            format!(
                "AWS refused the answer to the deployment of {definition}, which goes on when its hook's time is \
                 over: {why}"
            ),
        ),
        DoorOutcome::TooLate(how) => (
            "Diagnosis",
            "a deployment was to be rolled back, and was answered before".to_owned(),
            format!(
                "The deployment of {definition} was to be rolled back; before that, somebody or its hook's time was \
                 faster ({how})."
            ),
        ),
    };
    let mut text = NoticeText::default();
    text.line(&format!("{subject}: {line}"));
    text.section("What was found", verdict.found.clone());
    text.section("What to do", verdict.advice.clone());
    let applied = verdict.outcome == DoorOutcome::RolledBack;
    let severity = match verdict.outcome {
        DoorOutcome::RolledBack => Severity::NextLaunch,
        DoorOutcome::GoesOn(_) | DoorOutcome::NotAnswered(_) | DoorOutcome::TooLate(_) => Severity::Degraded,
    };
    let detail = Published::Answered(Answered {
        notice: id.clone(),
        subject: subject.to_owned(),
        door: verdict.clone(),
        applied,
    })
    .detail();
    Notice {
        id,
        detail_type: detail_type.to_owned(),
        subject: subject_line(&format!("{subject}: {headline}")),
        text: text.finish(),
        evidence: None,
        severity,
        links: Vec::new(),
        detail,
    }
}
