//! Messages: for people (subject and text) and for programs (an event), from one incident.
//!
//! A message can be read by itself: cause, evidence, what was done or why nothing was, and the exact change to make. It
//! is written once, kept in the record until it has gone out, and always carries the same id, so that a receiver can
//! drop the second copy that at-least-once delivery may bring.

use pullsafe::count::count;
use pullsafe::notice::{Notice, Severity, bounded};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_events::Author;

use super::brief;
use super::door::{DoorOutcome, DoorVerdict};
use super::held::{HeldBack, PERIOD_SECONDS};
use super::incident::{ActState, CauseSeen, Incident};
use super::plan::{Declined, Plan};
use super::published::{Answered, Blocker, HeldBackCount, IncidentResolved, Published, Starting, StrayMarks};
use super::refusal::{GRACE_SECONDS, StepRefusal};
use super::waiting::WaitingFor;

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
        steps: plan.map(|plan| plan.steps.iter().map(super::plan::Step::describe).collect()),
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
    let summary = super::incident::summary(diagnosis);
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
    let from = text.0.len();
    text.section(
        "Evidence",
        diagnosis.evidence.iter().map(|evidence| format!("{}: {}", evidence.source, evidence.text)),
    );
    let mut evidence = (from, text.0.len());
    let plan = match outcome {
        PlanOutcome::Advised(waiting) => {
            text.advice("What to do", diagnosis);
            // Advice about an application repeats what its log says, so it counts as evidence.
            if diagnosis.signature.is_some() {
                evidence.1 = text.0.len();
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
            super::incident::summary(&seen.diagnosis),
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

/// A service that carries the tags of a pause which nobody remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Whether its desired count is 0; otherwise only the tags are left.
    pub is_paused: bool,
    /// What is known of it, each in a few words.
    pub says: Vec<String>,
    /// What a person types to bring it back, in this order.
    pub commands: Vec<String>,
}

/// Writes the message about a service with the tags of a pause that nobody remembers.
pub fn stray(subject: &str, stray: &Stray, id: String) -> Notice {
    let headline = if stray.is_paused {
        "paused, and nobody remembers"
    } else {
        "marks of a pause that nobody remembers"
    };
    let mut text = NoticeText::default();
    text.line(&format!("{subject}: {headline}."));
    text.line(
        "It carries the tags of a pause that the table of this stack does not know: the table or the stack was made \
         anew since then.",
    );
    text.line(
        "Nothing was changed. Whoever may tag a service could have written these tags, so that tags alone \
        restore nothing.",
    );
    text.section("What is known", stray.says.clone());
    text.section("For you to do, if it is right", stray.commands.clone());
    let commands = stray.commands.clone();
    let detail = Published::Stray(StrayMarks {
        notice: id.clone(),
        subject: subject.to_owned(),
        stray: true,
        paused: stray.is_paused,
        commands,
    })
    .detail();
    Notice {
        id,
        detail_type: "Diagnosis".to_owned(),
        subject: subject_line(&format!("{subject}: {headline}")),
        text: text.finish(),
        evidence: None,
        severity: if stray.is_paused { Severity::Critical } else { Severity::Info },
        links: Vec::new(),
        detail,
    }
}

/// Writes the message about one author's messages that were held back because there were too many.
pub fn held_back(author: &Author, held: &HeldBack, since: i64) -> Notice {
    let (more, minutes) = (count(held.count, "more message"), PERIOD_SECONDS / 60);
    let mut text = NoticeText::default();
    text.line(&format!("{author}: {more} in {minutes} minutes."));
    text.line(
        "The first of them were told one by one. Whoever can start tasks or builds, or write tags, can cause \
        any number: look at what they have in common.",
    );
    text.section("The first of the rest", held.first.clone());
    text.section("All of them", ["pullsafe report".to_owned()]);
    let id = format!("{}-{since}", author.key());
    let since = Timestamp::from_millis(since.saturating_mul(1000));
    let detail = Published::HeldBack(HeldBackCount {
        notice: id.clone(),
        author: author.clone(),
        since,
        held_back: held.count,
    })
    .detail();
    Notice {
        id,
        detail_type: "Diagnosis".to_owned(),
        subject: subject_line(&format!("{author}: {more} in {minutes} minutes")),
        text: text.finish(),
        evidence: None,
        severity: Severity::Degraded,
        links: Vec::new(),
        detail,
    }
}

pub(crate) fn declined(declined: &Declined) -> String {
    format!("{}: {}", declined.remedy, declined.reasons.join("; "))
}

/// Fits a text into a subject of SNS, which allows 100 characters of ASCII without control characters.
pub(crate) fn subject_line(text: &str) -> String {
    let line: String = format!("pullsafe: {text}")
        .chars()
        .map(|character| if (' '..='~').contains(&character) { character } else { '?' })
        .collect();
    match line.char_indices().nth(100) {
        Some(_) => format!("{}...", line.get(..97).unwrap_or(&line)),
        None => line,
    }
}

/// The longest text of a message, in bytes. SNS takes 262,144, attributes included, but nobody reads that much.
const LONGEST_TEXT: usize = 60_000;
#[derive(Default)]
pub(crate) struct NoticeText(String);

impl NoticeText {
    /// Writes what to do, and what shows whether the diagnosis is right.
    fn advice(&mut self, title: &str, diagnosis: &Diagnosis) {
        self.section(title, [diagnosis.advice.clone()]);
        self.section("What shows whether it is so", diagnosis.check.clone());
    }

    /// Writes the lines of the timeline that tell the most, and the estimate of the quota.
    pub(crate) fn short_form(&mut self, incident: &Incident) {
        self.section("Docker Hub's quota, an estimate", brief::quota(incident));
        self.section("Timeline", brief::timeline(incident));
    }

    /// Writes what was refused, what is missing, what stays done, and when it is tried again.
    fn refusal(&mut self, refusal: &StepRefusal, summary: Option<&str>, again: Option<&str>) {
        self.section(
            "Refused by AWS",
            summary.map(str::to_owned).into_iter().chain([format!("{}: {}", refusal.call, refusal.why)]),
        );
        self.section("What is missing", [refusal.missing.clone()]);
        match refusal.done.is_empty() {
            true => self.line("\nNothing is left changed on the service by it."),
            false => self.section(
                "Done before the refusal, and left as it is",
                refusal.done.iter().map(|step| format!("  {step}")),
            ),
        }
        self.section("Left to do by hand", refusal.left.clone());
        let once = format!(
            "by itself once more after {} minutes, since a new permission takes a while to count; then only ",
            GRACE_SECONDS / 60
        );
        let once = if refusal.denied && refusal.tries < 2 { once } else { "only ".to_owned() };
        let lines = match again {
            Some(command) => {
                vec![format!("{once}when the service is changed, or when you say so:"), format!("  {command}")]
            }
            None => vec!["only with the next deployment of another task definition".to_owned()],
        };
        self.section("It is tried again", lines);
    }

    pub(crate) fn finish(self) -> String {
        bounded(&self.0, LONGEST_TEXT)
    }

    /// Returns the length of the text so far, in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(crate) fn section(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.line(&format!("\n{title}:"));
            lines.for_each(|line| self.line(&format!("  {}", line.replace('\n', "\n  "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_fits_sns() {
        let subject = subject_line(&"naïve ".repeat(40));
        assert!(subject.len() == 100 && subject.is_ascii() && subject.ends_with("..."), "{subject}");
        assert_eq!(subject_line("prod/web: resolved"), "pullsafe: prod/web: resolved");
    }

    #[test]
    fn a_text_fits_sns() {
        let mut text = NoticeText::default();
        (0..10_000).for_each(|_| text.line("nothing but naïve evidence"));
        let text = text.finish();
        assert!(text.len() <= LONGEST_TEXT && text.ends_with("has the rest]\n"), "{}", text.len());
    }
}
