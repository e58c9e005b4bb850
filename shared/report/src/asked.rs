//! The question of an incident that waits for a person's answer (mode `ask`), as it is shown.

use maud::{Markup, html};
use serde::Serialize;

use super::when::When;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::answer;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::line::line;
use pullsafe_incident::plan::{Plan, Step};

/// How many digits of a digest tell it apart for people.
const DIGITS: usize = 12;

/// A question that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingQuestion {
    /// What a person types.
    pub code: String,
    /// What the service would be, with a yes.
    pub result: String,
    /// What would change, in one line.
    pub changes: String,
    /// From then on a yes is too late.
    pub until: Timestamp,
    /// The cause that it is about.
    pub cause: Cause,
    /// The registry: one yes answers all questions of a cause there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<&'static str>,
}

impl PendingQuestion {
    /// The question of an incident, if one can still be answered.
    pub(super) fn of(incident: &Incident, now: Timestamp) -> Option<Self> {
        let (act, question) = (incident.act.as_ref()?, incident.open_question()?);
        Some(Self {
            code: answer::code(&question.code)?,
            result: line(&act.plan.result),
            changes: line(&changes(&act.plan)),
            until: question.expires_at,
            cause: act.cause,
            registry: incident
                .blocker()
                .and_then(|blocker| blocker.diagnosis.registry)
                .map(|registry| registry.as_str()),
        })
        .filter(|asked| now < asked.until)
    }

    /// The command that says yes.
    pub fn yes(&self) -> String {
        format!("pullsafe approve {}", self.code)
    }

    /// The command that says no, for a week.
    pub fn no(&self) -> String {
        format!("pullsafe decline {} --for 7d", self.code)
    }

    /// What is asked about a service, in two sentences.
    pub(super) fn asks(&self, subject: &str, when: &When) -> (String, String) {
        let until = when.at(self.until);
        (
            format!("May {subject} be {}?", self.result),
            format!("Until {until} UTC; without an answer nothing is changed."),
        )
    }

    /// The question on a page.
    pub(super) fn in_html(&self, subject: &str, when: &When) -> Markup {
        let (question, until) = self.asks(subject, when);
        html! {
            p { strong { (question) } " " (until) }
            p { "Would change: " (self.changes) }
            p { "Yes: " code { (self.yes()) } " No, for a week: " code { (self.no()) } }
        }
    }
}

/// What a plan changes of what runs. Its marks go without saying, for each plan has them.
fn changes(plan: &Plan) -> String {
    let change = |step: &Step| match step {
        Step::MoveService { moves, .. } if moves.is_empty() => {
            Some("the task definition is registered again as it is".to_owned())
        }
        Step::MoveService { moves, .. } => {
            let moves = moves.iter().map(|image| format!("{} → {}", image.from, short(&image.to)));
            Some(moves.collect::<Vec<_>>().join(", "))
        }
        Step::SetDesiredCount { from, to, .. } => Some(format!("desired count {from} → {to}")),
        Step::SetScaling { suspended, expected, .. } => {
            Some(format!("suspended of autoscaling: {expected} → {suspended}"))
        }
        Step::ForceNewDeployment { .. } => Some("a new deployment of what it runs".to_owned()),
        Step::RestoreImage { .. } | Step::AskMirror { .. } => Some(step.describe()),
        Step::TagService { .. } | Step::UntagService { .. } => None,
    };
    plan.steps.iter().filter_map(change).collect::<Vec<_>>().join("; ")
}

/// An image's name with the beginning of its digest.
fn short(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) if digest.len() > DIGITS && digest.is_ascii() => {
            format!("{name}@sha256:{}…", &digest[..DIGITS])
        }
        Some(_) | None => image.to_owned(),
    }
}
