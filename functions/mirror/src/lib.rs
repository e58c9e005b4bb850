//! The mirror: copies images into ECR private, byte for byte, on request.
//!
//! Jobs come from a queue, a few at a time. Each is safe to repeat; what cannot succeed by repetition is reported once and
//! dropped, everything else goes back to the queue, whose redrive policy ends it. A finished copy is announced by the event
//! `Image Mirrored`, also when there was nothing to copy, for somebody waits for it.

mod announce;
mod job;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use pullsafe::aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe::clock::Clock;
use pullsafe::registry::{Client, Config, Copier, CopyReport, CopyRequest, Endpoints};
use pullsafe::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

pub use job::{Job, JobError};

/// With less time than this left, no further job is taken.
const TIME_FOR_A_JOB: Duration = Duration::from_secs(20);
/// Kept back for the answer to the queue.
const TIME_TO_ANSWER: Duration = Duration::from_secs(3);

/// The function, for as long as its process lives.
pub struct Mirror {
    config: SdkConfig,
    ecr: EcrRegions,
    endpoints: Endpoints,
    clock: Clock,
    copier: OnceLock<Copier>,
    announcer: OnceLock<announce::Announcer>,
}

impl Mirror {
    /// Nothing is loaded or connected until an event needs it.
    pub fn new(config: SdkConfig, endpoints: Endpoints, clock: Clock) -> Self {
        Self { ecr: EcrRegions::new(config.clone()), config, endpoints, clock, copier: OnceLock::new(), announcer: OnceLock::new() }
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
        let jobs: Vec<(&str, Result<Job, JobError>)> = records.iter().map(job::of_record).collect();
        let sources: Vec<_> = jobs.iter().filter_map(|(_, job)| job.as_ref().ok()).map(|job| job.source.clone()).collect();
        // One token of Docker Hub then serves the whole batch.
        self.copier().client().expect_pulls(&sources).await;
        let mut failures = Vec::new();
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER).unwrap_or(deadline);
        for (id, job) in jobs {
            let outcome = match job {
                Ok(_) if Instant::now() + TIME_FOR_A_JOB > deadline => {
                    tracing::info!(message_id = id, "too little time is left for another job; it goes back to the queue");
                    failures.push(json!({"itemIdentifier": id}));
                    continue;
                }
                Ok(job) => timeout_at(last_moment, self.run(&job)).await.unwrap_or(Err(JobError::OutOfTime)),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(report) => self.count(&report),
                Err(error) => {
                    if error.comes_again() {
                        failures.push(json!({"itemIdentifier": id}));
                    }
                    self.report(id, &error);
                }
            }
        }
        json!({"batchItemFailures": failures})
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
        self.announcer().mirrored(job, &report).await?;
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

    fn announcer(&self) -> &announce::Announcer {
        self.announcer.get_or_init(|| announce::Announcer::new(&self.config))
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
