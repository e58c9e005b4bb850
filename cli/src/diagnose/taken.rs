//! Decides what an argument or an input is.

use std::collections::BTreeMap;
use std::fmt;

use pullsafe_diagnosis::build::diagnose_build;
use pullsafe_diagnosis::event::EventDiagnosis;
use pullsafe_diagnosis::setting::{LaunchedOn, StopSetting};
use pullsafe_diagnosis::{diagnose, diagnose_text, diagnose_text_at};
use pullsafe_events::stopped_task::StoppedTask;
use serde_json::{Value, json};

use super::item::DiagnosedInput;

/// Where the input comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputSource {
    Input,
    File(String),
    Text(String),
    Aws(AwsQuestion),
}

/// What AWS is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AwsQuestion {
    Task { arn: String, cluster: String, region: String },
    Service { cluster: String, service: String },
}

impl fmt::Display for AwsQuestion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { arn, .. } => formatter.write_str(arn),
            Self::Service { cluster, service } => write!(formatter, "{cluster}/{service}"),
        }
    }
}

/// Decides what an argument is. A file comes first, so that an existing file is never taken for something else.
pub(super) fn source_of(what: &str, is_file: impl Fn(&str) -> bool) -> Result<InputSource, String> {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if what.is_empty() || what == "-" {
        return Ok(InputSource::Input);
    }
    if is_file(what) {
        return Ok(InputSource::File(what.to_owned()));
    }
    if what.starts_with("arn:") && !what.contains(char::is_whitespace) {
        let parts: Vec<&str> = what.split(':').collect();
        let path: Vec<&str> = parts.get(5).copied().unwrap_or_default().split('/').collect();
        return match (parts.get(2), parts.get(3), path.as_slice()) {
            (Some(&"ecs"), Some(region), ["task", cluster, id]) if word(cluster) && word(id) && word(region) => {
                Ok(InputSource::Aws(AwsQuestion::Task {
                    arn: what.to_owned(),
                    cluster: (*cluster).to_owned(),
                    region: (*region).to_owned(),
                }))
            }
            (Some(&"ecs"), Some(_), ["service", cluster, service]) if word(cluster) && word(service) => {
                Ok(InputSource::Aws(AwsQuestion::Service {
                    cluster: (*cluster).to_owned(),
                    service: (*service).to_owned(),
                }))
            }
            _ => Err(format!(
                "{what}: not the ARN of an ECS task (arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID) or service"
            )),
        };
    }
    if what.contains(char::is_whitespace) {
        return Ok(InputSource::Text(what.to_owned()));
    }
    match what.split_once('/') {
        Some((cluster, service)) if word(cluster) && word(service) => {
            Ok(InputSource::Aws(AwsQuestion::Service { cluster: cluster.to_owned(), service: service.to_owned() }))
        }
        _ => Err(format!("{what}: no such file, and neither a message, a task's ARN nor CLUSTER/SERVICE")),
    }
}

/// Returns the items in an answer of the AWS CLI: its tasks, its services, or what a `--query` left of them. `None` if
/// it is not such an answer.
pub(super) fn of_aws(value: &Value) -> Option<Vec<DiagnosedInput>> {
    let is_task = |value: &Value| value.get("taskArn").is_some() && value.get("detail").is_none();
    let is_service = |value: &Value| value.get("serviceArn").is_some();
    let list = |key: &str| value.get(key).and_then(Value::as_array);
    let all = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    match all {
        [] => None,
        tasks if tasks.iter().all(is_task) => Some(tasks.iter().map(of_task).collect()),
        services if services.iter().all(is_service) => Some(services.iter().map(of_service).collect()),
        _ => list("tasks")
            .map(|tasks| tasks.iter().map(of_task).collect())
            .or_else(|| Some(list("services")?.iter().map(of_service).collect())),
    }
}

/// Whether a value is a line of a log that a program wrote as JSON.
pub(super) fn is_of_log(value: &Value) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| value.get(key).is_some());
    has(&["level", "severity", "lvl", "@l", "levelname"]) && !has(&["event", "detail", "tasks", "services", "taskArn"])
}

fn of_task(task: &Value) -> DiagnosedInput {
    let read = StoppedTask::from_json(task);
    let setting = StopSetting::of_task(&read);
    let verdict = if read.is_stop() {
        EventDiagnosis::Diagnosed(Box::new(diagnose(&read, &BTreeMap::new())))
    } else {
        EventDiagnosis::NotAStop(format!(
            "Not a stop: lastStatus is {}.",
            read.last_status.as_deref().unwrap_or("absent")
        ))
    };
    let id = read.task_arn.rsplit('/').next().unwrap_or_default();
    DiagnosedInput {
        id: json!(id),
        verdict,
        setting,
        took: Some("a task of describe-tasks"),
    }
}

/// Diagnoses a service by its events, the newest first, and by the reasons of its deployments' rollout states.
fn of_service(service: &Value) -> DiagnosedInput {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| service.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let messages = list("events").into_iter().map(|event| text(&event, "message"));
    let reasons = list("deployments").into_iter().map(|deployment| text(&deployment, "rolloutStateReason"));
    let name = text(service, "serviceName");
    let launch_type = Some(text(service, "launchType")).filter(|launch| !launch.is_empty());
    let task = StoppedTask {
        cluster_arn: text(service, "clusterArn"),
        group: Some(format!("service:{name}")),
        launch_type,
        ..StoppedTask::default()
    };
    let setting = StopSetting::of_task(&task);
    let mut told = messages.chain(reasons).filter_map(|said| diagnose_text_at(&said, None, "events", &setting));
    let told = told.find(|found| !found.cause.is_benign());
    let verdict = told.map_or_else(
        || {
            EventDiagnosis::NotAStop(
                "No event of the service names a failure. Diagnose its stopped tasks: `pullsafe diagnose \
                 CLUSTER/SERVICE`."
                    .to_owned(),
            )
        },
        |found| EventDiagnosis::Diagnosed(Box::new(found)),
    );
    DiagnosedInput {
        id: json!(name),
        verdict,
        setting,
        took: Some("a service of describe-services"),
    }
}

/// Marks of a build's log, as opposed to a container's.
const OF_BUILDS: &[&str] = &[
    "[Container] 20",
    "Step 1/",
    "STEP 1",
    "failed to solve",
    "load metadata for",
    "error building image",
    "Retrieving image",
    "docker build",
    "buildx",
    "docker pull",
    "Building ",
];

/// Diagnoses a text that is not JSON: one message, or a pasted log. `None` if it is neither.
pub(super) fn of_text(text: &str) -> Option<DiagnosedInput> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if !text.trim().contains(char::is_whitespace) {
        return None;
    }
    let none = Value::Null;
    let item = |verdict, setting, took| Some(DiagnosedInput { id: none.clone(), verdict, setting, took: Some(took) });
    if OF_BUILDS.iter().any(|mark| text.contains(mark)) {
        let detail = json!({"build-status": "FAILED", "current-phase": "BUILD", "current-phase-context": ""});
        let build = diagnose_build(&detail, &BTreeMap::from([("build".to_owned(), lines)]));
        return item(
            EventDiagnosis::Build(Box::new(build)),
            StopSetting { place: LaunchedOn::CodeBuild, ..StopSetting::default() },
            "the log of a build",
        );
    }
    let message = StoppedTask::from_json(&json!({"lastStatus": "STOPPED", "stoppedReason": text, "containers": []}));
    let by_message = diagnose(&message, &BTreeMap::new());
    let known = by_message.confidence != pullsafe_diagnosis::cause::Confidence::Low;
    if known || lines.iter().filter(|line| !line.trim().is_empty()).count() == 1 && !looks_logged(text) {
        return item(EventDiagnosis::Diagnosed(Box::new(by_message)), StopSetting::default(), "a message");
    }
    let exited = StoppedTask::from_json(
        &json!({"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": [{"name": "app", "exitCode": 1}]}),
    );
    let mut found = diagnose(&exited, &BTreeMap::from([("app".to_owned(), lines)]));
    // The exit code and the container were made up here.
    found.evidence.retain(|evidence| !evidence.source.ends_with("exitCode"));
    found.container = None;
    item(EventDiagnosis::Diagnosed(Box::new(found)), StopSetting::default(), "the log of a container")
}

/// Whether one line is of a log rather than a reason of ECS: it begins with a time, or no reason of ECS matches it.
fn looks_logged(text: &str) -> bool {
    let head: String = text.trim().chars().take(12).collect();
    head.bytes().filter(u8::is_ascii_digit).count() >= 6 || diagnose_text(text, None, "x").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_taken_for_what_it_is() {
        let of = |what: &str| source_of(what, |path| path == "events.jsonl" || path == "prod/web.json");
        assert_eq!(of(""), Ok(InputSource::Input));
        assert_eq!(of("events.jsonl"), Ok(InputSource::File("events.jsonl".to_owned())));
        assert_eq!(of("prod/web.json"), Ok(InputSource::File("prod/web.json".to_owned())));
        assert_eq!(
            of("prod/web"),
            Ok(InputSource::Aws(AwsQuestion::Service { cluster: "prod".to_owned(), service: "web".to_owned() }))
        );
        assert!(matches!(
            of("arn:aws:ecs:eu-west-1:123456789012:task/prod/0123abcd"),
            Ok(InputSource::Aws(AwsQuestion::Task { .. }))
        ));
        assert!(matches!(of("CannotPullContainerError: not found"), Ok(InputSource::Text(_))));
        assert!(of("/does/not/exist.json").is_err() && of("arn:aws:s3:::bucket").is_err());
    }
}
