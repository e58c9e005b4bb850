//! Copies, message by message.
//!
//! A message stays hidden, and the images that are being copied stay leased, while a process works on it and for
//! [`HELD_FOR`] longer: both are renewed while the work goes on. So a process that dies delays its job by two minutes,
//! however long a copy may take.

pub(crate) mod announce;
pub(crate) mod error;
pub(crate) mod holders;
pub(crate) mod job;
pub(crate) mod repositories;
pub(crate) mod rules;

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::aws::table::MirrorTable;
use crate::decide::MirrorConfig;
use pullsafe::foreign;
use pullsafe::mirror_job::ImageMirrored;
use pullsafe_aws::outbox::Events;
use pullsafe_aws::queue::Queues;
use pullsafe_aws::telemetry::{Unit, emf};
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_registry::{Artifacts, CopyOptions, CopyReport, CopyRequest, RegistryError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::MirrorFunction;
use crate::configuration::Unusable;
use crate::flow::TIME_TO_ANSWER;
use crate::work::error::JobError;
use crate::work::job::{Job, Message, Work};
use crate::work::rules::{BrokenRule, JobAuthor, OwnerRules};

/// With less time than this left, no further job is begun.
const TIME_FOR_A_JOB: Duration = Duration::from_secs(20);
/// For how long a message stays hidden and a lease is held without being renewed.
const HELD_FOR: Duration = Duration::from_secs(120);
/// The time between two renewals; one may be lost.
const RENEW_EVERY: Duration = Duration::from_secs(45);
/// In how many seconds a message comes again if another worker, who will soon be done, copies its image.
const PAUSE_WHEN_BUSY: i32 = 60;

/// What is allowed, and how repositories are created, as the owner has configured it now.
struct Owner {
    rules: OwnerRules,
    config: Option<MirrorConfig>,
}

/// What is held for a message while it is worked on.
struct HeldForMessage<'a> {
    message: &'a Message<'a>,
    queue: Option<&'a str>,
    table: Option<MirrorTable>,
    /// The images that are being copied.
    images: Mutex<Vec<String>>,
}

impl HeldForMessage<'_> {
    fn images(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic elsewhere cannot leave the list half changed.
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MirrorFunction {
    /// Works off messages one after the other. Returns the answer that SQS expects: the ids of those that should come
    /// again.
    pub(crate) async fn batch(&self, records: &[Value], deadline: Instant) -> Value {
        let messages: Vec<Message<'_>> = records.iter().map(Message::of).collect();
        let mut failures = Vec::new();
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER).unwrap_or(deadline);
        for message in &messages {
            let queue = self.queue_of(message);
            if !message.jobs().is_empty() && Instant::now() + TIME_FOR_A_JOB > deadline {
                tracing::info!(
                    message_id = message.id,
                    "too little time is left for another job; it goes back to the queue"
                );
                failures.push(json!({"itemIdentifier": message.id}));
                continue;
            }
            let table = self.settings.table.as_deref().map(|name| MirrorTable::new(&self.config, name));
            let held = HeldForMessage { message, queue, table, images: Mutex::default() };
            let pause = tokio::select! {
                // The first renewal is sent before any work begins.
                biased;
                never = self.stay_alive(&held) => match never {},
                pause = self.work(&held, last_moment) => pause,
            };
            if let Some(seconds) = pause {
                failures.push(json!({"itemIdentifier": message.id}));
                self.hide(&held, seconds, deadline).await;
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// Does what a message asks for; `Some` if it should come again, and in how many seconds.
    async fn work(&self, held: &HeldForMessage<'_>, last_moment: Instant) -> Option<i32> {
        let message = held.message;
        // Only the mirror itself may write to the queue of plans.
        let author = if self.is_plan_queue(message.queue) {
            JobAuthor::Planner
        } else {
            JobAuthor::Asker
        };
        let planned = match (&message.work, author) {
            (Err(why), _) => return self.settle(message, Err(JobError::Bad(why.clone()))),
            (Ok(Work::Planned(_)), JobAuthor::Asker) => return self.settle(message, Err(BrokenRule::Several.into())),
            (Ok(Work::Asked(_)), _) => false,
            (Ok(Work::Planned(_)), JobAuthor::Planner) => true,
        };
        let owner = match timeout_at(last_moment, self.owner()).await.unwrap_or(Err(JobError::OutOfTime)) {
            Ok(owner) => owner,
            Err(error) => return self.settle(message, Err(error)),
        };
        let mut allowed = Vec::new();
        let mut refused = Vec::new();
        for asked in message.jobs() {
            match owner.rules.judge(asked.clone(), author) {
                Ok(job) => allowed.push(job),
                Err(broken) => {
                    let (source, target, requested_by) =
                        (&asked.source, &asked.target, foreign::line(&asked.requested_by));
                    emf(self.now(), &[], &[("MirrorJobsRefused", Unit::Count, 1)]);
                    tracing::error!(%source, %target, requested_by, queue = message.queue, "a job is refused: \
                        {broken}");
                    refused.push(Err(JobError::Refused(broken)));
                }
            }
        }
        let mut outcomes = self.copy(held, &owner, &allowed, last_moment, !planned).await;
        outcomes.extend(refused);
        let leases = std::mem::take(&mut *held.images());
        if let Some(table) = &held.table {
            for image in leases {
                if let Ok(Err(failure)) = timeout(TIME_TO_ANSWER / 3, table.give_image(&image, message.id)).await {
                    tracing::info!(image, %failure, "the lease on an image runs out by itself: {failure}");
                }
            }
        }
        let mut pause = None;
        for outcome in outcomes {
            match outcome {
                // The next run plans it again, in its order among all the others.
                Err(error) if planned && error.is_pull_quota() => self.report(message.id, &error, false),
                outcome => pause = self.settle(message, outcome).or(pause),
            }
        }
        pause
    }

    /// Copies the images of a message at the same time: what they share is sent once. The outcomes are in the order of
    /// the jobs.
    async fn copy(
        &self,
        held: &HeldForMessage<'_>,
        owner: &Owner,
        jobs: &[Job],
        last_moment: Instant,
        asked: bool,
    ) -> Vec<Result<CopyReport, JobError>> {
        // One token of Docker Hub then serves all of them.
        let sources: Vec<_> = jobs.iter().map(|job| job.source.clone()).collect();
        self.copier().client().expect_pulls(&sources).await;
        let mut outcomes: Vec<Option<Result<CopyReport, JobError>>> = Vec::new();
        let mut ready = Vec::new();
        let mut requests = Vec::new();
        // As the owner has configured it now, whoever asks.
        let referrers = owner.config.as_ref().is_some_and(|config| config.referrers);
        let artifacts = Artifacts { referrers, ..Artifacts::default() };
        for (place, job) in jobs.iter().enumerate() {
            match timeout_at(last_moment, self.prepare(held, owner, job)).await.unwrap_or(Err(JobError::OutOfTime)) {
                Ok(()) => {
                    ready.push(place);
                    let request = CopyRequest::new(job.source.clone(), job.target.clone(), &self.endpoints);
                    requests.push(CopyRequest { platforms: job.platforms.clone(), artifacts, ..request });
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(Err(error))),
            }
        }
        let options = CopyOptions { deadline: Some(last_moment), ..CopyOptions::default() };
        if let Some(table) = held.table.as_ref().filter(|_| !requests.is_empty()) {
            self.recall(table, jobs, last_moment).await;
        }
        let reports = self.copier().copy_all(&requests, &options).await;
        for (place, report) in ready.into_iter().zip(reports) {
            let outcome = match report {
                Ok(report) => self.announce(&jobs[place], report, asked, last_moment).await,
                Err(RegistryError::OutOfTime { .. }) => Err(JobError::OutOfTime),
                Err(error) => Err(JobError::Copy(error)),
            };
            outcomes[place] = Some(outcome);
        }
        if let Some(table) = &held.table {
            self.pass_on(table, last_moment).await;
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(JobError::OutOfTime))).collect()
    }

    async fn prepare(&self, held: &HeldForMessage<'_>, owner: &Owner, job: &Job) -> Result<(), JobError> {
        self.lease(held, job).await?;
        self.ensure_repository(held.table.as_ref(), owner.config.as_ref(), job).await
    }

    /// What the owner allows now. If the configuration has faults, only what the stack's own settings allow: the
    /// planner reports the faults.
    async fn owner(&self) -> Result<Owner, JobError> {
        let config = match self.configuration().await {
            Ok(config) => config,
            // A parameter that does not exist yet names nothing: images of Docker Hub may be mirrored, but without
            // signing in.
            Err(Unusable::Unread(failure)) if failure.kind == FailureKind::NotFound => None,
            Err(Unusable::Unread(failure)) => return Err(JobError::Unread(failure)),
            Err(Unusable::Wrong(faults)) => {
                tracing::warn!(
                    ?faults,
                    "only what the stack's own settings allow is mirrored, for the configuration is wrong"
                );
                None
            }
        };
        let rules = OwnerRules::of(&self.settings, config.as_ref());
        self.named.set(rules.named_at_docker_hub());
        Ok(Owner { rules, config })
    }

    fn is_plan_queue(&self, queue: &str) -> bool {
        !queue.is_empty()
            && self.settings.plan_queue_url.as_deref().is_some_and(|url| url.rsplit('/').next() == Some(queue))
    }

    async fn announce(
        &self,
        job: &Job,
        report: CopyReport,
        asked: bool,
        last_moment: Instant,
    ) -> Result<CopyReport, JobError> {
        tracing::info!(
            source = %job.source, target = %job.target, requested_by = job.requested_by, digest = %report.digest, up_to_date = report.up_to_date,
            bytes_copied = report.bytes_copied, blobs_copied = report.blobs_copied, blobs_skipped = report.blobs_skipped,
            blobs_mounted = report.blobs_mounted, foreign_layers = report.foreign_layers,
            source_manifest_gets = report.source_manifest_gets, "the image is mirrored"
        );
        // Whoever asked waits for the answer, even when there was nothing to copy.
        if asked || !report.up_to_date {
            let events = self.events.get_or_init(|| Events::new(&self.config));
            let detail = announce::detail(job, &report);
            let put = events.put(&self.settings.event_bus, ImageMirrored::DETAIL_TYPE, None, &detail);
            timeout_at(last_moment, put)
                .await
                .unwrap_or_else(|_| Err(Failure::unexpected("events:PutEvents", "no answer in time")))?;
        }
        Ok(report)
    }

    /// Takes the lease on the image, under the digest that it has now. The lease saves work and decides nothing: a copy
    /// is safe to repeat, so it goes ahead if the table cannot be asked.
    async fn lease(&self, held: &HeldForMessage<'_>, job: &Job) -> Result<(), JobError> {
        let Some(table) = &held.table else { return Ok(()) };
        let digest = match job.source.digest() {
            Some(digest) => digest.clone(),
            None => self.copier().client().resolve(&job.source).await?.digest,
        };
        let image = format!("{}@{digest}", job.target.repository());
        let seconds = i64::try_from(HELD_FOR.as_secs()).unwrap_or(i64::MAX);
        match table.take_image(&image, held.message.id, self.now(), seconds).await {
            Ok(true) => held.images().push(image),
            Ok(false) => return Err(JobError::Busy),
            Err(failure) => tracing::warn!(image, %failure, "an image is copied without a lease: {failure}"),
        }
        Ok(())
    }

    /// Counts and reports the outcome of a job; `Some` if its message should come again, and in how many seconds.
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
                    JobError::Bad(_)
                    | JobError::Refused(_)
                    | JobError::Unread(_)
                    | JobError::Ecr(_)
                    | JobError::Copy(_)
                    | JobError::Announce(_)
                    | JobError::OutOfTime => message.pause(),
                })
            }
        }
    }

    fn report(&self, message_id: &str, error: &JobError, comes_again: bool) {
        if matches!(error, JobError::Busy) {
            tracing::info!(
                message_id,
                "the image is being copied already; the job comes again to see that it is there"
            );
            return;
        }
        emf(self.now(), &[], &[("MirrorFailures", Unit::Count, 1)]);
        let what_to_do = error.what_to_do();
        tracing::warn!(message_id, %error, comes_again, what_to_do, "an image was not mirrored: {error}");
    }

    /// Keeps the message hidden and its leases renewed for as long as this is polled.
    async fn stay_alive(&self, held: &HeldForMessage<'_>) -> Infallible {
        let seconds = HELD_FOR.as_secs();
        loop {
            if let Some(queue) = held.queue {
                let queues = self.queues.get_or_init(|| Queues::new(&self.config));
                let visible_in = i32::try_from(seconds).unwrap_or(i32::MAX);
                if let Err(failure) = queues.hide(queue, held.message.receipt_handle, visible_in).await {
                    tracing::warn!(message_id = held.message.id, %failure, "the queue may show the job again before \
                        it is done: {failure}");
                }
            }
            sleep(RENEW_EVERY).await;
            let Some(table) = &held.table else { continue };
            let images = held.images().clone();
            for image in images {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                if let Err(failure) = table.take_image(&image, held.message.id, self.now(), seconds).await {
                    tracing::warn!(image, %failure, "the lease on an image was not renewed: {failure}");
                }
            }
        }
    }

    /// Lets a failed message come again after its pause. If that fails, the message comes when the queue shows it, and
    /// no harm is done.
    async fn hide(&self, held: &HeldForMessage<'_>, seconds: i32, deadline: Instant) {
        let Some(queue) = held.queue else { return };
        let message_id = held.message.id;
        let queues = self.queues.get_or_init(|| Queues::new(&self.config));
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER / 3).unwrap_or(deadline);
        match timeout_at(last_moment, queues.hide(queue, held.message.receipt_handle, seconds)).await {
            Ok(Ok(())) => tracing::info!(message_id, seconds, "the job comes again in {seconds} s"),
            Ok(Err(failure)) => {
                tracing::warn!(message_id, %failure, "the job comes again at the queue's own time: {failure}")
            }
            Err(_) => tracing::warn!(
                message_id,
                "the job comes again at the queue's own time: the queue did not answer in time"
            ),
        }
    }

    /// The URL of a message's queue, if the message can be hidden there.
    fn queue_of<'a>(&'a self, message: &Message<'_>) -> Option<&'a str> {
        let own = [&self.settings.plan_queue_url, &self.settings.queue_url].into_iter().flatten();
        let named = own.clone().find(|url| url.rsplit('/').next() == Some(message.queue));
        named
            .or(self.settings.queue_url.as_ref())
            .map(String::as_str)
            .filter(|_| !message.receipt_handle.is_empty())
    }
}
