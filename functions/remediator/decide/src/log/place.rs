//! Where the log of a container is, by its own task definition, and whether it is worth reading.
//!
//! A log that cannot be read is told as missing evidence, with the reason. It never means that the container did not
//! start: a look into the wrong group finds an empty log, too. Source: Amazon ECS Developer Guide, "Using the awslogs
//! log driver".

use serde_json::Value;

use pullsafe::glob;
use pullsafe::reference::Region;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Diagnosis};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;

/// The most containers of one task whose logs are read.
const CONTAINERS: usize = 3;
/// Lines can be stamped a little before the task counts as created, and arrive a little after it has stopped.
const MARGIN_SECONDS: i64 = 120;

/// One stream of CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The region, where it is named.
    pub region: Option<Region>,
    pub group: String,
    pub stream: String,
}

impl std::fmt::Display for LogStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "log group `{}`, stream `{}`", self.group, self.stream)?;
        self.region.iter().try_for_each(|region| write!(formatter, " in {region}"))
    }
}

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    /// In CloudWatch Logs.
    Stream(LogStream),
    /// Nowhere that can be read, and why.
    Nowhere(String),
}

impl LogPlace {
    /// Returns the place if its group may be read, and otherwise why not. Whoever deploys writes the task definition,
    /// and could name any log in it.
    #[must_use]
    pub fn within(self, allowed: &[String]) -> Self {
        match self {
            Self::Stream(ref stream) if !allowed.iter().any(|pattern| glob::matches(pattern, &stream.group)) => {
                Self::Nowhere(format!(
                    "log group `{}` is not one that may be read here; the stack's parameter ReadableLogGroups names \
                     those",
                    stream.group
                ))
            }
            Self::Stream(_) | Self::Nowhere(_) => self,
        }
    }
}

/// The time in which lines are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment; unknown where the task does not say when it began.
    pub start: Option<Timestamp>,
    /// The first moment after the window.
    pub end: Timestamp,
}

impl Window {
    /// The time in which a task lived, with a margin.
    pub fn of_task(task: &StoppedTask, now: Timestamp) -> Self {
        let start = task.created_at.or(task.pull_started_at).or(task.pull_stopped_at).or(task.started_at);
        Self::around(start, task.stopped_at.or(task.stopping_at).unwrap_or(now))
    }

    /// From a little before one moment to a little after another.
    pub fn around(start: Option<Timestamp>, end: Timestamp) -> Self {
        Self {
            start: start.map(|start| start.plus_seconds(-MARGIN_SECONDS)),
            end: end.plus_seconds(MARGIN_SECONDS),
        }
    }
}

/// Where the task definition sends the log of one container of a task.
pub fn of_container(definition: &TaskDefinition, task: &StoppedTask, container: &str) -> LogPlace {
    let nowhere = |why: &str| LogPlace::Nowhere(why.to_owned());
    let Some(configured) = definition.container(container) else {
        return nowhere("the task definition has no container of this name");
    };
    let Some(logging) = configured.get("logConfiguration").filter(|logging| logging.is_object()) else {
        return nowhere("the task definition gives it no logConfiguration");
    };
    let option = |name: &str| {
        let value = logging.get("options").and_then(|options| options.get(name)).and_then(Value::as_str);
        value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    match logging.get("logDriver").and_then(Value::as_str) {
        Some("awslogs") => {}
        Some("awsfirelens") => {
            let to = option("Name").map(|name| format!(" ({name})")).unwrap_or_default();
            return LogPlace::Nowhere(format!(
                "its log driver is awsfirelens: the task's log router sends the lines elsewhere{to}"
            ));
        }
        Some(other) => {
            return LogPlace::Nowhere(format!("its log driver is {other}, which CloudWatch Logs does not have"));
        }
        None => return nowhere("its logConfiguration names no logDriver"),
    }
    let Some(group) = option("awslogs-group") else {
        return nowhere("its awslogs options name no awslogs-group");
    };
    let stream = match (option("awslogs-stream"), option("awslogs-stream-prefix")) {
        // Whoever writes the definition could name the stream of somebody else.
        (Some(stream), _) if task.task_id().is_empty() || !stream.contains(task.task_id()) => {
            return LogPlace::Nowhere(format!(
                "its awslogs-stream `{stream}` is not the task's own, so it is not read; with awslogs-stream-prefix \
                 each task has a stream"
            ));
        }
        (Some(stream), _) => Some(stream),
        (None, Some(prefix)) => Some(format!("{prefix}/{container}/{}", task.task_id())),
        // Docker then names the stream by the container's own id.
        (None, None) => task
            .containers
            .iter()
            .find(|found| found.name == container)
            .and_then(|found| found.runtime_id.clone()),
    };
    // The region becomes a part of a host's name, and signed requests go there.
    let region = match option("awslogs-region").map(|region| region.parse::<Region>()).transpose() {
        Ok(region) => region,
        Err(error) => return LogPlace::Nowhere(format!("its awslogs-region cannot be used: {error}")),
    };
    match stream {
        Some(stream) => LogPlace::Stream(LogStream { region, group, stream }),
        None => LogPlace::Nowhere(format!(
            "its awslogs options name no awslogs-stream-prefix, and without the container's runtime id its stream in \
             `{group}` is not known"
        )),
    }
}

/// Where a build's log is, by the `detail` of its event.
pub fn of_build(detail: &Value) -> LogPlace {
    let logs = detail.pointer("/additional-information/logs");
    let link = logs.and_then(|logs| logs.get("deep-link")).and_then(Value::as_str).unwrap_or_default();
    let named = |key: &str, in_link: &str| {
        let value = logs.and_then(|logs| logs.get(key)).and_then(Value::as_str);
        // The link to the console names it too; a project without CloudWatch Logs has `group=null` there.
        let from_link = link.split_once(in_link).map(|(_, rest)| rest.split([';', '&']).next().unwrap_or_default());
        value
            .or(from_link)
            .map(str::trim)
            .filter(|value| !value.is_empty() && *value != "null")
            .map(str::to_owned)
    };
    match (named("group-name", "group="), named("stream-name", "stream=")) {
        (Some(group), Some(stream)) => {
            let region = link.split_once("region=").map(|(_, rest)| rest.split(['#', '&']).next().unwrap_or_default());
            match region.filter(|region| !region.is_empty()).map(str::parse).transpose() {
                Ok(region) => LogPlace::Stream(LogStream { region, group, stream }),
                Err(error) => LogPlace::Nowhere(format!("the link to its log cannot be used: {error}")),
            }
        }
        _ => LogPlace::Nowhere(
            "the project sends the logs of its builds to S3 or nowhere, not to CloudWatch Logs".to_owned(),
        ),
    }
}

/// Whether a log can tell more about this diagnosis: something ran, and how it ended is not explained.
pub fn is_worth_reading(task: &StoppedTask, diagnosis: &Diagnosis) -> bool {
    let unhealthy = matches!(diagnosis.cause, Cause::LoadBalancerHealthCheckFailed | Cause::ContainerHealthCheckFailed);
    let unexplained = matches!(
        diagnosis.cause,
        Cause::AppCrashed | Cause::AppDegraded | Cause::CommandNotFound | Cause::ExecFormat | Cause::Unknown
    );
    unhealthy || unexplained && task.ran()
}

/// The containers whose logs to read, the most likely one first: the one that the diagnosis names, then essential ones,
/// then the others; never an injected one.
pub fn containers<'a>(task: &'a StoppedTask, diagnosis: &Diagnosis) -> Vec<&'a str> {
    let named = diagnosis.container.as_deref();
    let mut own: Vec<_> = task
        .containers
        .iter()
        .filter(|container| !container.is_injected() && !container.name.is_empty())
        .collect();
    own.sort_by_key(|container| (named != Some(&container.name), container.essential == Some(false)));
    own.into_iter().map(|container| container.name.as_str()).take(CONTAINERS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use pullsafe_diagnosis::diagnose;

    fn definition(logging: Value) -> TaskDefinition {
        TaskDefinition::from_json(&json!({"taskDefinition": {"containerDefinitions": [
            {"name": "app", "logConfiguration": logging}, {"name": "bare"}
        ]}}))
        .unwrap()
    }

    fn task() -> StoppedTask {
        StoppedTask::from_json(&json!({
            "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/prod/abc", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited", "createdAt": "2026-01-15T20:00:00Z", "startedAt": "2026-01-15T20:00:30Z",
            "stoppedAt": "2026-01-15T20:10:00Z",
            "containers": [
                {"name": "aws-guardduty-agent-x", "exitCode": 0}, {"name": "side", "exitCode": 0},
                {"name": "app", "exitCode": 1, "runtimeId": "abc-123"}, {"name": "third"}, {"name": "fourth"}
            ],
        }))
    }

    fn place(logging: Value) -> LogPlace {
        of_container(&definition(logging), &task(), "app")
    }

    #[test]
    fn a_stream_is_named_by_prefix_container_and_task() {
        let found = place(
            json!({"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}),
        );
        let LogPlace::Stream(stream) = found else {
            panic!("{found:?}")
        };
        assert_eq!(stream.to_string(), "log group `/ecs/web`, stream `ecs/app/abc` in us-east-1");
    }

    #[test]
    fn without_a_prefix_it_is_named_by_the_runtime() {
        let found = place(json!({"logDriver": "awslogs", "options": {"awslogs-group": "g"}}));
        assert_eq!(
            found,
            LogPlace::Stream(LogStream {
                region: None,
                group: "g".to_owned(),
                stream: "abc-123".to_owned()
            })
        );
        let mut unknown = task();
        unknown.containers.iter_mut().for_each(|container| container.runtime_id = None);
        let logging = json!({"logDriver": "awslogs", "options": {"awslogs-group": "g"}});
        assert!(
            matches!(of_container(&definition(logging), &unknown, "app"), LogPlace::Nowhere(why) if why.contains("runtime id"))
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (logging, why) in [
            (
                json!({"logDriver": "awsfirelens", "options": {"Name": "datadog", "apikey": "hidden"}}),
                "awsfirelens: the task's log router sends the lines elsewhere (datadog)",
            ),
            (json!({"logDriver": "splunk"}), "its log driver is splunk"),
            (json!({"logDriver": "awslogs"}), "no awslogs-group"),
            (json!({"logDriver": "awslogs", "options": {"awslogs-group": ""}}), "no awslogs-group"),
            (
                json!({"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-stream": "payroll"}}),
                "is not the task's own",
            ),
            (
                json!({"logDriver": "awslogs", "options": {
                    "awslogs-group": "g", "awslogs-stream-prefix": "p", "awslogs-region": "x@attacker.example/"
                }}),
                "its awslogs-region cannot be used",
            ),
            (json!({}), "names no logDriver"),
            (json!("x"), "no logConfiguration"),
        ] {
            let found = place(logging);
            assert!(
                matches!(&found, LogPlace::Nowhere(said) if said.contains(why) && !said.contains("hidden")),
                "{found:?}"
            );
        }
        assert!(matches!(
            of_container(&definition(json!({})), &task(), "aws-guardduty-agent-x"),
            LogPlace::Nowhere(_)
        ));
    }

    #[test]
    fn the_failed_container_is_read_first_and_injected_ones_never() {
        let mut task = task();
        let diagnosis = diagnose(&task, &std::collections::BTreeMap::new());
        assert_eq!(containers(&task, &diagnosis), ["app", "side", "third"]);
        task.containers[1].essential = Some(false);
        assert_eq!(containers(&task, &diagnosis), ["app", "third", "fourth"]);
    }

    #[test]
    fn a_task_that_never_ran_has_no_log() {
        let mut task = task();
        let diagnosis = diagnose(&task, &std::collections::BTreeMap::new());
        assert!(is_worth_reading(&task, &diagnosis));
        task.started_at = None;
        task.containers.iter_mut().for_each(|container| container.exit_code = None);
        assert!(!is_worth_reading(&task, &diagnosis));
    }

    /// A task definition that names another service's log does not get its lines into a message.
    #[test]
    fn only_groups_that_may_be_read_are_read() {
        let place = |group: &str| {
            LogPlace::Stream(LogStream {
                region: None,
                group: group.to_owned(),
                stream: "s".to_owned(),
            })
        };
        let allowed = ["/ecs/*".to_owned(), "team-*-web".to_owned(), "exact".to_owned()];
        for group in ["/ecs/web", "/ecs/", "team-a-web", "team--web", "exact"] {
            assert_eq!(place(group).within(&allowed), place(group), "{group}");
        }
        for group in ["/aws/lambda/pay", "x/ecs/web", "team-a-web2", "exact2", "", "/ECS/web"] {
            assert!(
                matches!(place(group).within(&allowed), LogPlace::Nowhere(why) if why.contains("ReadableLogGroups")),
                "{group}"
            );
        }
        assert!(matches!(place("/ecs/web").within(&[]), LogPlace::Nowhere(_)));
    }

    #[test]
    fn a_build_names_its_log_itself() {
        let of = |logs: Value| of_build(&json!({"additional-information": {"logs": logs}}));
        let stream = |region: Option<&str>| {
            LogPlace::Stream(LogStream {
                region: region.map(|region| region.parse().unwrap()),
                group: "/aws/codebuild/web".to_owned(),
                stream: "abc".to_owned(),
            })
        };
        let link = "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEvent:group=/aws/codebuild/web;stream=abc";
        assert_eq!(of(json!({"group-name": "/aws/codebuild/web", "stream-name": "abc"})), stream(None));
        assert_eq!(
            of(json!({"group-name": "/aws/codebuild/web", "stream-name": "abc", "deep-link": link})),
            stream(Some("us-east-1"))
        );
        assert_eq!(of(json!({"deep-link": link})), stream(Some("us-east-1")));
        for nothing in [
            json!(null),
            json!({}),
            json!({"deep-link": "https://x/?region=us-east-1#logEvent:group=null;stream=null"}),
            json!({"group-name": 7}),
        ] {
            assert!(matches!(of(nothing.clone()), LogPlace::Nowhere(_)), "{nothing}");
        }
    }

    #[test]
    fn the_window_is_the_tasks_life() {
        let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let window = Window::of_task(&task(), now);
        assert_eq!(window.start, Timestamp::parse("2026-01-15T19:58:00Z"));
        assert_eq!(Some(window.end), Timestamp::parse("2026-01-15T20:12:00Z"));
        let window = Window::of_task(&StoppedTask::default(), now);
        assert_eq!((window.start, window.end), (None, now.plus_seconds(120)));
    }
}
