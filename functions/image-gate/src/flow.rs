//! The image gate: the custom resource `Custom::PullsafeImage`, which lets a stack go on once an image exists.
//!
//! One program, deployed as two functions; the event's shape says which of them it is.
//!
//! - The **gate** gets CloudFormation's requests, directly or through a topic. It looks; if the image is absent, it parks the
//!   request in the table, looks once more (a push may have come between) and ends. It never waits in a running function,
//!   unless parking is impossible: then it looks again and again until shortly before its end, and answers FAILED.
//! - The **waker** gets what brings images, the sweep of every minute, and the requests that the gate failed at. It looks
//!   where somebody waits, once for a repository, and answers.
//!
//! One request gets one answer, whatever happens: a bad property, a panic and a timeout are answered FAILED with a reason. The
//! answer is decided under a claim on the request's row and stored in it, so that whoever repeats it sends the same bytes. A
//! Delete is answered first of all and needs no permission.

use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Unanswered;
use crate::decide::request::Envelope;
use crate::decide::wait::Wait;
use crate::table::GateTable;
use aws_config::SdkConfig;
use pullsafe::clock::Clock;
use pullsafe::mirror_job::MirrorJob;
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe_aws::queue::Queues;
use pullsafe_events as event;
use pullsafe_registry::http::{Http, Timeouts};
use pullsafe_registry::{Client, Config, Endpoints, Reach};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

/// The environment variable that allows answers to local addresses.
pub const ALLOW_LOCAL_VARIABLE: &str = "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL";

/// What the gate works with, read once at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where registries answer.
    pub endpoints: Endpoints,
    /// Whether an answer may go to this machine over http, as in a local run.
    pub allow_local_response_url: bool,
    /// The table in which requests are parked; without one nothing is.
    pub table: Option<String>,
    /// The queue of the mirror's jobs; without one no `Source` is asked for.
    pub mirror_queue: Option<String>,
    /// The pause between two looks of a function that has to wait by itself.
    pub pause: Duration,
    /// The pause before a tag that was moved just now is read again.
    pub settle: Duration,
    /// How long one look may take.
    pub look_budget: Duration,
    /// How long one call to the table may take.
    pub table_budget: Duration,
    /// How long the delivery of an answer may take: less than the lease under which it is delivered.
    pub delivery_budget: Duration,
    /// Kept back of the function's time for the answer.
    pub time_to_answer: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            allow_local_response_url: false,
            table: None,
            mirror_queue: None,
            pause: Duration::from_secs(3),
            settle: Duration::from_millis(700),
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
    Unanswered(#[from] Unanswered),
    /// It could not be found out who waits.
    #[error("who waits is not known: {0}")]
    Table(#[from] Failure),
}

/// One invocation: who it is, and until when it runs.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The same for every try of an event.
    pub(crate) owner: String,
    pub(crate) deadline: Instant,
}

/// The function, for as long as its process lives.
pub struct Gate {
    pub(crate) own_region: Option<String>,
    pub(crate) ecr: EcrRegions,
    pub(crate) table: Option<GateTable>,
    pub(crate) mirror: Option<(Queues, String)>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) http: Http,
    pub(crate) registries: OnceLock<Client>,
    /// How many batches ECR was asked for.
    pub(crate) batches: AtomicUsize,
}

impl Gate {
    /// Nothing is connected until an event needs it.
    pub fn new(config: SdkConfig, settings: Settings, clock: Clock) -> Self {
        let timeouts = Timeouts { connect: Duration::from_secs(2), first_byte: Duration::from_secs(5), ..Timeouts::default() };
        let own_region = config.region().map(ToString::to_string);
        let table = settings.table.as_deref().map(|name| GateTable::new(&config, name));
        let mirror = settings.mirror_queue.clone().map(|queue| (Queues::new(&config), queue));
        Self {
            own_region,
            ecr: EcrRegions::new(config),
            table,
            mirror,
            settings,
            clock,
            http: Http::new(timeouts, Reach::Anywhere),
            registries: OnceLock::new(),
            batches: AtomicUsize::default(),
        }
    }

    /// Handles one event. `owner` names the invocation, the same for every try of it. It is an error if an answer could not be
    /// delivered, or if it is not known who waits: then a repetition may help.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn handle(self: Arc<Self>, event: Value, owner: &str, deadline: Instant) -> Result<Value, GateError> {
        let call = Call { owner: owner.to_owned(), deadline };
        if let Some(records) = event::records(&event) {
            return Ok(Box::pin(self.rescue(records, &call)).await);
        }
        if Envelope::is_unanswerable(&event) {
            let reason = "a request without a ResponseURL cannot be answered";
            tracing::error!("{reason}");
            return Ok(json!({"answered": false, "reason": reason}));
        }
        // Boxed, for the types of these futures are deep and their values large.
        match <[Envelope; 1]>::try_from(Envelope::find(&event)) {
            Ok([only]) => Ok(Box::pin(self.requested(only, &call)).await?),
            Err(none) if none.is_empty() => Box::pin(self.wake(&event, &call)).await,
            Err(several) => Ok(Box::pin(self.requested_together(several, &call)).await?),
        }
    }

    /// Several requests in one event. One that stays unanswered makes the event come again, which the others do not mind.
    pub(crate) async fn requested_together(self: &Arc<Self>, envelopes: Vec<Envelope>, call: &Call) -> Result<Value, Unanswered> {
        let mut outcomes = Vec::new();
        for envelope in envelopes {
            outcomes.push(self.requested(envelope, call).await);
        }
        let outcomes: Vec<Value> = outcomes.into_iter().collect::<Result<_, _>>()?;
        Ok(json!({"requests": outcomes}))
    }

    /// Answers the requests that the gate failed at for good; the ids of those that should come again are what SQS expects.
    pub(crate) async fn rescue(self: &Arc<Self>, records: Vec<event::QueueRecord>, call: &Call) -> Value {
        let mut failures = Vec::new();
        for record in records {
            // What else failed was a hint to look, and the next sweep looks.
            let envelopes = record.body.as_ref().map(Envelope::find).unwrap_or_default();
            if envelopes.is_empty() {
                tracing::info!(message_id = record.message_id, "a failed event that is no request needs no answer");
                continue;
            }
            if let Err(error) = self.requested_together(envelopes, call).await {
                tracing::error!(message_id = record.message_id, %error, "a request is still unanswered: {error}");
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A call to the table or a queue, which is not waited for longer than sensible, and never so long that no time is left for
    /// what comes after it.
    pub(crate) async fn stored<T>(&self, call: &Call, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let left = call.deadline.saturating_duration_since(Instant::now());
        match timeout(self.settings.table_budget.min(left / 3), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::unexpected("dynamodb", "the table did not answer in time")),
        }
    }

    /// Asks the mirror for the source of a request, if that is due. Whether it was asked.
    pub(crate) async fn ask_mirror(&self, wait: &Wait, call: &Call) -> bool {
        let (Some((queues, queue)), Some(source)) = (&self.mirror, &wait.asked.source) else { return false };
        let target = wait.asked.image_at(&wait.place.uri());
        let Ok(place) = target.parse::<Reference>() else { return false };
        let job = MirrorJob::message(source, &place, &wait.requester.stack_id);
        match self.stored(call, queues.send(queue, &job, 0)).await {
            Ok(()) => {
                tracing::info!(%source, target, "the mirror is asked for {source}");
                true
            }
            Err(failure) => {
                tracing::warn!(%source, %failure, "the mirror could not be asked: {failure}");
                false
            }
        }
    }

    pub(crate) fn registries(&self) -> &Client {
        self.registries.get_or_init(|| {
            let credentials = EcrCredentials::new(self.ecr.clone(), Arc::clone(&self.clock));
            let config = Config::new(Arc::clone(&self.clock));
            Client::new(Config { endpoints: self.settings.endpoints.clone(), credentials: Arc::new(credentials), ..config })
        })
    }
}
