//! Ahead of a failure: a deployment begins, or the end of a limit is foretold, and its images are not in the mirror.

use super::lease::Invocation;
use super::{Remediator, Tally};
use crate::act::Acted;
use pullsafe::arn::ServiceId;
use pullsafe::settings::{Ahead, Mode};
use pullsafe_aws::Failure;
use pullsafe_events::{ServiceChanged, Subject};
use pullsafe_incident::notice;
use pullsafe_incident::notice::Prepared;
use pullsafe_incident::plan::Plan;
use pullsafe_incident::record::Record;
use pullsafe_incident::store::Next;
use remediator_decide::limit::is_being_treated;
use remediator_decide::remedy;

impl Remediator {
    /// Handles a deployment that began while no incident is open: makes sure that the mirror has what it will pull.
    pub(crate) async fn deployment_started(
        &self,
        changed: &ServiceChanged,
        known: &Record,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        if self.settings.ahead == Ahead::Off || changed.reason.contains("rolling back") {
            return Ok(Tally::ignored("nothing is done ahead of a failure".to_owned()));
        }
        let (service, leave) =
            tokio::join!(self.look_at_service(&changed.service), self.look_for_leave(&changed.service));
        let mode = self.mode(service.found(), &leave);
        let Some(definition) =
            service.found().filter(|_| mode != Mode::Off).map(|service| service.task_definition.clone())
        else {
            return Ok(Tally::ignored("the service is gone, or pullsafe is off for it".to_owned()));
        };
        if known.prepared.as_deref() == Some(&definition) {
            return Ok(Tally::ignored("this task definition was looked at before".to_owned()));
        }
        // Such a deployment is looked at while it waits at the hook (`door.rs`).
        if self.settings.answer_hooks && service.found().is_some_and(|service| service.has_hooks) {
            return Ok(Tally::ignored("the service's deployments wait at a hook, where they are looked at".to_owned()));
        }
        let seen = self.observe_ahead(service, &definition).await;
        let Some(plan) = remedy::ahead::prepare(&self.settings, &seen) else {
            return Ok(Tally::ignored("the deployment pulls nothing from Docker Hub".to_owned()));
        };
        let ahead = GoAhead {
            definition: &definition,
            plan: &plan,
            mode,
            why: AheadReason::Begins,
        };
        self.go_ahead(&changed.service, ahead, by).await
    }

    /// Does what is to be done about a deployment's images of Docker Hub, and tells people: once for each task
    /// definition as its deployment begins, and once more where the end of the limit is foretold later.
    pub(crate) async fn go_ahead(
        &self,
        id: &ServiceId,
        ahead: GoAhead<'_>,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        let GoAhead { definition, plan, mode, why } = ahead;
        let subject = &Subject::Service(id.clone());
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        if why.done(&mut lease.record).as_deref() == Some(definition) {
            return lease.give_back(&self.table, "this task definition was looked at before").await;
        }
        if why == AheadReason::Foretold && is_being_treated(&lease.record) {
            return lease.give_back(&self.table, "its incident is being cured").await;
        }
        // Nobody is asked ahead of a failure, but the mirror is filled in mode ask too.
        let does = mode == Mode::Act || mode == Mode::Ask && plan.remedy.fills_the_mirror();
        let acted = if does { self.act(plan, Mode::Act).await? } else { Acted::Done };
        *why.done(&mut lease.record) = Some(definition.to_owned());
        lease.record.notices += 1;
        let notice = format!("{}-{}-{}", by.now, id.name, lease.record.notices);
        let told = |became: Prepared<'_>| notice::ahead(&subject.to_string(), plan, became, notice.clone()).into();
        let why = match acted {
            Acted::Done => {
                lease.record.outbox.push(told(if does { Prepared::Done } else { Prepared::Observed }));
                String::new()
            }
            Acted::GivenUp(why) => why,
            // A refusal is told once per task definition. The next deployment of another one tries again.
            Acted::Refused(at, failure) => {
                let refusal = self.refused(plan, at, &failure, 2, by.now).await?;
                lease.record.outbox.push(told(Prepared::Refused(&refusal)));
                failure.to_string()
            }
        };
        self.tell(subject, &mut lease.record, by.now).await;
        lease.save(&self.table, Next::Soon).await?;
        Ok(Tally::worked("prepared", why, Some(plan.remedy.as_str())))
    }
}

/// What is to be done about a deployment before anything of it has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoAhead<'a> {
    /// The task definition that is deployed.
    pub(crate) definition: &'a str,
    pub(crate) plan: &'a Plan,
    /// What pullsafe may do.
    pub(crate) mode: Mode,
    /// Why it is done now.
    pub(crate) why: AheadReason,
}

/// What calls for something to be done before anything has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AheadReason {
    /// A deployment begins.
    Begins,
    /// The end of the limit is foretold.
    Foretold,
}

impl AheadReason {
    /// The place in the record for the task definition for which this was done last.
    const fn done(self, record: &mut Record) -> &mut Option<String> {
        match self {
            Self::Begins => &mut record.prepared,
            Self::Foretold => &mut record.foretold,
        }
    }
}
