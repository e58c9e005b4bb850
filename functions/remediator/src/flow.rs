//! The remediator: hears what happens to services and images, finds the cause, and cures what can be cured safely.
//!
//! The flow, for every event:
//!
//! 1. **Parse.** An event is a hint where to look ([`pullsafe_events`]).
//! 2. **Lease.** Only one invocation at a time works on a subject (`lease.rs`); another one puts its event back for
//!    later.
//! 3. **Diagnose** a stop (`stop.rs`), look closer where its text leaves something open (`evidence.rs`), and add it to
//!    the subject's incident.
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
use pullsafe::clock::Clock;
use pullsafe::lookup::Lookup;
use pullsafe::settings::Settings;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_aws::identity::Signatures;
use pullsafe_aws::outbox::{Events, Topic};
use pullsafe_aws::queue::Queues;
use pullsafe_aws::role::Roles;
use pullsafe_events as event;
use pullsafe_events::Event;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::record::Record;
use pullsafe_incident::store::Table;
use pullsafe_incident::waiting;
use pullsafe_inspect::looks::Account;
use pullsafe_registry as registry;
use serde_json::Value;
use tokio::time::Instant;

/// How long all looks for one event may take together: half of the function's time. The rest is for acting and telling.
pub(crate) const LOOKS: Duration = Duration::from_secs(30);

/// The remediator, with a client for everything it calls.
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
    /// The mode in each cluster's tag, by the cluster's ARN.
    pub(crate) clusters: Recent<Option<String>>,
    pub(crate) definitions: Recent<TaskDefinition>,
    /// What IAM answered lately about the repositories that a role may pull from.
    pub(crate) leaves: Recent<BTreeMap<String, Lookup<bool>>>,
    pub(crate) table: Table,
    pub(crate) tagging: Tagging,
    pub(crate) topic: Topic,
    /// When the looks for this event have to end.
    pub(crate) looks_end: Option<Instant>,
}

impl Remediator {
    /// Makes a remediator and its clients. None of them connects before an event needs it.
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
        // On the heap: the future of the whole flow is too deep a type, and too large for the stack.
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

    /// Makes a look that ends in time. What has not answered by then counts as not known, and the event goes on without
    /// it.
    pub(crate) async fn in_time<T>(
        &self,
        call: &'static str,
        look: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.looker().in_time(call, look).await
    }

    /// The part of `wanted` that is left before the looks for this event have to end.
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
