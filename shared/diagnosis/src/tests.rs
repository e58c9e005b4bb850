//! Tests every row by its own example, and the reading order by cases that each need one step of it.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::cause::Signature;

#[test]
fn every_example_is_found_by_its_own_row() {
    let mut wrong = Vec::new();
    for row in tables::REASONS.iter().chain(tables::ANSWERS).flat_map(|table| table.iter()) {
        let normal = text::normalise(row.example.text);
        let read = NormalisedText {
            source: String::new(),
            target: target::of_container(&normal, Some(row.example.image), None),
            text: &normal,
            setting: &StopSetting::default(),
        };
        let found = read.row().map_or("nothing", |found| found.id);
        if found != row.id {
            wrong.push(format!("{}: its example is found by {found}", row.id));
        }
    }
    for row in tables::LOGS.iter().flat_map(|table| table.iter()) {
        let found = LOGS.heaviest(row.example.text.trim()).map_or("nothing", |found| found.id);
        if found != row.id {
            wrong.push(format!("{} (log): its example is found by {found}", row.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn task(detail: serde_json::Value) -> StoppedTask {
    StoppedTask::from_json(&detail)
}

fn logs(lines: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    lines
        .iter()
        .map(|(name, lines)| ((*name).to_owned(), lines.iter().map(|line| (*line).to_owned()).collect()))
        .collect()
}

#[test]
fn who_stopped_it_wins_over_exit_codes_and_logs() {
    let stopped = |code: &str, reason: &str| {
        let detail = json!({"lastStatus": "STOPPED", "stopCode": code, "stoppedReason": reason, "containers": [{"name": "app", "exitCode": 137}]});
        diagnose(&task(detail), &logs(&[("app", &["panic: boom"])])).cause
    };
    assert_eq!(stopped("UserInitiated", "because I say so"), Cause::UserStopped);
    assert_eq!(stopped("ServiceSchedulerInitiated", "some new words"), Cause::ScalingOrDeployment);
    assert_eq!(
        stopped("ServiceSchedulerInitiated", "(service web) was unable"),
        Cause::Unknown,
        "cut before it says what"
    );
    assert_eq!(stopped("SpotInterruption", ""), Cause::SpotInterrupted);
    assert_eq!(stopped("EssentialContainerExited", "Essential container in task exited"), Cause::AppCrashed);
}

#[test]
fn the_container_that_failed_first_is_named_wherever_it_stands() {
    let detail = json!({"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "containers": [
        {"name": "aws-guardduty-agent-x", "exitCode": 1}, {"name": "proxy", "exitCode": 137}, {"name": "app", "exitCode": 1}, {"name": "log", "exitCode": 0}]});
    let found = diagnose(
        &task(detail),
        &logs(&[
            ("proxy", &["ConnectionRefusedError: [Errno 111]"]),
            ("app", &["ModuleNotFoundError: No module named 'x'"]),
        ]),
    );
    assert_eq!((found.container.as_deref(), found.signature), (Some("app"), Some(Signature::ModuleMissing)));
}

#[test]
fn a_failing_sidecar_is_named_and_its_image_decides_the_registry() {
    let detail = json!({"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
        "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many \
            Requests - Server message: toomanyrequests: You have reached your pull rate limit",
        "containers": [{"name": "app", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"}, {"name": "log", "image": "fluent/fluent-bit:3"}]});
    let found = diagnose(&task(detail), &BTreeMap::new());
    assert_eq!(
        (found.docker_hub_quota(), found.container.as_deref(), found.image.as_deref()),
        (true, Some("log"), Some("fluent/fluent-bit:3"))
    );
    assert_eq!(found.attempts, Some(7));
}

#[test]
fn the_words_of_the_quota_do_not_make_another_registry_docker_hub() {
    for image in [
        "acme.jfrog.io/docker/redis:7",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7",
        "ghcr.io/a/b:1",
        "harbor.example.com/proxy/redis",
    ] {
        let detail = json!({"lastStatus": "STOPPED", "stoppedReason": "CannotPullContainerError: toomanyrequests: You \
            have reached your pull rate limit.", "containers": [{"name": "app", "image": image}]});
        let found = diagnose(&task(detail), &BTreeMap::new());
        assert_eq!((found.cause, found.docker_hub_quota()), (Cause::RegistryRateLimited, false), "{image}");
    }
    let mirror = "failed to copy: unexpected status code https://mirror.example.com/v2/library/redis/manifests/7: 429 \
        Too Many Requests - You have reached your pull rate limit";
    assert!(!diagnose_text(mirror, Some("redis:7"), "x").unwrap().docker_hub_quota());
}

#[test]
fn a_pull_error_beside_an_exit_code_was_survived() {
    let detail = json!({"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "containers": [
        {"name": "app", "image": "redis:7", "exitCode": 1, "reason": "CannotPullContainerError: toomanyrequests: You \
            have reached your pull rate limit."}]});
    assert_eq!(diagnose(&task(detail), &BTreeMap::new()).cause, Cause::AppCrashed);
}

#[test]
fn advice_names_the_exact_change() {
    let text = |reason: &str, image: &str| diagnose_text(reason, Some(image), "stoppedReason").unwrap().advice;
    assert!(
        text("toomanyrequests: You have reached your unauthenticated pull rate limit", "python:3.11-slim")
            .contains("public.ecr.aws/docker/library/python:3.11-slim")
    );
    let denied = "pull access denied: User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: \
        ecr:GetDownloadUrlForLayer on resource: z";
    assert!(
        text(denied, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1").contains("Add `ecr:GetDownloadUrlForLayer`")
    );
    let platform = "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not \
        contain descriptor matching platform 'linux/amd64'";
    assert!(text(platform, "acme/api:1").contains("linux/amd64"));
}

/// Words of one language's errors stand in another's too.
#[test]
fn a_log_is_not_advised_about_another_language() {
    let read = |line: &str| diagnose_log("app", &[line.to_owned()]);
    for line in ["Error: EACCES: permission denied, open '/data/x'", "{ errno: -13, code: EACCES, syscall: 'open' }"] {
        let advice = read(line).map(|found| found.advice).unwrap_or_default();
        assert!(!advice.contains("Erlang"), "{line}: {advice}");
    }
    for line in [
        "The application 'web' was started by root.",
        "tls: client certificate not provided, going on without",
    ] {
        let found = read(line).and_then(|found| found.signature);
        assert_eq!(found, None, "{line}");
    }
    let module =
        read("Error: Cannot find module '/app/node_modules/pg/lib/index.js'").and_then(|found| found.signature);
    assert_eq!(module, Some(Signature::ModuleMissing));
}

#[test]
fn signed_urls_and_secrets_are_masked_in_evidence() {
    let found = diagnose_text(
        "failed to copy: Get \
        \"https://prod-us-east-1-starport-layer-bucket.s3.amazonaws.com/x?X-Amz-Signature=abc\": dial tcp: i/o \
        timeout",
        None,
        "x",
    )
    .unwrap();
    assert!(!found.evidence[0].text.contains("abc"), "{}", found.evidence[0].text);
}

#[test]
fn an_example_of_a_pull_cut_anywhere_gives_its_cause_or_none() {
    let pulls = [
        tables::limits::ROWS,
        tables::image::PLATFORM,
        tables::image::DIGEST,
        tables::access::ROWS,
        tables::image::MISSING,
        tables::network::ROWS,
    ];
    let mut wrong = BTreeMap::new();
    for row in pulls.into_iter().flatten() {
        let text = row.example.text;
        let whole = diagnose_text(text, Some(row.example.image), "x").map(|found| found.docker_hub_quota());
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let Some(found) = diagnose_text(&text[..end], Some(row.example.image), "x") else {
                continue;
            };
            assert!(
                !found.docker_hub_quota() || whole == Some(true),
                "{} cut at {end} became Docker Hub's quota",
                row.id
            );
            if found.cause != row.cause && found.cause != Cause::Unknown {
                wrong.insert(format!("{}: {} rather than {}", row.id, found.cause, row.cause), text[..end].to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
