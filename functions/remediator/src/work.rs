//! One look at one subject, under its lease: finish what was begun, else judge, decide, act and tell.

use crate::decide::recovery;
use crate::decide::recovery::Recovery;
use crate::decide::remedy;
use crate::decide::remedy::Situation;
use crate::decide::service;
use crate::decide::service::Service;
use pullsafe::arn::ServiceId;
use pullsafe::settings::{Ahead, Mode};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::RemedyName;
use pullsafe_events::{ServiceChanged, Subject};
use pullsafe_incident::incident::{Act, ActState, Incident, Record};
use pullsafe_incident::notice;
use pullsafe_incident::notice::Outcome;
use pullsafe_incident::plan::Plan;
use pullsafe_incident::waiting::{Waiting, WaitingFor};
use serde_json::Value;

use super::{Remediator, Tally};

/// For how long a lookup that fails is tried again, with every sweep, before people are told what is known.
const PATIENCE_SECONDS: i64 = 5 * 60;

impl Remediator {
    /// Works on a subject whose lease is held, and gives the lease back.
    pub(crate) async fn work(&self, subject: &Subject, mut record: Record, owner: &str, now: Timestamp) -> Result<Tally, Failure> {
        let tally = match subject {
            Subject::Service(id) => self.work_on_service(subject, id, &mut record, owner, now).await?,
            Subject::Family { .. } | Subject::Project { .. } => self.work_on_other(subject, &mut record, now).await?,
        };
        self.tell(subject, &mut record).await?;
        self.table.save(subject, owner, &record, now, true).await?;
        Ok(tally)
    }

    /// What is no service has no state to cure: the cause and the advice are told.
    async fn work_on_other(&self, subject: &Subject, record: &mut Record, now: Timestamp) -> Result<Tally, Failure> {
        // Told first: an event can be so late that its story is over when it comes.
        advise(subject, record);
        if matches!(subject, Subject::Project { .. }) {
            self.look_at_copies(subject, record, now).await;
        }
        let Some(incident) = &record.open else { return Ok(Tally::worked("told", "what was left to tell", None)) };
        match recovery::of_anything_else(incident, now) {
            Recovery::Ended(how) => self.close(subject, record, now, how, Silence::Always).await,
            Recovery::Steady(_) | Recovery::NotYet(_) => Ok(Tally::worked("advised", "there is no service to act on", None)),
        }
    }

    async fn work_on_service(
        &self,
        subject: &Subject,
        id: &ServiceId,
        record: &mut Record,
        owner: &str,
        now: Timestamp,
    ) -> Result<Tally, Failure> {
        let service = self.look_at_service(id).await;
        let mode = self.mode(service.found()).await;
        if mode == Mode::Off {
            return Ok(Tally::worked("off", "pullsafe:mode is off for this service", None));
        }
        let Some(incident) = &mut record.open else { return Ok(Tally::worked("told", "what was left to tell", None)) };
        if let Some(act) = incident.act.clone().filter(|act| act.state == ActState::Acting) {
            return self.carry_out(subject, record, act.plan, now).await;
        }
        match recovery::of_service(incident, &service, now) {
            Recovery::Steady(how) => return self.close(subject, record, now, how, Silence::IfNobodyKnows).await,
            Recovery::Ended(how) => return self.close(subject, record, now, how, Silence::IfNobodyKnows).await,
            Recovery::NotYet(_) => {}
        }
        let Some(blocker) = incident.blocker().cloned() else { return Ok(Tally::worked("open", "no cause is known yet", None)) };
        let seen = self.observe(service, &blocker, &mut incident.quota_limit).await;
        let situation = Situation { now, settings: &self.settings, service: id, incident, blocker: &blocker, seen: &seen };
        let decision = remedy::decide(situation);
        incident.declined = decision.declined;
        let Some(plan) = decision.plan else {
            wait_for(incident, decision.waiting, now);
            if seen.is_worth_another_look() && now.seconds_since(blocker.first_at) < PATIENCE_SECONDS {
                return Ok(Tally::worked("postponed", "something could not be found out; the sweep looks again", None));
            }
            // Who waits for the mirror has been told so when it was asked.
            let asked = matches!(&incident.waiting, Some(Waiting { cause: WaitingFor::Mirror(_), .. }));
            if !asked && !incident.is_settling() {
                advise(subject, record);
            }
            return Ok(Tally::worked("advised", "no remedy was applied", None));
        };
        if mode == Mode::Observe {
            let remedy = plan.remedy;
            incident.act.get_or_insert(Act {
                cause: blocker.diagnosis.cause,
                plan: plan.clone(),
                decided_at: now,
                state: ActState::Observed,
            });
            record.tell(&format!("would:{}", plan.key()), |incident, id| {
                notice::about(&subject.to_string(), incident, &blocker, &Outcome::WouldApply(&plan), id)
            });
            return Ok(Tally::worked("observed", "observe mode", Some(remedy.as_str())));
        }
        // Asking the mirror is no act upon the service: the act is the move that follows.
        if plan.remedy != RemedyName::PrepareMirror {
            incident.log(now, format!("decided: {}", plan.summary));
            incident.act = Some(Act { cause: blocker.diagnosis.cause, plan: plan.clone(), decided_at: now, state: ActState::Acting });
            self.table.save(subject, owner, record, now, false).await?;
        }
        self.carry_out(subject, record, plan, now).await
    }

    async fn carry_out(&self, subject: &Subject, record: &mut Record, plan: Plan, now: Timestamp) -> Result<Tally, Failure> {
        let given_up = self.act(&plan).await?;
        let Some(incident) = &mut record.open else { return Ok(Tally::worked("told", "what was left to tell", None)) };
        let (state, line) = match &given_up {
            None => (ActState::Done, format!("done: {}", plan.summary)),
            Some(why) => (ActState::Abandoned, format!("given up: {why}")),
        };
        incident.log(now, line);
        if plan.remedy != RemedyName::PrepareMirror
            && let Some(act) = &mut incident.act
        {
            act.state = state;
        }
        wait_for(incident, plan.then_wait_for.clone().filter(|_| given_up.is_none()), now);
        let remedy = plan.remedy.as_str();
        let (outcome, word) = match &given_up {
            None => (Outcome::Applied(&plan), "acted"),
            Some(why) => (Outcome::Abandoned(&plan, why), "abandoned"),
        };
        if let Some(blocker) = incident.blocker().cloned() {
            record.tell(&format!("{word}:{}", plan.key()), |incident, id| {
                notice::about(&subject.to_string(), incident, &blocker, &outcome, id)
            });
        }
        Ok(Tally::worked(word, given_up.unwrap_or_default(), Some(remedy)))
    }

    /// Ends an incident: the archive first, so that it is never lost, then the message.
    async fn close(&self, subject: &Subject, record: &mut Record, now: Timestamp, how: String, silence: Silence) -> Result<Tally, Failure> {
        if let Some(incident) = &mut record.open {
            incident.log(now, how.clone());
        }
        let told = record.open.as_ref().is_some_and(|incident| !incident.told.is_empty());
        if told && silence == Silence::IfNobodyKnows {
            record.tell("resolved", |incident, id| notice::resolved(&subject.to_string(), incident, &how, id));
        }
        if let Some(incident) = record.close(now) {
            self.table.archive(subject, &incident, now).await?;
        }
        Ok(Tally::worked("resolved", how, None))
    }

    /// Sends what is in the outbox. If it fails, everything that is left is still in the stored record.
    async fn tell(&self, subject: &Subject, record: &mut Record) -> Result<(), Failure> {
        while let Some(notice) = record.outbox.first() {
            self.events.put(&self.settings.event_bus, &notice.detail_type, Some(&subject.key()), &notice.detail).await?;
            self.topic.publish(notice).await?;
            record.outbox.remove(0);
        }
        Ok(())
    }

    async fn mode(&self, service: Option<&Service>) -> Mode {
        let Some(service) = service else { return self.settings.mode };
        let raises = self.settings.allow_tag_to_act;
        let cluster = match service::said(service.mode_tag(), raises) {
            Some(_) => None,
            None => self.ecs.cluster_tag(&service.id.cluster_arn, service::marks::MODE).await.unwrap_or_else(|failure| {
                // A cluster that may forbid acting could not be asked: look, and do not act.
                tracing::warn!(%failure, "the cluster's tags could not be read: observing");
                Some(Mode::Observe.as_str().to_owned())
            }),
        };
        service::mode(service.mode_tag(), cluster.as_deref(), self.settings.mode, raises)
    }

    /// A deployment began, and no incident is open: make sure that the mirror has what it will pull.
    pub(crate) async fn deployment_started(
        &self,
        changed: &ServiceChanged,
        payload: &Value,
        owner: &str,
        now: Timestamp,
    ) -> Result<Tally, Failure> {
        if self.settings.ahead == Ahead::Off || changed.reason.contains("rolling back") {
            return Ok(Tally::ignored("nothing is done ahead of a failure".to_owned()));
        }
        let service = self.look_at_service(&changed.service).await;
        let mode = self.mode(service.found()).await;
        let Some(definition) = service.found().filter(|_| mode != Mode::Off).map(|service| service.task_definition.clone()) else {
            return Ok(Tally::ignored("the service is gone, or pullsafe is off for it".to_owned()));
        };
        let seen = self.observe_ahead(service, &definition).await;
        let Some(plan) = remedy::ahead::prepare(&self.settings, &seen) else {
            return Ok(Tally::ignored("the deployment pulls nothing from Docker Hub".to_owned()));
        };
        let subject = Subject::Service(changed.service.clone());
        let Some(mut record) = self.lease(&subject, payload, owner, now).await? else { return Ok(Tally::deferred()) };
        if record.prepared.as_deref() == Some(&definition) {
            return self.give_back(&subject, &record, owner, "this task definition was looked at before").await;
        }
        let given_up = if mode == Mode::Act { self.act(&plan).await? } else { None };
        record.prepared = Some(definition);
        record.notices += 1;
        let id = format!("{now}-{}-{}", changed.service.name, record.notices);
        if given_up.is_none() {
            record.outbox.push(notice::ahead(&subject.to_string(), &plan, mode == Mode::Act, id));
        }
        self.tell(&subject, &mut record).await?;
        self.table.save(&subject, owner, &record, now, true).await?;
        Ok(Tally::worked("prepared", given_up.unwrap_or_default(), Some(plan.remedy.as_str())))
    }
}

/// When an incident ends without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Where nobody was told that it began.
    IfNobodyKnows,
    /// Always: what has no steady state is only forgotten, and that is no news.
    Always,
}

fn advise(subject: &Subject, record: &mut Record) {
    let Some(blocker) = record.open.as_ref().and_then(Incident::blocker).cloned() else { return };
    let diagnosis = &blocker.diagnosis;
    let about = match subject {
        Subject::Service(_) | Subject::Family { .. } => diagnosis.container.as_deref(),
        // Two builds of a project can fail in different phases, and of different images.
        Subject::Project { .. } => {
            diagnosis.image.as_deref().or_else(|| diagnosis.evidence.first().map(|evidence| evidence.source.as_str()))
        }
    };
    let key = format!("advice:{}:{}", diagnosis.cause, about.unwrap_or_default());
    record.tell(&key, |incident, id| {
        // Nothing is moved when the copies of a build's base images have come: its owner changes the lines.
        let waiting = incident.waiting.as_ref().filter(|_| matches!(subject, Subject::Service(_))).map(|waiting| &waiting.cause);
        notice::about(&subject.to_string(), incident, &blocker, &Outcome::Advised(waiting), id)
    });
}

/// Keeps the beginning of a wait that goes on.
fn wait_for(incident: &mut Incident, cause: Option<WaitingFor>, now: Timestamp) {
    incident.waiting = cause.map(|cause| {
        let since = incident.waiting.as_ref().filter(|waiting| waiting.cause == cause).map_or(now, |waiting| waiting.since);
        Waiting { cause, since }
    });
}
