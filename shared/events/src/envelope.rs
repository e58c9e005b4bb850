//! The envelopes: EventBridge, SQS batches, Lambda's failed-event records, the scheduler's input, pullsafe's own
//! messages.

use serde::Deserialize as _;
use serde_json::Value;

use super::{Author, Event, Subject, codebuild, ecr, ecs, hook};
use pullsafe::mirror_job::ImageMirrored;
use pullsafe::timestamp::Timestamp;
use pullsafe_radar::Probed;

/// One record of an SQS batch.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRecord {
    /// The message's id, for the partial batch answer.
    pub message_id: String,
    /// The handle of this receipt of the message; empty where the record names none.
    pub receipt_handle: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// The event inside, or why there is none.
    pub body: Result<Value, String>,
}

/// Reads the records of an SQS batch; `None` if the payload is not one.
pub fn records(payload: &Value) -> Option<Vec<QueueRecord>> {
    let records = payload.get("Records")?.as_array()?;
    let from_queue = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    records.iter().all(from_queue).then(|| records.iter().map(record).collect())
}

fn record(record: &Value) -> QueueRecord {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let receives = record.pointer("/attributes/ApproximateReceiveCount").and_then(Value::as_str);
    let body = text("body");
    QueueRecord {
        message_id: text("messageId"),
        receipt_handle: text("receiptHandle"),
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        body: serde_json::from_str(&body).map_err(|error| format!("the body is not JSON: {error}")),
    }
}

/// Reads any payload that is not a batch. `now` stands in where an event has no time.
pub fn parse(payload: &Value, now: Timestamp) -> Event {
    // Lambda's failure destination wraps an event whose invocation failed.
    if let Some(original) = payload.get("requestPayload") {
        return parse(original, now);
    }
    if let Some(own) = payload.get("pullsafe") {
        return own_message(own, payload);
    }
    let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default();
    let at = Timestamp::parse(text("time")).unwrap_or(now);
    let Some(detail) = payload.get("detail") else {
        return Event::Ignored("the payload has no `detail`: it is no event of EventBridge".to_owned());
    };
    // Only AWS can put events of an `aws.` source on a bus; the rules ask for the sources too.
    match (text("source"), text("detail-type")) {
        ("aws.ecs", "ECS Task State Change") => ecs::task_state_change(detail),
        ("aws.ecs", "ECS Deployment State Change" | "ECS Service Action") => ecs::service_change(payload, detail, at),
        ("aws.ecs", "ECS Hook State Change") => hook::state_change(payload, detail),
        ("aws.ecr", "ECR Image Action") => ecr::image_action(payload, detail),
        ("aws.ecr", "ECR Replication Action") => ecr::replication(payload, detail),
        ("aws.ecr", "ECR Pull Through Cache Action") => ecr::pull_through(payload, detail),
        ("aws.codebuild", "CodeBuild Build State Change") => codebuild::build_state_change(detail, at),
        ("pullsafe", ImageMirrored::DETAIL_TYPE) => match ImageMirrored::deserialize(detail) {
            Ok(copy) => Event::ImageMirrored(copy),
            Err(error) => Event::Ignored(format!("`detail` of `{}`: {error}", ImageMirrored::DETAIL_TYPE)),
        },
        // Lambda puts this on the bus after an invocation that succeeded. Others can put it there too, but a reading is
        // no more than a hint.
        ("lambda", "Lambda Function Invocation Result - Success") => match Probed::parse(&detail["responsePayload"]) {
            Ok(probed) => Event::QuotaRead(probed),
            Err(why) => Event::Ignored(format!("`responsePayload`: {why}")),
        },
        ("aws.events", "Scheduled Event") => Event::Sweep,
        (source, detail_type) => Event::Ignored(format!("`{detail_type}` from `{source}` is not for the remediator")),
    }
}

/// Reads one of pullsafe's own messages, such as `{"pullsafe": "look", "subject": ...}`:
///
/// - `sweep` comes from the schedule, and `look` from the sweep.
/// - `find-paused` comes from the daily schedule, and `paused` for each service that it finds.
/// - `find-outlooks` comes from another schedule, `look-out` for whatever it finds, and `tell-outlooks` once a week.
/// - `move-ahead` comes from a reading that foretells the end of a limit.
/// - `summary` comes from a message that was held back.
/// - `try-again` and `drill` come from a person.
///
/// A person's answer ([`crate::answer`]) is not a message: if one gets here, it came by a queue or after a failure.
fn own_message(own: &Value, payload: &Value) -> Event {
    match own.as_str() {
        Some("sweep") => Event::Sweep,
        Some("find-paused") => Event::FindPaused,
        Some("find-outlooks") => Event::FindOutlooks,
        Some("tell-outlooks") => Event::TellOutlooks,
        Some(word @ ("look" | "look-out" | "move-ahead" | "paused" | "try-again" | "drill")) => {
            match payload.get("subject").cloned().map(serde_json::from_value::<Subject>) {
                Some(Ok(subject)) if word == "look" => Event::Look(subject),
                Some(Ok(subject)) if word == "paused" => Event::Paused(subject),
                Some(Ok(subject)) if word == "move-ahead" => Event::MoveAhead(subject),
                Some(Ok(subject)) if word == "look-out" => {
                    Event::LookOut(subject, payload.get("definition").and_then(Value::as_str).map(str::to_owned))
                }
                Some(Ok(subject)) if word == "try-again" => Event::TryAgain(subject),
                Some(Ok(Subject::Service(service))) => Event::Drill(service),
                Some(Ok(other)) => Event::Ignored(format!("`subject` of `{word}`: {other} is no service")),
                Some(Err(error)) => Event::Ignored(format!("`subject` of `{word}`: {error}")),
                None => Event::Ignored(format!("`{word}` without `subject`")),
            }
        }
        Some(word @ ("approve" | "decline" | "questions")) => {
            Event::Ignored(format!("`{word}` counts only where it is said by invoking the function itself"))
        }
        Some("summary") => {
            let author = payload.get("author").cloned().map(serde_json::from_value::<Author>);
            match (author, payload.get("since").and_then(Value::as_i64)) {
                (Some(Ok(author)), Some(since)) => Event::Summary(author, since),
                (Some(Err(error)), _) => Event::Ignored(format!("`author` of `summary`: {error}")),
                (None, _) | (_, None) => Event::Ignored("`summary` without `author` or `since`".to_owned()),
            }
        }
        _ => Event::Ignored(format!("`pullsafe`: {own} is not a message of pullsafe")),
    }
}
