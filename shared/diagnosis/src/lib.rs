//! Finds the cause of a stop from its text.
//!
//! The order of reading matters more than the patterns:
//! 1. who stopped the task: a stop from outside explains exit codes, never the other way round;
//! 2. whether anything ran;
//! 3. the first phase that failed, in the order of [`tables::REASONS`];
//! 4. the container that failed first, not the first in the list; injected ones only if they are at fault;
//! 5. the image's host before the words of the message;
//! 6. for what ran: its log, then its exit code, which is a hint only.
//!
//! A text that is cut before it tells the cause is [`Cause::Unknown`]. [`Diagnosis::docker_hub_quota`] can come only
//! from the `hub-pull-quota*` rows of [`tables::limits`], and only if the image is not known to be elsewhere.

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod advice;
mod assemble;
pub mod build;
mod build_advice;
pub mod build_log;
pub mod check;
pub mod event;
mod exit;
pub mod explain;
pub mod log_driver;
mod log_line;
mod logs;
pub mod nearest;
mod placed;
pub mod setting;
mod target;
pub mod text;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pullsafe_signatures::matcher;
pub use pullsafe_signatures::{build_facts, cause, chain, registries, row, shape, tables};

use self::advice::About;
use self::assemble::{of_finding, of_row, unknown};
use self::chain::Chain;
use self::exit::failed_first;
use self::logs::LogFinding;
pub use self::logs::Picker;
use self::matcher::{Context, Matcher};
use self::row::SignatureRow;
use self::setting::StopSetting;
use self::target::TextSubject;
use crate::cause::{Cause, Confidence, Diagnosis, Evidence};
use pullsafe::reference::{Reference, Registry};
use pullsafe_events::stopped_task::StoppedTask;

static REASONS: LazyLock<Matcher> = LazyLock::new(|| Matcher::new(tables::REASONS));
static LOGS: LazyLock<Matcher> = LazyLock::new(|| Matcher::new(tables::LOGS));

/// Diagnoses why this task stopped. `logs` has the lines of each container's log, if there are any.
///
/// A task that has not stopped is diagnosed from its log only: [`Cause::AppDegraded`], or unknown.
pub fn diagnose(task: &StoppedTask, logs: &BTreeMap<String, Vec<String>>) -> Diagnosis {
    diagnose_read(task, &picked(logs))
}

/// Does as [`diagnose`], with logs that were read already, page by page.
pub fn diagnose_read(task: &StoppedTask, logs: &BTreeMap<String, Picker>) -> Diagnosis {
    let setting = StopSetting::of_task(task);
    let found = of_task(task, logs, &setting);
    let check = Some(check::check(&found, &setting));
    Diagnosis { check, ..found }
}

fn of_task(task: &StoppedTask, logs: &BTreeMap<String, Picker>, setting: &StopSetting) -> Diagnosis {
    if !task.is_stop() {
        return still_running(logs, setting);
    }
    let reason = text::normalise(task.stopped_reason.as_deref().unwrap_or_default());
    let subject = NormalisedText {
        source: "stoppedReason".to_owned(),
        target: target::of_task(&reason, &task.containers),
        text: &reason,
        setting,
    };
    let by_text = subject.row();
    if let Some((cause, confidence)) = stopped_from_outside(task, by_text) {
        return from_outside(task, cause, confidence, by_text, &subject, logs);
    }
    if let Some(row) = by_text {
        let mut diagnosis = of_row(row, &subject);
        if diagnosis.container.is_none() && !diagnosis.cause.is_about_image() {
            diagnosis.container = failed_first(task).map(|container| container.name.clone());
        }
        return diagnosis;
    }
    if let Some(diagnosis) = by_container_reason(task, setting) {
        return diagnosis;
    }
    if is_pull(&reason) {
        return unknown(&subject);
    }
    if exit::completed(task) {
        return exit::of_completed(task);
    }
    by_log_or_exit(task, logs, &subject)
}

fn picked(logs: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Picker> {
    logs.iter()
        .map(|(name, lines)| (name.clone(), Picker::of(lines.iter().map(String::as_str))))
        .collect()
}

/// Diagnoses a text that does not come from a task, such as a line of a build log. `None` if it says nothing known.
///
/// A text that begins as a failed pull and is cut before it tells the cause gives [`Cause::Unknown`].
pub fn diagnose_text(text: &str, image_hint: Option<&str>, source: &str) -> Option<Diagnosis> {
    diagnose_text_at(text, image_hint, source, &StopSetting::default())
}

/// Does as [`diagnose_text`], for a text whose place is known.
pub fn diagnose_text_at(
    text: &str,
    image_hint: Option<&str>,
    source: &str,
    setting: &StopSetting,
) -> Option<Diagnosis> {
    let normal = text::normalise(text);
    let read = NormalisedText {
        source: source.to_owned(),
        target: target::of_container(&normal, image_hint, None),
        text: &normal,
        setting,
    };
    match read.row() {
        Some(row) => Some(of_row(row, &read)),
        None => is_pull(&normal).then(|| unknown(&read)),
    }
}

/// Finds the signature in the lines of a log that belongs to no task, such as a build's log.
pub fn diagnose_log(source: &str, lines: &[String]) -> Option<Diagnosis> {
    let logs = BTreeMap::from([(source.to_owned(), Picker::of(lines.iter().map(String::as_str)))]);
    logs::read(&logs, None).map(|finding| of_finding(&finding, &StopSetting::default()))
}

/// Returns a text with signed URLs, credentials and secret values masked, cut to a readable length.
pub fn masked(text: &str) -> String {
    text::redact(text)
}

/// A normalised text, with its source and what it is about.
struct NormalisedText<'a> {
    source: String,
    target: TextSubject,
    text: &'a str,
    setting: &'a StopSetting,
}

impl NormalisedText<'_> {
    fn context(&self) -> Context {
        let official = self.target.registry == Some(Registry::DockerHub)
            && self
                .target
                .image
                .as_deref()
                .and_then(|image| image.parse::<Reference>().ok())
                .is_some_and(|image| image.is_official());
        Context { registry: self.target.registry, official }
    }

    fn row(&self) -> Option<&'static SignatureRow> {
        let context = self.context();
        match REASONS.first(self.text, context) {
            Some(row) if !row.yields => Some(row),
            weak => self.by_answer(context).or(weak),
        }
    }

    /// For a text about a pull that no signature knows: returns the row for the answer at the end of the chain.
    fn by_answer(&self, context: Context) -> Option<&'static SignatureRow> {
        let chain = Chain::parse(self.text);
        if !chain.is_of_registry() && !is_pull(self.text) {
            return None;
        }
        let tells = chain.answer()?.tells;
        let pinned = self.text.contains("@sha256:")
            || self.target.image.as_deref().is_some_and(|image| image.contains("@sha256:"));
        let registry = context.registry.or_else(|| chain.address().map(|address| target::of_host(address.host)));
        let context = Context { registry, ..context };
        let rows = tables::ANSWERS.iter().flat_map(|table| table.iter());
        rows.filter(|row| context.fits(row) && (pinned || !row.pinned) && matcher::holds(row, self.text))
            .find(|row| row.reads.iter().any(|reads| reads.fits(tells)))
    }

    /// What an advice is about.
    fn about<'b>(&'b self, target: &'b TextSubject, attempts: Option<u32>) -> About<'b> {
        let place = self.setting.place_in(self.text);
        About {
            target,
            text: self.text,
            place,
            mode: self.setting.mode_in(self.text),
            driver: self.setting.driver,
            attempts,
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence { source: self.source.clone(), text: text::redact(self.text) }
    }
}

/// Step 1: the cause, if the stop code and the head of the text say that something outside stopped the task.
fn stopped_from_outside(task: &StoppedTask, by_text: Option<&'static SignatureRow>) -> Option<(Cause, Confidence)> {
    let code = task.stop_code.as_deref().unwrap_or_default();
    let is = |name: &str| code.eq_ignore_ascii_case(name);
    let said = by_text.map(|row| row.cause);
    if is("UserInitiated") {
        Some((Cause::UserStopped, Confidence::High))
    } else if is("SpotInterruption") {
        Some((Cause::SpotInterrupted, Confidence::High))
    } else if is("TerminationNotice") {
        let fargate = task.launch_type.as_deref().is_none_or(|launch| launch.eq_ignore_ascii_case("FARGATE"));
        Some((
            said.unwrap_or(if fargate { Cause::SpotInterrupted } else { Cause::HostTerminated }),
            Confidence::High,
        ))
    } else if is("InfrastructureHealth") {
        Some((said.unwrap_or(Cause::HostTerminated), Confidence::Medium))
    } else if is("ServiceSchedulerInitiated") && said.is_none() && is_complaint(task) {
        Some((Cause::Unknown, Confidence::Low))
    } else if is("ServiceSchedulerInitiated") {
        Some((said.unwrap_or(Cause::ScalingOrDeployment), by_text.map_or(Confidence::Medium, |row| row.confidence)))
    } else {
        None
    }
}

/// Whether the scheduler names its service and a complaint about it. If that sentence is cut or unknown, the stop is
/// not taken for scaling.
fn is_complaint(task: &StoppedTask) -> bool {
    let reason = text::normalise(task.stopped_reason.as_deref().unwrap_or_default());
    reason.starts_with("(service ")
}

/// The diagnosis of a stop from outside, with the text as evidence; for failed health checks, also what the log tells.
fn from_outside(
    task: &StoppedTask,
    cause: Cause,
    confidence: Confidence,
    by_text: Option<&'static SignatureRow>,
    read: &NormalisedText<'_>,
    logs: &BTreeMap<String, Picker>,
) -> Diagnosis {
    let mut diagnosis = match by_text.filter(|row| row.cause == cause) {
        Some(row) => of_row(row, read),
        None => {
            let advice = match exit::row_of(cause) {
                Some(row) => advice::render(row, &read.about(&read.target, None)),
                None => advice::unknown(None, false, read.text),
            };
            Diagnosis {
                evidence: vec![read.evidence()],
                advice,
                ..Diagnosis::of(cause, confidence)
            }
        }
    };
    let unhealthy = matches!(cause, Cause::LoadBalancerHealthCheckFailed | Cause::ContainerHealthCheckFailed);
    if diagnosis.container.is_none() {
        diagnosis.container = failed_first(task).map(|container| container.name.clone()).filter(|_| unhealthy);
    }
    if unhealthy {
        explain_by_log(&mut diagnosis, logs, read.setting);
    }
    diagnosis.evidence.retain(|evidence| !evidence.text.is_empty());
    diagnosis
}

/// Adds the likely explanation from the log to a failed health check, without calling it the cause.
fn explain_by_log(diagnosis: &mut Diagnosis, logs: &BTreeMap<String, Picker>, setting: &StopSetting) {
    let Some(finding) = logs::read(logs, None) else { return };
    let inner = of_finding(&finding, setting);
    if !finding.is_specific() {
        // An unknown error is shown, but not called the explanation.
        diagnosis.evidence.extend(inner.evidence);
        return;
    }
    diagnosis.explanation = Some(Cause::AppDegraded);
    diagnosis.signature = inner.signature;
    diagnosis.container = Some(finding.container);
    diagnosis.evidence.extend(inner.evidence);
    diagnosis.advice = format!(
        "The health check failed; the log suggests why ({}, not certain): {} Then look at the check itself: path, \
         port, timeout, grace period.",
        inner.signature.map_or(inner.cause.as_str(), |signature| signature.as_str()),
        inner.advice
    );
}

/// The diagnosis of a task that has not stopped: only its log can say anything.
fn still_running(logs: &BTreeMap<String, Picker>, setting: &StopSetting) -> Diagnosis {
    match logs::read(logs, None).filter(LogFinding::is_specific) {
        Some(finding) => Diagnosis {
            cause: Cause::AppDegraded,
            confidence: Confidence::Low,
            ..of_finding(&finding, setting)
        },
        None => Diagnosis {
            advice: "The task has not stopped, and its log shows no known error.".to_owned(),
            ..Diagnosis::of(Cause::Unknown, Confidence::Low)
        },
    }
}

/// Steps 3 and 4: the diagnosis by the reason of a container that failed before anything ran in it.
fn by_container_reason(task: &StoppedTask, setting: &StopSetting) -> Option<Diagnosis> {
    let mut cut_pull = None;
    for injected in [false, true] {
        for container in task.containers.iter().filter(|container| container.is_injected() == injected) {
            let Some(reason) = container.reason.as_deref() else {
                continue;
            };
            let reason = text::normalise(reason);
            // A container that has an exit code ran: it survived the failed pull, from a cached image.
            if container.exit_code.is_some() && is_pull(&reason) {
                continue;
            }
            let target = target::of_container(&reason, container.image.as_deref(), Some(&container.name));
            let read = NormalisedText {
                source: format!("containers[{}].reason", container.name),
                target,
                text: &reason,
                setting,
            };
            match read.row() {
                Some(row) => return Some(of_row(row, &read)),
                None if is_pull(&reason) && cut_pull.is_none() => cut_pull = Some(unknown(&read)),
                None => {}
            }
        }
    }
    cut_pull
}

/// Step 6: the diagnosis by the log of the container that failed first, then by its exit code.
fn by_log_or_exit(task: &StoppedTask, logs: &BTreeMap<String, Picker>, read: &NormalisedText<'_>) -> Diagnosis {
    let failed = failed_first(task);
    let exited = failed.and_then(|container| container.exit_code);
    let finding = logs::read(logs, failed.map(|container| container.name.as_str()));
    let finding = finding.or_else(|| logs::read(logs, None).filter(LogFinding::is_specific));
    let finding = finding.filter(|finding| exited != Some(0) || finding.is_specific());
    let told = finding.is_some();
    let mut diagnosis = match (finding, exited) {
        (Some(finding), _) => of_finding(&finding, read.setting),
        (None, Some(code)) => exit::of_code(code, logs.values().any(|log| !log.is_empty())),
        (None, None) => {
            let container = failed.map(|container| container.name.clone()).filter(|name| !name.is_empty());
            return with_reasons(Diagnosis { container, ..unknown(read) }, task);
        }
    };
    if diagnosis.container.is_none() {
        diagnosis.container = failed.map(|container| container.name.clone()).filter(|name| !name.is_empty());
    }
    if let (Some(container), Some(code)) = (failed, exited) {
        diagnosis.evidence.push(Evidence {
            source: format!("containers[{}].exitCode", container.name),
            text: code.to_string(),
        });
        if !told && let Some(log) = logs.get(&container.name) {
            diagnosis.evidence.extend(log.tail(&container.name));
        }
    }
    if !read.text.is_empty() {
        diagnosis.evidence.push(read.evidence());
    }
    with_reasons(diagnosis, task)
}

/// Adds the container reasons that matched nothing to the evidence, and puts them first if the cause is unknown.
fn with_reasons(mut diagnosis: Diagnosis, task: &StoppedTask) -> Diagnosis {
    let reasons = task.containers.iter().filter_map(|container| {
        let text = text::normalise(container.reason.as_deref()?);
        let shown = Evidence {
            source: format!("containers[{}].reason", container.name),
            text: text::redact(&text),
        };
        (!shown.text.is_empty() && !is_pull(&text)).then_some(shown)
    });
    let at = if diagnosis.cause == Cause::Unknown { 0 } else { diagnosis.evidence.len() };
    for (offset, reason) in reasons.enumerate() {
        diagnosis.evidence.insert(at + offset, reason);
    }
    diagnosis
}

/// Whether a text begins as the report of a failed pull, whatever follows.
fn is_pull(text: &str) -> bool {
    const HEADS: &[&str] = &[
        "cannotpull",
        "pull image manifest",
        "ref pull has been retried",
        "failed to resolve ref",
        "httpreadseeker",
        "unable to pull secrets or registry auth",
        "failed to pull",
    ];
    let lower = text.to_ascii_lowercase();
    HEADS.iter().any(|head| lower.contains(head))
}

#[cfg(test)]
mod places;
#[cfg(test)]
mod tests;
