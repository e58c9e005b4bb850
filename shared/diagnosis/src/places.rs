//! Checks every row and cause at every place, with every driver and network mode: no advice belongs to another place or
//! driver, and each answer ends with how to check it.

use serde_json::json;

use super::advice::{About, render};
use super::check::check;
use super::log_driver::Driver;
use super::setting::{LaunchedOn, NetworkMode, StopSetting};
use super::target::TextSubject;
use super::{build_advice, diagnose, tables};
use crate::cause::{Cause, Confidence, Diagnosis};
use pullsafe_events::stopped_task::StoppedTask;

/// Every place, with words that only its advice may have. A new place does not compile before it is in this list.
const PLACES: &[(LaunchedOn, &[&str])] = &[
    (LaunchedOn::Fargate, &["assignPublicIp", "ephemeralStorage", "Fargate"]),
    (
        LaunchedOn::Ec2,
        &[
            "ECS_ENGINE_",
            "the instance's role",
            "drain and replace",
            "awsvpcTrunking",
            "The instance does this",
        ],
    ),
    (LaunchedOn::ManagedInstances, &["storageConfiguration", "managed instance", "instance requirements"]),
    (LaunchedOn::External, &["ecs-agent.log", "Register more hosts"]),
    (LaunchedOn::Batch, &["compute environment", "job definition"]),
    (LaunchedOn::Windows, &["vmcompute", "Windows host"]),
    (LaunchedOn::CodeBuild, &["the project's", "build specification", "compute type"]),
    (LaunchedOn::Unknown, &[]),
];

/// Whether one place's advice may use another's words, because it runs on that other place.
fn may_say(place: LaunchedOn, other: LaunchedOn) -> bool {
    match place {
        LaunchedOn::Fargate | LaunchedOn::ManagedInstances | LaunchedOn::External | LaunchedOn::CodeBuild => {
            place == other
        }
        LaunchedOn::Ec2 => matches!(other, LaunchedOn::Ec2),
        LaunchedOn::Batch => matches!(other, LaunchedOn::Batch | LaunchedOn::Fargate | LaunchedOn::Ec2),
        LaunchedOn::Windows => matches!(other, LaunchedOn::Windows | LaunchedOn::Ec2),
        LaunchedOn::Unknown => matches!(other, LaunchedOn::Fargate | LaunchedOn::Ec2),
    }
}

/// Every driver, with words that only its advice may have.
const DRIVERS: &[(Option<Driver>, &[&str])] = &[
    (Some(Driver::Awslogs), &["awslogs-", "CloudWatch Logs", "logs:Create"]),
    (Some(Driver::Firelens), &["firelensConfiguration", "config-file-value", "router"]),
    (Some(Driver::Syslog), &["syslog-"]),
    (Some(Driver::Gelf), &["gelf-"]),
    (Some(Driver::Fluentd), &["fluentd-"]),
    (Some(Driver::Splunk), &["splunk-", "Splunk"]),
    (Some(Driver::JsonFile), &["max-size", "files of the host"]),
    (None, &[]),
];

const MODES: &[Option<NetworkMode>] =
    &[None, Some(NetworkMode::AwsVpc), Some(NetworkMode::Bridge), Some(NetworkMode::Host)];

#[test]
fn no_row_gives_the_advice_of_another_place_or_mode() {
    let mut wrong = Vec::new();
    let rows = tables::REASONS.iter().chain(tables::ANSWERS).chain(tables::LOGS).flat_map(|table| table.iter());
    // These match only texts that are themselves of Windows or of Batch.
    for row in rows.filter(|row| !row.id.contains("windows") && !row.id.starts_with("batch-")) {
        let target = TextSubject {
            image: Some("acme/api:1".to_owned()),
            ..TextSubject::default()
        };
        for (place, _) in PLACES {
            for mode in MODES {
                let about = About {
                    target: &target,
                    text: "",
                    place: *place,
                    mode: *mode,
                    driver: None,
                    attempts: None,
                };
                let advice = render(row, &about);
                assert!(
                    !advice.contains(['{', '}', '$']) || row.advice.contains("\"type\""),
                    "{} at {place:?}: {advice}",
                    row.id
                );
                let other =
                    PLACES.iter().filter(|(other, _)| !may_say(*place, *other)).flat_map(|(_, words)| words.iter());
                wrong.extend(
                    other
                        .filter(|word| advice.contains(**word))
                        .map(|word| format!("{} at {place:?} says {word}: {advice}", row.id)),
                );
                if *mode == Some(NetworkMode::AwsVpc) && advice.contains("hostPort to 0") {
                    wrong.push(format!("{} in awsvpc: {advice}", row.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Texts of every driver that name it, at every place where ECS runs it; and texts that name none, whose driver comes
/// from the task definition.
#[test]
fn no_driver_gives_the_advice_of_another() {
    let named = [
        (
            Driver::Awslogs,
            "failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: \
             The specified log group does not exist.",
        ),
        (
            Driver::Awslogs,
            "failed to validate logger args: unable to get awslogs driver arguments: awslogs-region is required",
        ),
        (
            Driver::Awslogs,
            "failed to initialize logging driver: failed to create Cloudwatch log group: AccessDeniedException: User: \
             x is not authorized to perform: logs:CreateLogGroup on resource: y",
        ),
        (
            Driver::Splunk,
            "failed to initialize logging driver: splunk: failed to verify connection - 504 GATEWAY_TIMEOUT - ",
        ),
        (
            Driver::Splunk,
            "failed to initialize logging driver: Options \
             https://splunk.example.com:8088/services/collector/event/1.0: dial tcp 10.0.0.9:8088: i/o timeout",
        ),
        (
            Driver::Fluentd,
            "failed to initialize logging driver: dial unix /var/run/fluent.sock: connect: no such file or directory",
        ),
        (
            Driver::Gelf,
            "failed to initialize logging driver: gelf: cannot connect to GELF endpoint: graylog:12201 dial udp: \
             lookup graylog: no such host",
        ),
        (
            Driver::Syslog,
            "failed to initialize logging driver: unknown log opt 'syslog-adress' for syslog log driver",
        ),
        (Driver::JsonFile, "unknown log opt 'splunk-token' for json-file log driver"),
        (Driver::Firelens, "unable to generate firelens config file: no such option"),
    ];
    let unnamed = [
        "failed to initialize logging driver: dial tcp 10.0.0.9:514: connect: connection refused",
        "failed to initialize logging driver",
    ];
    let of_facts = DRIVERS
        .iter()
        .filter_map(|(driver, _)| *driver)
        .flat_map(|driver| unnamed.map(|text| (Some(driver), text, true)));
    let all = named
        .map(|(driver, text)| (Some(driver), text, false))
        .into_iter()
        .chain(of_facts)
        .chain(unnamed.map(|text| (None, text, false)));
    for (driver, text, by_facts) in all {
        let name = if by_facts {
            NAMES.iter().find(|(_, of)| Some(*of) == driver).map(|(name, _)| *name)
        } else {
            None
        };
        for launch in ["FARGATE", "EC2", "EXTERNAL", "MANAGED_INSTANCES", ""] {
            let mut task = StoppedTask::from_json(
                &json!({"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "launchType": launch,
                "stoppedReason": format!("CannotStartContainerError: Error response from daemon: {text}"), "containers": [{"name": "app"}]}),
            );
            task.containers[0].log_driver = name.map(str::to_owned);
            let found = diagnose(&task, &std::collections::BTreeMap::new());
            assert_eq!(found.cause, Cause::LogDriverFailed, "{text}");
            let said = format!("{} {}", found.advice, found.check.unwrap_or_default());
            for (other, words) in DRIVERS.iter().filter(|(other, _)| *other != driver) {
                let word = words.iter().find(|word| said.contains(**word));
                assert_eq!(word, None, "{driver:?} on {launch} gives advice of {other:?}: {text}\n{said}");
            }
            let own = DRIVERS.iter().find(|(own, _)| *own == driver).map(|(_, words)| *words).unwrap_or_default();
            assert!(
                own.is_empty() || own.iter().any(|word| said.contains(word)),
                "{driver:?} has no advice of its own: {said}"
            );
        }
    }
}

const NAMES: &[(&str, Driver)] = &[
    ("awslogs", Driver::Awslogs),
    ("awsfirelens", Driver::Firelens),
    ("syslog", Driver::Syslog),
    ("gelf", Driver::Gelf),
    ("fluentd", Driver::Fluentd),
    ("splunk", Driver::Splunk),
    ("json-file", Driver::JsonFile),
];

#[test]
fn a_text_of_windows_is_a_place_of_its_own() {
    for (text, wanted) in [
        (
            "CannotPullContainerError: no matching manifest for windows/amd64 10.0.17763 in the manifest list entries",
            "same build",
        ),
        (
            "CannotStartContainerError: hcsshim::CreateComputeSystem 1a: The container operating system does not \
             match the host operating system.",
            "same build",
        ),
        (
            "CannotStartContainerError: container b2 encountered an error during Start: failure in a Windows system \
             call: The compute system exited unexpectedly. (0xc0370106)",
            "vmcompute",
        ),
    ] {
        for launch in ["FARGATE", "EC2", ""] {
            let task = json!({"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "launchType": launch, "stoppedReason": text,
                "containers": [{"name": "app", "image": "acme/web:1"}]});
            let advice = diagnose(&StoppedTask::from_json(&task), &std::collections::BTreeMap::new()).advice;
            assert!(advice.contains(wanted), "{text}: {advice}");
            let linux = ["assignPublicIp", "ephemeralStorage", "df -h", "drain and replace", "--platform windows"];
            assert_eq!(linux.iter().find(|word| advice.contains(**word)), None, "{advice}");
        }
    }
    let family =
        json!({"lastStatus": "STOPPED", "launchType": "FARGATE", "platformFamily": "WINDOWS_SERVER_2022_CORE"});
    assert_eq!(StopSetting::of_task(&StoppedTask::from_json(&family)).place, LaunchedOn::Windows);
}

#[test]
fn every_answer_ends_with_a_command_or_a_page() {
    for cause in Cause::ALL {
        for image in [None, Some("redis:7"), Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1")] {
            for (place, _) in PLACES {
                let found = Diagnosis {
                    image: image.map(str::to_owned),
                    ..Diagnosis::of(*cause, Confidence::High)
                };
                let said = check(&found, &StopSetting { place: *place, ..StopSetting::default() });
                let page =
                    ["console", "status page", "by hand", "policy simulator"].iter().any(|page| said.contains(page));
                assert!(said.contains('`') || page, "{cause} at {place:?}: {said}");
                assert!(
                    !said.contains('{') || said.contains("--query"),
                    "{cause} at {place:?}: a name was not filled: {said}"
                );
                let other =
                    PLACES.iter().filter(|(other, _)| !may_say(*place, *other)).flat_map(|(_, words)| words.iter());
                assert_eq!(other.copied().find(|word| said.contains(word)), None, "{cause} at {place:?}: {said}");
            }
        }
    }
}

#[test]
fn a_build_gets_no_advice_for_a_task() {
    const OF_TASKS: &[&str] = &[
        "repositoryCredentials",
        "execution role",
        "task definition",
        "assignPublicIp",
        "task role",
        "aws ecs ",
        "ECS console",
    ];
    for cause in Cause::ALL {
        let found = Diagnosis::of(*cause, Confidence::High);
        for of_environment in [false, true] {
            if cause.is_about_image() {
                let advice = build_advice::of(&found, of_environment)
                    .unwrap_or_else(|| panic!("{cause}: a build gets a task's advice"));
                let task = OF_TASKS.iter().find(|word| advice.contains(**word));
                assert_eq!(task, None, "{cause}: {advice}");
                assert!(
                    !of_environment || !advice.contains("FROM"),
                    "{cause}: the environment's image is in no Dockerfile: {advice}"
                );
            }
        }
        let said = check(&found, &StopSetting::of_build());
        let task = OF_TASKS.iter().find(|word| said.contains(**word));
        assert_eq!(task, None, "{cause}: {said}");
    }
}
