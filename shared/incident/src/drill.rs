//! A drill: a made-up stop, and the message about what it would lead to. Every form of the message says that it is a
//! drill.

use std::time::Duration;

use pullsafe::arn::ServiceId;
use pullsafe::notice::Notice;
use pullsafe::reference::Reference;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::stopped_task::{Container, StoppedTask};
use pullsafe_events::task_definition::TaskDefinition;

use crate::incident::{CauseSeen, summary};
use crate::notice::{NoticeText, declined, subject_line};
use crate::plan::{Declined, Plan, Step};
use crate::published::{Drilled, Published};
use crate::waiting::WaitingFor;

/// The detail-type of the event about a drill: whoever listens for `Diagnosis` or `Remedy Applied` does not hear of it.
pub const DETAIL_TYPE: &str = "Drill";
/// What every message of a drill begins with.
const MARK: &str = "DRILL";

/// Makes up the stop to play. If the definition has an image of Docker Hub, the quota refuses that one; otherwise its
/// first image is not found.
pub fn made_up_stop(service: &ServiceId, definition: &TaskDefinition, now: Timestamp) -> StoppedTask {
    let images = definition.images();
    let of_hub = images.iter().find(|image| image.reference.as_ref().is_some_and(Reference::is_docker_hub));
    let image = of_hub.or(images.first());
    let written = image.map(|image| image.written.as_str()).unwrap_or_default();
    let reason = match of_hub {
        Some(_) => format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
             {written}: 429 Too Many Requests - \
             Server message: toomanyrequests: You have reached your unauthenticated pull rate limit."
        ),
        None => format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             {written}: {written}: not found"
        ),
    };
    let container = image.map(|image| Container {
        name: image.container.clone(),
        image: Some(image.written.clone()),
        last_status: Some("STOPPED".to_owned()),
        ..Container::default()
    });
    StoppedTask {
        task_arn: format!("{}/drill", service.cluster_arn.replacen(":cluster/", ":task/", 1)),
        cluster_arn: service.cluster_arn.clone(),
        task_definition_arn: definition.arn().to_owned(),
        group: Some(format!("service:{}", service.name)),
        last_status: Some("STOPPED".to_owned()),
        stop_code: Some("TaskFailedToStart".to_owned()),
        stopped_reason: Some(reason),
        stopped_at: Some(now),
        version: 1,
        containers: container.into_iter().collect(),
        ..StoppedTask::default()
    }
}

/// The result of a drill.
#[derive(Debug, Clone)]
pub struct DrillResult<'a> {
    /// The service, as people call it.
    pub subject: &'a str,
    /// What pullsafe may do there.
    pub mode: Mode,
    /// The text of the stop.
    pub stop: &'a str,
    /// What it was diagnosed as.
    pub blocker: &'a CauseSeen,
    /// What would be done.
    pub plan: Option<&'a Plan>,
    /// What would be waited for.
    pub waiting: Option<&'a WaitingFor>,
    pub declined: &'a [Declined],
    /// How long the looks and the decision took.
    pub took: Duration,
}

/// Writes the message about a drill.
pub fn message(played: &DrillResult<'_>, id: String) -> Notice {
    let DrillResult { subject, mode, blocker, plan, .. } = played;
    let diagnosis = &blocker.diagnosis;
    let mut text = NoticeText::default();
    text.line(&format!("{MARK} for {subject}: no task has stopped, and nothing was changed."));
    text.line("Somebody who may invoke pullsafe's remediator, or write to its queue, asked what it would do.");
    text.section("Played", [played.stop.to_owned()]);
    text.section("Diagnosed", [format!("{}, confidence {}", summary(diagnosis), diagnosis.confidence)]);
    match (plan, mode) {
        (Some(plan), Mode::Act) => text.section("Would be done, for pullsafe may act here", would(plan)),
        (Some(plan), other) => {
            text.section(&format!("Would be told and not done, for the mode is {}", other.as_str()), would(plan))
        }
        (None, _) => text.section("Would be told", [diagnosis.advice.clone()]),
    }
    text.section("Would be waited for", played.waiting.map(WaitingFor::describe));
    text.section("Declined", played.declined.iter().map(declined));
    text.line(&format!("\nLooked and decided in {} ms.", played.took.as_millis()));
    let headline = match plan {
        Some(plan) => format!("{MARK} for {subject}: {}, would be {}", diagnosis.cause, plan.result),
        None => format!("{MARK} for {subject}: {}", diagnosis.cause),
    };
    let detail = Published::Drill(Box::new(Drilled {
        notice: id.clone(),
        drill: true,
        subject: (*subject).to_owned(),
        mode: mode.as_str().to_owned(),
        diagnosis: diagnosis.clone(),
        applied: false,
        remedy: plan.map(|plan| plan.remedy),
        steps: plan.map(|plan| plan.steps.iter().map(Step::describe).collect()),
        waiting: played.waiting.map(WaitingFor::describe),
        declined: played.declined.to_vec(),
        milliseconds: milliseconds(played.took),
    }))
    .detail();
    Notice {
        id,
        detail_type: DETAIL_TYPE.to_owned(),
        subject: subject_line(&headline),
        text: text.finish(),
        evidence: None,
        severity: pullsafe::notice::Severity::Info,
        links: Vec::new(),
        detail,
    }
}

fn would(plan: &Plan) -> Vec<String> {
    std::iter::once(plan.summary.clone())
        .chain(plan.steps.iter().map(|step| format!("  would {}", step.describe())))
        .collect()
}

/// Converts a duration to milliseconds.
pub fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
