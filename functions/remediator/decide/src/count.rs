//! Whether a stop is only counted: one more of what was looked at already needs no look of its own.

use super::log::evidence;
use super::probe::{PROBES, ProbeName};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::incident::{ActState, Incident};
use pullsafe_incident::record::Record;
use pullsafe_incident::spent::LogsRead;
use pullsafe_incident::waiting::WaitingFor;

/// The diagnosis of a stop as far as it can be had without a call: by its text, and by what earlier stops of the same
/// revision have shown. `None` where a closer look may tell more.
pub fn without_a_look(
    task: &StoppedTask,
    by_text: Diagnosis,
    spent: &mut LogsRead,
    now: Timestamp,
) -> Option<Diagnosis> {
    spent.begin(&task.task_definition_arn);
    let worth: Vec<ProbeName> =
        PROBES.iter().filter(|probe| (probe.is_worth)(task, &by_text)).map(|probe| probe.name).collect();
    let cause = by_text.cause;
    let mut found = match worth.contains(&ProbeName::ContainerLog) {
        true if spent.budget().calls > 0 => return None,
        true => evidence::as_told_before(spent, by_text),
        false => by_text,
    };
    if worth.iter().any(|probe| *probe != ProbeName::ContainerLog) {
        spent.settled(cause, now)?.iter().for_each(|settled| settled.apply(&mut found));
    }
    Some(found)
}

/// Whether a stop tells nothing new since the last look at its service. Looks that become due are made all the same.
pub fn only_counts(record: &Record, task: &StoppedTask, diagnosis: &Diagnosis, now: Timestamp) -> bool {
    let Some(incident) = record.open.as_ref().filter(|_| record.outbox.is_empty()) else {
        return false;
    };
    let Some(blocker) = incident.blocker() else {
        return false;
    };
    let known = &blocker.diagnosis;
    let same = (
        known.cause,
        &known.container,
        &known.image,
        known.kind,
        known.explanation,
        known.signature,
        known.confidence,
    ) == (
        diagnosis.cause,
        &diagnosis.container,
        &diagnosis.image,
        diagnosis.kind,
        diagnosis.explanation,
        diagnosis.signature,
        diagnosis.confidence,
    );
    same && blocker.task_definition == task.task_definition_arn && was_decided(incident, now)
}

/// Whether a decision stands that one more task does not change.
pub fn was_decided(incident: &Incident, now: Timestamp) -> bool {
    match (&incident.act, &incident.waiting) {
        (_, Some(waiting)) => waiting.cause != WaitingFor::MoreFailures,
        (Some(act), None) => match act.state {
            ActState::Observed
            | ActState::Asked
            | ActState::Declined
            | ActState::Expired
            | ActState::Abandoned
            | ActState::Refused => true,
            ActState::Acting => false,
            // Tasks that were already starting say nothing about the act; later ones say that it did not help.
            ActState::Done => now < act.settled_at(),
        },
        // People were told, and no remedy was applied.
        (None, None) => !incident.told.is_empty(),
    }
}
