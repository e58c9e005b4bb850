//! The mirror: keeps byte-identical copies of images in ECR private.
//!
//! On a schedule it plans (`planner.rs`): what the configuration and ECS want, what it means at Docker Hub now, what
//! the mirror lacks. The plan becomes jobs in a queue of its own; jobs that somebody asked for come by another, and so
//! go ahead of the plan. Both are worked off the same way (`work.rs`), a few at a time. Each job is safe to repeat;
//! what cannot succeed by repetition is reported once and dropped, everything else comes again after a pause that
//! grows, until the queue's redrive policy ends it. A finished copy is announced by the event `Image Mirrored`, and one
//! that was asked for also when there was nothing to copy, for somebody waits for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::aws::hub_secret::{HubSecret, MirrorCredentials, NamedSources};
use crate::aws::inventory::EcsInventory;
use crate::aws::shared_allowance::SharedAllowance;
use crate::look::Around;
use aws_config::SdkConfig;
use pullsafe::clock::Clock;
use pullsafe::settings::MirrorSettings;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::ecr::{EcrCredentials, EcrNative, EcrRegions};
use pullsafe_aws::outbox::Events;
use pullsafe_aws::queue::Queues;
use pullsafe_aws::telemetry::trace_event;
use pullsafe_registry::http::Timeouts;
use pullsafe_registry::{Allowance, Client, Config, Copier, Endpoints};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::work::holders::KnownHolders;

/// Kept back for the answer.
pub(crate) const TIME_TO_ANSWER: Duration = Duration::from_secs(3);

/// The function, for as long as its process lives.
pub struct MirrorFunction {
    pub(crate) settings: MirrorSettings,
    pub(crate) config: SdkConfig,
    pub(crate) ecr: EcrRegions,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Clock,
    pub(crate) timeouts: Timeouts,
    pub(crate) copier: OnceLock<Copier>,
    pub(crate) known: KnownHolders,
    pub(crate) named: Arc<NamedSources>,
    pub(crate) events: OnceLock<Events>,
    pub(crate) queues: OnceLock<Queues>,
    pub(crate) ecs: OnceLock<EcsInventory>,
}

impl MirrorFunction {
    /// Nothing is loaded or connected until an event needs it.
    pub fn new(settings: MirrorSettings, config: SdkConfig, endpoints: Endpoints, clock: Clock) -> Self {
        Self {
            settings,
            ecr: EcrRegions::new(config.clone()),
            config,
            endpoints,
            clock,
            timeouts: Timeouts::default(),
            copier: OnceLock::new(),
            known: KnownHolders::default(),
            named: Arc::default(),
            events: OnceLock::new(),
            queues: OnceLock::new(),
            ecs: OnceLock::new(),
        }
    }

    /// The same with other patience towards registries.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Handles one event. There is no event that makes it fail: what failed is in the answer.
    pub async fn handle(&self, event: &Value, deadline: Instant) -> Value {
        trace_event(event);
        if let Some(records) = event.get("Records").and_then(Value::as_array) {
            // Boxed, for a future of this depth is more than the compiler lays out in one piece.
            return Box::pin(self.batch(records, deadline)).await;
        }
        let by_schedule = event
            .get("source")
            .and_then(Value::as_str)
            .is_some_and(|source| matches!(source, "aws.events" | "aws.scheduler"));
        if by_schedule || event.get("pullsafe").and_then(Value::as_str) == Some("mirror") {
            return Box::pin(self.scheduled(event, deadline)).await;
        }
        tracing::warn!("an event that is neither a batch of jobs nor the schedule was ignored");
        json!({"planned": 0, "reason": "the event is neither a batch of jobs nor the schedule"})
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn around(&self) -> Around<'_> {
        Around {
            client: self.copier().client(),
            ecr: &self.ecr,
            ecs: self.ecs.get_or_init(|| EcsInventory::of(&self.config)),
        }
    }

    pub(crate) fn copier(&self) -> &Copier {
        self.copier.get_or_init(|| {
            let ecr = EcrCredentials::new(self.ecr.clone(), Arc::clone(&self.clock));
            let secret = self.settings.hub_secret.clone();
            let hub = secret.map(|arn| HubSecret::new(self.config.clone(), arn, Arc::clone(&self.clock)));
            let config = Config::new(Arc::clone(&self.clock));
            let credentials = Arc::new(MirrorCredentials::new(ecr, hub, Arc::clone(&self.named)));
            let shared = |table: &String| -> Arc<dyn Allowance> {
                Arc::new(SharedAllowance::new(&self.config, table, Arc::clone(&self.clock)))
            };
            let allowance = self.settings.table.as_ref().map(shared);
            let client = Client::new(Config {
                endpoints: self.endpoints.clone(),
                credentials,
                allowance,
                timeouts: self.timeouts,
                ..config
            });
            Copier::new(client).with_native(Arc::new(EcrNative::new(self.ecr.clone())))
        })
    }
}
