//! The remediator: hears what happens to services and images, finds the cause, and cures what can be cured safely.
//!
//! The flow, for every event:
//!
//! 1. **Parse.** An event is a hint where to look ([`pullsafe_events`]).
//! 2. **Lease.** Only one invocation at a time works on a subject; another one puts its event back for later.
//! 3. **Diagnose** a stop, look closer where its text leaves something open (`evidence.rs`), and add it to the
//!    subject's incident.
//! 4. **Observe** what a decision needs, read only (`observe.rs`).
//! 5. **Decide.** The domain makes a plan, or says why not; the plan is stored before anything is done.
//! 6. **Act**, step by step (`act.rs`). Every step looks first, so that whoever finds a stored plan can repeat it.
//! 7. **Tell** people and programs, store the incident, give the lease back (`work.rs`).
//!
//! What it guarantees: any event may come twice, late or out of order, and the process may die at any line; the
//! services end up in the same state. A message may then be published twice, always with the same id.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::Tally;
use crate::aws::ecs::Ecs;
use crate::aws::load_balancing::LoadBalancing;
use crate::aws::logs::Logs;
use crate::aws::running::Running;
use crate::aws::scaling::Scaling;
use crate::aws::stack::Stacks;
use crate::aws::tagging::Tagging;
use crate::drill;
use crate::lease::Invocation;
use crate::leave::Remembered;
use crate::recent::Recent;
use crate::work::{Judged, asks_again};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use pullsafe::clock::Clock;
use pullsafe::lookup::Lookup;
use pullsafe::settings::Settings;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_aws::identity::Signatures;
use pullsafe_aws::outbox::{Events, Topic};
use pullsafe_aws::queue::Queues;
use pullsafe_aws::role::Roles;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_diagnosis::diagnose_text;
use pullsafe_events as event;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_events::{Event, ServiceChange, ServiceChanged, Subject, TaskStopped};
use pullsafe_incident::record::{Added, Record};
use pullsafe_incident::store::{DueRow, Next, Table};
use pullsafe_incident::waiting;
use pullsafe_inspect::looks::Account;
use pullsafe_registry as registry;
use remediator_decide::belongs;
use remediator_decide::count::{only_counts, was_decided, without_a_look};
use remediator_decide::service::Service;
use serde_json::{Value, json};
use tokio::time::Instant;

/// For how long all looks for one event go on: half of the function's time, so that what was found is acted upon and
/// told.
pub(crate) const LOOKS: Duration = Duration::from_secs(30);

/// How often the sweep runs (template.yaml), and how many it claims side by side.
const SWEEP_SECONDS: i64 = 60;
const CLAIMS: usize = 16;
/// How many looks are begun in a second where many are to be made at once. ECS describes services, clusters and task
/// definitions 20 times a second and updates services 5 times; a look that moves its service describes each up to five
/// times.
const LOOKS_A_SECOND: usize = 4;

/// The remediator with everything it speaks to.
#[derive(Clone)]
pub struct Remediator {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) account: Account,
    pub(crate) balancers: LoadBalancing,
    pub(crate) ecs: Ecs,
    pub(crate) events: Events,
    pub(crate) logs: Logs,
    pub(crate) queues: Queues,
    pub(crate) registry: registry::Client,
    pub(crate) roles: Roles,
    pub(crate) running: Running,
    pub(crate) scaling: Scaling,
    pub(crate) signatures: Arc<Signatures>,
    pub(crate) stacks: Stacks,
    pub(crate) remembered: Remembered,
    /// What the clusters' tags say of the mode, by the clusters' ARNs.
    pub(crate) clusters: Recent<Option<String>>,
    pub(crate) definitions: Recent<TaskDefinition>,
    /// The roles that may pull, and from which repositories.
    pub(crate) leaves: Recent<BTreeMap<String, Lookup<bool>>>,
    pub(crate) table: Table,
    pub(crate) tagging: Tagging,
    pub(crate) topic: Topic,
    /// When the looks for the event at hand end.
    pub(crate) looks_end: Option<Instant>,
}

impl Remediator {
    /// A remediator over these clients. Nothing is connected before an event needs it.
    pub fn new(settings: Settings, config: &pullsafe_aws::SdkConfig, registry: registry::Client, clock: Clock) -> Self {
        Self {
            account: Account::new(config, EcrRegions::new(config.clone())),
            balancers: LoadBalancing::new(config),
            ecs: Ecs::new(config),
            events: Events::new(config),
            logs: Logs::new(config),
            queues: Queues::new(config),
            registry,
            roles: Roles::new(config),
            running: Running::new(config),
            scaling: Scaling::new(config),
            signatures: Arc::new(Signatures::new(config)),
            stacks: Stacks::new(config),
            remembered: Remembered::default(),
            clusters: Recent::default(),
            definitions: Recent::default(),
            leaves: Recent::default(),
            table: Table::new(config, &settings.table),
            tagging: Tagging::new(config),
            topic: Topic::new(config, &settings.topic_arn, settings.format),
            looks_end: None,
            settings,
            clock,
        }
    }

    pub(crate) async fn one(&self, payload: &Value, owner: &str) -> Result<Tally, Failure> {
        let now = (self.clock)();
        // On the heap: the whole flow in one future would be too deep a type, and too large for a stack.
        let within = Self { looks_end: Some(Instant::now() + LOOKS), ..self.clone() };
        let tally = Box::pin(within.dispatch(event::parse(payload, now), Invocation { id: owner, now })).await?;
        tracing::info!(
            outcome = tally.outcome,
            remedy = tally.remedy,
            why = tally.why,
            "event handled: {}",
            tally.outcome
        );
        tally.count(now);
        Ok(tally)
    }

    /// A look that ends in time: what does not answer is not known, and the event goes on without it.
    pub(crate) async fn in_time<T>(
        &self,
        call: &'static str,
        look: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.looker().in_time(call, look).await
    }

    /// How much of this time the looks for the event at hand leave.
    pub(crate) fn time_for(&self, wanted: Duration) -> Duration {
        self.looks_end.map_or(wanted, |end| wanted.min(end.saturating_duration_since(Instant::now())))
    }

    pub(crate) async fn dispatch(&self, event: Event, by: Invocation<'_>) -> Result<Tally, Failure> {
        match event {
            Event::Ignored(why) => Ok(Tally::ignored(why)),
            Event::TaskStopped(stopped) => self.task_stopped(*stopped, by).await,
            Event::ServiceChanged(changed) => self.service_changed(changed, by).await,
            Event::BuildFailed(build) => self.build_failed(*build, by).await,
            Event::HookWaits(waits) => Box::pin(self.hook_waits(&waits, by)).await,
            Event::ImageArrived(arrival) => self.look_where(&waiting::of_arrival(&arrival), by).await,
            Event::ImageMirrored(copy) => self.look_where(&[waiting::of_mirrored(&copy.source)], by).await,
            Event::Sweep => self.sweep(by.now).await,
            Event::FindPaused => self.find_paused().await,
            Event::Paused(subject) => self.look_at_paused(&subject, by).await,
            Event::FindOutlooks => self.find_outlooks(by.now).await,
            Event::LookOut(subject, definition) => self.look_out(&subject, definition.as_deref(), by.now).await,
            Event::TellOutlooks => self.tell_outlooks(by.now).await,
            Event::QuotaRead(probed) => Box::pin(self.quota_read(&probed, by.now)).await,
            Event::MoveAhead(subject) => Box::pin(self.move_ahead(&subject, by)).await,
            Event::Look(subject) => self.look(&subject, by).await,
            Event::Summary(author, since) => self.summarize(&author, since, by.now).await,
            Event::Drill(service) => {
                Ok(Box::pin(drill::play(&drill::Harmless::of(self), &service, by.id, by.now)).await)
            }
            Event::TryAgain(subject) => self.try_again(&subject, by).await,
        }
    }

    pub(crate) async fn task_stopped(&self, stopped: TaskStopped, by: Invocation<'_>) -> Result<Tally, Failure> {
        let (TaskStopped { subject, task }, now) = (stopped, by.now);
        let (task, diagnosis) = self.know_completion(task).await;
        if diagnosis.cause.is_benign() {
            return Ok(Tally::ignored(format!("the stop is in the normal course of events ({})", diagnosis.cause)));
        }
        tracing::info!(task = task.task_arn, subject = %subject, cause = diagnosis.cause.as_str(), "{subject}: task {} stopped: {}", task.task_id(), diagnosis.cause);
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
        // One more of the same is counted, with one write; it is looked at when its look is due.
        let mut record = found.record.clone();
        if self.add_stop(&subject, &mut record, &task, diagnosis.clone(), now, Looks::IfCounted).await
            == Some(Added::New)
        {
            return match self.table.replace(&subject, &found, &mut record, now, Next::AsItWas).await? {
                true => Ok(Tally::worked("counted", "one more of what was looked at already", None)),
                false => Ok(Tally::deferred()),
            };
        }
        // Where the text alone tells the cause, the look does not wait for the lease.
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

    /// A stop of a task that only carries a service's group: it is its family's.
    async fn strangers(&self, task: StoppedTask, why: &str, by: Invocation<'_>) -> Result<Tally, Failure> {
        tracing::info!(task = task.task_arn, "{why}");
        let stranger = TaskStopped { subject: TaskStopped::of_no_service(&task), task };
        Box::pin(self.task_stopped(stranger, by)).await
    }

    /// Adds a stop to its service's record, looked at closer where that is worth it. `None` where it would need a look,
    /// and may not have one.
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

    /// Remembers a task again that only the rows of the past know.
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

    pub(crate) async fn service_changed(&self, changed: ServiceChanged, by: Invocation<'_>) -> Result<Tally, Failure> {
        let subject = Subject::Service(changed.service.clone());
        // Every deployment of every service passes here: without an incident nothing is written.
        let known = self.table.read(&subject, by.id, by.now).await?.record;
        let open = known.open.is_some() || !known.outbox.is_empty();
        match changed.change {
            ServiceChange::DeploymentStarted if !open => self.deployment_started(&changed, &known, by).await,
            ServiceChange::Unplaceable => self.cannot_launch(&changed, by).await,
            // Repeated as long as its tasks fail, which is what the incident is about.
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
        // It is remembered as a task is: once, however often it is repeated.
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

    /// Looks at who waits for what has just arrived.
    pub(crate) async fn look_where(&self, names: &[String], by: Invocation<'_>) -> Result<Tally, Failure> {
        let waiters = self.table.waiters(names).await?;
        match waiters.as_slice() {
            [] => Ok(Tally::ignored("nothing waits for this image".to_owned())),
            [one] => self.look(one, by).await,
            // Side by side, and each as often as it takes.
            several => {
                self.queues
                    .send_all(&self.settings.queue_url, &several.iter().map(look_at).collect::<Vec<_>>(), after)
                    .await?;
                Ok(Tally::swept(several.len()))
            }
        }
    }

    /// Puts a look at everybody who is due into the queue, where they run side by side.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<Tally, Failure> {
        // Half a sweep ahead: what is due in between would else wait for the next one.
        let mut due = self.table.due(now.plus_seconds(SWEEP_SECONDS / 2)).await?;
        // Whoever has waited longest first; the others are due still.
        due.sort_by_key(DueRow::at);
        due.truncate(LOOKS_A_SECOND.saturating_mul(usize::try_from(SWEEP_SECONDS).unwrap_or(usize::MAX)));
        // Whoever is claimed is due again by itself should its message be lost.
        let claims = stream::iter(&due).map(async |row| Ok((self.table.claim(row, now).await?, look_at(&row.subject))));
        let claims: Vec<(bool, Value)> = claims.buffered(CLAIMS).try_collect::<Vec<_>>().await?;
        let looks: Vec<Value> = claims.into_iter().filter(|(is_ours, _)| *is_ours).map(|(_, look)| look).collect();
        self.queues.send_all(&self.settings.queue_url, &looks, after).await?;
        Box::pin(self.tell_outbreaks(now)).await;
        Ok(Tally::swept(looks.len()))
    }

    /// A look that is due, or that an arrival calls for. It takes no lease and writes nothing unless it finds
    /// something.
    pub(crate) async fn look(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let found = self.table.read(subject, by.id, by.now).await?;
        if found.is_leased {
            return Ok(Tally::deferred());
        }
        // While a deployment waits at the door, nothing else is done to its service.
        if let Some(door) = found.record.door.as_ref().filter(|_| self.settings.answer_hooks) {
            return Box::pin(self.hook_waits(&door.hook, by)).await;
        }
        if found.record.open.is_none() && found.record.outbox.is_empty() {
            return Ok(Tally::ignored("no incident is open".to_owned()));
        }
        let now = by.now;
        if !has_unfinished(&found.record) && !asks_again(subject, &found.record, now) && !found.is_uncounted() {
            let mut record = found.record.clone();
            let judged = self.judge(subject, &mut record, &mut None, now).await;
            if let Judged::Rest(tally) = &judged
                && record.outbox.is_empty()
            {
                let next = Next::of(&record, &found.record);
                let stands =
                    record.is_as(&found.record) || self.table.replace(subject, &found, &mut record, now, next).await?;
                return Ok(if stands { tally.clone() } else { Tally::deferred() });
            }
            // Something is to be done or told: under the lease, if nothing has happened since the record was read.
            let Some(mut lease) = self.lease_found(subject, &found, by).await? else {
                return Ok(Tally::deferred());
            };
            lease.record = record;
            return self.finish(lease, &found.record, judged).await;
        }
        let Some(lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        if lease.record.open.is_none() && lease.record.outbox.is_empty() {
            return lease.give_back(&self.table, "no incident is open").await;
        }
        self.work(lease).await
    }

    /// A person says that what an act was refused for is mended, or takes a no back: it is decided about again, and
    /// told again.
    async fn try_again(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        let was_declined = !lease.record.noes.is_empty();
        lease.record.noes.clear();
        let open = lease.record.open.as_mut();
        let Some(incident) = open.filter(|incident| incident.refusal.is_some() || was_declined) else {
            return lease.give_back(&self.table, "nothing was refused or declined").await;
        };
        incident.try_again();
        incident.refusal = None;
        incident.told.retain(|key| !key.starts_with("refused:"));
        incident.say(by.now, "a person asked for another try");
        if matches!(subject, Subject::Project { .. }) {
            self.ask_again(subject, &mut lease.record, by.now).await?;
        }
        self.work(lease).await
    }
}

/// Why a task is not the service's that was looked at, as far as that could be; a family that failed before was found
/// to be.
fn not_theirs(service: Option<&Lookup<Service>>, record: &Record, task: &StoppedTask) -> Option<String> {
    let service = service?.found().filter(|_| !belongs::is_known(record, task))?;
    belongs::stranger(service, task)
}

/// After how many seconds the look with this number begins.
pub(crate) fn after(number: usize) -> i32 {
    i32::try_from(number / LOOKS_A_SECOND).unwrap_or(i32::MAX)
}

/// The message that asks for a look at one subject.
fn look_at(subject: &Subject) -> Value {
    json!({ "pullsafe": "look", "subject": subject })
}

/// When a stop is added, and whether it may be looked at closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// It is added only where it is one more of what was looked at already, and that takes no call to see.
    IfCounted,
    /// It is added only where no call is needed for its diagnosis.
    IfTold,
    /// As far as it is worth it.
    AsNeeded,
}

pub(crate) fn has_unfinished(record: &Record) -> bool {
    use pullsafe_incident::incident::ActState;
    let acting = record
        .open
        .as_ref()
        .and_then(|incident| incident.act.as_ref())
        .is_some_and(|act| act.state == ActState::Acting);
    acting || record.answered_question().is_some() || !record.outbox.is_empty()
}
