//! The mirror: copies images into ECR private, byte for byte, on request.
//!
//! Jobs come from a queue, a few at a time. Each is safe to repeat; what cannot succeed by repetition is reported once and
//! dropped, everything else comes again after a pause that grows, until the queue's redrive policy ends it. A finished copy is announced by the event
//! `Image Mirrored`, also when there was nothing to copy, for somebody waits for it.

mod announce;
mod job;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use pullsafe::aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe::aws::outbox::Events;
use pullsafe::aws::queue::Queues;
use pullsafe::clock::Clock;
use pullsafe::domain::settings::MirrorSettings;
use pullsafe::registry::{Client, Config, Copier, CopyReport, CopyRequest, Endpoints};
use pullsafe::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use job::Message;
pub use job::{Job, JobError};

/// With less time than this left, no further job is taken.
const TIME_FOR_A_JOB: Duration = Duration::from_secs(20);
/// Kept back for the answer to the queue.
const TIME_TO_ANSWER: Duration = Duration::from_secs(3);

/// The function, for as long as its process lives.
pub struct Mirror {
    settings: MirrorSettings,
    config: SdkConfig,
    ecr: EcrRegions,
    endpoints: Endpoints,
    clock: Clock,
    copier: OnceLock<Copier>,
    events: OnceLock<Events>,
    queues: OnceLock<Queues>,
}

impl Mirror {
    /// Nothing is loaded or connected until an event needs it.
    pub fn new(settings: MirrorSettings, config: SdkConfig, endpoints: Endpoints, clock: Clock) -> Self {
        let ecr = EcrRegions::new(config.clone());
        Self { settings, config, ecr, endpoints, clock, copier: OnceLock::new(), events: OnceLock::new(), queues: OnceLock::new() }
    }

    /// Handles one event. There is no event that makes it fail: what failed is in the answer.
    pub async fn handle(&self, event: &Value, deadline: Instant) -> Value {
        if let Some(records) = event.get("Records").and_then(Value::as_array) {
            return self.batch(records, deadline).await;
        }
        if event.get("source").and_then(Value::as_str).is_some_and(|source| matches!(source, "aws.events" | "aws.scheduler" | "pullsafe")) {
            tracing::info!("the schedule ran; no selection of images is configured, so there is nothing to copy");
            return json!({"copied": 0, "reason": "no selection configured"});
        }
        tracing::warn!("an event that is neither a batch of jobs nor the schedule was ignored");
        json!({"copied": 0, "reason": "the event is neither a batch of jobs nor the schedule"})
    }

    /// Copies one after the other; the ids of what should come again are the answer that SQS expects.
    async fn batch(&self, records: &[Value], deadline: Instant) -> Value {
        let messages: Vec<Message<'_>> = records.iter().map(Message::of).collect();
        let sources: Vec<_> = messages.iter().filter_map(|message| message.job.as_ref().ok()).map(|job| job.source.clone()).collect();
        // One token of Docker Hub then serves the whole batch.
        self.copier().client().expect_pulls(&sources).await;
        let mut failures = Vec::new();
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER).unwrap_or(deadline);
        for message in messages {
            let outcome = match &message.job {
                Ok(_) if Instant::now() + TIME_FOR_A_JOB > deadline => {
                    tracing::info!(message_id = message.id, "too little time is left for another job; it goes back to the queue");
                    failures.push(json!({"itemIdentifier": message.id}));
                    continue;
                }
                Ok(job) => timeout_at(last_moment, self.run(job)).await.unwrap_or(Err(JobError::OutOfTime)),
                Err(why) => Err(JobError::Bad(why.clone())),
            };
            match outcome {
                Ok(report) => self.count(&report),
                Err(error) => {
                    if error.comes_again() {
                        failures.push(json!({"itemIdentifier": message.id}));
                        self.hide(&message, deadline).await;
                    }
                    self.report(message.id, &error);
                }
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// Lets a failed message come again after its pause, and not only when the queue would show it, which is after six times as
    /// long as a run may take. If that fails, it comes later, and no harm is done.
    async fn hide(&self, message: &Message<'_>, deadline: Instant) {
        let Some(queue) = self.settings.queue_url.as_deref().filter(|_| !message.receipt_handle.is_empty()) else { return };
        let seconds = message.pause();
        let queues = self.queues.get_or_init(|| Queues::new(&self.config));
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER / 3).unwrap_or(deadline);
        match timeout_at(last_moment, queues.hide(queue, message.receipt_handle, seconds)).await {
            Ok(Ok(())) => tracing::info!(message_id = message.id, seconds, "the job comes again in {seconds} s"),
            Ok(Err(failure)) => tracing::warn!(message_id = message.id, %failure, "the job comes again late: {failure}"),
            Err(_) => tracing::warn!(message_id = message.id, "the job comes again late: the queue did not answer in time"),
        }
    }

    async fn run(&self, job: &Job) -> Result<CopyReport, JobError> {
        self.ensure_repository(job).await?;
        let request = CopyRequest::new(job.source.clone(), job.target.clone(), &self.endpoints);
        let report = self.copier().copy(&request).await?;
        tracing::info!(
            source = %job.source, target = %job.target, digest = %report.digest, up_to_date = report.up_to_date,
            bytes_copied = report.bytes_copied, blobs_copied = report.blobs_copied, blobs_skipped = report.blobs_skipped,
            blobs_mounted = report.blobs_mounted, foreign_layers = report.foreign_layers,
            source_manifest_gets = report.source_manifest_gets, "the image is mirrored"
        );
        let events = self.events.get_or_init(|| Events::new(&self.config));
        events.put(&self.settings.event_bus, announce::DETAIL_TYPE, None, &announce::detail(job, &report)).await?;
        Ok(report)
    }

    async fn ensure_repository(&self, job: &Job) -> Result<(), JobError> {
        let ecr = self.ecr.get(&job.region);
        let (registry_id, repository) = (Some(job.account.as_str()), job.target.repository());
        if !ecr.repository_exists(registry_id, repository).await? {
            ecr.create_repository(registry_id, repository).await?;
            tracing::info!(repository, account = job.account, region = job.region, "the repository was created");
        }
        Ok(())
    }

    fn copier(&self) -> &Copier {
        self.copier.get_or_init(|| {
            let credentials = EcrCredentials::new(self.ecr.clone(), Arc::clone(&self.clock));
            let config = Config::new(Arc::clone(&self.clock));
            Copier::new(Client::new(Config { endpoints: self.endpoints.clone(), credentials: Arc::new(credentials), ..config }))
        })
    }

    fn count(&self, report: &CopyReport) {
        emf((self.clock)(), &[], &[("ImagesMirrored", Unit::Count, 1), ("BytesCopied", Unit::Bytes, report.bytes_copied)]);
    }

    fn report(&self, message_id: &str, error: &JobError) {
        emf((self.clock)(), &[], &[("MirrorFailures", Unit::Count, 1)]);
        let (comes_again, what_to_do) = (error.comes_again(), error.what_to_do());
        tracing::warn!(message_id, %error, comes_again, what_to_do, "an image was not mirrored: {error}");
    }
}
