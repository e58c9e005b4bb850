//! Copies, message by message.
//!
//! A message stays hidden, and the image that is being copied stays leased, for as long as somebody works on it and [`HELD_FOR`] longer:
//! both are renewed while the work goes on. So a process that dies holds its job up for two minutes, however long a copy may take.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pullsafe::aws::mirror_table::MirrorTable;
use pullsafe::aws::outbox::Events;
use pullsafe::aws::queue::Queues;
use pullsafe::domain::mirror::RepositorySettings;
use pullsafe::registry::{CopyReport, CopyRequest};
use pullsafe::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::announce;
use crate::job::{Job, JobError, Message, Work};
use crate::{Mirror, TIME_TO_ANSWER};

/// With less time than this left, no further job is taken.
const TIME_FOR_A_JOB: Duration = Duration::from_secs(20);
/// For how long message and lease are held without a sign of life.
const HELD_FOR: Duration = Duration::from_secs(120);
/// The time between two signs of life; one may be lost.
const SIGN_OF_LIFE: Duration = Duration::from_secs(45);
/// Somebody else will soon be done with the same image.
const PAUSE_WHEN_BUSY: i32 = 60;

/// What is held for a message while it is worked on.
struct Held<'a> {
    message: &'a Message<'a>,
    queue: Option<&'a str>,
    table: Option<MirrorTable>,
    /// The image that is being copied.
    image: Mutex<Option<String>>,
}

impl Mirror {
    /// Works off messages one after the other; the ids of what should come again are the answer that SQS expects.
    pub(crate) async fn batch(&self, records: &[Value], deadline: Instant) -> Value {
        let messages: Vec<Message<'_>> = records.iter().map(Message::of).collect();
        let sources: Vec<_> = messages.iter().flat_map(Message::jobs).map(|job| job.source.clone()).collect();
        // One token of Docker Hub then serves the whole batch.
        self.copier().client().expect_pulls(&sources).await;
        let mut failures = Vec::new();
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER).unwrap_or(deadline);
        for message in &messages {
            let queue = self.queue_of(message);
            if !message.jobs().is_empty() && Instant::now() + TIME_FOR_A_JOB > deadline {
                tracing::info!(message_id = message.id, "too little time is left for another job; it goes back to the queue");
                failures.push(json!({"itemIdentifier": message.id}));
                continue;
            }
            let table = self.settings.table.as_deref().map(|name| MirrorTable::new(&self.config, name));
            let held = Held { message, queue, table, image: Mutex::default() };
            let pause = tokio::select! {
                pause = self.work(&held, last_moment) => pause,
                never = self.stay_alive(&held) => match never {},
            };
            if let Some(seconds) = pause {
                failures.push(json!({"itemIdentifier": message.id}));
                self.hide(&held, seconds, deadline).await;
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// Does what a message asks for; `Some` if it should come again, and in how many seconds.
    async fn work(&self, held: &Held<'_>, last_moment: Instant) -> Option<i32> {
        let message = held.message;
        match &message.work {
            Err(why) => self.settle(message, Err(JobError::Bad(why.clone()))),
            Ok(Work::Asked(job)) => {
                let outcome = self.within(held, job, last_moment, true).await;
                self.settle(message, outcome)
            }
            Ok(Work::Planned(jobs)) => {
                let mut pause = None;
                for job in jobs {
                    if Instant::now() + TIME_FOR_A_JOB > last_moment + TIME_TO_ANSWER {
                        tracing::info!(message_id = message.id, "too little time is left for the rest of the job; it comes again");
                        return Some(1);
                    }
                    match self.within(held, job, last_moment, false).await {
                        // The next run plans it anew, in its order among all the others.
                        Err(error) if error.is_pull_quota() => self.report(message.id, &error, false),
                        outcome => pause = self.settle(message, outcome).or(pause),
                    }
                }
                pause
            }
        }
    }

    async fn within(&self, held: &Held<'_>, job: &Job, last_moment: Instant, asked: bool) -> Result<CopyReport, JobError> {
        let outcome = timeout_at(last_moment, self.copy(held, job, asked)).await.unwrap_or(Err(JobError::OutOfTime));
        let image = held.image.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(image), Some(table)) = (image, &held.table)
            && let Ok(Err(failure)) = timeout(TIME_TO_ANSWER / 3, table.give_image(&image, held.message.id)).await
        {
            tracing::info!(image, %failure, "the lease on an image runs out by itself: {failure}");
        }
        outcome
    }

    async fn copy(&self, held: &Held<'_>, job: &Job, asked: bool) -> Result<CopyReport, JobError> {
        self.lease(held, job).await?;
        self.ensure_repository(job).await?;
        let request = CopyRequest::new(job.source.clone(), job.target.clone(), &self.endpoints);
        let report = self.copier().copy(&request).await?;
        tracing::info!(
            source = %job.source, target = %job.target, digest = %report.digest, up_to_date = report.up_to_date,
            bytes_copied = report.bytes_copied, blobs_copied = report.blobs_copied, blobs_skipped = report.blobs_skipped,
            blobs_mounted = report.blobs_mounted, foreign_layers = report.foreign_layers,
            source_manifest_gets = report.source_manifest_gets, "the image is mirrored"
        );
        // Who asked waits for the answer, also where there was nothing to copy.
        if asked || !report.up_to_date {
            let events = self.events.get_or_init(|| Events::new(&self.config));
            events.put(&self.settings.event_bus, announce::DETAIL_TYPE, None, &announce::detail(job, &report)).await?;
        }
        Ok(report)
    }

    /// Takes the lease on the image, by what it means now. It saves work and decides nothing: a copy is safe to repeat, so that one goes
    /// ahead where no lease can be had.
    async fn lease(&self, held: &Held<'_>, job: &Job) -> Result<(), JobError> {
        let Some(table) = &held.table else { return Ok(()) };
        let digest = match job.source.digest() {
            Some(digest) => digest.clone(),
            None => self.copier().client().resolve(&job.source).await?.digest,
        };
        let image = format!("{}@{digest}", job.target.repository());
        let seconds = i64::try_from(HELD_FOR.as_secs()).unwrap_or(i64::MAX);
        match table.take_image(&image, held.message.id, self.now(), seconds).await {
            Ok(true) => *held.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(image),
            Ok(false) => return Err(JobError::Busy),
            Err(failure) => tracing::warn!(image, %failure, "an image is copied without a lease: {failure}"),
        }
        Ok(())
    }

    async fn ensure_repository(&self, job: &Job) -> Result<(), JobError> {
        let ecr = self.ecr.get(&job.region);
        let (registry_id, repository) = (Some(job.account.as_str()), job.target.repository());
        if ecr.repository_exists(registry_id, repository).await? {
            return Ok(());
        }
        let settings = match self.configuration().await {
            Ok(config) => config.map(|config| config.repositories),
            Err(unusable) => {
                tracing::warn!(
                    ?unusable,
                    repository,
                    "the repository is created with ECR's own settings, for the configuration cannot be used"
                );
                None
            }
        };
        ecr.create_repository(registry_id, repository, &settings.unwrap_or_else(RepositorySettings::default)).await?;
        tracing::info!(repository, account = job.account, region = job.region, "the repository was created");
        Ok(())
    }

    /// Counts and reports what became of a job; `Some` if its message should come again, and in how many seconds.
    fn settle(&self, message: &Message<'_>, outcome: Result<CopyReport, JobError>) -> Option<i32> {
        match outcome {
            Ok(report) => {
                let copied = u64::from(!report.up_to_date);
                emf(
                    self.now(),
                    &[],
                    &[
                        ("ImagesMirrored", Unit::Count, copied),
                        ("BytesCopied", Unit::Bytes, report.bytes_copied),
                        ("SourceManifestGets", Unit::Count, report.source_manifest_gets),
                    ],
                );
                None
            }
            Err(error) => {
                let comes_again = error.comes_again();
                self.report(message.id, &error, comes_again);
                comes_again.then(|| match &error {
                    JobError::Busy => PAUSE_WHEN_BUSY,
                    error if error.is_pull_quota() => Message::long_pause(),
                    JobError::Bad(_) | JobError::Ecr(_) | JobError::Copy(_) | JobError::Announce(_) | JobError::OutOfTime => {
                        message.pause()
                    }
                })
            }
        }
    }

    fn report(&self, message_id: &str, error: &JobError, comes_again: bool) {
        if matches!(error, JobError::Busy) {
            tracing::info!(message_id, "the image is being copied already; the job comes again to see that it is there");
            return;
        }
        emf(self.now(), &[], &[("MirrorFailures", Unit::Count, 1)]);
        let what_to_do = error.what_to_do();
        tracing::warn!(message_id, %error, comes_again, what_to_do, "an image was not mirrored: {error}");
    }

    /// Keeps message and lease for as long as it is polled.
    async fn stay_alive(&self, held: &Held<'_>) -> Infallible {
        let seconds = HELD_FOR.as_secs();
        loop {
            if let Some(queue) = held.queue {
                let queues = self.queues.get_or_init(|| Queues::new(&self.config));
                let visible_in = i32::try_from(seconds).unwrap_or(i32::MAX);
                if let Err(failure) = queues.hide(queue, held.message.receipt_handle, visible_in).await {
                    tracing::warn!(message_id = held.message.id, %failure, "the queue may show the job again before it is done: {failure}");
                }
            }
            sleep(SIGN_OF_LIFE).await;
            let image = held.image.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let (Some(image), Some(table)) = (image, &held.table) {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                if let Err(failure) = table.take_image(&image, held.message.id, self.now(), seconds).await {
                    tracing::warn!(image, %failure, "the lease on an image was not renewed: {failure}");
                }
            }
        }
    }

    /// Lets a failed message come again after its pause. If that fails, it comes when the queue shows it, and no harm is done.
    async fn hide(&self, held: &Held<'_>, seconds: i32, deadline: Instant) {
        let Some(queue) = held.queue else { return };
        let message_id = held.message.id;
        let queues = self.queues.get_or_init(|| Queues::new(&self.config));
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER / 3).unwrap_or(deadline);
        match timeout_at(last_moment, queues.hide(queue, held.message.receipt_handle, seconds)).await {
            Ok(Ok(())) => tracing::info!(message_id, seconds, "the job comes again in {seconds} s"),
            Ok(Err(failure)) => tracing::warn!(message_id, %failure, "the job comes again at the queue's own time: {failure}"),
            Err(_) => tracing::warn!(message_id, "the job comes again at the queue's own time: the queue did not answer in time"),
        }
    }

    /// The URL of a message's queue, if the message can be hidden there.
    fn queue_of<'a>(&'a self, message: &Message<'_>) -> Option<&'a str> {
        let own = [&self.settings.plan_queue_url, &self.settings.queue_url].into_iter().flatten();
        let named = own.clone().find(|url| url.rsplit('/').next() == Some(message.queue));
        named.or(self.settings.queue_url.as_ref()).map(String::as_str).filter(|_| !message.receipt_handle.is_empty())
    }
}
