//! The report of an incident, which a person would otherwise put together from six consoles.
//!
//! [`Report::of`] makes a model from an incident as the table has it and the moment at which it is looked at. The model
//! is rendered as [`markdown`], as one self-contained [`html`] file, or as JSON (it serialises as it is). The same
//! incident and moment always give the same text.
//!
//! A report guarantees the following. It never calls a cause the root cause, only the current blocker. The quota's
//! picture is called an estimate. Texts from outside (reasons, log lines, image names) are masked, cut, and escaped for
//! the place where they are written. The size is bounded, however long the incident was.

mod asked;
mod change;
pub mod html;
pub mod markdown;
pub mod outbreak;
mod parts;
mod plot;
mod story;
mod svg;
mod when;
pub mod widget;

use serde::Serialize;

use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Confidence, Evidence, RemedyName, Signature};
use pullsafe_diagnosis::text::redact;
use pullsafe_events::Subject;
use pullsafe_incident::happened::{Happened, TimelineEntry};
use pullsafe_incident::incident::{self, Act, ActState, CauseSeen, Incident};
use pullsafe_incident::line::{LINE, SHORT_LINE, cut, entry_line, line};
use pullsafe_incident::plan::{Declined, Step};
use pullsafe_incident::question::Question;
use pullsafe_incident::quota::QuotaWindow;
use pullsafe_incident::waiting::WaitingIncident;

pub use asked::PendingQuestion;
pub use change::{Change, LineChange};

/// How many causes are shown; the oldest and the newest tell the most.
const CAUSES: usize = 20;
/// What is said where there is no cause.
const NO_CAUSE: &str = "No cause is known yet.";
/// The title of the part with a question.
const WAITS: &str = "What waits for an answer";
/// How many lines of evidence are shown of a cause.
const EVIDENCE: usize = 12;
/// How many declined remedies are shown, and how many reasons of each.
const DECLINED: usize = 12;
/// How many steps of a plan are shown.
const STEPS: usize = 20;

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// The incident goes on, and nothing was done about it.
    Open,
    /// The incident goes on, and pullsafe waits for something.
    Waiting,
    /// The incident goes on, and pullsafe waits for a person's yes.
    Asking,
    /// A remedy is being carried out.
    Acting,
    /// A remedy was carried out; the service is watched until it is steady.
    Watching,
    /// The service was found steady, deleted or stopped by a person.
    Resolved,
    /// A subject without a steady state (a build project, tasks without a service) has not failed for a day.
    Closed,
}

impl IncidentState {
    /// Says the state in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "open, pullsafe waits",
            Self::Asking => "open, a question waits for an answer",
            Self::Acting => "open, pullsafe acts",
            Self::Watching => "open, watched since pullsafe acted",
            Self::Resolved => "resolved",
            Self::Closed => "closed, for it did not fail again",
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed)
    }
}

/// A report of one incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// One line: the subject, the state and the blocker.
    pub title: String,
    /// The service, family or project.
    pub subject: String,
    /// The incident's id.
    pub incident: String,
    /// The moment that the report is of.
    pub as_of: Timestamp,
    /// When the first task failed.
    pub opened_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How far it has come.
    pub state: IncidentState,
    /// The current blocker, or the last one: the cause of the latest failure, which need not be the root cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocker: Option<CauseLine>,
    /// The causes, oldest first; if there are many, only the oldest and the newest.
    pub causes: Vec<CauseLine>,
    /// How many causes in the middle are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub causes_left_out: usize,
    /// Docker Hub's quota, if launches tried to pull from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaWindow>,
    /// What pullsafe decided to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<ActLine>,
    /// The question whether this may be done, while it can be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<PendingQuestion>,
    /// What pullsafe did, as the timeline has it, oldest first.
    pub done: Vec<Moment>,
    /// The remedies that were declined at the last look, with every reason.
    pub declined: Vec<Declined>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Moment>,
    /// What to do, in words: the advice on the blocker, and what an act leaves to be done.
    pub advice: Vec<String>,
    /// What to change in templates and files, with the exact lines.
    pub changes: Vec<Change>,
    /// How it was resolved, or why it does not count as resolved.
    pub resolution: String,
    /// What happened, oldest first.
    pub timeline: Vec<Moment>,
}

/// A cause, and the tasks that it stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CauseLine {
    pub cause: Cause,
    /// The cause with registry, image and tries, in one line.
    pub summary: String,
    /// The container that failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What the log suggests as its reason: likely, never certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely: Option<String>,
    /// How far to rely on the diagnosis.
    pub confidence: Confidence,
    /// When it first stopped a task.
    pub first_at: Timestamp,
    /// When it last stopped a task.
    pub last_at: Timestamp,
    /// How many tasks it stopped.
    pub tasks: u32,
    /// The cause that hid it until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_by: Option<Cause>,
    /// The lines that support the diagnosis, masked.
    pub evidence: Vec<Evidence>,
    /// What would settle the cause, where the text is ambiguous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<String>,
}

/// What was decided, and how far it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActLine {
    pub remedy: RemedyName,
    /// The cause that it is to cure.
    pub cause: Cause,
    pub decided_at: Timestamp,
    pub state: ActState,
    /// What is done, in one sentence.
    pub summary: String,
    /// Its steps, in order.
    pub steps: Vec<String>,
    /// The question whether it may be done, if one was asked, with the yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

impl ActLine {
    /// Says the state in a few words.
    pub fn words(&self) -> String {
        let words = match (self.state, &self.question) {
            (ActState::Asked, Some(Question { code, expires_at, yes: None, .. })) => {
                return format!("waits for a person's yes to question {code} until {expires_at}: nothing was changed");
            }
            (ActState::Asked, _) => "about to be done",
            (ActState::Declined, _) => "declined by a person: nothing was changed",
            (ActState::Expired, _) => "asked, and nobody said yes in time: nothing was changed",
            (ActState::Observed, _) => "observed only: nothing was changed, this is what would have been done",
            (ActState::Acting, _) => "under way",
            (ActState::Done, _) => "done, every step",
            (ActState::Abandoned, _) => "given up, because the world had moved on",
            (ActState::Refused, _) => "refused by AWS",
        };
        match self.question.as_ref().and_then(|question| question.yes.as_ref()) {
            Some(yes) => format!("{words}; approved by {} at {}", line(&yes.by.to_string()), yes.at),
            None => words.to_owned(),
        }
    }
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub at: Timestamp,
    /// What, in one line.
    pub what: String,
}

impl Report {
    /// Makes the report of an incident as it is at `now`.
    pub fn of(subject: &Subject, incident: &Incident, now: Timestamp) -> Self {
        let as_of = incident.resolved_at.map_or(now, |resolved| resolved.min(now));
        let state = state_of(subject, incident);
        let blocker = incident.blocker().map(cause_line);
        let subject_name = line(&subject.to_string());
        let title = match &blocker {
            Some(blocker) => {
                let which = if state.is_over() { "last blocker" } else { "current blocker" };
                format!("{subject_name}: {}, {which} {}", state.words(), blocker.cause)
            }
            None => format!("{subject_name}: {}", state.words()),
        };
        let moment = |entry: &TimelineEntry| Moment { at: entry.at, what: entry_line(incident, &entry.what) };
        let done = incident.timeline.iter().filter(|entry| entry.what.is_doing());
        Self {
            title,
            subject: subject_name,
            incident: line(&incident.id),
            as_of,
            opened_at: incident.opened_at,
            resolved_at: incident.resolved_at,
            state,
            causes: causes(incident),
            causes_left_out: incident.causes.len().saturating_sub(CAUSES),
            quota: QuotaWindow::of(incident, as_of),
            act: incident.act.as_ref().map(act_line),
            asked: PendingQuestion::of(incident, as_of),
            done: done.map(moment).collect(),
            declined: incident.declined.iter().take(DECLINED).map(declined).collect(),
            waiting: incident.waiting.as_ref().filter(|_| !state.is_over()).map(waiting),
            advice: advice(incident, state),
            changes: change::of(subject, incident),
            resolution: resolution(subject, incident, as_of),
            blocker,
            timeline: incident.timeline.iter().map(moment).collect(),
        }
    }
}

// Takes a reference, because serde passes one to `skip_serializing_if`.
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn state_of(subject: &Subject, incident: &Incident) -> IncidentState {
    let over = match subject {
        Subject::Service(_) => IncidentState::Resolved,
        Subject::Family { .. } | Subject::Project { .. } => IncidentState::Closed,
    };
    match (incident.resolved_at, incident.act.as_ref().map(|act| act.state), &incident.waiting) {
        (Some(_), _, _) => over,
        (None, Some(ActState::Acting), _) => IncidentState::Acting,
        (None, Some(ActState::Asked), _) => IncidentState::Asking,
        (None, _, Some(_)) => IncidentState::Waiting,
        (None, Some(ActState::Done), None) => IncidentState::Watching,
        (None, None, None)
        | (
            None,
            Some(ActState::Observed | ActState::Declined | ActState::Expired | ActState::Abandoned | ActState::Refused),
            None,
        ) => IncidentState::Open,
    }
}

/// Returns all causes, or if there are too many the oldest and the newest of them.
fn causes(incident: &Incident) -> Vec<CauseLine> {
    let all = &incident.causes;
    let skipped = all.len().saturating_sub(CAUSES);
    let kept = all.iter().enumerate().filter(|(index, _)| *index < CAUSES / 2 || *index >= CAUSES / 2 + skipped);
    kept.map(|(_, seen)| cause_line(seen)).collect()
}

fn cause_line(seen: &CauseSeen) -> CauseLine {
    let diagnosis = &seen.diagnosis;
    let evidence = diagnosis.evidence.iter().take(EVIDENCE);
    CauseLine {
        cause: diagnosis.cause,
        summary: line(&incident::summary(diagnosis)),
        container: diagnosis.container.as_deref().map(line),
        likely: likely(diagnosis.explanation, diagnosis.signature),
        confidence: diagnosis.confidence,
        first_at: seen.first_at,
        last_at: seen.last_at,
        tasks: seen.tasks,
        hidden_by: seen.hidden_by,
        evidence: evidence.map(|found| Evidence { source: line(&found.source), text: line(&found.text) }).collect(),
        settled_by: diagnosis.settled_by.as_deref().map(line),
    }
}

fn act_line(act: &Act) -> ActLine {
    ActLine {
        remedy: act.plan.remedy,
        cause: act.cause,
        decided_at: act.decided_at,
        state: act.state,
        summary: line(&act.plan.summary),
        steps: act.plan.steps.iter().take(STEPS).map(|step| line(&Step::describe(step))).collect(),
        question: act.question.clone(),
    }
}

fn declined(declined: &Declined) -> Declined {
    Declined {
        remedy: declined.remedy,
        reasons: declined.reasons.iter().take(DECLINED).map(|reason| cut(&line(reason), SHORT_LINE)).collect(),
    }
}

fn waiting(waiting: &WaitingIncident) -> Moment {
    Moment { at: waiting.since, what: line(&waiting.cause.describe()) }
}

/// Says how many causes are not shown.
fn left_out(report: &Report) -> Option<String> {
    (report.causes_left_out > 0).then(|| format!("{} more in the middle are left out.", report.causes_left_out))
}

/// Returns the advice on the blocker as long as it blocks, and what an act leaves to be done.
fn advice(incident: &Incident, state: IncidentState) -> Vec<String> {
    let blocker = incident.blocker().filter(|_| state != IncidentState::Resolved && !incident.is_settling());
    let follow_up = incident
        .act
        .as_ref()
        .filter(|act| !matches!(act.state, ActState::Abandoned | ActState::Refused))
        .map(|act| &act.plan.follow_up);
    let texts = blocker.map(|seen| &seen.diagnosis.advice).into_iter().chain(follow_up);
    texts.filter(|text| !text.trim().is_empty()).map(|text| masked(text)).collect()
}

/// Masks a text of several lines from outside, and cuts it to what a person reads.
fn masked(text: &str) -> String {
    cut(&text.lines().map(redact).collect::<Vec<_>>().join("\n"), 2 * LINE)
}

/// Says what the log suggests.
fn likely(explanation: Option<Cause>, signature: Option<Signature>) -> Option<String> {
    let words: Vec<&str> = explanation.map(Cause::as_str).into_iter().chain(signature.map(Signature::as_str)).collect();
    (!words.is_empty()).then(|| format!("Its log suggests {}; likely, not certain.", words.join(", ")))
}

/// Says in a sentence what hid a cause.
fn hidden(by: Cause) -> String {
    if by == Cause::Unknown {
        "A failure of unknown cause came first.".to_owned()
    } else {
        format!("It was hidden by {by}.")
    }
}

/// Says how an incident ended, or why it has not: a time without failures is not a recovery.
fn resolution(subject: &Subject, incident: &Incident, as_of: Timestamp) -> String {
    let last = incident.causes.iter().map(|seen| seen.last_at).max().unwrap_or(incident.opened_at);
    let is_service = matches!(subject, Subject::Service(_));
    match incident.resolved_at {
        Some(at) => {
            let ended = incident.timeline.iter().rfind(|entry| matches!(entry.what, Happened::Ended(_)));
            let how =
                ended.map_or_else(|| "the timeline does not say how".to_owned(), |entry| line(&entry.what.to_string()));
            if is_service {
                format!(
                    "Resolved at {at}: {how}. This was looked up at the service; that nothing failed for a while \
                     would not have been enough."
                )
            } else {
                format!(
                    "Closed at {at}: {how}. It has no steady state to look up, so that this says only that it did not \
                     fail again."
                )
            }
        }
        None => {
            let minutes = as_of.seconds_since(last).max(0) / 60;
            let silence = format!("Not resolved. The last failure was at {last}, {} ago", count(minutes, "minute"));
            if is_service {
                format!(
                    "{silence}; silence is not recovery, for ECS waits up to 27 minutes between two tries. It is \
                     resolved once the tasks of the \
                     newest deployment run, the service is steady, and nothing has failed for five minutes."
                )
            } else {
                format!("{silence}. It is closed when it has not failed for a day.")
            }
        }
    }
}
