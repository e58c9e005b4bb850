//! The waker: looks where somebody waits, once for each repository, and answers whom it can.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::decide::answer::{CustomResourceResponse, DigestOrigin};
use crate::decide::deadline::TICK_SECONDS;
use crate::decide::hint::Hint;
use crate::decide::reason::WaitEnding;
use crate::decide::verdict::{GateVerdict, verdict};
use crate::decide::wait::Wait;
use crate::table::GateTable;
use futures_util::{StreamExt as _, stream};
use pullsafe_aws::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

use crate::gate::{GateError, GateInvocation, ImageGate};

/// How many repositories, and how many answers of one, are worked at together.
const TOGETHER: usize = 16;
/// Kept back of the function's time for its end.
const TIME_TO_END: Duration = Duration::from_secs(3);

impl ImageGate {
    /// Looks where a hint leads. What cannot be done in the time that is left is the next sweep's.
    pub(crate) async fn wake(&self, hint: Hint, call: &GateInvocation) -> Result<Value, GateError> {
        let Some(table) = &self.table else {
            return Ok(json!({"outcome": "ignored", "reason": "no table is configured, so nobody waits"}));
        };
        let (waits, is_sweep) = match &hint {
            Hint::Sweep => (self.stored(call, table.open()).await?, true),
            Hint::Repository(partition) => (self.stored(call, table.open_at(partition)).await?, false),
            Hint::Nothing(why) => {
                tracing::info!(why, "an event that wakes nobody: {why}");
                return Ok(json!({"outcome": "ignored", "reason": why}));
            }
        };
        let waiting = waits.len();
        // A metric is paid by the hour in which it says something: that nobody waits is not worth that.
        if is_sweep && waiting > 0 {
            emf(self.now(), &[], &[("GateWaiting", Unit::Count, u64::try_from(waiting).unwrap_or(u64::MAX))]);
        }
        let mut repositories: BTreeMap<String, Vec<Wait>> = BTreeMap::new();
        for wait in waits {
            repositories.entry(wait.key.partition.clone()).or_default().push(wait);
        }
        let mut repositories: Vec<Vec<Wait>> = repositories.into_values().collect();
        // Whose time is over comes first, should there be too little for all.
        repositories.sort_by_key(|waits| waits.iter().map(|wait| wait.patience.gives_up_at).min());
        let looked_at = repositories.len();
        let batches_before = self.batches.load(Ordering::Relaxed);
        let work = stream::iter(repositories)
            .map(|waits| Box::pin(self.wake_repository(waits, is_sweep, call)))
            .buffer_unordered(TOGETHER);
        let work = work.fold(0_usize, async |sum, answered| sum + answered);
        let end = call.deadline.checked_sub(TIME_TO_END).unwrap_or(call.deadline);
        match timeout_at(end, work).await {
            Ok(answered) => {
                let batches = self.batches.load(Ordering::Relaxed) - batches_before;
                tracing::info!(is_sweep, waiting, repositories = looked_at, batches, answered, "woken");
                Ok(
                    json!({"outcome": "woken", "waiting": waiting, "repositories": looked_at, "batches": batches, "answered": answered}),
                )
            }
            Err(_) => {
                tracing::warn!(is_sweep, waiting, repositories = looked_at, "the time is over; the next sweep goes on");
                Ok(json!({"outcome": "unfinished", "waiting": waiting, "repositories": looked_at}))
            }
        }
    }

    /// One batch for everybody who waits for an image of this repository. How many were answered.
    async fn wake_repository(&self, waits: Vec<Wait>, is_sweep: bool, call: &GateInvocation) -> usize {
        let (undecided, decided): (Vec<Wait>, Vec<Wait>) = waits.into_iter().partition(Wait::is_undecided);
        // Whoever decided these may have died; their rows say what to send.
        let unused = CustomResourceResponse::failed("the request was decided before");
        let mut due: Vec<(Wait, CustomResourceResponse)> =
            decided.into_iter().map(|wait| (wait, unused.clone())).collect();
        let tags = OnceCell::new();
        // Only by sweeps: a timer that sets others would be a chain that Lambda ends.
        let timers = if is_sweep { self.set_timers(&undecided, call).await } else { Ok(()) };
        let looks = self.look_all_settled(&undecided.iter().collect::<Vec<_>>()).await;
        for (wait, look) in undecided.into_iter().zip(looks) {
            let now = self.now();
            let news = wait.seen(&look, now);
            // Whom no timer wakes has to be answered by the last sweep that comes in time.
            let moment = if timers.is_err() { now.plus_seconds(TICK_SECONDS) } else { now };
            match verdict(news.as_ref().unwrap_or(&wait), look, moment) {
                GateVerdict::Succeed(image) => {
                    let answer =
                        CustomResourceResponse::present(*image, &DigestOrigin::Look(now), wait.patience.waited(now));
                    due.push((wait, answer));
                }
                GateVerdict::Fail(reason) => due.push((wait, CustomResourceResponse::failed(&reason))),
                GateVerdict::GiveUp(why_not) => {
                    let answer = self.given_up(&wait, &why_not, &WaitEnding::Patience, &tags).await;
                    due.push((wait, answer));
                }
                GateVerdict::Wait => self.waits_on(wait, news, call).await,
            }
        }
        let answers = stream::iter(due).map(async |(wait, answer)| match Box::pin(self.answer_known(&wait, &answer, call)).await {
            Ok(outcome) => usize::from(outcome["answered"] == true),
            Err(error) => {
                tracing::warn!(stack = wait.requester.stack_id, %error, "an answer is sent again by the next sweep: \
                    {error}");
                0
            }
        });
        answers.buffer_unordered(TOGETHER).fold(0, async |sum, answered| sum + answered).await
    }

    /// Nothing is due: what the look taught is kept, and the mirror is asked again where that is due.
    async fn waits_on(&self, wait: Wait, news: Option<Wait>, call: &GateInvocation) {
        let Some(table) = &self.table else { return };
        let wait = match news {
            Some(news) if self.is_kept(table, &news, call).await => news,
            Some(_) => return,
            None => wait,
        };
        if let Some(next) = self.ask_mirror(&wait, call).await {
            self.is_kept(table, &next, call).await;
        }
    }

    /// Whether the row is now this.
    async fn is_kept(&self, table: &GateTable, next: &Wait, call: &GateInvocation) -> bool {
        self.stored(call, table.replace(next)).await.unwrap_or_else(|failure| {
            tracing::warn!(%failure, "what was learnt of a request is not kept: {failure}");
            false
        })
    }
}
