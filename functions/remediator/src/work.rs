//! One look at one subject, under its lease: finish what was begun, else judge, decide, act and tell.

use crate::act::Acted;
use crate::observe::keep;
use crate::refuse::fingerprint;
use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::Subject;
use pullsafe_incident::happened::Happened;
use pullsafe_incident::incident::{Act, ActState, Incident};
use pullsafe_incident::joins::is_of_an_address;
use pullsafe_incident::notice;
use pullsafe_incident::notice::PlanOutcome;
use pullsafe_incident::plan::{Declined, Plan, Step};
use pullsafe_incident::question::Became;
use pullsafe_incident::record::Record;
use pullsafe_incident::runs::Runs;
use pullsafe_incident::store::Next;
use pullsafe_incident::waiting::{WaitingFor, WaitingIncident};
use remediator_decide::recovery;
use remediator_decide::recovery::Recovery;
use remediator_decide::remedy;
use remediator_decide::remedy::Situation;
use remediator_decide::service::{Service, marks};
use serde_json::json;

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

    /// Looks at a subject and decides what is to be done. This changes nothing but `record`. `looked` receives the
    /// service as it was looked up.
    pub(crate) async fn judge(
        &self,
        subject: &Subject,
        record: &mut Record,
        looked: &mut Option<Lookup<Service>>,
        now: Timestamp,
    ) -> Judgement {
        match subject {
            Subject::Service(id) => self.judge_service(subject, id, record, looked, now).await,
            Subject::Family { .. } | Subject::Project { .. } => self.judge_other(subject, record, now).await,
        }
    }

    /// Judges a subject that is not a service. It has no state to cure, so only the cause and the advice are told.
    async fn judge_other(&self, subject: &Subject, record: &mut Record, now: Timestamp) -> Judgement {
        // The advice comes first: an event can be so late that its incident is over when it arrives.
        advise(subject, record);
        if matches!(subject, Subject::Project { .. }) {
            self.look_at_copies(subject, record, now).await;
        }
        let Some(incident) = &record.open else {
            return Judgement::rest("told", "what was left to tell");
        };
        match recovery::of_anything_else(incident, now) {
            Recovery::Ended(how) => Judgement::Over(how, Silence::Always),
            Recovery::Steady(_) | Recovery::TooEarly(_) | Recovery::NotYet(_) => {
                Judgement::rest("advised", "there is no service to act on")
            }
        }
    }

    async fn judge_service(
        &self,
        subject: &Subject,
        id: &ServiceId,
        record: &mut Record,
        looked: &mut Option<Lookup<Service>>,
        now: Timestamp,
    ) -> Judgement {
        let (service, leave, ahead) =
            tokio::join!(self.look_at_service(id), self.look_for_leave(id), self.look_ahead(record.open.as_ref(), now));
        *looked = Some(service.clone());
        let mode = self.mode(service.found(), &leave);
        let no = record.no_to_blocker(now).cloned();
        // An act that was begun is finished or given up, and told. Every step looks up the mode by itself.
        let begun = record
            .open
            .as_ref()
            .and_then(|incident| incident.act.clone())
            .filter(|act| act.state == ActState::Acting);
        if let Some(act) = begun {
            return Judgement::Act(id.clone(), act.cause, Box::new(act.plan));
        }
        if mode == Mode::Off {
            return Judgement::rest("off", "pullsafe:mode is off for this service");
        }
        let Some(incident) = &mut record.open else {
            return Judgement::rest("told", "what was left to tell");
        };
        incident.runs = service.found().map(|service| Runs::of(service.running, service.desired)).or(incident.runs);
        match recovery::of_service(incident, &service, now) {
            Recovery::Steady(how) | Recovery::Ended(how) => return Judgement::Over(how, Silence::IfNobodyKnows),
            Recovery::TooEarly(_) => incident.looks_steady = true,
            Recovery::NotYet(_) => incident.looks_steady = false,
        }
        let Some(blocker) = incident.blocker().cloned() else {
            return Judgement::rest("open", "no cause is known yet");
        };
        if incident.is_refused() && !mended(incident, service.found(), now) {
            return Judgement::rest("refused", "AWS refused the act, and nothing has changed since then");
        }
        if let Some(act) = incident.act.clone().filter(|act| act.state == ActState::Refused && mode >= Mode::Ask) {
            // An act that has already changed the service is carried on with; anything else is decided anew.
            if incident.refusal.as_ref().is_some_and(|refusal| !refusal.done.is_empty() && refusal.is_due(now)) {
                return Judgement::Act(id.clone(), act.cause, Box::new(act.plan));
            }
            incident.try_again();
        }
        let pause = incident.pause_steps().to_vec();
        let seen = self.observe(service, ahead, &blocker, &pause, &mut incident.quota_limit).await;
        keep(&mut incident.kept, &seen, now);
        // The address decides which outbreak an incident is told with, so it does not change once people were told.
        let is_new = incident.told.is_empty() && incident.source.is_none();
        if self.settings.quota_probe && is_new && is_of_an_address(&blocker.diagnosis) {
            incident.source = self.address_of(seen.service.found(), now).await;
        }
        let situation = Situation {
            now,
            settings: &self.settings,
            service: id,
            incident,
            blocker: &blocker,
            seen: &seen,
        };
        let decision = remedy::decide(situation);
        incident.decline(decision.declined);
        let Some(plan) = decision.plan else {
            wait_for(incident, decision.waiting, decision.unseen.is_some(), now);
            if let (Some(doubt), Some(since)) =
                (decision.unseen, incident.waiting.as_ref().and_then(|waiting| waiting.unseen_since))
            {
                if now.seconds_since(since) < doubt.patience_seconds() {
                    return Judgement::rest(
                        "postponed",
                        "whether a wait is over could not be found out; it is looked at again",
                    );
                }
                record.tell("unseen", |incident, id| {
                    let waiting = incident.waiting.as_ref().map(|waiting| &waiting.cause);
                    notice::about(&subject.to_string(), incident, &blocker, &PlanOutcome::Advised(waiting), id)
                });
                return Judgement::rest("advised", "whether a wait is over cannot be found out");
            }
            if seen.is_worth_another_look(now.seconds_since(blocker.first_at)) {
                return Judgement::rest("postponed", "something could not be found out; it is looked at again");
            }
            // Where the service waits for the mirror or the archive, people were told so when that was asked.
            let asked = matches!(
                &incident.waiting,
                Some(WaitingIncident { cause: WaitingFor::Mirror(_) | WaitingFor::Restored(_), .. })
            );
            if !asked && !incident.is_settling() {
                advise(subject, record);
            }
            return Judgement::rest("advised", "no remedy was applied");
        };
        // What a person has declined is declined in act mode too.
        if let Some(no) = no.filter(|_| mode >= Mode::Ask && !plan.remedy.fills_the_mirror() && !plan.is_way_back()) {
            incident.declined.push(Declined { remedy: plan.remedy, reasons: vec![no.to_string()] });
            // People who were told of this incident were asked in it, and have answered.
            if incident.told.is_empty() {
                advise(subject, record);
            }
            return Judgement::rest("declined", "a person has said no to this");
        }
        if mode == Mode::Ask && !plan.remedy.fills_the_mirror() && !plan.is_way_back() {
            let counts = seen.service.found().map(|service| (service.desired, service.running));
            return self.ask_first(subject, id, record, &blocker, plan, (decision.holds, counts), now);
        }
        if mode == Mode::Observe {
            let remedy = plan.remedy;
            let yields = seen
                .service
                .found()
                .map(|service| self.mode_of(service, &leave).and_then(|_| self.yields(service, &leave)));
            match yields.transpose() {
                Ok(None) => {}
                Ok(Some(reason)) => {
                    incident.declined.extend(reason.map(|reason| Declined { remedy, reasons: vec![reason] }))
                }
                Err(doubt) => {
                    let unknown: Lookup<Mode> = doubt.doubt();
                    if now.seconds_since(blocker.first_at) < unknown.patience_seconds() {
                        return Judgement::rest(
                            "postponed",
                            "whether pullsafe may act here could not be found out; it is looked at again",
                        );
                    }
                    let reason = format!(
                        "whether pullsafe may act here could not be found out, so that nothing is changed: {doubt}"
                    );
                    incident.declined.push(Declined { remedy, reasons: vec![reason] });
                }
            }
            incident.act.get_or_insert(Act {
                cause: blocker.diagnosis.cause,
                plan: plan.clone(),
                decided_at: now,
                state: ActState::Observed,
                question: None,
            });
            record.tell_together(&format!("would:{}", plan.key()), |incident, id| {
                notice::about(&subject.to_string(), incident, &blocker, &PlanOutcome::WouldApply(&plan), id)
            });
            return Judgement::Rest(Tally::worked("observed", "observe mode", Some(remedy.as_str())));
        }
        Judgement::Act(id.clone(), blocker.diagnosis.cause, Box::new(plan))
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

/// What a look at a subject leads to.
pub(crate) enum Judgement {
    /// Nothing is to be done; what is to be told lies in the record's outbox.
    Rest(Tally),
    /// The incident is over, and how.
    Over(String, Silence),
    /// A plan for a service is to be begun or carried on, for this cause.
    Act(ServiceId, Cause, Box<Plan>),
}

impl Judgement {
    pub(crate) fn rest(outcome: &'static str, why: &str) -> Self {
        Self::Rest(Tally::worked(outcome, why, None))
    }
}

/// When an incident ends without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Where nobody was told that it began.
    IfNobodyKnows,
    /// Always: a subject without a steady state is only forgotten, and that is no news.
    Always,
}

fn advise(subject: &Subject, record: &mut Record) {
    let Some(blocker) = record.open.as_ref().and_then(Incident::blocker).cloned() else {
        return;
    };
    let diagnosis = &blocker.diagnosis;
    let about = match subject {
        Subject::Service(_) | Subject::Family { .. } => diagnosis.container.as_deref(),
        // Two builds of a project can fail in different phases, and because of different images.
        Subject::Project { .. } => diagnosis
            .image
            .as_deref()
            .or_else(|| diagnosis.evidence.first().map(|evidence| evidence.source.as_str())),
    };
    let key = format!("advice:{}:{}", diagnosis.cause, about.unwrap_or_default());
    record.tell_together(&key, |incident, id| {
        // Nothing is moved when the copies of a build's base images have come: its owner has to change the Dockerfile.
        let waiting = incident
            .waiting
            .as_ref()
            .filter(|_| matches!(subject, Subject::Service(_)))
            .map(|waiting| &waiting.cause);
        notice::about(&subject.to_string(), incident, &blocker, &PlanOutcome::Advised(waiting), id)
    });
}

/// Whether a refused act may be tried again: a denial after some minutes, any refusal once the service was changed.
fn mended(incident: &mut Incident, service: Option<&Service>, now: Timestamp) -> bool {
    let Some(refusal) = &mut incident.refusal else {
        return true;
    };
    if refusal.is_due(now) {
        return true;
    }
    // The state of the service right after the refusal may not have been found out then.
    if let Some(service) = service.filter(|_| refusal.seen.is_empty()) {
        refusal.seen = fingerprint(service);
    }
    let changed = service.is_some_and(|service| fingerprint(service) != refusal.seen);
    if changed {
        incident.refusal = None;
    }
    changed
}

/// Sets what an incident waits for. A wait that goes on keeps its beginning, and the time since when nobody could see
/// whether it is over.
fn wait_for(incident: &mut Incident, cause: Option<WaitingFor>, unseen: bool, now: Timestamp) {
    incident.waiting = cause.map(|cause| {
        let before = incident.waiting.as_ref().filter(|waiting| waiting.cause == cause);
        let since = before.map_or(now, |waiting| waiting.since);
        let unseen_since = unseen.then(|| before.and_then(|waiting| waiting.unseen_since).unwrap_or(now));
        WaitingIncident { cause, since, unseen_since }
    });
}
