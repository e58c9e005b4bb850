//! The message that asks: what would change, what was looked at, how to say yes or no, and what happens if nobody
//! answers.

use pullsafe::arn::Arn;
use pullsafe::count::{count, counted};
use pullsafe::notice::{Notice, Severity};
use serde_json::{Value, json};

use super::command;
use super::incident::{CauseSeen, Incident, summary};
use super::notice::{NoticeText, blocked, subject_line};
use super::plan::{Plan, Step};
use super::published::{ApprovalExpired, ApprovalRequested, Blocker, Published};
use super::question::Question;

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub struct QuestionSubject<'a> {
    /// The service's name, as people read it.
    pub subject: &'a str,
    /// The current blocker.
    pub blocker: &'a CauseSeen,
    /// What would be done.
    pub plan: &'a Plan,
    pub question: &'a Question,
    /// What was looked at just now and found to hold, a phrase each.
    pub holds: &'a [&'a str],
    /// Tasks wanted and running at that time.
    pub counts: Option<(i64, i64)>,
    /// The code of the question that it replaces, because what would be done has changed since.
    pub overtakes: Option<&'a str>,
    /// The ARN of the function that takes the answer.
    pub function: &'a str,
}

/// Writes the message that asks.
pub fn asked(asking: &QuestionSubject<'_>, incident: &Incident, id: String) -> Notice {
    let QuestionSubject { subject, blocker, plan, question, .. } = *asking;
    let (code, diagnosis) = (&question.code, &blocker.diagnosis);
    let mut text = NoticeText::default();
    let runs = incident.runs.map(|runs| format!("{}; ", runs.words())).unwrap_or_default();
    text.line(&format!(
        "{subject}: {} since {}: {runs}may it be {}?",
        summary(diagnosis),
        blocker.first_at,
        plan.result
    ));
    text.line(&format!(
        "Nothing is changed until somebody says yes to question {code}, which is open until {}.",
        question.expires_at
    ));
    if let Some(before) = asking.overtakes {
        text.line(&format!("It takes the place of question {before}: what would be done has changed since."));
    }
    text.line(&format!(
        "Current blocker since {}, {}, confidence {}.",
        blocker.first_at,
        count(blocker.tasks, "task"),
        diagnosis.confidence
    ));
    text.section("What would be done", [plan.summary.clone()]);
    text.section("What would change", changes(plan, asking.counts));
    text.section(
        "Looked at just now, and again before anything is done",
        asking.holds.iter().map(|holds| (*holds).to_owned()),
    );
    text.section("To say yes", answers("approve", code, asking.function, None));
    text.section("To say no, here for a week", answers("decline", code, asking.function, Some(7)));
    let mut otherwise = vec![format!(
        "Nothing is done. After {} the question is over; a yes that comes later is answered with a new one.",
        question.expires_at
    )];
    otherwise.extend(plan.is_pause().then(|| {
        "A yes is one to the way back too: once the image is there, the service comes back by itself.".to_owned()
    }));
    text.section("If nobody answers", otherwise);
    let from = text.len();
    text.section(
        "Evidence",
        diagnosis.evidence.iter().map(|evidence| format!("{}: {}", evidence.source, evidence.text)),
    );
    let evidence = (from, text.len());
    if !plan.follow_up.is_empty() {
        text.section("For you to do in any case", [plan.follow_up.clone()]);
    }
    text.short_form(incident);
    text.line(&format!("\nIncident {}", incident.id));
    let text = text.finish();
    let evidence = Some((evidence.0.min(text.len()), evidence.1.min(text.len()))).filter(|(from, to)| from < to);
    let detail = Published::Blocker(Box::new(Blocker {
        question: Some(ApprovalRequested {
            code: code.to_owned(),
            expires_at: question.expires_at,
            function: asking.function.to_owned(),
        }),
        ..blocked(subject, incident, blocker, Some(plan), &id)
    }))
    .detail();
    let subject = subject_line(&format!("{subject}: may it be {}? Question {code}", plan.result));
    Notice {
        id,
        detail_type: "Approval Requested".to_owned(),
        subject,
        text,
        evidence,
        severity: incident.severity(),
        links: Vec::new(),
        detail,
    }
}

/// Writes the message that nobody has answered in time. It alerts nobody, because the question itself already did.
pub fn expired(
    subject: &str,
    plan: &Plan,
    question: &Question,
    function: &str,
    incident: &Incident,
    id: String,
) -> Notice {
    let code = &question.code;
    let mut text = NoticeText::default();
    text.line(&format!(
        "{subject}: nobody has answered question {code} by {}; nothing was done.",
        question.expires_at
    ));
    text.section("What would have been done", [plan.summary.clone()]);
    text.section("To have it asked again", answers("approve", code, function, None));
    text.line(&format!("\nIncident {}", incident.id));
    let detail = Published::Unanswered(ApprovalExpired {
        notice: id.clone(),
        incident: incident.id.clone(),
        subject: subject.to_owned(),
        remedy: plan.remedy,
        question: ApprovalRequested {
            code: code.clone(),
            expires_at: question.expires_at,
            function: function.to_owned(),
        },
        outbreak: None,
    })
    .detail();
    Notice {
        id,
        detail_type: "Approval Expired".to_owned(),
        subject: subject_line(&format!("{subject}: nobody has answered question {code}, nothing was done")),
        text: text.finish(),
        evidence: None,
        severity: Severity::Info,
        links: Vec::new(),
        detail,
    }
}

/// Returns the two ways to answer, as commands.
fn answers(word: &str, code: &str, function: &str, days: Option<i64>) -> Vec<String> {
    let option = days.map_or_else(String::new, |days| format!(" --for {days}d"));
    let seconds = days.map_or_else(String::new, |days| format!(",\"seconds\":{}", days * 24 * 3600));
    let mut lines = vec![format!("pullsafe {word} {code}{option}{}", command::of_function(" --function ", function))];
    if let Some(arn) = Arn::parse(function) {
        let name = function.rsplit(':').next().unwrap_or_default();
        lines.push(format!(
            "aws lambda invoke --function-name {name} --region {} --cli-binary-format raw-in-base64-out --payload \
             '{{\"pullsafe\":\"{word}\",\"codes\":[\"{code}\"]{seconds}}}' /dev/stdout",
            arn.region
        ));
    }
    lines
}

/// Says how many tasks run while the question is open.
fn run_now(running: i64) -> String {
    counted(running, "task", "runs now", "run now")
}

/// Lists what would change as a diff, in the order of the steps.
fn changes(plan: &Plan, counts: Option<(i64, i64)>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut counted = false;
    for step in &plan.steps {
        match step {
            Step::MoveService { from, request, moves, .. } => {
                let revision = from.rsplit('/').next().unwrap_or(from);
                lines.push(match moves.is_empty() {
                    true => format!("task definition: {revision}, registered again as it is"),
                    false => format!("task definition: a copy of {revision} in which nothing else differs"),
                });
                for container in request["containerDefinitions"].as_array().into_iter().flatten() {
                    for image in moves.iter().filter(|image| container["image"] == image.to) {
                        let name = container["name"].as_str().unwrap_or_default();
                        lines.extend([format!("- {name}: {}", image.from), format!("+ {name}: {}", image.to)]);
                    }
                }
            }
            Step::SetDesiredCount { from, to, .. } => {
                counted = true;
                lines.extend(["desired count:".to_owned(), format!("- {from}"), format!("+ {to}")]);
            }
            Step::SetScaling { suspended, expected, .. } => {
                lines.extend([
                    "autoscaling, what is suspended:".to_owned(),
                    format!("- {expected}"),
                    format!("+ {suspended}"),
                ]);
            }
            Step::TagService { tags, .. } => {
                lines.push("tags of the service:".to_owned());
                lines.extend(tags.iter().map(|(key, value)| format!("+ {key}={value}")));
            }
            Step::UntagService { keys, .. } => {
                lines.push("tags of the service:".to_owned());
                lines.extend(keys.iter().map(|key| format!("- {key}")));
            }
            Step::ForceNewDeployment { .. } => {
                lines.push("a new deployment of the task definition as it is".to_owned())
            }
            Step::RestoreImage { .. } | Step::AskMirror { .. } => lines.push(step.describe()),
        }
    }
    if let Some((desired, running)) = counts.filter(|_| !counted) {
        lines.push(format!("desired count: stays {desired}; {}", run_now(running)));
    } else if let Some((_, running)) = counts {
        lines.push(run_now(running));
    }
    lines
}

/// Returns the open question as an entry of a list; `None` where none is open.
pub fn listed(subject: &str, incident: &Incident) -> Option<Value> {
    let (act, question) = (incident.act.as_ref()?, incident.open_question()?);
    Some(json!({
        "code": question.code, "subject": subject, "cause": act.cause, "registry": registry_of(incident), "summary": act.plan.summary,
        "asked_at": question.asked_at, "expires_at": question.expires_at,
    }))
}

/// Returns the registry that an incident's blocker names.
fn registry_of(incident: &Incident) -> Option<&'static str> {
    incident.blocker()?.diagnosis.registry.map(pullsafe::reference::Registry::as_str)
}
