//! `tests/corpus/further.jsonl`: further messages of the kinds in `stops.jsonl`, as registries, daemons, AWS and
//! language runtimes write them. None of them is the example of a signature.

use pullsafe_diagnosis::cause::{Cause, Diagnosis, Signature};
use pullsafe_diagnosis::diagnose;
use pullsafe_events::stopped_task::StoppedTask;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::corpus::{Label, Stop, TaskLogs};

/// A message and what it means: the reason of a stop, or the log of a container that exited.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FurtherMessage {
    id: String,
    source: String,
    cause: Cause,
    signature: Option<Signature>,
    docker_hub_quota: Option<bool>,
    reason: Option<String>,
    image: Option<String>,
    stop_code: Option<String>,
    /// Whether the container has the reason, as on EC2. On Fargate the task has it.
    #[serde(default)]
    container_reason: bool,
    exit_code: Option<i64>,
    #[serde(default)]
    log: Vec<String>,
}

impl FurtherMessage {
    fn all() -> Vec<Self> {
        let lines = include_str!("../../corpus/further.jsonl").lines();
        lines.map(|line| serde_json::from_str(line).expect("a row is a message")).collect()
    }

    fn event(&self) -> Value {
        let ran = self.exit_code.is_some() || self.stop_code.as_deref() == Some("ServiceSchedulerInitiated");
        let mut container = json!({ "name": "app", "lastStatus": "STOPPED" });
        let mut reason = self.reason.clone().unwrap_or_else(|| "Essential container in task exited".to_owned());
        if self.container_reason {
            container["reason"] = json!(std::mem::replace(&mut reason, "Task failed to start".to_owned()));
        }
        if let Some(image) = &self.image {
            container["image"] = json!(image);
        }
        if let Some(code) = self.exit_code {
            container["exitCode"] = json!(code);
        }
        if reason == "Task failed to start" && self.stop_code.as_deref() == Some("EssentialContainerExited") {
            "Essential container in task exited".clone_into(&mut reason);
            container["exitCode"] = json!(137);
        }
        let mut detail = json!({
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": self.stop_code.as_deref().unwrap_or("EssentialContainerExited"),
            "stoppedReason": reason, "containers": [container], "launchType": if self.container_reason { "EC2" } else { "FARGATE" },
        });
        if ran {
            detail["startedAt"] = json!("2026-01-15T20:00:00Z");
        }
        detail
    }

    fn diagnosis(&self) -> Diagnosis {
        let logs = if self.log.is_empty() {
            TaskLogs::new()
        } else {
            TaskLogs::from([("app".to_owned(), self.log.clone())])
        };
        diagnose(&StoppedTask::from_json(&self.event()), &logs)
    }
}

/// The messages as stops, for tests that change them.
pub(crate) fn stops() -> Vec<Stop> {
    let stop = |message: FurtherMessage| {
        let event = json!({ "detail-type": "ECS Task State Change", "detail": message.event() });
        let logs = if message.log.is_empty() {
            TaskLogs::new()
        } else {
            TaskLogs::from([("app".to_owned(), message.log.clone())])
        };
        let expect = Label {
            cause: message.cause,
            signature: message.signature,
            docker_hub_quota: message.docker_hub_quota,
        };
        Stop::new(message.id, event, logs, expect, message.source)
    };
    FurtherMessage::all().into_iter().map(stop).collect()
}

/// The reasons, as `(cause, source, text)`.
pub(crate) fn reasons() -> Vec<(Cause, String, String)> {
    FurtherMessage::all()
        .into_iter()
        .filter_map(|message| Some((message.cause, message.source, message.reason?)))
        .collect()
}

#[test]
fn every_message_means_what_it_says() {
    let all = FurtherMessage::all();
    assert!(all.len() >= 260, "{} messages", all.len());
    let mut wrong = Vec::new();
    for message in &all {
        let found = message.diagnosis();
        if found.cause != message.cause {
            wrong.push(format!("{} ({}): {} rather than {}", message.id, message.source, found.cause, message.cause));
        } else if message.signature.is_some() && found.signature != message.signature {
            wrong.push(format!(
                "{} ({}): signature {:?} rather than {:?}",
                message.id, message.source, found.signature, message.signature
            ));
        }
        if found.docker_hub_quota() != message.docker_hub_quota.unwrap_or_default() {
            wrong.push(format!("{}: docker_hub_quota is {}", message.id, found.docker_hub_quota()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are misjudged:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// The line that tells is found among many that do not, with or without colours, in a log of JSON lines or of text.
#[test]
fn a_crash_is_found_in_a_long_log() {
    for message in FurtherMessage::all().iter().filter(|message| !message.log.is_empty()) {
        let before = message.diagnosis();
        let chatter = (0..300).map(|number| match number % 4 {
            0 => format!("2026-01-15 20:00:{:02} INFO  request {number} served in 3 ms", number % 60),
            1 => format!(r#"{{"level":"info","msg":"request served","id":{number}}}"#),
            2 => format!("10.0.1.7 - - [15/Jan/2026:20:00:00 +0000] \"GET /items/{number} HTTP/1.1\" 200 512"),
            _ => "level=warn msg=\"slow query\" duration=1.2s".to_owned(),
        });
        let coloured = message.log.iter().map(|line| format!("\u{1b}[31m{line}\u{1b}[0m"));
        for log in [chatter.clone().chain(message.log.clone()).collect::<Vec<_>>(), chatter.chain(coloured).collect()] {
            let long = FurtherMessage {
                log,
                id: message.id.clone(),
                source: String::new(),
                reason: None,
                image: None,
                stop_code: None,
                ..*message
            };
            let after = long.diagnosis();
            assert_eq!((after.cause, after.signature), (before.cause, before.signature), "{}", message.id);
        }
    }
}
