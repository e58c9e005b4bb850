//! Makes a [`Diagnosis`] of a signature that matched, or of none.

use super::advice::About;
use super::chain::{Chain, Tell};
use super::logs::LogFinding;
use super::nearest::{Like, nearest};
use super::row::SignatureRow;
use super::setting::StopSetting;
use super::target::TextSubject;
use super::{NormalisedText, advice, is_pull, text};
use crate::cause::{Cause, Confidence, Diagnosis, Evidence, Kind, Phase, Why};
use pullsafe::reference::Registry;

/// The diagnosis of a row that matched the reason of a task or a container.
pub(super) fn of_row(row: &'static SignatureRow, read: &NormalisedText<'_>) -> Diagnosis {
    let about_image = row.cause.is_about_image();
    let mut registry = read.target.registry.or(row.registry);
    // ECR's API is not an image registry: if it failed, the row means the API, whatever the image.
    if row.registry == Some(Registry::EcrPrivateApi) {
        registry = row.registry;
    }
    let foreign = read.target.text_registry.filter(|host| *host != Registry::DockerHub);
    let mut settled_by = row.settled_by;
    if row.kind == Some(Kind::Quota)
        && registry == Some(Registry::DockerHub)
        && let Some(other) = foreign
    {
        // The image is Docker Hub's but the address in the text is not: the daemon uses a mirror, so moving the image
        // does not help.
        registry = Some(other);
        settled_by = Some("which registry answered: the image and the address in the text differ");
    }
    let attempts = text::attempts(read.text).filter(|_| about_image);
    let mut target = TextSubject { registry, ..read.target.clone() };
    if let (None, Some(Registry::DockerHub), Some((container, image))) = (&target.image, registry, &read.target.hub) {
        target.image = Some(image.clone());
        target.container = Some(container.clone());
    }
    Diagnosis {
        registry: registry.filter(|_| about_image),
        kind: row.kind,
        why: row.why.or_else(|| why_of(row, read.text)),
        phase: row.phase.or_else(|| phase_of(row.cause, read.text)),
        signature: row.signature,
        image: target.image.clone().filter(|_| about_image),
        container: target.container.clone(),
        attempts,
        anonymous: row.anonymous.or_else(|| read.text.contains("anonymous token").then_some(true)),
        evidence: vec![read.evidence()],
        settled_by: settled_by.map(str::to_owned),
        advice: advice::render(row, &read.about(&target, attempts)),
        ..Diagnosis::of(row.cause, row.confidence)
    }
}

/// The diagnosis of a row that matched a line of a log.
pub(super) fn of_finding(finding: &LogFinding, setting: &StopSetting) -> Diagnosis {
    let row = finding.row;
    let StopSetting { place, mode, driver, .. } = *setting;
    let about = About {
        target: &TextSubject::default(),
        text: &finding.line,
        place,
        mode,
        driver,
        attempts: None,
    };
    Diagnosis {
        kind: row.kind,
        signature: row.signature,
        container: Some(finding.container.clone()),
        evidence: finding.evidence.clone(),
        settled_by: row.settled_by.map(str::to_owned),
        advice: advice::render(row, &about),
        ..Diagnosis::of(row.cause, row.confidence)
    }
}

/// The diagnosis without a signature: it keeps the text, names the known message that is most like it, and nothing acts
/// on it.
pub(super) fn unknown(read: &NormalisedText<'_>) -> Diagnosis {
    let pull = is_pull(read.text);
    let image = read.target.image.clone().filter(|_| pull);
    let found = Diagnosis {
        registry: read.target.registry.filter(|_| pull),
        container: read.target.container.clone(),
        attempts: text::attempts(read.text).filter(|_| pull),
        evidence: if read.text.is_empty() { Vec::new() } else { vec![read.evidence()] },
        settled_by: pull
            .then(|| "a manifest HEAD at the registry, and what other tasks of the service reported".to_owned()),
        advice: advice::unknown(image.as_deref(), pull, read.text),
        image,
        ..Diagnosis::of(Cause::Unknown, Confidence::Low)
    };
    match nearest(read.text, |_| true) {
        Some(like) => with_like(found, &like),
        None => found,
    }
}

/// Names the known message that the text is like: a hint for a person, never the cause.
fn with_like(mut found: Diagnosis, like: &Like) -> Diagnosis {
    let Like { cause, text, distance, agree, of } = like;
    let said = format!("like (distance {distance:.2}): \"{text}\", which meant {cause} in {agree} of {of} cases");
    found.evidence.push(Evidence { source: "known messages".to_owned(), text: said });
    found
}

/// The diagnosis of an event of a service or deployment whose words name no cause.
pub(super) fn unknown_event(said: &str, name: &str) -> Diagnosis {
    Diagnosis {
        evidence: vec![Evidence { source: "reason".to_owned(), text: text::redact(said) }],
        settled_by: Some("the stopped tasks of the service".to_owned()),
        advice: format!("{name} does not say why. Diagnose the tasks of the service that stopped."),
        ..Diagnosis::of(Cause::Unknown, Confidence::Low)
    }
}

/// The diagnosis of a build that somebody stopped.
pub(super) fn stopped_build() -> Diagnosis {
    Diagnosis {
        advice: "Nothing to do: a person or a program stopped the build.".to_owned(),
        ..Diagnosis::of(Cause::UserStopped, Confidence::High)
    }
}

/// Why the network failed, for a row that reads the error chain.
fn why_of(row: &SignatureRow, text: &str) -> Option<Why> {
    if row.reads.is_empty() {
        return None;
    }
    let chain = Chain::parse(text);
    if let Some(Tell::Transport(why)) = chain.answer().map(|link| link.tells) {
        Some(why)
    } else {
        None
    }
}

/// The phase in which a pull failed, for pulls that did not get through.
fn phase_of(cause: Cause, text: &str) -> Option<Phase> {
    if !matches!(cause, Cause::RegistryUnreachable | Cause::RegistryServerError) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["/blobs/", "failed to copy", "httpreadseeker", "layer", "pulling image configuration"]) {
        Some(Phase::Layer)
    } else if has(&["token", "auth"]) {
        Some(Phase::Auth)
    } else if has(&["/manifests/", "manifest", "failed to resolve ref", "/v2/"]) {
        Some(Phase::Manifest)
    } else {
        None
    }
}
