//! Events of CodeBuild. Here it only matters that a build failed; the diagnosis finds out why.

use serde_json::Value;

use super::{BuildFailed, Event, Subject};
use pullsafe::timestamp::Timestamp;

pub(super) fn build_state_change(detail: &Value, at: Timestamp) -> Event {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let status = text("build-status");
    if !matches!(status, "FAILED" | "FAULT" | "TIMED_OUT") {
        return Event::Ignored(format!("the build is {status}"));
    }
    let (build, project) = (text("build-id"), text("project-name"));
    if build.is_empty() || project.is_empty() {
        return Event::Ignored("`detail.build-id` or `detail.project-name` is missing".to_owned());
    }
    let scope = build.split(":build/").next().unwrap_or_default().to_owned();
    Event::BuildFailed(Box::new(BuildFailed {
        project: Subject::Project { scope, name: project.to_owned() },
        build: build.to_owned(),
        detail: detail.clone(),
        at,
    }))
}
