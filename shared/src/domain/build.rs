//! Failed builds of CodeBuild: which phase failed, and what it says.

use serde_json::Value;

use super::event::{BuildFailed, Event, Subject};
use super::timestamp::Timestamp;

/// Reads the `detail` of a `CodeBuild Build State Change`, tolerantly: AWS's own samples lack fields that a typed reading would require.
pub fn failed_build(detail: &Value, at: Timestamp) -> Event {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let status = text(detail, "build-status");
    if !matches!(status.as_str(), "FAILED" | "FAULT" | "TIMED_OUT") {
        return Event::Ignored(format!("the build is {status}"));
    }
    let build = text(detail, "build-id");
    let name = text(detail, "project-name");
    let information = detail.get("additional-information").unwrap_or(&Value::Null);
    let failed = |phase: &&Value| !matches!(text(phase, "phase-status").as_str(), "" | "SUCCEEDED" | "IN_PROGRESS");
    let phases = information.get("phases").and_then(Value::as_array).into_iter().flatten().filter(failed);
    let context = |phase: &Value| {
        let parts = phase.get("phase-context").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        parts.map(str::trim).filter(|part| !part.is_empty() && *part != ":").collect::<Vec<_>>().join("; ")
    };
    let log = information.get("logs").map(|logs| (text(logs, "group-name"), text(logs, "stream-name")));
    Event::BuildFailed(Box::new(BuildFailed {
        project: Subject::Project { scope: build.split(":build/").next().unwrap_or_default().to_owned(), name },
        phases: phases.map(|phase| (text(phase, "phase-type"), context(phase))).collect(),
        log: log.filter(|(group, stream)| !group.is_empty() && !stream.is_empty()),
        build,
        at,
    }))
}
