//! The open question of an incident (mode `ask`), as a report shows it.

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

/// A question that waits for a person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingQuestion {
    /// The code that a person types to answer.
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
    /// Returns the question of an incident, if it can still be answered.
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

    /// Returns the command that says yes.
    pub fn yes(&self) -> String {
        format!("pullsafe approve {}", self.code)
    }

    /// Returns the command that says no for a week.
    pub fn no(&self) -> String {
        format!("pullsafe decline {} --for 7d", self.code)
    }

    /// Says what is asked about a service, in two sentences.
    pub(super) fn asks(&self, subject: &str, when: &When) -> (String, String) {
        let until = when.at(self.until);
        (
            format!("May {subject} be {}?", self.result),
            format!("Until {until} UTC; without an answer nothing is changed."),
        )
    }

    /// Draws the question on a page of HTML.
    pub(super) fn in_html(&self, subject: &str, when: &When) -> Markup {
        let (question, until) = self.asks(subject, when);
        html! {
            p { strong { (question) } " " (until) }
            p { "Would change: " (self.changes) }
            p { "Yes: " code { (self.yes()) } " No, for a week: " code { (self.no()) } }
        }
    }
}

/// Says what a plan changes of what runs. Its marks on the service are left out, because each plan has them.
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

/// Returns an image's name with only the beginning of its digest.
fn short(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) if digest.len() > DIGITS && digest.is_ascii() => {
            format!("{name}@sha256:{}…", &digest[..DIGITS])
        }
        Some(_) | None => image.to_owned(),
    }
}
