//! What the logs of a stopped task add to its diagnosis, and what is said where they could not be read.

use std::collections::BTreeMap;

use super::place::LogStream;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Evidence, LogRead};
use pullsafe_diagnosis::{Picker, diagnose_read};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::spent::LogsRead;

/// What became of the log of one container.
#[derive(Debug, Clone)]
pub enum LogOutcome {
    /// It was read, as far as the text says.
    Read(LogStream, String, Box<Picker>),
    /// There is none that could be read, and why.
    Nowhere(String),
    /// It should be there and could not be read.
    Failed(LogStream, Obstacle),
}

/// Why a log could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The group or the stream does not exist; in the service's words.
    Missing(String),
    /// A permission is missing.
    Denied,
    /// Anything else, in words.
    Other(String),
}

/// The diagnosis of a task with the logs of its containers, the most likely one first.
pub fn explain(task: &StoppedTask, outcomes: &[(String, LogOutcome)]) -> Diagnosis {
    let read = |(container, outcome): &(String, LogOutcome)| match outcome {
        LogOutcome::Read(_, _, log) => Some((container.clone(), (**log).clone())),
        LogOutcome::Nowhere(_) | LogOutcome::Failed(..) => None,
    };
    let logs: BTreeMap<String, Picker> = outcomes.iter().filter_map(read).collect();
    let mut diagnosis = diagnose_read(task, &logs);
    for (container, outcome) in outcomes {
        let (text, settled_by) = note(task, container, outcome);
        diagnosis.evidence.push(Evidence { source: format!("logs[{container}]"), text });
        if let (None, LogOutcome::Read(LogStream { region, group, stream }, _, log)) = (&diagnosis.log, outcome)
            && !log.is_empty()
        {
            let region = region.as_ref().map(ToString::to_string);
            diagnosis.log = Some(LogRead { region, group: group.clone(), stream: stream.clone() });
        }
        add_settled_by(&mut diagnosis, settled_by);
    }
    diagnosis
}

/// Adds to a diagnosis that logs could not even be looked for.
pub fn without_logs(mut diagnosis: Diagnosis, why: &str, settled_by: Option<String>) -> Diagnosis {
    diagnosis.evidence.push(Evidence {
        source: "logs".to_owned(),
        text: format!("no log evidence: {why}"),
    });
    add_settled_by(&mut diagnosis, settled_by);
    diagnosis
}

/// The diagnosis of a stop whose own log is not read any more, by what the logs of earlier stops of the same revision
/// said.
fn as_before(known: &Diagnosis, now: Diagnosis) -> Diagnosis {
    let mut evidence = now.evidence;
    evidence.extend(known.evidence.iter().filter(|known| known.source.starts_with("logs[")).cloned());
    evidence.push(Evidence {
        source: "logs".to_owned(),
        text: "the log of this task was not read: enough logs of this revision were, and this is what they said"
            .to_owned(),
    });
    Diagnosis { evidence, ..known.clone() }
}

/// The diagnosis of a stop whose log is not read because enough logs were.
pub fn as_told_before(spent: &LogsRead, by_text: Diagnosis) -> Diagnosis {
    match spent.known(by_text.cause) {
        Some(known) => as_before(known, by_text),
        None => without_logs(by_text, "this incident has used up its calls for logs", None),
    }
}

/// Whether the logs have told enough, so that no other container's log is needed.
pub fn is_explained(by_text: Cause, found: &Diagnosis) -> bool {
    found.signature.is_some() || found.cause != by_text
}

fn add_settled_by(diagnosis: &mut Diagnosis, more: Option<String>) {
    diagnosis.settled_by = match (diagnosis.settled_by.take(), more) {
        (Some(known), Some(more)) if !known.contains(&more) => Some(format!("{known}; {more}")),
        (known, more) => known.or(more),
    };
}

/// What is said of one container's log, and what would settle what it leaves open.
fn note(task: &StoppedTask, container: &str, outcome: &LogOutcome) -> (String, Option<String>) {
    // An absent log misleads easily: it never means that nothing ran.
    let ran = match task.started_at {
        Some(at) => format!("ECS says that the task ran from {at}"),
        None => "it does not say whether the container started".to_owned(),
    };
    match outcome {
        LogOutcome::Read(place, reading, log) if !log.is_empty() => (format!("read from {place}: {reading}"), None),
        LogOutcome::Read(place, reading, _) => (
            format!("no log evidence: {place}: {reading}; {ran}"),
            Some(format!("whether container `{container}` writes to stdout and stderr, unbuffered")),
        ),
        LogOutcome::Nowhere(why) => (
            format!("no log evidence: {why}"),
            Some(format!("the log of container `{container}`, wherever its log driver sends it")),
        ),
        LogOutcome::Failed(place, Obstacle::Missing(what)) => (
            format!("no log evidence: {place} cannot be found ({what}); {ran}"),
            Some(format!("whether {place} exists, and whether the execution role may create it")),
        ),
        LogOutcome::Failed(place, Obstacle::Denied) => (
            format!("no log evidence: pullsafe may not read {place}; {ran}"),
            Some(format!("`logs:GetLogEvents` on `{}` for the remediator's role", place.group)),
        ),
        LogOutcome::Failed(place, Obstacle::Other(what)) => (
            format!("no log evidence: {place} could not be read ({what}); {ran}"),
            Some(format!("the lines of {place}")),
        ),
    }
}
