//! What both functions work with, and the calls that every file here makes.

use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::decide::wait::Wait;
use crate::table::GateTable;
use aws_config::SdkConfig;
use pullsafe::clock::Clock;
use pullsafe::mirror_job::MirrorJob;
use pullsafe::reference::Reference;
use pullsafe::settings::GateSettings;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe_aws::queue::Queues;
use pullsafe_registry::http::{Http, Timeouts};
use pullsafe_registry::{AllowedHosts, Client, Config, Endpoints};
use tokio::time::{Instant, timeout};

use crate::response_url::UndeliveredResponse;
use crate::stacks::WaitingStacks;

/// What the gate works with, read once at its start.
#[derive(Debug, Clone)]
pub struct GateContext {
    /// What the stack says.
    pub stack: GateSettings,
    /// Where registries answer.
    pub endpoints: Endpoints,
    /// The own log group, which a reason names where the gate itself failed.
    pub log_group: String,
    /// The pause between two looks of a function that has to wait by itself.
    pub pause: Duration,
    /// The pause before an index is read again that was pushed just now.
    pub settle_index: Duration,
    /// The pause before a single image is read again that was pushed just now, for its index may follow.
    pub settle_image: Duration,
    /// How long one look may take.
    pub look_budget: Duration,
    /// How long one call to the table may take.
    pub table_budget: Duration,
    /// How long the delivery of an answer may take: less than the lease under which it is delivered.
    pub delivery_budget: Duration,
    /// Kept back of the function's time for the answer.
    pub time_to_answer: Duration,
}

impl Default for GateContext {
    fn default() -> Self {
        Self {
            stack: GateSettings::default(),
            endpoints: Endpoints::default(),
            log_group: "/aws/lambda/image-gate".to_owned(),
            pause: Duration::from_secs(3),
            settle_index: Duration::from_millis(700),
            settle_image: Duration::from_millis(1600),
            look_budget: Duration::from_secs(20),
            table_budget: Duration::from_secs(5),
            delivery_budget: Duration::from_secs(25),
            time_to_answer: Duration::from_secs(15),
        }
    }
}

/// Why an event was not handled, so that a repetition may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// An answer could not be delivered.
    #[error(transparent)]
    Unanswered(#[from] UndeliveredResponse),
    /// It could not be found out who waits.
    #[error("who waits is not known: {0}")]
    Table(#[from] Failure),
}

/// One invocation: who it is, and until when it runs.
#[derive(Debug, Clone)]
pub(crate) struct GateInvocation {
    /// The same for every try of an event.
    pub(crate) owner: String,
    pub(crate) deadline: Instant,
}

/// The function, for as long as its process lives.
pub struct ImageGate {
    pub(crate) own_region: Option<String>,
    pub(crate) ecr: EcrRegions,
    pub(crate) stacks: WaitingStacks,
    pub(crate) table: Option<GateTable>,
    pub(crate) queues: Queues,
    pub(crate) settings: GateContext,
    pub(crate) http: Http,
    /// How many batches ECR was asked for.
    pub(crate) batches: AtomicUsize,
    clock: Clock,
    registries: OnceLock<Client>,
}

impl ImageGate {
    /// Nothing is connected until an event needs it.
    pub fn new(config: SdkConfig, settings: GateContext, clock: Clock) -> Self {
        let timeouts = Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(5),
            ..Timeouts::default()
        };
        let own_region = config.region().map(ToString::to_string);
        let table = Some(settings.stack.table.as_str())
            .filter(|name| !name.is_empty())
            .map(|name| GateTable::new(&config, name));
        Self {
            own_region,
            stacks: WaitingStacks::new(&config),
            queues: Queues::new(&config),
            ecr: EcrRegions::new(config),
            table,
            settings,
            http: Http::new(timeouts, AllowedHosts::Anywhere),
            batches: AtomicUsize::default(),
            clock,
            registries: OnceLock::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A call to the table or a queue, which is not waited for longer than sensible, and never so long that no time is
    /// left for what comes after it.
    pub(crate) async fn stored<T>(
        &self,
        call: &GateInvocation,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let left = call.deadline.saturating_duration_since(Instant::now());
        match timeout(self.settings.table_budget.min(left / 3), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::unexpected("aws", "no answer in time")),
        }
    }

    /// Asks the mirror for the source of a request, if that is due: the next state of its row, if that is news. A
    /// refusal is kept for the reason of a failure, and the next sweep asks again: a permission may be on its way.
    pub(crate) async fn ask_mirror(&self, wait: &Wait, call: &GateInvocation) -> Option<Wait> {
        let now = self.now();
        let source = wait.asked.source.as_ref().filter(|_| wait.should_ask_mirror(now))?;
        let queue = self.settings.stack.mirror_queue_url.as_ref()?;
        let target = wait.asked.image_at(&wait.place.uri());
        let place = target.parse::<Reference>().ok()?;
        let job = MirrorJob::message(source, &place, &wait.requester.stack_id);
        match self.stored(call, self.queues.send(queue, &job, 0)).await {
            Ok(()) => {
                tracing::info!(%source, target, "the mirror is asked for {source}");
                Some(wait.asked_mirror(now))
            }
            Err(failure) => {
                tracing::warn!(%source, %failure, "the mirror could not be asked: {failure}");
                // Whose stack it is need not see more of this account than the action that is missing.
                wait.mirror_refused(format!("{}: {}", failure.call, failure.code.as_deref().unwrap_or("no answer")))
            }
        }
    }

    pub(crate) fn registries(&self) -> &Client {
        self.registries.get_or_init(|| {
            let credentials = EcrCredentials::new(self.ecr.clone(), Arc::clone(&self.clock));
            let config = Config::new(Arc::clone(&self.clock));
            Client::new(Config {
                endpoints: self.settings.endpoints.clone(),
                credentials: Arc::new(credentials),
                ..config
            })
        })
    }
}
