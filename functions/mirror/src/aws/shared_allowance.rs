//! A quota of ECR that several workers share: PutImage is limited to ten requests a second for the whole account and
//! region.
//!
//! The moments at which requests may be sent are granted in a row of the functions' table (`pk` = `mirror`, `sk` =
//! `pace#<registry>`). A worker takes a few at a time, no more than it has requests waiting, by a write that succeeds
//! only if no other worker was faster. So all workers together stay within the quota, a single worker has all of it
//! from its first request, and a worker that dies wastes at most half a second of it.
//!
//! Nobody waits for the table: while it cannot be asked, each worker keeps to its own share. A caller that waits may
//! give up at any moment.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};

use crate::aws::grants::{Allowed, Grants};
use pullsafe::clock::Clock;
use pullsafe::reference::Registry;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{json, number, text};
use pullsafe_registry::Allowance;
use pullsafe_registry::decide::limiter::RequestKind;

/// ECR's quota of PutImage, for an account in a region.
const PUT_IMAGE_PER_SECOND: u16 = 10;
/// The number of workers that the template lets run at a time, over both queues.
pub const WORKERS: usize = 6;
/// The most requests in one grant: half a second of the quota.
const LARGEST_GRANT: usize = 5;
/// How far ahead moments are taken: a worker that dies must not hold up the others for long.
const FURTHEST_AHEAD: Duration = Duration::from_secs(5);
/// How often a grant is tried when other workers are faster.
const TRIES: usize = 8;
/// How long to wait before asking again when every moment in reach has been granted.
const ROUND: Duration = Duration::from_millis(500);
/// How often to ask again. After that, something must be wrong with the row, and the worker keeps to its own share.
const ROUNDS: usize = 20;
/// How long to wait for the table, which answers within milliseconds.
const TABLE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the table is not asked again after it has failed.
const LEFT_ALONE: Duration = Duration::from_secs(10);
/// How late a granted moment may still be used; any later, there could be too many requests at a time.
const LATE_MILLIS: i64 = 250;
/// How far ahead a worker grants itself moments while it keeps to its own share.
const AHEAD_ALONE_MILLIS: i64 = 2000;
/// After how long DynamoDB may delete a row that nobody uses.
const CLEAR_UP_SECONDS: i64 = 3600;

/// The shared quota.
pub struct SharedAllowance {
    client: Client,
    table: String,
    clock: Clock,
    /// The last accepted reading of the clock, and when it was taken. A later reading is accepted only if it is ahead
    /// of this one plus the time that has passed since.
    looked: Mutex<(i64, Instant)>,
    hosts: Mutex<HashMap<String, Arc<HostAllowance>>>,
}

#[derive(Default)]
struct HostAllowance {
    /// How many callers wait that have no moment yet.
    waiting: AtomicUsize,
    turn: tokio::sync::Mutex<AllowanceTurn>,
}

#[derive(Default)]
struct AllowanceTurn {
    granted: VecDeque<i64>,
    /// The row's value as last seen; the next write succeeds only if the row still has it.
    seen: Option<String>,
    /// The moments that this worker has granted itself without the table.
    alone: Grants,
    alone_until: Option<Instant>,
}

/// Counts a caller as waiting until this is dropped.
struct CountedWait<'a>(&'a AtomicUsize);

impl<'a> CountedWait<'a> {
    fn at(host: &'a HostAllowance) -> Self {
        host.waiting.fetch_add(1, Ordering::Relaxed);
        Self(&host.waiting)
    }
}

impl Drop for CountedWait<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for SharedAllowance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedAllowance").field("table", &self.table).finish_non_exhaustive()
    }
}

impl SharedAllowance {
    /// Shares the quota through a row of this table.
    pub fn new(config: &aws_config::SdkConfig, table: &str, clock: Clock) -> Self {
        let looked = Mutex::new((clock().millis(), Instant::now()));
        Self {
            client: Client::new(config),
            table: table.to_owned(),
            clock,
            looked,
            hosts: Mutex::default(),
        }
    }

    fn host(&self, registry: &str) -> Arc<HostAllowance> {
        // A panic elsewhere cannot leave the map half changed.
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(registry.to_owned()).or_default())
    }

    /// Returns the moment at which the next request may be sent.
    async fn next(&self, turn: &mut AllowanceTurn, registry: &str, wanted: usize) -> i64 {
        let now = self.now();
        while let Some(moment) = turn.granted.pop_front() {
            if moment + LATE_MILLIS >= now {
                return moment;
            }
        }
        let wanted = wanted.clamp(1, LARGEST_GRANT);
        let left_alone = turn.alone_until.is_some_and(|until| Instant::now() < until);
        for _ in 0..if left_alone { 0 } else { ROUNDS } {
            let asked = timeout(TABLE_TIMEOUT, self.ask(turn, registry, wanted)).await;
            match asked.unwrap_or_else(|_| Err(Failure::unexpected("dynamodb:UpdateItem", "no answer in time"))) {
                Ok(granted) => turn.granted.extend(granted),
                Err(failure) => {
                    turn.alone_until = Some(Instant::now() + LEFT_ALONE);
                    tracing::warn!(registry, %failure, "the quota of PutImage is not shared for a while; this worker \
                        keeps to its own share: {failure}");
                    break;
                }
            }
            if let Some(moment) = turn.granted.pop_front() {
                return moment;
            }
            sleep(ROUND).await;
        }
        let share = Allowed::of_rate(PUT_IMAGE_PER_SECOND).share(WORKERS);
        loop {
            let now = self.now();
            if let Some(moment) = turn.alone.take(share, 1, now, AHEAD_ALONE_MILLIS).first() {
                return *moment;
            }
            sleep(Duration::from_millis(share.millis.unsigned_abs())).await;
        }
    }

    /// Takes a grant. Returns no moments if too many lie ahead, or if other workers are faster each time.
    async fn ask(&self, turn: &mut AllowanceTurn, registry: &str, wanted: usize) -> Result<Vec<i64>, Failure> {
        const CALL: &str = "dynamodb:UpdateItem";
        let ahead = i64::try_from(FURTHEST_AHEAD.as_millis()).unwrap_or(i64::MAX);
        for _ in 0..TRIES {
            // A value that cannot be read is replaced.
            let mut grants: Grants =
                turn.seen.as_deref().and_then(|seen| serde_json::from_str(seen).ok()).unwrap_or_default();
            let now = self.now();
            let granted = grants.take(Allowed::of_rate(PUT_IMAGE_PER_SECOND), wanted, now, ahead);
            if granted.is_empty() {
                return Ok(granted);
            }
            let document = json(&grants);
            let operation = self.client.update_item().table_name(&self.table).key("pk", text("mirror"));
            let mut operation = operation
                .key("sk", text(&format!("pace#{registry}")))
                .update_expression("SET #granted = :granted, #expires = :expires")
                .expression_attribute_names("#granted", "granted")
                .expression_attribute_names("#expires", "expires_at")
                .expression_attribute_values(":granted", text(&document))
                .expression_attribute_values(":expires", number(now / 1000 + CLEAR_UP_SECONDS))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            operation = match &turn.seen {
                Some(seen) => {
                    operation.condition_expression("#granted = :seen").expression_attribute_values(":seen", text(seen))
                }
                None => operation.condition_expression("attribute_not_exists(#granted)"),
            };
            let Err(error) = operation.send().await else {
                turn.seen = Some(document);
                return Ok(granted);
            };
            let Some(UpdateItemError::ConditionalCheckFailedException(other)) = error.as_service_error() else {
                return Err(Failure::of(CALL, &error));
            };
            // Another worker was faster: this is the row's value now.
            turn.seen = other
                .item()
                .and_then(|item| item.get("granted"))
                .and_then(|document| AttributeValue::as_s(document).ok())
                .cloned();
        }
        Ok(Vec::new())
    }

    /// The time in milliseconds. It advances whatever the clock does: a clock that is set back, or stands still, makes
    /// nobody wait.
    fn now(&self) -> i64 {
        let now = (self.clock)().millis();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = looked.0.saturating_add(i64::try_from(looked.1.elapsed().as_millis()).unwrap_or(i64::MAX));
        if now > passed {
            *looked = (now, Instant::now());
        }
        now.max(passed)
    }
}

impl Allowance for SharedAllowance {
    fn admit<'a>(&'a self, registry: &'a str, action: RequestKind) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let shared = match action {
                RequestKind::WriteManifest => Registry::of_host(registry) == Registry::EcrPrivate,
                RequestKind::ReadManifest
                | RequestKind::ReadBlob
                | RequestKind::OpenUpload
                | RequestKind::WriteBlob => false,
            };
            if !shared {
                return;
            }
            let host = self.host(registry);
            let moment = {
                let _waiting = CountedWait::at(&host);
                let mut turn = host.turn.lock().await;
                let wanted = host.waiting.load(Ordering::Relaxed);
                self.next(&mut turn, registry, wanted).await
            };
            let wait = u64::try_from(moment - self.now()).unwrap_or_default();
            sleep(Duration::from_millis(wait)).await;
        })
    }
}
