//! What the commands that call AWS print if there are no credentials, no region, or nobody who answers.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Every command that calls AWS, as a person would type it.
const COMMANDS: &[&[&str]] = &[
    &["audit"],
    &["drill", "--service", "prod/web"],
    &["report", "--table", "t"],
    &["waiting", "--table", "t"],
    &["doctor"],
    &["diagnose", "prod/web"],
];

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nobody");
    std::fs::create_dir_all(&home).unwrap();
    Command::new(env!("CARGO_BIN_EXE_pullsafe"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

const SOMEBODY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

#[test]
fn without_credentials_the_next_step_is_named_at_once() {
    for command in COMMANDS {
        let output = run(command, &[("AWS_REGION", "eu-west-1")]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("no AWS credentials") && said.contains("aws sso login"), "{command:?}: {said}");
    }
}

#[test]
fn without_a_region_it_is_the_region_that_is_missing() {
    for command in COMMANDS {
        let output = run(command, &SOMEBODY);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("no AWS region is set: set AWS_REGION"), "{command:?}: {said}");
    }
}

#[test]
fn a_refused_connection_is_said_to_be_one() {
    // The port of a listener that is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    for command in COMMANDS {
        let output =
            run(command, &[SOMEBODY[0], SOMEBODY[1], ("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &nobody)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Connection refused"), "{command:?}: {said}");
        assert_ne!(output.status.code(), Some(0), "{command:?}: {said}");
    }
}

/// Nobody can sign in during the wait.
#[test]
fn a_wait_for_an_image_in_ecr_without_credentials_ends_at_once() {
    let begin = Instant::now();
    let output = run(&["wait", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1", "--timeout", "10m"], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("no AWS credentials"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(60));
}
