//! A failed CodeBuild build: which phase failed, and whether a pull was the cause.
//!
//! The pull of the build image fails in PROVISIONING and says so in the phase's context. The pull of a base image
//! fails inside `docker build`, in BUILD, where the context says no more than that a command failed: the build's log
//! has the message. A failure of DOWNLOAD_SOURCE has nothing to do with images, however often it comes first.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assemble::{blank, is_about_image};
use super::target::image_in;
use super::text::{normalise, redact};
use super::{diagnose_text, logs, picked};
use crate::domain::cause::{Cause, Confidence, Diagnosis, Evidence};
use crate::domain::reference::Reference;

/// What a failed build says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDiagnosis {
    /// The phase that failed first, such as `BUILD`.
    pub phase: Option<String>,
    /// The cause. Its image is the build image in PROVISIONING, the base image in the phases that run commands.
    pub diagnosis: Diagnosis,
    /// The `FROM` line that would not need the registry that failed, for an official image of Docker Hub.
    pub replacement_from: Option<String>,
}

/// Reads the `detail` of a `CodeBuild Build State Change` and the lines of the build's log, under whatever key.
pub fn diagnose_build(detail: &Value, logs: &BTreeMap<String, Vec<String>>) -> BuildDiagnosis {
    let phase = failed_phase(detail);
    let name = phase.as_ref().map(|phase| phase.name.as_str()).unwrap_or_default();
    let context = phase.as_ref().map(|phase| phase.context.as_str()).unwrap_or_default();
    let source = format!("phases[{name}]");
    let diagnosis = match name {
        "PROVISIONING" => {
            let image = detail.pointer("/additional-information/environment/image").and_then(Value::as_str);
            diagnose_text(context, image, &source).map(|found| about("The build image could not be pulled (PROVISIONING)", found))
        }
        "DOWNLOAD_SOURCE" | "SUBMITTED" | "QUEUED" => None,
        _ => by_log(logs).or_else(|| diagnose_text(context, None, &source).filter(|found| is_about_image(found.cause))),
    };
    let diagnosis = diagnosis.unwrap_or_else(|| undecided(name, context, &source, logs));
    let reference = diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let official = reference.filter(|reference| reference.is_official() && is_about_image(diagnosis.cause));
    let replacement_from = official.map(|reference| {
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("FROM public.ecr.aws/docker/{}{tag}", reference.repository())
    });
    BuildDiagnosis { phase: phase.map(|phase| phase.name), diagnosis, replacement_from }
}

struct Phase {
    name: String,
    context: String,
}

/// The first phase that did not succeed; where the phases are missing, the current one.
fn failed_phase(detail: &Value) -> Option<Phase> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let phases = detail.pointer("/additional-information/phases").and_then(Value::as_array);
    let failed = phases.into_iter().flatten().find(|phase| {
        let status = text(phase, "phase-status");
        !matches!(status.as_str(), "" | "SUCCEEDED" | "IN_PROGRESS" | "STOPPED")
    });
    if let Some(phase) = failed {
        return Some(Phase { name: text(phase, "phase-type").to_ascii_uppercase(), context: context_of(phase.get("phase-context")) });
    }
    let name = text(detail, "completed-phase");
    let name = if name.is_empty() { text(detail, "current-phase") } else { name };
    let context = detail.get("completed-phase-context").or_else(|| detail.get("current-phase-context"));
    (!name.is_empty()).then(|| Phase { name: name.to_ascii_uppercase(), context: context_of(context) })
}

/// A context is a string or a list of strings.
fn context_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::new(),
    }
}

/// The failed pull in a build's log, with the base image that the lines before it name.
fn by_log(logs: &BTreeMap<String, Vec<String>>) -> Option<Diagnosis> {
    for (name, lines) in logs {
        let mut base = None;
        let mut cut = None;
        for line in lines {
            if let Some(image) = base_image(line) {
                base = Some(image);
            }
            if !may_tell(line) {
                continue;
            }
            let source = format!("logs[{name}]");
            let own = image_in(line).filter(|image| is_reference(image)).map(str::to_owned);
            let image = own.or_else(|| image_of_url(line)).or_else(|| base.clone());
            match diagnose_text(line, image.as_deref(), &source) {
                Some(found) if found.cause == Cause::Unknown => cut = cut.or(Some(found)),
                Some(found) if is_about_image(found.cause) || found.cause == Cause::DiskFull => {
                    return Some(about("A pull of the build failed", found));
                }
                Some(_) | None => {}
            }
        }
        if cut.is_some() {
            return cut;
        }
    }
    None
}

/// Whether a line can be the report of a failed pull; most lines of a build are not.
fn may_tell(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    [
        "toomanyrequests",
        "pull",
        "manifest",
        "failed to solve",
        "failed to resolve",
        "failed to copy",
        "registry",
        "error response from daemon",
        "no space left",
        "load metadata",
    ]
    .iter()
    .any(|word| lower.contains(word))
        && ["error", "fail", "toomanyrequests", "denied", "unauthorized", "not found", "forbidden", "no matching", "no space", "rate limit"]
            .iter()
            .any(|word| lower.contains(word))
}

/// The image of a `FROM` line, as Docker and BuildKit print it.
fn base_image(line: &str) -> Option<String> {
    let rest = line
        .split_once(" FROM ")
        .or_else(|| line.split_once("load metadata for "))
        .map(|(_, rest)| rest)
        .or_else(|| line.trim_start().strip_prefix("FROM "))?;
    let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
    let image = words.next()?.trim_end_matches([':', ',']);
    is_reference(image).then(|| image.to_owned())
}

fn is_reference(word: &str) -> bool {
    !word.eq_ignore_ascii_case("scratch") && word.parse::<Reference>().is_ok()
}

/// The image of a manifest URL of Docker Hub.
fn image_of_url(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("registry-1.docker.io/v2/")?;
    let (repository, rest) = rest.split_once("/manifests/")?;
    let tag: String = rest.chars().take_while(|next| next.is_ascii_alphanumeric() || matches!(next, '.' | '_' | '-' | ':')).collect();
    let tag = tag.trim_end_matches([':', '.']);
    let image = if tag.starts_with("sha256:") || tag.is_empty() { repository.to_owned() } else { format!("{repository}:{tag}") };
    is_reference(&image).then_some(image)
}

fn about(what: &str, found: Diagnosis) -> Diagnosis {
    let image = found.image.as_deref().map(|image| format!(": `{image}`")).unwrap_or_default();
    let advice = format!("{what}{image}. {}", found.advice);
    Diagnosis { advice, ..found }
}

/// A failure that is no pull, or whose log is not there: the phase and what it says.
fn undecided(phase: &str, context: &str, source: &str, logs: &BTreeMap<String, Vec<String>>) -> Diagnosis {
    let finding = logs::read(&picked(logs), None).filter(|_| !matches!(phase, "PROVISIONING" | "DOWNLOAD_SOURCE"));
    let mut evidence = Vec::new();
    if !context.is_empty() {
        evidence.push(Evidence { source: source.to_owned(), text: redact(&normalise(context)) });
    }
    let by_resource = finding.as_ref().filter(|finding| matches!(finding.row.cause, Cause::DiskFull | Cause::OutOfMemory));
    let cause = by_resource.map_or(Cause::Unknown, |finding| finding.row.cause);
    let advice = match (phase, by_resource) {
        (_, Some(finding)) => finding.row.advice.to_owned(),
        ("DOWNLOAD_SOURCE", None) => {
            "The build could not get its source (DOWNLOAD_SOURCE). That is access to the repository (connection, token, branch, webhook), not a pull of an image.".to_owned()
        }
        ("", None) => "The event does not say which phase failed. Read the build's log.".to_owned(),
        (_, None) if logs.is_empty() => {
            format!("The build failed in {phase}, whose context says only that a command failed. Read the build's log: a `docker build` that cannot pull its base image says so there.")
        }
        (_, None) => format!("The build failed in {phase}, and its log shows no failed pull. Read the last lines of the log."),
    };
    evidence.extend(finding.into_iter().flat_map(|finding| finding.evidence));
    Diagnosis { evidence, advice, settled_by: logs.is_empty().then(|| "the build's log".to_owned()), ..blank(cause, Confidence::Low) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn build(phase: &str, context: &str) -> Value {
        json!({"build-status": "FAILED", "additional-information": {
        "environment": {"image": "node:20"},
        "phases": [
            {"phase-type": "SUBMITTED", "phase-status": "SUCCEEDED"},
            {"phase-type": phase, "phase-status": "FAILED", "phase-context": [context]},
            {"phase-type": "COMPLETED"}
        ]}})
    }

    fn log(lines: &[&str]) -> BTreeMap<String, Vec<String>> {
        BTreeMap::from([("build".to_owned(), lines.iter().map(|line| (*line).to_owned()).collect())])
    }

    #[test]
    fn the_build_image_fails_in_provisioning() {
        let found = diagnose_build(
            &build(
                "PROVISIONING",
                "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit.",
            ),
            &BTreeMap::new(),
        );
        assert_eq!(found.phase.as_deref(), Some("PROVISIONING"));
        assert!(found.diagnosis.docker_hub_quota());
        assert_eq!(found.diagnosis.image.as_deref(), Some("node:20"));
    }

    #[test]
    fn a_base_image_fails_in_build_and_only_the_log_says_so() {
        let event = build("BUILD", "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app . Reason: exit status 1");
        let found = diagnose_build(
            &event,
            &log(&[
                "Step 1/9 : FROM python:3.11-slim",
                "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
                "[Container] Command did not exit successfully docker build -t app . exit status 1",
            ]),
        );
        assert!(found.diagnosis.docker_hub_quota());
        assert_eq!(found.diagnosis.image.as_deref(), Some("python:3.11-slim"));
        assert_eq!(found.replacement_from.as_deref(), Some("FROM public.ecr.aws/docker/library/python:3.11-slim"));
        let blind = diagnose_build(&event, &BTreeMap::new());
        assert_eq!((blind.diagnosis.cause, blind.diagnosis.docker_hub_quota()), (Cause::Unknown, false));
        assert_eq!(blind.diagnosis.settled_by.as_deref(), Some("the build's log"));
    }

    #[test]
    fn buildkit_names_the_image_itself() {
        let event = build("BUILD", "COMMAND_EXECUTION_ERROR");
        let line = "ERROR: failed to solve: python:3.11-slim: failed to resolve source metadata for docker.io/library/python:3.11-slim: failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/python/manifests/sha256:1: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.";
        let found = diagnose_build(&event, &log(&[line]));
        assert!(found.diagnosis.docker_hub_quota());
        assert_eq!(found.diagnosis.image.as_deref(), Some("python:3.11-slim"));
    }

    #[test]
    fn download_source_is_not_a_pull() {
        let found = diagnose_build(&build("DOWNLOAD_SOURCE", "CLIENT_ERROR: authorization failed for primary source"), &log(&["x"]));
        assert_eq!((found.diagnosis.cause, found.phase.as_deref()), (Cause::Unknown, Some("DOWNLOAD_SOURCE")));
        assert!(found.diagnosis.advice.contains("not a pull"));
    }
}
