//! Diagnoses an EventBridge event of any type that pullsafe receives.
//!
//! The envelope must be valid; inside `detail`, a field that is missing or of a wrong type counts as absent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assemble::{stopped_build, unknown_event};
use super::build::{BuildDiagnosis, diagnose_build};
use super::{diagnose, diagnose_text};
use crate::cause::{Cause, Diagnosis};
use pullsafe_events::stopped_task::StoppedTask;

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventDiagnosis {
    /// Something stopped or failed, and this is why.
    Diagnosed(Box<Diagnosis>),
    /// A build failed.
    Build(Box<BuildDiagnosis>),
    /// Nothing stopped; the text says what the event is instead.
    NotAStop(String),
}

/// A value that is not an EventBridge event: which field is at fault, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidEvent {
    /// The path of the field.
    pub field: &'static str,
    /// What is wrong with the field.
    pub problem: String,
}

/// Diagnoses an event, with the lines of the logs that belong to it.
///
/// # Errors
/// The value is not an EventBridge event with an object `detail`, or is of a type that pullsafe does not receive.
pub fn diagnose_event(event: &Value, logs: &BTreeMap<String, Vec<String>>) -> Result<EventDiagnosis, InvalidEvent> {
    let fail = |field, problem: String| Err(InvalidEvent { field, problem });
    if !event.is_object() {
        return fail("event", format!("it is {}, not an object", kind(event)));
    }
    let detail = match event.get("detail") {
        Some(detail @ Value::Object(_)) => detail,
        Some(other) => return fail("event.detail", format!("it is {}, not an object", kind(other))),
        None => return fail("event.detail", "it is missing".to_owned()),
    };
    let detail_type = match event.get("detail-type") {
        Some(Value::String(name)) => name.as_str(),
        // A task is known by its fields: an event without its type is still worth reading.
        _ if detail.get("lastStatus").is_some()
            || detail.get("containers").is_some()
            || detail.get("stoppedReason").is_some() =>
        {
            TASK
        }
        Some(other) => return fail("event.detail-type", format!("it is {}, not a string", kind(other))),
        None => return fail("event.detail-type", "it is missing".to_owned()),
    };
    match detail_type {
        TASK => Ok(of_task(detail, logs)),
        "ECS Deployment State Change" | "ECS Service Action" => Ok(of_service(detail)),
        "CodeBuild Build State Change" | "CodeBuild Build Phase Change" => Ok(of_build(detail, logs)),
        other => fail("event.detail-type", format!("`{other}` is not an event that can be diagnosed")),
    }
}

const TASK: &str = "ECS Task State Change";

fn of_task(detail: &Value, logs: &BTreeMap<String, Vec<String>>) -> EventDiagnosis {
    let task = StoppedTask::from_json(detail);
    if task.is_stop() {
        return EventDiagnosis::Diagnosed(Box::new(diagnose(&task, logs)));
    }
    let degraded = diagnose(&task, logs);
    if degraded.cause == Cause::AppDegraded {
        return EventDiagnosis::Diagnosed(Box::new(degraded));
    }
    let (last, desired) =
        (task.last_status.as_deref().unwrap_or("absent"), task.desired_status.as_deref().unwrap_or("absent"));
    let mut text = format!("Not a stop: lastStatus is {last}, desiredStatus {desired}.");
    if desired.eq_ignore_ascii_case("STOPPED") {
        text.push_str(" ECS is about to stop the task; the event of the stop tells why.");
    }
    EventDiagnosis::NotAStop(text)
}

fn of_service(detail: &Value) -> EventDiagnosis {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, name, reason) = (text("eventType"), text("eventName"), text("reason"));
    if kind.eq_ignore_ascii_case("INFO") && !reason.to_ascii_lowercase().contains("circuit breaker") {
        return EventDiagnosis::NotAStop(format!("Not a stop: {name}."));
    }
    let said = if reason.is_empty() { name } else { reason };
    EventDiagnosis::Diagnosed(Box::new(
        diagnose_text(said, None, "reason").unwrap_or_else(|| unknown_event(said, name)),
    ))
}

fn of_build(detail: &Value, logs: &BTreeMap<String, Vec<String>>) -> EventDiagnosis {
    let status = ["build-status", "completed-phase-status"]
        .iter()
        .find_map(|key| detail.get(*key).and_then(Value::as_str))
        .unwrap_or_default();
    match status {
        "SUCCEEDED" | "IN_PROGRESS" => EventDiagnosis::NotAStop(format!("Not a failure: the build is {status}.")),
        "STOPPED" => EventDiagnosis::Diagnosed(Box::new(stopped_build())),
        _ => EventDiagnosis::Build(Box::new(diagnose_build(detail, logs))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_name_their_field() {
        let check = |event: Value, text: &str| {
            assert_eq!(diagnose_event(&event, &BTreeMap::new()).unwrap_err().to_string(), text)
        };
        check(json!([]), "event: it is an array, not an object");
        check(json!({"detail-type": "ECS Task State Change"}), "event.detail: it is missing");
        check(
            json!({"detail-type": "ECS Task State Change", "detail": "x"}),
            "event.detail: it is a string, not an object",
        );
        check(json!({"detail": {}}), "event.detail-type: it is missing");
        check(
            json!({"detail-type": "Scheduled Event", "detail": {}}),
            "event.detail-type: `Scheduled Event` is not an event that can be diagnosed",
        );
    }

    #[test]
    fn a_warning_of_spot_is_not_a_stop_yet() {
        let event = json!({"detail-type": TASK, "detail": {"lastStatus": "RUNNING", "desiredStatus": "STOPPED", "stopCode": "TerminationNotice", "stoppedReason": "Your Spot Task was interrupted."}});
        assert!(matches!(diagnose_event(&event, &BTreeMap::new()), Ok(EventDiagnosis::NotAStop(_))));
    }

    #[test]
    fn a_running_task_with_errors_in_its_log_is_degraded() {
        let event = json!({"detail-type": TASK, "detail": {"lastStatus": "RUNNING"}});
        let logs = BTreeMap::from([("web".to_owned(), vec!["No module named 'core.aws_service'".to_owned()])]);
        let Ok(EventDiagnosis::Diagnosed(found)) = diagnose_event(&event, &logs) else {
            panic!("no diagnosis")
        };
        assert_eq!(found.cause, Cause::AppDegraded);
    }

    #[test]
    fn service_events_are_read_by_their_reason() {
        let of = |name: &str, kind: &str, reason: &str| {
            diagnose_event(
                &json!({"detail-type": "ECS Service Action", "detail": {"eventName": name, "eventType": kind, "reason": reason}}),
                &BTreeMap::new(),
            )
        };
        assert!(matches!(of("SERVICE_STEADY_STATE", "INFO", ""), Ok(EventDiagnosis::NotAStop(_))));
        let Ok(EventDiagnosis::Diagnosed(found)) = of("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", "RESOURCE:FARGATE")
        else {
            panic!("no diagnosis")
        };
        assert_eq!(found.cause, Cause::CapacityUnavailable);
        let Ok(EventDiagnosis::Diagnosed(found)) =
            of("SERVICE_DEPLOYMENT_FAILED", "ERROR", "ECS deployment circuit breaker: task failed to start.")
        else {
            panic!("no diagnosis")
        };
        assert_eq!(found.cause, Cause::Unknown);
    }
}
