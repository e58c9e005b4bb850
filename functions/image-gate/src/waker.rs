//! The waker: looks where somebody waits, once for each repository, and answers whom it can.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::decide::answer::Answer;
use crate::decide::hint::{Hint, hint};
use crate::decide::look::{Verdict, verdict};
use crate::decide::wait::Wait;
use futures_util::{StreamExt as _, stream};
use pullsafe_aws::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::time::{timeout, timeout_at};

use crate::flow::Call;
use crate::{Gate, GateError};

/// So many repositories, and so many answers of one, are worked at together.
const TOGETHER: usize = 16;
/// Kept back of the function's time for its end.
const TIME_TO_END: Duration = Duration::from_secs(3);

impl Gate {
    /// Looks where an event says. What cannot be done in the time that is left is the next sweep's.
    pub(crate) async fn wake(&self, event: &Value, call: &Call) -> Result<Value, GateError> {
        let hint = hint(event, self.now());
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
        if is_sweep {
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
        let work = stream::iter(repositories).map(|waits| Box::pin(self.wake_repository(waits, is_sweep, call))).buffer_unordered(TOGETHER);
        let work = work.fold(0_usize, async |sum, answered| sum + answered);
        let end = call.deadline.checked_sub(TIME_TO_END).unwrap_or(call.deadline);
        match timeout_at(end, work).await {
            Ok(answered) => {
                let batches = self.batches.load(Ordering::Relaxed) - batches_before;
                tracing::info!(is_sweep, waiting, repositories = looked_at, batches, answered, "woken");
                Ok(json!({"outcome": "woken", "waiting": waiting, "repositories": looked_at, "batches": batches, "answered": answered}))
            }
            Err(_) => {
                tracing::warn!(is_sweep, waiting, repositories = looked_at, "the time is over; the next sweep goes on");
                Ok(json!({"outcome": "unfinished", "waiting": waiting, "repositories": looked_at}))
            }
        }
    }

    /// One batch for everybody who waits for an image of this repository. How many were answered.
    async fn wake_repository(&self, waits: Vec<Wait>, is_sweep: bool, call: &Call) -> usize {
        let (undecided, decided): (Vec<Wait>, Vec<Wait>) = waits.into_iter().partition(Wait::is_undecided);
        // Whoever decided these may have died; their rows say what to send.
        let unused = Answer::failed("the request was decided before");
        let mut due: Vec<(Wait, Answer)> = decided.into_iter().map(|wait| (wait, unused.clone())).collect();
        let mut given_up = Vec::new();
        if let Some(place) = undecided.first().map(|wait| wait.place.clone()) {
            let asked: Vec<_> = undecided.iter().map(|wait| &wait.asked).collect();
            // A sweep looks once: a tag that was moved just now has an event of its own, or the next sweep.
            let looks = if is_sweep { self.look_in_time(&place, &asked).await } else { self.look_all_settled(&place, &asked).await };
            for (wait, look) in undecided.into_iter().zip(looks) {
                let now = self.now();
                if is_sweep && look.is_unsettled(now) && !wait.patience.has_to_end(now) {
                    continue;
                }
                match verdict(&wait, look, now) {
                    Verdict::Succeed(image) => {
                        let answer = Answer::present(*image, wait.patience.waited(now));
                        due.push((wait, answer));
                    }
                    Verdict::Fail(reason) => due.push((wait, Answer::failed(&reason))),
                    Verdict::GiveUp(why_not) => given_up.push((wait, why_not)),
                    Verdict::Wait => self.ask_mirror_again(&wait, call).await,
                }
            }
            if !given_up.is_empty() {
                // A help for people, for which the answers do not wait.
                let tags = timeout(self.settings.time_to_answer / 3, self.tags(&place)).await.unwrap_or_default();
                due.extend(given_up.into_iter().map(|(wait, why_not)| {
                    let answer = self.given_up(&wait, &why_not, &tags);
                    (wait, answer)
                }));
            }
        }
        let answers = stream::iter(due).map(async |(wait, answer)| match Box::pin(self.answer_known(&wait, &answer, call)).await {
            Ok(outcome) => usize::from(outcome["answered"] == true),
            Err(error) => {
                tracing::warn!(stack = wait.requester.stack_id, %error, "an answer is sent again by the next sweep: {error}");
                0
            }
        });
        answers.buffer_unordered(TOGETHER).fold(0, async |sum, answered| sum + answered).await
    }

    async fn ask_mirror_again(&self, wait: &Wait, call: &Call) {
        let (Some(table), now) = (&self.table, self.now()) else { return };
        if !wait.should_ask_mirror(now) || !self.ask_mirror(wait, call).await {
            return;
        }
        if let Err(failure) = self.stored(call, table.replace(&wait.asked_mirror(now))).await {
            tracing::warn!(%failure, "the mirror will be asked once more: {failure}");
        }
    }
}
