//! An invocation: one event, or a batch of the queue's messages, each of which ends by itself.

use pullsafe_aws::Failure;
use pullsafe_aws::telemetry::trace_event;
use pullsafe_events as event;
use pullsafe_events::QueueRecord;
use serde_json::{Value, json};

use super::Remediator;

/// How long an event waits in the queue while another invocation holds its subject's lease.
const DEFER_SECONDS: i32 = 20;
/// The queue's `maxReceiveCount` is 5 (template.yaml): a message that is received once more after this is given up.
const LAST_RECEIVE_BUT_ONE: u32 = 4;

impl Remediator {
    /// Handles one invocation. `invocation` identifies it and is the same when Lambda tries it again.
    ///
    /// A batch of the queue is answered with the messages that failed; they come again by themselves.
    ///
    /// # Errors
    /// A call to AWS failed in a way that trying again can mend. Lambda tries again, then puts the event into the queue.
    pub async fn handle(&self, payload: &Value, invocation: &str) -> Result<Value, Failure> {
        trace_event(payload);
        let Some(records) = event::records(payload) else {
            let tally = self.one(payload, invocation).await?;
            if tally.is_deferred() {
                self.queues.send(&self.settings.queue_url, payload, DEFER_SECONDS).await?;
            }
            return Ok(tally.into_json());
        };
        let mut failed = Vec::new();
        for record in records {
            let result = match &record.body {
                Ok(body) => match self.one(body, &format!("{invocation}/{}", record.message_id)).await {
                    Ok(tally) if tally.is_deferred() => self.put_off(&record, body).await,
                    Ok(_) => Ok(Done::Whole),
                    Err(failure) => Err(failure),
                },
                Err(problem) => {
                    tracing::error!(message_id = record.message_id, problem, "message {} is dropped: {problem}", record.message_id);
                    Ok(Done::Whole)
                }
            };
            match result {
                Ok(Done::Whole) => {}
                Ok(Done::ComesAgain) => failed.push(json!({ "itemIdentifier": record.message_id })),
                Err(failure) => {
                    tracing::warn!(message_id = record.message_id, %failure, "message {} comes again: {failure}", record.message_id);
                    failed.push(json!({ "itemIdentifier": record.message_id }));
                }
            }
        }
        Ok(json!({ "batchItemFailures": failed }))
    }

    /// Lets a message whose subject is being worked on come again after a while.
    ///
    /// It is hidden, not sent again: Lambda ends a chain of messages that a function sends to itself after 16. Only where it has come so
    /// often that the next time would be its last before the dead-letter queue, a copy with a count of its own takes its place, for
    /// nothing has failed.
    async fn put_off(&self, record: &QueueRecord, body: &Value) -> Result<Done, Failure> {
        let queue = &self.settings.queue_url;
        if record.receives >= LAST_RECEIVE_BUT_ONE || record.receipt_handle.is_empty() {
            self.queues.send(queue, body, DEFER_SECONDS).await?;
            return Ok(Done::Whole);
        }
        // Later and later, so that those who wait for one subject do not all come at once.
        let seconds = DEFER_SECONDS * i32::try_from(record.receives).unwrap_or(1);
        self.queues.hide(queue, &record.receipt_handle, seconds).await?;
        Ok(Done::ComesAgain)
    }
}

/// What becomes of a message.
enum Done {
    /// It is done with, and deleted.
    Whole,
    /// It stays in the queue, hidden for a while.
    ComesAgain,
}
