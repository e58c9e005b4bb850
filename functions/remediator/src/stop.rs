//! A task that stopped: whether it is news, whose it is, and how closely it has to be looked at.

use crate::flow::has_unfinished;
use crate::lease::Invocation;
use crate::{Remediator, Tally};
use pullsafe::lookup::Lookup;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::{Subject, TaskStopped};
use pullsafe_incident::record::{Added, Record};
use pullsafe_incident::store::Next;
use remediator_decide::belongs;
use remediator_decide::count::{only_counts, without_a_look};
use remediator_decide::service::Service;

impl Remediator {
    pub(crate) async fn task_stopped(&self, stopped: TaskStopped, by: Invocation<'_>) -> Result<Tally, Failure> {
        let (TaskStopped { subject, task }, now) = (stopped, by.now);
        let (task, diagnosis) = self.know_completion(task).await;
        if diagnosis.cause.is_benign() {
            return Ok(Tally::ignored(format!("the stop is in the normal course of events ({})", diagnosis.cause)));
        }
        tracing::info!(task = task.task_arn, subject = %subject, cause = diagnosis.cause.as_str(), "{subject}: task \
            {} stopped: {}", task.task_id(), diagnosis.cause);
        let mut found = self.table.read(&subject, by.id, by.now).await?;
        self.recall(&subject, &mut found.record, &task, now).await?;
        let added = found.record.would_add(&task, now);
        match added {
            Added::Seen if !has_unfinished(&found.record) => {
                return Ok(Tally::ignored("this event was seen before".to_owned()));
            }
            Added::Old => {
                return Ok(Tally::ignored("the task stopped before the last incident was resolved".to_owned()));
            }
            Added::New | Added::Seen | Added::NoFailure => {}
        }
        if found.is_leased {
            return Ok(Tally::deferred());
        }
        // One more of the same is only counted, with one write. Its subject is looked at when the next look is due.
        let mut record = found.record.clone();
        if self.add_stop(&subject, &mut record, &task, diagnosis.clone(), now, Looks::IfCounted).await
            == Some(Added::New)
        {
            return match self.table.replace(&subject, &found, &mut record, now, Next::AsItWas).await? {
                true => Ok(Tally::worked("counted", "one more of what was looked at already", None)),
                false => Ok(Tally::deferred()),
            };
        }
        // Where the text alone tells the cause, the look is made while the lease is taken.
        if self.add_stop(&subject, &mut record, &task, diagnosis.clone(), now, Looks::IfTold).await == Some(Added::New)
        {
            let (before, mut service) = (record.clone(), None);
            let (lease, judged) = tokio::join!(
                self.lease_found(&subject, &found, by),
                self.judge(&subject, &mut record, &mut service, now)
            );
            let Some(mut lease) = lease? else {
                return Ok(Tally::deferred());
            };
            if let Some(why) = not_theirs(service.as_ref(), &found.record, &task) {
                lease.give_back(&self.table, &why).await?;
                return self.strangers(task, &why, by).await;
            }
            lease.record = record;
            return self.finish(lease, &before, judged).await;
        }
        if let (Subject::Service(id), Added::New) = (&subject, added)
            && !belongs::is_known(&found.record, &task)
            && let Some(why) = not_theirs(Some(&self.look_at_service(id).await), &found.record, &task)
        {
            return self.strangers(task, &why, by).await;
        }
        let Some(mut lease) = self.lease(&subject, by).await? else {
            return Ok(Tally::deferred());
        };
        self.recall(&subject, &mut lease.record, &task, now).await?;
        let why = match self.add_stop(&subject, &mut lease.record, &task, diagnosis, now, Looks::AsNeeded).await {
            Some(Added::New) | None => return self.work(lease).await,
            Some(Added::Seen) if has_unfinished(&lease.record) => return self.work(lease).await,
            Some(Added::Seen) => "this event was seen before",
            Some(Added::Old) => "the task stopped before the last incident was resolved",
            Some(Added::NoFailure) => "on a closer look the task did its work",
        };
        lease.give_back(&self.table, why).await
    }

    /// Handles a stop of a task that only carries a service's group: it belongs to its family.
    async fn strangers(&self, task: StoppedTask, why: &str, by: Invocation<'_>) -> Result<Tally, Failure> {
        tracing::info!(task = task.task_arn, "{why}");
        let stranger = TaskStopped { subject: TaskStopped::of_no_service(&task), task };
        Box::pin(self.task_stopped(stranger, by)).await
    }

    /// Adds a stop to its service's record, after a closer look where that is worth it. `None` where it needs a look
    /// that `looks` does not allow.
    async fn add_stop(
        &self,
        subject: &Subject,
        record: &mut Record,
        task: &StoppedTask,
        by_text: Diagnosis,
        now: Timestamp,
        looks: Looks,
    ) -> Option<Added> {
        let mut spent = record.open.as_ref().map(|incident| incident.log_calls.clone()).unwrap_or_default();
        let is_new = record.would_add(task, now) == Added::New && !record.has_counted(task);
        let diagnosis = match looks {
            Looks::IfCounted | Looks::IfTold => {
                let diagnosis = without_a_look(task, by_text, &mut spent, now)?;
                if looks == Looks::IfCounted && !only_counts(record, task, &diagnosis, now) {
                    return None;
                }
                diagnosis
            }
            Looks::AsNeeded if is_new => self.look_closer(task, by_text, &mut spent, now).await,
            Looks::AsNeeded => by_text,
        };
        let added = record.add_failure(&subject.to_string(), task, diagnosis, now);
        if let Some(incident) = &mut record.open {
            incident.log_calls = spent;
        }
        Some(added)
    }

    /// Puts a task back into the record that only the rows of past tasks still know.
    async fn recall(
        &self,
        subject: &Subject,
        record: &mut Record,
        task: &StoppedTask,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if !record.may_have_forgotten(task, now) {
            return Ok(());
        }
        let incident = record.open.as_ref().map(|incident| incident.id.clone()).unwrap_or_default();
        if let Some(seen) = self.table.past_task(subject, &incident, task.task_id()).await? {
            record.recall(task.task_id(), seen);
        }
        Ok(())
    }
}

/// Why a task does not belong to the service that was looked at; `None` where it does, or the service is not known. A
/// family that failed before was found to belong to it then.
fn not_theirs(service: Option<&Lookup<Service>>, record: &Record, task: &StoppedTask) -> Option<String> {
    let service = service?.found().filter(|_| !belongs::is_known(record, task))?;
    belongs::stranger(service, task)
}

/// When a stop is added, and whether it may be looked at closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// It is added only if it is one more of what was looked at already, and no call is needed to see that.
    IfCounted,
    /// It is added only if its diagnosis needs no call.
    IfTold,
    /// It is added in any case, after the looks that are worth it.
    AsNeeded,
}
