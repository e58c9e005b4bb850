//! What ECS says of a service: a deployment begins, settles or fails, and tasks that could not be launched.

use crate::lease::Invocation;
use crate::{Remediator, Tally};
use pullsafe_aws::Failure;
use pullsafe_diagnosis::diagnose_text;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::{ServiceChange, ServiceChanged, Subject};
use pullsafe_incident::record::Added;
use remediator_decide::count::was_decided;

impl Remediator {
    pub(crate) async fn service_changed(&self, changed: ServiceChanged, by: Invocation<'_>) -> Result<Tally, Failure> {
        let subject = Subject::Service(changed.service.clone());
        // Every deployment of every service passes here: without an incident nothing is written.
        let known = self.table.read(&subject, by.id, by.now).await?.record;
        let open = known.open.is_some() || !known.outbox.is_empty();
        match changed.change {
            ServiceChange::DeploymentStarted if !open => self.deployment_started(&changed, &known, by).await,
            ServiceChange::Unplaceable => self.cannot_launch(&changed, by).await,
            // ECS repeats this event as long as the tasks fail, which the incident says already.
            ServiceChange::Impaired if known.open.as_ref().is_some_and(|incident| was_decided(incident, by.now)) => {
                Ok(Tally::ignored(format!("that the tasks of {subject} fail is known")))
            }
            ServiceChange::DeploymentStarted
            | ServiceChange::Settled
            | ServiceChange::Trouble
            | ServiceChange::Impaired
                if open =>
            {
                let Some(mut lease) = self.lease(&subject, by).await? else {
                    return Ok(Tally::deferred());
                };
                if let Some(incident) = &mut lease.record.open {
                    incident.say(changed.at, format!("{} {}", changed.name, changed.reason).trim_end());
                }
                self.work(lease).await
            }
            ServiceChange::DeploymentStarted
            | ServiceChange::Settled
            | ServiceChange::Trouble
            | ServiceChange::Impaired => {
                Ok(Tally::ignored(format!("{} and no incident of {subject} is open", changed.name)))
            }
        }
    }

    /// No task could even be launched, so that none will stop: the event itself is the failure.
    pub(crate) async fn cannot_launch(&self, changed: &ServiceChanged, by: Invocation<'_>) -> Result<Tally, Failure> {
        let Some(diagnosis) = diagnose_text(&changed.reason, None, &changed.name) else {
            return Ok(Tally::ignored(format!("{} says nothing that is known: {}", changed.name, changed.reason)));
        };
        let subject = Subject::Service(changed.service.clone());
        let Some(mut lease) = self.lease(&subject, by).await? else {
            return Ok(Tally::deferred());
        };
        // The event is remembered as a task is: once, however often it is repeated.
        let version = changed.at.seconds().unsigned_abs();
        let task = StoppedTask {
            task_arn: changed.name.clone(),
            version,
            stopped_at: Some(changed.at),
            ..StoppedTask::default()
        };
        match lease.record.add_failure(&subject.to_string(), &task, diagnosis, by.now) {
            Added::New => self.work(lease).await,
            Added::Seen | Added::Old | Added::NoFailure => {
                lease.give_back(&self.table, "this event was seen before").await
            }
        }
    }
}
