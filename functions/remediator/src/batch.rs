//! An invocation: one event, or a batch of the queue's messages, each with a result of its own.

use pullsafe_aws::Failure;
use pullsafe_aws::telemetry::trace_event;
use pullsafe_events as event;
use pullsafe_events::answer::spoken;
use pullsafe_events::{Event, QueueRecord};
use pullsafe_incident::pace::spread;
use serde_json::{Value, json};

use super::Remediator;

/// How long an event waits in the queue, in seconds, while another invocation holds its subject's lease: longer each
/// time, up to the time of a lease.
const DEFER_SECONDS: [i32; 5] = [20, 40, 60, 80, 100];
/// How long an event waits, in seconds, where AWS throttles or is unavailable. The last value repeats: an hour without
/// DynamoDB is a handful of tries.
const PATIENCE_SECONDS: [i32; 4] = [60, 120, 300, 600];
/// The queue's `maxReceiveCount` is 20 (template.yaml): after this many receives, the next one is the last.
const LAST_RECEIVE_BUT_ONE: u32 = 19;

impl Remediator {
    /// Handles one invocation. `invocation` identifies it and is the same when Lambda tries it again.
    ///
    /// For a batch of the queue, the answer lists the messages that failed; the queue delivers these again.
    ///
    /// # Errors
    /// A call to AWS failed in a way that trying again can mend. Lambda tries again, then puts the event into the
    /// queue.
    pub async fn handle(&self, payload: &Value, invocation: &str) -> Result<Value, Failure> {
        trace_event(payload);
        if let Some(said) = spoken(payload) {
            return Ok(Box::pin(self.hear(said, invocation)).await);
        }
        let Some(records) = event::records(payload) else {
            let tally = self.one(payload, invocation).await?;
            if tally.is_deferred() {
                self.queues.send(&self.settings.queue_url, payload, pause(&DEFER_SECONDS, invocation, 1)).await?;
            }
            return Ok(tally.into_json());
        };
        let mut failed = Vec::new();
        for record in records {
            let result = match &record.body {
                // A sweep gets into the queue only after it has failed. By now a later sweep has done its work.
                Ok(body) if matches!(event::parse(body, (self.clock)()), Event::Sweep) => Ok(MessageFate::Whole),
                Ok(body) => match self.one(body, &format!("{invocation}/{}", record.message_id)).await {
                    Ok(tally) if tally.is_deferred() => self.put_off(&record, body, &DEFER_SECONDS).await,
                    Ok(_) => Ok(MessageFate::Whole),
                    Err(failure) => {
                        tracing::warn!(message_id = record.message_id, %failure, "message {} comes again: {failure}", record.message_id);
                        match failure.is_transient() {
                            true => self.put_off(&record, body, &PATIENCE_SECONDS).await,
                            false => self.hide(&record, &DEFER_SECONDS).await,
                        }
                    }
                },
                Err(problem) => {
                    tracing::error!(
                        message_id = record.message_id,
                        problem,
                        "message {} is dropped: {problem}",
                        record.message_id
                    );
                    Ok(MessageFate::Whole)
                }
            };
            match result {
                Ok(MessageFate::Whole) => {}
                Ok(MessageFate::ComesAgain) => failed.push(json!({ "itemIdentifier": record.message_id })),
                Err(failure) => {
                    tracing::warn!(message_id = record.message_id, %failure, "message {} comes again: {failure}", record.message_id);
                    failed.push(json!({ "itemIdentifier": record.message_id }));
                }
            }
        }
        Ok(json!({ "batchItemFailures": failed }))
    }

    /// Has a message delivered again after a while: its subject is being worked on, or AWS throttles or is unavailable.
    ///
    /// The message is hidden, not sent again, because Lambda ends a chain of messages that a function sends to itself
    /// after 16. Only if the next receive would be the last before the dead-letter queue, a copy with a new receive
    /// count replaces it: nothing is wrong with the message.
    async fn put_off(&self, record: &QueueRecord, body: &Value, pauses: &[i32]) -> Result<MessageFate, Failure> {
        if record.receives < LAST_RECEIVE_BUT_ONE && !record.receipt_handle.is_empty() {
            return self.hide(record, pauses).await;
        }
        self.queues
            .send(&self.settings.queue_url, body, pause(pauses, &record.message_id, record.receives))
            .await?;
        Ok(MessageFate::Whole)
    }

    /// Has a message delivered again after a while, until the queue gives it up. A message that fails every time is in
    /// the dead-letter queue within the hour.
    async fn hide(&self, record: &QueueRecord, pauses: &[i32]) -> Result<MessageFate, Failure> {
        if !record.receipt_handle.is_empty() {
            let seconds = pause(pauses, &record.message_id, record.receives);
            self.queues.hide(&self.settings.queue_url, &record.receipt_handle, seconds).await?;
        }
        Ok(MessageFate::ComesAgain)
    }
}

/// The pause in seconds after this many receives. It is up to a quarter longer than listed, so that messages that were
/// put off together do not come back together.
fn pause(pauses: &[i32], message: &str, receives: u32) -> i32 {
    let place = usize::try_from(receives.max(1) - 1).unwrap_or(usize::MAX);
    let seconds = pauses.get(place).or(pauses.last()).copied().unwrap_or(0);
    seconds + i32::try_from(spread(&format!("{message}/{receives}"), i64::from(seconds / 4))).unwrap_or(0)
}

/// What becomes of a message.
enum MessageFate {
    /// It was handled, and is deleted.
    Whole,
    /// It stays in the queue, hidden for a while.
    ComesAgain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ_from_message_to_message() {
        let pauses: Vec<i32> = (1..=6).map(|receives| pause(&PATIENCE_SECONDS, "a", receives)).collect();
        let least = [60, 120, 300, 600, 600, 600];
        assert!(
            pauses.iter().zip(least).all(|(found, least)| (least..=least + least / 4).contains(found)),
            "{pauses:?}"
        );
        let spread: std::collections::BTreeSet<i32> =
            (0..100).map(|number| pause(&PATIENCE_SECONDS, &format!("message-{number}"), 4)).collect();
        assert!(spread.len() > 30, "{spread:?}");
    }
}
