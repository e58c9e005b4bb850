//! Judging one subject: what a look at it leads to. Nothing is changed here but the record.

use pullsafe::arn::ServiceId;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::Subject;
use pullsafe_incident::incident::{Act, ActState, CauseSeen, Incident};
use pullsafe_incident::joins::is_of_an_address;
use pullsafe_incident::notice;
use pullsafe_incident::notice::PlanOutcome;
use pullsafe_incident::plan::{Declined, Plan};
use pullsafe_incident::record::Record;
use pullsafe_incident::runs::Runs;
use pullsafe_incident::waiting::{WaitingFor, WaitingIncident};
use remediator_decide::recovery;
use remediator_decide::recovery::Recovery;
use remediator_decide::remedy;
use remediator_decide::remedy::Situation;
use remediator_decide::service::Service;

use super::leave::Permissions;
use super::observe::keep;
use super::refuse::fingerprint;
use super::{Remediator, Tally};

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

impl Remediator {
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
            if let Some(doubt) = decision.unseen {
                return unseen(subject, record, &blocker, &doubt, now);
            }
            if seen.is_worth_another_look(now.seconds_since(blocker.first_at)) {
                return Judgement::rest("postponed", "something could not be found out; it is looked at again");
            }
            return unplanned(subject, record);
        };
        let is_asked_for = !plan.remedy.fills_the_mirror() && !plan.is_way_back();
        // What a person has declined is declined in act mode too.
        if let Some(no) = no.filter(|_| mode >= Mode::Ask && is_asked_for) {
            incident.declined.push(Declined { remedy: plan.remedy, reasons: vec![no.to_string()] });
            // People who were told of this incident were asked in it, and have answered.
            if incident.told.is_empty() {
                advise(subject, record);
            }
            return Judgement::rest("declined", "a person has said no to this");
        }
        if mode == Mode::Ask && is_asked_for {
            let counts = seen.service.found().map(|service| (service.desired, service.running));
            return self.ask_first(subject, id, record, &blocker, plan, (decision.holds, counts), now);
        }
        if mode == Mode::Observe {
            let yields = seen.service.found().map(|service| self.would_yield(service, &leave)).transpose();
            return would_act(subject, record, &blocker, plan, yields.map(Option::flatten), now);
        }
        Judgement::Act(id.clone(), blocker.diagnosis.cause, Box::new(plan))
    }

    /// Why another stack would act on a service instead of this one, if this one acted at all.
    fn would_yield(&self, service: &Service, leave: &Permissions) -> Result<Option<String>, Failure> {
        self.mode_of(service, leave).and_then(|_| self.yields(service, leave))
    }
}

/// Nobody knows whether the wait of an incident is over. It goes on, and people are told once patience ends.
fn unseen(subject: &Subject, record: &mut Record, blocker: &CauseSeen, doubt: &Doubt, now: Timestamp) -> Judgement {
    let since = record.open.as_ref().and_then(|incident| incident.waiting.as_ref()?.unseen_since).unwrap_or(now);
    if now.seconds_since(since) < doubt.patience_seconds() {
        return Judgement::rest("postponed", "whether a wait is over could not be found out; it is looked at again");
    }
    record.tell("unseen", |incident, id| {
        let waiting = incident.waiting.as_ref().map(|waiting| &waiting.cause);
        notice::about(&subject.to_string(), incident, blocker, &PlanOutcome::Advised(waiting), id)
    });
    Judgement::rest("advised", "whether a wait is over cannot be found out")
}

/// No remedy was applied: the advice is told, unless people know already why nothing is done.
fn unplanned(subject: &Subject, record: &mut Record) -> Judgement {
    let is_told = record.open.as_ref().is_some_and(|incident| {
        // Where the service waits for the mirror or the archive, people were told so when that was asked.
        let waits = matches!(
            &incident.waiting,
            Some(WaitingIncident { cause: WaitingFor::Mirror(_) | WaitingFor::Restored(_), .. })
        );
        waits || incident.is_settling()
    });
    if !is_told {
        advise(subject, record);
    }
    Judgement::rest("advised", "no remedy was applied")
}

/// Observe mode: what would be done is kept and told. `yields` is why another stack would do it instead, where that
/// could be found out.
fn would_act(
    subject: &Subject,
    record: &mut Record,
    blocker: &CauseSeen,
    plan: Plan,
    yields: Result<Option<String>, Failure>,
    now: Timestamp,
) -> Judgement {
    let remedy = plan.remedy;
    let reason = match yields {
        Ok(reason) => reason,
        Err(failure) => {
            let unknown: Lookup<Mode> = failure.doubt();
            if now.seconds_since(blocker.first_at) < unknown.patience_seconds() {
                return Judgement::rest(
                    "postponed",
                    "whether pullsafe may act here could not be found out; it is looked at again",
                );
            }
            Some(format!(
                "whether pullsafe may act here could not be found out, so that nothing is changed: {failure}"
            ))
        }
    };
    if let Some(incident) = &mut record.open {
        incident.declined.extend(reason.map(|reason| Declined { remedy, reasons: vec![reason] }));
        incident.act.get_or_insert(Act {
            cause: blocker.diagnosis.cause,
            plan: plan.clone(),
            decided_at: now,
            state: ActState::Observed,
            question: None,
        });
    }
    record.tell_together(&format!("would:{}", plan.key()), |incident, id| {
        notice::about(&subject.to_string(), incident, blocker, &PlanOutcome::WouldApply(&plan), id)
    });
    Judgement::Rest(Tally::worked("observed", "observe mode", Some(remedy.as_str())))
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
pub(crate) fn wait_for(incident: &mut Incident, cause: Option<WaitingFor>, unseen: bool, now: Timestamp) {
    incident.waiting = cause.map(|cause| {
        let before = incident.waiting.as_ref().filter(|waiting| waiting.cause == cause);
        let since = before.map_or(now, |waiting| waiting.since);
        let unseen_since = unseen.then(|| before.and_then(|waiting| waiting.unseen_since).unwrap_or(now));
        WaitingIncident { cause, since, unseen_since }
    });
}
