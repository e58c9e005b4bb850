//! Tests the contract of `pullsafe diagnose` with the built program.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullsafe"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that refuses its arguments does not read its input.
    let _ = child.stdin.take().expect("standard input is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

fn rows(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

fn stop(reason: &str, image: &str) -> Value {
    json!({"version": "0", "id": "e-1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": {
        "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": reason,
        "containers": [{"name": "app", "image": image, "lastStatus": "STOPPED"}]}})
}

const QUOTA: &str = "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests \
    - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit";

#[test]
fn json_has_the_keys_of_the_contract_in_order() {
    let output = run(&["diagnose", "--output", "json"], &stop(QUOTA, "acme/api:latest").to_string());
    assert_eq!(output.status.code(), Some(0));
    let [row] = &rows(&output)[..] else {
        panic!("one event gives one line")
    };
    let keys: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "cause",
            "docker_hub_quota",
            "signature",
            "registry",
            "image",
            "confidence",
            "evidence",
            "remedy",
            "advice"
        ]
    );
    assert_eq!(row["id"], "e-1");
    assert_eq!(row["cause"], "registry-rate-limited");
    assert_eq!(row["docker_hub_quota"], true);
    assert_eq!(row["signature"], Value::Null);
    assert_eq!(row["registry"], "dockerhub");
    assert_eq!(row["image"], "acme/api:latest");
    assert_eq!(row["confidence"], "high");
    assert_eq!(row["evidence"][0]["source"], "stoppedReason");
    assert_eq!(row["remedy"], "move-to-mirror");
}

#[test]
fn json_lines_keep_their_order_and_a_bad_line_does_not_stop_them() {
    let event = stop(QUOTA, "acme/api:latest");
    let input = [
        json!({"id": "a", "event": event}).to_string(),
        "{\"id\": \"b\", \"event\": ".to_owned(),
        json!({"id": "c", "event": {"detail-type": "ECS Task State Change"}}).to_string(),
        String::new(),
        json!({"id": "d", "event": event, "logs": {"app": "one line"}}).to_string(),
        json!({"id": "e", "event": {"detail-type": "ECS Task State Change", "detail": {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "containers": [{"name": "app", "exitCode": 1}]}}, "logs": {"app": ["ModuleNotFoundError: No module named \
                'core'"]}})
        .to_string(),
        json!({"id": 6, "event": event}).to_string(),
    ]
    .join("\n");
    let output = run(&["diagnose", "-", "--output", "json"], &input);
    assert_eq!(output.status.code(), Some(1), "part failed");
    let rows = rows(&output);
    assert_eq!(
        rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>(),
        [json!("a"), Value::Null, json!("c"), json!("d"), json!("e"), json!(6)]
    );
    assert_eq!(
        rows[1].as_object().map(|row| row.keys().map(String::as_str).collect::<Vec<_>>()),
        Some(vec!["id", "error"])
    );
    assert!(
        rows[1]["error"].as_str().is_some_and(|error| error.starts_with("standard input:2: not JSON")),
        "{}",
        rows[1]
    );
    assert_eq!(rows[2]["error"], "standard input:3: event.detail: it is missing");
    assert_eq!(rows[3]["error"], "standard input:5: logs.app: it is not an array of lines");
    assert_eq!((&rows[4]["cause"], &rows[4]["signature"]), (&json!("app-crashed"), &json!("module-missing")));
}

#[test]
fn a_single_event_may_be_pretty_printed() {
    let pretty = serde_json::to_string_pretty(&stop(QUOTA, "acme/api")).expect("JSON");
    let output = run(&["diagnose", "--output", "json"], &pretty);
    assert_eq!((output.status.code(), rows(&output).len()), (Some(0), 1));
}

#[test]
fn a_file_is_read_and_named_in_errors() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("bad-event.json");
    std::fs::write(&file, "{\"id\": \"x\", \"event\": {\"detail-type\": \"ECS Task State Change\", \"detail\": 7}}\n")
        .expect("a file");
    let output = run(&["diagnose", file.to_str().expect("UTF-8")], "");
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("bad-event.json:1: event.detail: it is a number, not an object"), "{message}");
}

#[test]
fn wrong_usage_and_input_exit_with_2() {
    assert_eq!(run(&["diagnose", "--output", "yaml"], "").status.code(), Some(2));
    assert_eq!(run(&["diagnose", "/does/not/exist.json"], "").status.code(), Some(2));
    assert_eq!(run(&["diagnose"], "").status.code(), Some(2), "no event");
    assert_eq!(run(&["diagnose"], "nonsense").status.code(), Some(2));
    assert_eq!(run(&["diagnose", "--output", "json"], "[1]").status.code(), Some(2));
    assert_eq!(run(&["frobnicate"], "").status.code(), Some(2));
}

#[test]
fn what_is_no_stop_has_no_cause() {
    let event = json!({"detail-type": "ECS Task State Change", "detail": {"lastStatus": "RUNNING", "desiredStatus": "RUNNING"}});
    let output = run(&["diagnose", "--output", "json"], &event.to_string());
    assert_eq!(output.status.code(), Some(0));
    let row = &rows(&output)[0];
    assert_eq!((&row["cause"], &row["remedy"], &row["confidence"]), (&Value::Null, &json!("none"), &Value::Null));
    assert!(row["advice"].as_str().is_some_and(|advice| advice.starts_with("Not a stop")));
}

#[test]
fn text_for_people_is_short_and_has_evidence_and_advice() {
    let output = run(&["diagnose"], &stop(QUOTA, "python:3.11-slim").to_string());
    let shown = text(&output.stdout);
    assert!(shown.contains("cause       registry-rate-limited (quota), confidence high"), "{shown}");
    assert!(shown.contains("image       python:3.11-slim (dockerhub), pull tried 7 times"), "{shown}");
    assert!(shown.contains("public.ecr.aws/docker/library/python:3.11-slim"), "{shown}");
    assert!(shown.lines().count() <= 10, "{shown}");
}

#[test]
fn a_build_names_its_base_image_and_the_replacement_line() {
    let line = json!({"id": "b", "event": {"detail-type": "CodeBuild Build State Change", "detail": {"build-status": "FAILED", "additional-information": {"phases": [
        {"phase-type": "BUILD", "phase-status": "FAILED", "phase-context": ["COMMAND_EXECUTION_ERROR: exit status 1"]}]}}},
        "logs": {"build": ["Step 1/4 : FROM python:3.11-slim", "toomanyrequests: You have reached your \
            unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"]}});
    let output = run(&["diagnose", "--output", "json"], &line.to_string());
    let row = &rows(&output)[0];
    assert_eq!((&row["docker_hub_quota"], &row["image"]), (&json!(true), &json!("python:3.11-slim")));
    assert!(
        row["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("`FROM public.ecr.aws/docker/library/python:3.11-slim`"))
    );
}

/// Whatever a person pastes is recognised, and the output says what it was taken for.
#[test]
fn what_is_pasted_is_taken_for_what_it_is() {
    let task = json!({"taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef", "lastStatus": "STOPPED",
        "launchType": "EC2", "stopCode": "TaskFailedToStart", "stoppedReason": QUOTA, "containers": [{"name": "app", "image": "acme/api:1"}]});
    let pretty = serde_json::to_string_pretty(&task).expect("JSON");
    let build = "[Container] 2026/01/15 20:00:00 Running command docker build .\nStep 1/2 : FROM \
        node:20\ntoomanyrequests: You have reached your unauthenticated pull rate limit.\n";
    let log = "{\"level\":\"info\",\"msg\":\"starting\"}\n{\"level\":\"error\",\"msg\":\"connect ECONNREFUSED 10.0.1.4:5432\"}\n";
    for (input, took, cause) in [
        (QUOTA.to_owned(), "a message", "registry-rate-limited"),
        (json!({"tasks": [task]}).to_string(), "a task of describe-tasks", "registry-rate-limited"),
        (json!([task]).to_string(), "a task of describe-tasks", "registry-rate-limited"),
        (pretty, "a task of describe-tasks", "registry-rate-limited"),
        (build.to_owned(), "the log of a build", "registry-rate-limited"),
        (log.to_owned(), "the log of a container", "app-crashed"),
    ] {
        let output = run(&["diagnose"], &input);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{input}: {}", text(&output.stderr));
        assert!(
            shown.contains(took) && shown.contains(cause) && shown.contains("  check       "),
            "{input}: {shown}"
        );
    }
    let none = run(&["diagnose"], "{\"tasks\": [], \"failures\": [{\"reason\": \"MISSING\"}]}");
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("ECS forgets a stopped task after an hour"), "{}", text(&none.stderr));
}
