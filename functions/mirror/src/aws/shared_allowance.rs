//! A quota of ECR that several workers share: PutImage's ten a second count for the whole account and region.
//!
//! The moments at which requests may go are handed out in a row of the functions' table (`pk` = `mirror`, `sk` =
//! `pace#<registry>`), a few at a time and no more than somebody waits for, by a write that holds only if nobody else
//! was faster. So all workers together stay within the quota, one alone has all of it from its first request, and one
//! that dies takes half a second of it with it.
//!
//! Nobody waits for the table: where it cannot be asked, each worker keeps to its own share. Who waits may give up at
//! any moment.

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
/// As many workers as the template lets run at a time, over both queues.
pub const WORKERS: usize = 6;
/// Requests in a grant: half a second of the quota.
const LARGEST_GRANT: usize = 5;
/// How far ahead moments are taken: a worker that dies must not hold up the others for long.
const FURTHEST_AHEAD: Duration = Duration::from_secs(5);
/// How often a grant is tried again after another worker was faster.
const TRIES: usize = 8;
/// How long to wait before asking again, where every moment in reach is given out.
const ROUND: Duration = Duration::from_millis(500);
/// How often that is done. After it something is wrong with the row, and each worker goes on alone.
const ROUNDS: usize = 20;
/// How long to wait for the table, which answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the table is not asked again after it has failed.
const LEFT_ALONE: Duration = Duration::from_secs(10);
/// How late a grant may be used; later there could be too many requests at a time.
const LATE_MILLIS: i64 = 250;
/// How far ahead a worker gives itself moments without the table.
const AHEAD_ALONE_MILLIS: i64 = 2000;
/// When DynamoDB may clear up a row that nobody uses.
const CLEAR_UP_SECONDS: i64 = 3600;

/// The shared quota.
pub struct SharedAllowance {
    client: Client,
    table: String,
    clock: Clock,
    /// The latest look at the clock that was ahead of the time that has passed since the one before it.
    looked: Mutex<(i64, Instant)>,
    hosts: Mutex<HashMap<String, Arc<HostAllowance>>>,
}

#[derive(Default)]
struct HostAllowance {
    /// How many wait that have no moment yet.
    waiting: AtomicUsize,
    turn: tokio::sync::Mutex<AllowanceTurn>,
}

#[derive(Default)]
struct AllowanceTurn {
    granted: VecDeque<i64>,
    /// The row as it was seen last.
    seen: Option<String>,
    /// What this worker has sent without the table.
    alone: Grants,
    alone_until: Option<Instant>,
}

/// Counted as waiting until it is dropped.
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
    /// The quota that is handed out in this table.
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

    /// When the next request may go.
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
            let asked = timeout(PATIENCE, self.ask(turn, registry, wanted)).await;
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

    /// Takes a grant. None where too many lie ahead, or others are always faster.
    async fn ask(&self, turn: &mut AllowanceTurn, registry: &str, wanted: usize) -> Result<Vec<i64>, Failure> {
        const CALL: &str = "dynamodb:UpdateItem";
        let ahead = i64::try_from(FURTHEST_AHEAD.as_millis()).unwrap_or(i64::MAX);
        for _ in 0..TRIES {
            // What cannot be read is replaced.
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
            // Somebody else was faster: this is how it stands now.
            turn.seen = other
                .item()
                .and_then(|item| item.get("granted"))
                .and_then(|document| AttributeValue::as_s(document).ok())
                .cloned();
        }
        Ok(Vec::new())
    }

    /// The time in milliseconds. It goes on whatever the clock does: one that is set back, or stands still, makes
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
