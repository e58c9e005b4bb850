//! Diagnoses a failed CodeBuild build: which phase failed, and whether a pull was the cause.
//!
//! The pull of the build image fails in PROVISIONING, and the phase's context says so. The pull of a base image fails
//! inside `docker build`, in BUILD, whose context says only that a command failed; the build's log has the message. A
//! failure of DOWNLOAD_SOURCE has nothing to do with images, even if it comes first.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assemble::of_finding;
use super::build_advice;
use super::build_facts::BuildFacts;
use super::build_log::BuildLog;
use super::check::check;
use super::setting::StopSetting;
use super::text::{normalise, redact};
use super::{diagnose_text_at, logs};
use crate::cause::{Cause, Confidence, Diagnosis, Evidence};
use pullsafe::reference::Reference;

/// The diagnosis of a failed build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDiagnosis {
    /// The phase that failed first, such as `BUILD`.
    pub phase: Option<String>,
    /// The cause. Its image is the build image in PROVISIONING, and the base image in the phases that run commands.
    pub diagnosis: Diagnosis,
    /// The `FROM` line that avoids the registry that failed, for an official image of Docker Hub.
    pub replacement_from: Option<String>,
}

/// What a failed phase runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseKind {
    /// The build container is set up, which pulls its image.
    Provisioning,
    /// Nothing that pulls an image.
    WithoutPulls,
    /// The commands of the build specification; their log says why they failed.
    Commands,
}

impl PhaseKind {
    fn of(name: &str) -> Self {
        match name {
            "PROVISIONING" => Self::Provisioning,
            "DOWNLOAD_SOURCE" | "SUBMITTED" | "QUEUED" => Self::WithoutPulls,
            _ => Self::Commands,
        }
    }
}

/// Returns what the failed phase runs, so that its log is read only if it can tell the cause.
pub fn failed_kind(detail: &Value) -> PhaseKind {
    PhaseKind::of(failed_phase(detail).map(|phase| phase.name).unwrap_or_default().as_str())
}

/// Reads the `detail` of a `CodeBuild Build State Change` and the lines of the build's log. `logs` may have any keys.
pub fn diagnose_build(detail: &Value, logs: &BTreeMap<String, Vec<String>>) -> BuildDiagnosis {
    let read = |(name, lines): (&String, &Vec<String>)| (name.clone(), BuildLog::of(lines.iter().map(String::as_str)));
    diagnose_build_read(detail, &logs.iter().map(read).collect())
}

/// Does as [`diagnose_build`], with logs that were read already, page by page.
pub fn diagnose_build_read(detail: &Value, logs: &BTreeMap<String, BuildLog>) -> BuildDiagnosis {
    let phase = failed_phase(detail);
    let name = phase.as_ref().map(|phase| phase.name.as_str()).unwrap_or_default();
    let context = phase.as_ref().map(|phase| phase.context.as_str()).unwrap_or_default();
    let source = format!("phases[{name}]");
    let diagnosis = match PhaseKind::of(name) {
        PhaseKind::Provisioning => {
            let image = detail.pointer("/additional-information/environment/image").and_then(Value::as_str);
            diagnose_text_at(context, image, &source, &StopSetting::of_build())
                .map(|found| about("The build image could not be pulled (PROVISIONING)", found, true))
        }
        PhaseKind::WithoutPulls => None,
        PhaseKind::Commands => by_log(logs).or_else(|| {
            diagnose_text_at(context, None, &source, &StopSetting::of_build())
                .filter(|found| found.cause.is_about_image())
        }),
    };
    let mut diagnosis = diagnosis.unwrap_or_else(|| undecided(name, context, &source, logs));
    if diagnosis.cause.is_about_image() {
        let of_environment = PhaseKind::of(name) == PhaseKind::Provisioning;
        let bases = if of_environment {
            Vec::new()
        } else {
            logs.values().flat_map(BuildLog::bases).collect()
        };
        diagnosis.build = Some(BuildFacts { bases, platform: platform(detail).to_owned(), of_environment });
    }
    diagnosis.check = Some(check(&diagnosis, &StopSetting::of_build()));
    let reference = diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let official = reference.filter(|reference| reference.is_official() && diagnosis.cause.is_about_image());
    let replacement_from = official.map(|reference| {
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("FROM public.ecr.aws/docker/{}{tag}", reference.repository())
    });
    BuildDiagnosis {
        phase: phase.map(|phase| phase.name),
        diagnosis,
        replacement_from,
    }
}

/// The platform that a build runs on, by the type of its environment.
fn platform(detail: &Value) -> &'static str {
    let environment = detail
        .pointer("/additional-information/environment/type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if environment.starts_with("ARM") {
        "linux/arm64"
    } else if environment.starts_with("WINDOWS") {
        "windows/amd64"
    } else {
        "linux/amd64"
    }
}

struct BuildPhase {
    name: String,
    context: String,
}

/// The first phase that did not succeed; if there are no phases, the current one.
fn failed_phase(detail: &Value) -> Option<BuildPhase> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let phases = detail.pointer("/additional-information/phases").and_then(Value::as_array);
    let failed = phases.into_iter().flatten().find(|phase| {
        let status = text(phase, "phase-status");
        !matches!(status.as_str(), "" | "SUCCEEDED" | "IN_PROGRESS" | "STOPPED")
    });
    if let Some(phase) = failed {
        return Some(BuildPhase {
            name: text(phase, "phase-type").to_ascii_uppercase(),
            context: context_of(phase.get("phase-context")),
        });
    }
    let name = text(detail, "completed-phase");
    let name = if name.is_empty() { text(detail, "current-phase") } else { name };
    let context = detail.get("completed-phase-context").or_else(|| detail.get("current-phase-context"));
    (!name.is_empty()).then(|| BuildPhase {
        name: name.to_ascii_uppercase(),
        context: context_of(context),
    })
}

/// Reads a context, which is a string or a list of strings.
fn context_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::new(),
    }
}

/// Finds the failed pull in a build's log.
fn by_log(logs: &BTreeMap<String, BuildLog>) -> Option<Diagnosis> {
    let found = logs.iter().find_map(|(name, log)| log.failed_pull(name))?;
    Some(if found.cause == Cause::Unknown {
        found
    } else {
        about("A pull of the build failed", found, false)
    })
}

fn about(what: &str, found: Diagnosis, of_environment: bool) -> Diagnosis {
    let image = found
        .image
        .as_deref()
        .and_then(|image| image.parse::<Reference>().ok())
        .map(|image| format!(": `{image}`"));
    let advice = format!(
        "{what}{}. {}",
        image.unwrap_or_default(),
        build_advice::of(&found, of_environment).unwrap_or(&found.advice)
    );
    Diagnosis { advice, ..found }
}

/// The diagnosis of a failure that is not a pull, or has no log: the phase and its context.
fn undecided(phase: &str, context: &str, source: &str, logs: &BTreeMap<String, BuildLog>) -> Diagnosis {
    let of_commands = PhaseKind::of(phase) == PhaseKind::Commands;
    let pickers = logs.iter().map(|(name, log)| (name.clone(), log.picker().clone())).collect();
    let finding = logs::read(&pickers, None).filter(|_| of_commands);
    let tail: Vec<Evidence> = match finding {
        None if of_commands => logs.iter().flat_map(|(name, log)| log.tail(name)).collect(),
        _ => Vec::new(),
    };
    let mut evidence = Vec::new();
    if !context.is_empty() {
        evidence.push(Evidence { source: source.to_owned(), text: redact(&normalise(context)) });
    }
    let by_resource =
        finding.as_ref().filter(|finding| matches!(finding.row.cause, Cause::DiskFull | Cause::OutOfMemory));
    let cause = by_resource.map_or(Cause::Unknown, |finding| finding.row.cause);
    let advice = match (phase, by_resource) {
        (_, Some(finding)) => of_finding(finding, &StopSetting::of_build()).advice,
        ("DOWNLOAD_SOURCE", None) => {
            "The build could not get its source (DOWNLOAD_SOURCE). That is access to the repository (connection, \
             token, branch, webhook), not a pull of an image."
                .to_owned()
        }
        ("", None) => "The event does not say which phase failed. Read the build's log.".to_owned(),
        (_, None) if logs.is_empty() => {
            format!(
                "The build failed in {phase}, whose context says only that a command failed. Read the build's \
                log: a `docker build` that cannot pull its base image says so there."
            )
        }
        (_, None) if logs.values().any(BuildLog::shows_pulls) => {
            format!(
                "The build failed in {phase}. Its log was read where images are pulled and shows no failed pull: \
                read the last lines of the log."
            )
        }
        (_, None) => format!(
            "The build failed in {phase}, and what was read of its log shows neither a pull nor why \
            it failed. Read the log from the first failed command on."
        ),
    };
    evidence.extend(finding.into_iter().flat_map(|finding| finding.evidence));
    evidence.extend(tail);
    Diagnosis {
        evidence,
        advice,
        settled_by: (logs.is_empty() && of_commands).then(|| "the build's log".to_owned()),
        ..Diagnosis::of(cause, Confidence::Low)
    }
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
                "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. \
                 CannotPullContainerError: Error response from daemon: toomanyrequests: You have reached your \
                 unauthenticated pull rate limit.",
            ),
            &BTreeMap::new(),
        );
        assert_eq!(found.phase.as_deref(), Some("PROVISIONING"));
        assert!(found.diagnosis.docker_hub_quota());
        assert_eq!(found.diagnosis.image.as_deref(), Some("node:20"));
    }

    #[test]
    fn a_base_image_fails_in_build_and_only_the_log_says_so() {
        let event = build(
            "BUILD",
            "COMMAND_EXECUTION_ERROR: Error while executing command: docker build -t app . Reason: exit status 1",
        );
        let found = diagnose_build(
            &event,
            &log(&[
                "Step 1/9 : FROM python:3.11-slim",
                "toomanyrequests: You have reached your unauthenticated pull rate limit. \
                 https://www.docker.com/increase-rate-limit",
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
        let line = "ERROR: failed to solve: python:3.11-slim: failed to resolve source metadata for \
            docker.io/library/python:3.11-slim: failed to copy: httpReadSeeker: failed open: unexpected status code \
            https://registry-1.docker.io/v2/library/python/manifests/sha256:1: 429 Too Many Requests - Server \
            message: toomanyrequests: You have reached your pull rate limit.";
        let found = diagnose_build(&event, &log(&[line]));
        assert!(found.diagnosis.docker_hub_quota());
        assert_eq!(found.diagnosis.image.as_deref(), Some("python:3.11-slim"));
    }

    #[test]
    fn download_source_is_not_a_pull() {
        let found = diagnose_build(
            &build("DOWNLOAD_SOURCE", "CLIENT_ERROR: authorization failed for primary source"),
            &log(&["x"]),
        );
        assert_eq!((found.diagnosis.cause, found.phase.as_deref()), (Cause::Unknown, Some("DOWNLOAD_SOURCE")));
        assert!(found.diagnosis.advice.contains("not a pull"));
    }
}
