//! One look at one subject, under its lease: finish what was begun, else judge, act and tell.

use pullsafe::arn::ServiceId;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::Subject;
use pullsafe_incident::happened::Happened;
use pullsafe_incident::incident::{Act, ActState, Incident};
use pullsafe_incident::notice;
use pullsafe_incident::notice::PlanOutcome;
use pullsafe_incident::plan::{Plan, Step};
use pullsafe_incident::question::Became;
use pullsafe_incident::record::Record;
use pullsafe_incident::store::Next;
use pullsafe_incident::waiting::WaitingFor;
use remediator_decide::service::marks;
use serde_json::json;

use super::act::Acted;
use super::judge::{Judgement, Silence, wait_for};
use super::lease::Lease;
use super::{Remediator, Tally};

impl Remediator {
    /// Works on a subject whose lease is held, and gives the lease back.
    pub(crate) async fn work(&self, mut lease: Lease<'_>) -> Result<Tally, Failure> {
        let (subject, now, before) = (lease.subject, lease.now(), lease.record.clone());
        if asks_again(subject, &lease.record, now) {
            self.ask_again(subject, &mut lease.record, now).await?;
        }
        let judged = self.judge(subject, &mut lease.record, &mut None, now).await;
        self.finish(lease, &before, judged).await
    }

    /// Does what a look has led to, and gives the lease back.
    pub(crate) async fn finish(
        &self,
        mut lease: Lease<'_>,
        before: &Record,
        judged: Judgement,
    ) -> Result<Tally, Failure> {
        let (subject, now) = (lease.subject, lease.now());
        let tally = match judged {
            Judgement::Rest(tally) => tally,
            Judgement::Over(how, silence) => self.close(subject, &mut lease.record, now, how, silence).await?,
            Judgement::Act(id, cause, mut plan) => {
                // Asking the mirror is no act upon the service: the act is the move that follows.
                let is_act = !plan.remedy.only_prepares();
                let question = lease.record.answered_question().cloned();
                if is_act {
                    if let Some(yes) = question.as_ref().and_then(|question| question.yes.as_ref()) {
                        plan.mark(marks::APPROVED_BY, yes.by.as_tag());
                    }
                    lease.record.end_question(now, Became::NotNeeded);
                }
                let fresh = lease.record.open.as_mut().filter(|incident| is_act && !incident.has_begun(&plan));
                let is_fresh = fresh.is_some();
                if let Some(incident) = fresh {
                    incident.log(now, Happened::Decided(plan.summary.clone()));
                    incident.act = Some(Act {
                        cause,
                        plan: Plan::clone(&plan),
                        decided_at: now,
                        state: ActState::Acting,
                        question,
                    });
                }
                // A yes is stored before it is acted upon, too.
                if is_fresh || lease.record.answered_question().is_some() {
                    lease.keep(&self.table, Next::Soon).await?;
                }
                let expected = plan.then_wait_for.as_ref().map(WaitingFor::names).unwrap_or_default();
                self.table.expect(subject, &mut lease.record, &expected, now).await?;
                self.carry_out(&id, &mut lease.record, cause, *plan, now).await?
            }
        };
        let next = Next::of(&lease.record, before);
        self.tell(subject, &mut lease.record, now).await;
        lease.save(&self.table, next).await?;
        Ok(tally)
    }

    async fn carry_out(
        &self,
        id: &ServiceId,
        record: &mut Record,
        cause: Cause,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Tally, Failure> {
        let acted = match plan.steps.iter().filter_map(Step::service).find(|service| *service != id) {
            // The stored plan is not trusted more than those who may write to the table.
            Some(other) => {
                Acted::GivenUp(format!("the stored plan names {other}, which is another service: nothing was done"))
            }
            None => self.act(&plan, least(record.open.as_ref(), &plan)).await?,
        };
        let Some(incident) = &mut record.open else {
            return Ok(Tally::worked("told", "what was left to tell", None));
        };
        let tries = incident.refusal.as_ref().map_or(0, |refusal| refusal.tries) + 1;
        let (state, line, why) = match &acted {
            Acted::Done => (ActState::Done, Happened::Done(plan.summary.clone()), String::new()),
            Acted::GivenUp(why) => (ActState::Abandoned, Happened::GivenUp(why.clone()), why.clone()),
            Acted::Refused(at, failure) => {
                incident.refusal = Some(self.refused(&plan, *at, failure, tries, now).await?);
                // A plan that only prepares is kept here too, so that it is not made again with every look.
                let question = incident.act.take().and_then(|act| act.question);
                incident.act = Some(Act {
                    cause,
                    plan: plan.clone(),
                    decided_at: now,
                    state: ActState::Refused,
                    question,
                });
                (ActState::Refused, Happened::Refused(failure.to_string()), failure.to_string())
            }
        };
        incident.log(now, line);
        if (!plan.remedy.only_prepares() || state == ActState::Refused)
            && let Some(act) = &mut incident.act
        {
            act.state = state;
            if state == ActState::Done {
                act.plan.slim();
            }
        }
        // A plan that only prepared was approved, and is done: the act may still come.
        incident.act.take_if(|act| act.state == ActState::Asked && act.is_approved());
        if state == ActState::Done && plan.is_pause() {
            incident.pause = Some(plan.clone());
        }
        let waits_on = match state {
            ActState::Done => plan.then_wait_for.clone(),
            // Another try goes on waiting for the same push.
            ActState::Refused => incident
                .waiting
                .take()
                .map(|waiting| waiting.cause)
                .filter(|cause| matches!(cause, WaitingFor::Push { .. })),
            ActState::Observed
            | ActState::Asked
            | ActState::Declined
            | ActState::Expired
            | ActState::Acting
            | ActState::Abandoned => None,
        };
        wait_for(incident, waits_on, false, now);
        let remedy = plan.remedy.as_str();
        let subject = Subject::Service(id.clone());
        let again = self.another_try(&subject);
        let refusal = incident.refusal.clone().filter(|_| state == ActState::Refused);
        let (outcome, word, key) = match (&acted, &refusal) {
            (Acted::Done, _) => (PlanOutcome::Applied(&plan), "acted", String::new()),
            (_, Some(refusal)) => {
                (PlanOutcome::Refused(&plan, refusal, &again), "refused", format!("/{}", refusal.key()))
            }
            (Acted::GivenUp(_) | Acted::Refused(..), None) => {
                (PlanOutcome::Abandoned(&plan, &why), "abandoned", String::new())
            }
        };
        if let Some(blocker) = incident.blocker().cloned() {
            let key = format!("{word}:{}{key}", plan.key());
            let notice =
                |incident: &Incident, id| notice::about(&subject.to_string(), incident, &blocker, &outcome, id);
            match outcome.is_like_others() {
                true => record.tell_together(&key, notice),
                false => record.tell(&key, notice),
            }
        }
        Ok(Tally::worked(word, why, Some(remedy)))
    }

    /// The command by which a person has a refused act tried again.
    pub(crate) fn another_try(&self, subject: &Subject) -> String {
        let message = json!({ "pullsafe": "try-again", "subject": subject });
        format!("aws sqs send-message --queue-url {} --message-body '{message}'", self.settings.queue_url)
    }

    /// Ends an incident. It is archived before the message goes out, so that it is never lost.
    async fn close(
        &self,
        subject: &Subject,
        record: &mut Record,
        now: Timestamp,
        how: String,
        silence: Silence,
    ) -> Result<Tally, Failure> {
        if let Some(incident) = &mut record.open {
            incident.log(now, Happened::Ended(how.clone()));
        }
        let told = record.open.as_ref().is_some_and(|incident| !incident.told.is_empty());
        if told && silence == Silence::IfNobodyKnows {
            record.tell_together("resolved", |incident, id| notice::resolved(&subject.to_string(), incident, &how, id));
        }
        if let Some(mut incident) = record.close(now, &how) {
            self.table.archive(subject, &mut incident, now).await?;
        }
        Ok(Tally::worked("resolved", how, None))
    }
}

/// Whether the mirror is to be asked once more for what a build lacks, because a denial may have passed.
pub(crate) fn asks_again(subject: &Subject, record: &Record, now: Timestamp) -> bool {
    let refusal = record.open.as_ref().and_then(|incident| incident.refusal.as_ref());
    matches!(subject, Subject::Project { .. }) && refusal.is_some_and(|refusal| refusal.is_due(now))
}

/// The least mode in which a plan may be carried out: ask where a person has said yes to it, or to what it takes back;
/// otherwise act.
fn least(incident: Option<&Incident>, plan: &Plan) -> Mode {
    let is_approved = incident.and_then(|incident| incident.act.as_ref()).is_some_and(Act::is_approved);
    if is_approved || plan.is_way_back() { Mode::Ask } else { Mode::Act }
}
