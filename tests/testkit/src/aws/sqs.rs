//! SQS: standard queues with delays, visibility timeouts and dead-letter queues, and the batches that Lambda would make
//! of their messages.
//!
//! Standard queues promise no order. This one keeps the order, and never delivers a message twice by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ids::Ids;
use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// The largest message, in bytes. SQS accepts 1 MiB since 2025; the older limit is the safe one.
const LARGEST_MESSAGE: usize = 256 * 1024;
/// How many messages of a queue may be in flight: received and not yet deleted.
const MOST_IN_FLIGHT: usize = 120_000;

/// Queues. Clones share one state.
#[derive(Debug, Clone)]
pub struct Sqs(Arc<Mutex<SqsState>>);

#[derive(Debug)]
struct SqsState {
    clock: VirtualClock,
    ids: Ids,
    queues: BTreeMap<String, Queue>,
}

#[derive(Debug)]
struct Queue {
    visibility_timeout: i64,
    redrive: Option<(String, u32)>,
    most_in_flight: usize,
    messages: Vec<QueuedMessage>,
}

#[derive(Debug, Clone)]
struct QueuedMessage {
    id: String,
    body: String,
    attributes: Value,
    sent: Timestamp,
    first_received: Option<Timestamp>,
    visible: Timestamp,
    receives: u32,
    // Each receive gives a new handle. Only the last one is valid.
    handle: String,
}

impl Sqs {
    /// Starts without queues.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(SqsState { clock, ids: Ids::of_kind(0x5905), queues: BTreeMap::new() })))
    }

    /// Creates a queue whose messages are invisible for `visibility_timeout` seconds once received.
    #[must_use]
    pub fn with_queue(self, name: &str, visibility_timeout: i64) -> Self {
        self.lock().queues.insert(
            name.to_owned(),
            Queue {
                visibility_timeout,
                redrive: None,
                most_in_flight: MOST_IN_FLIGHT,
                messages: Vec::new(),
            },
        );
        self
    }

    /// Lowers the limit on messages in flight of a queue.
    #[must_use]
    pub fn with_in_flight(self, name: &str, most: usize) -> Self {
        if let Some(queue) = self.lock().queues.get_mut(name) {
            queue.most_in_flight = most;
        }
        self
    }

    /// Gives a queue a dead-letter queue. A message moves there instead of being received more than `max_receive_count`
    /// times.
    #[must_use]
    pub fn with_redrive(self, name: &str, dead_letters: &str, max_receive_count: u32) -> Self {
        if let Some(queue) = self.lock().queues.get_mut(name) {
            queue.redrive = Some((dead_letters.to_owned(), max_receive_count));
        }
        self
    }

    /// The URL of a queue with this name.
    pub fn url(name: &str) -> String {
        format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
    }

    /// The ARN of a queue with this name.
    pub fn arn(name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    }

    /// Puts a message into a queue, as EventBridge, Lambda or a person would.
    pub fn send(&self, queue: &str, body: &Value) {
        let request = json!({"QueueUrl": Self::url(queue), "MessageBody": body.to_string()});
        if let Err(error) = self.lock().send(&request) {
            panic!("cannot send to {queue}: {}", error.message);
        }
    }

    /// The bodies of all messages in a queue, visible or not. Bodies that are JSON are read as JSON.
    pub fn bodies(&self, queue: &str) -> Vec<Value> {
        let state = self.lock();
        let messages = state.queues.get(queue).map(|queue| queue.messages.as_slice()).unwrap_or_default();
        messages
            .iter()
            .map(|message| serde_json::from_str(&message.body).unwrap_or_else(|_| Value::from(message.body.as_str())))
            .collect()
    }

    /// When the next message that is still invisible in a queue can be received.
    pub fn next_visible(&self, queue: &str) -> Option<Timestamp> {
        let state = self.lock();
        let now = state.clock.now();
        state
            .queues
            .get(queue)?
            .messages
            .iter()
            .map(|message| message.visible)
            .filter(|visible| *visible > now)
            .min()
    }

    /// Takes all visible messages out of a queue, as the events that Lambda would be invoked with, ten records each.
    pub fn drain(&self, queue: &str) -> Vec<Value> {
        std::iter::from_fn(|| {
            let event = self.deliver(queue, 10)?;
            self.settle(queue, &event, &[]);
            Some(event)
        })
        .collect()
    }

    /// Receives up to `batch` messages, as the event that Lambda would be invoked with; `None` if none is visible. The
    /// messages stay in flight until [`Self::settle`], or until their visibility timeout ends.
    pub fn deliver(&self, queue: &str, batch: usize) -> Option<Value> {
        let messages = self.lock().receive(queue, batch, None).ok()?;
        let record = |message: &QueuedMessage| {
            json!({
                "messageId": message.id,
                "receiptHandle": message.handle,
                "body": message.body,
                "attributes": system_attributes(message),
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": Self::arn(queue),
                "awsRegion": REGION,
            })
        };
        if messages.is_empty() {
            None
        } else {
            Some(json!({"Records": messages.iter().map(record).collect::<Vec<_>>()}))
        }
    }

    /// Does what Lambda does when the function has returned: deletes the messages of the batch, except those reported
    /// as failed.
    pub fn settle(&self, queue: &str, event: &Value, failed: &[String]) {
        let mut state = self.lock();
        let Some(queue) = state.queues.get_mut(queue) else {
            return;
        };
        let records = event["Records"].as_array().into_iter().flatten();
        let done = records
            .filter_map(|record| record["messageId"].as_str())
            .filter(|id| !failed.iter().any(|failed| failed == id));
        for id in done {
            queue.messages.retain(|message| message.id != id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, SqsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for Sqs {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let mut state = self.lock();
        match operation {
            "SendMessage" => state.send(request),
            "SendMessageBatch" => state.send_batch(request),
            "ReceiveMessage" => {
                let count = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
                if !(1..=10).contains(&count) {
                    return Err(invalid(format!(
                        "Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and \
                         10, if provided."
                    )));
                }
                let name = queue_name(request);
                let messages =
                    state.receive(&name, usize::try_from(count).unwrap_or(1), request["VisibilityTimeout"].as_i64())?;
                let messages: Vec<Value> = messages.iter().map(wire_message).collect();
                Ok(if messages.is_empty() { json!({}) } else { json!({"Messages": messages}) })
            }
            "DeleteMessage" => {
                let handle = request["ReceiptHandle"].clone();
                // It is not an error to delete a message that is gone, or that has been received again since.
                state.queue(request)?.messages.retain(|message| handle != message.handle.as_str());
                Ok(json!({}))
            }
            "ChangeMessageVisibility" => {
                let (now, seconds) = (state.clock.now(), request["VisibilityTimeout"].as_i64().unwrap_or(0));
                if !(0..=43_200).contains(&seconds) {
                    return Err(invalid(format!("Value {seconds} for parameter VisibilityTimeout is invalid.")));
                }
                let message = state
                    .queue(request)?
                    .messages
                    .iter_mut()
                    .find(|message| request["ReceiptHandle"] == message.handle.as_str());
                let message = message.filter(|message| message.visible > now);
                let gone = "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                    available for visibility timeout change.";
                message.ok_or_else(|| invalid(gone.to_owned()))?.visible = now.plus_seconds(seconds);
                Ok(json!({}))
            }
            _ => Err(AwsError::client(
                "AWS.SimpleQueueService.UnsupportedOperation",
                format!("{operation} is not modelled by this fake"),
            )),
        }
    }
}

impl SqsState {
    fn queue(&mut self, request: &Value) -> Result<&mut Queue, AwsError> {
        let missing =
            AwsError::client("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
        self.queues.get_mut(&queue_name(request)).ok_or(missing)
    }

    fn send(&mut self, request: &Value) -> Result<Value, AwsError> {
        let (now, id) = (self.clock.now(), self.ids.next());
        let queue = self.queue(request)?;
        let body = request["MessageBody"].as_str().unwrap_or_default();
        if body.is_empty() {
            return Err(AwsError::client("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        if body.len() > LARGEST_MESSAGE {
            return Err(invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {LARGEST_MESSAGE} bytes."
            )));
        }
        let delay = request["DelaySeconds"].as_i64().unwrap_or(0);
        if !(0..=900).contains(&delay) {
            return Err(invalid(format!(
                "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
            )));
        }
        queue.messages.push(QueuedMessage {
            id: id.clone(),
            body: body.to_owned(),
            attributes: request.get("MessageAttributes").cloned().unwrap_or_else(|| json!({})),
            sent: now,
            first_received: None,
            visible: now.plus_seconds(delay),
            receives: 0,
            handle: String::new(),
        });
        Ok(json!({"MessageId": id}))
    }

    fn send_batch(&mut self, request: &Value) -> Result<Value, AwsError> {
        self.queue(request)?;
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() {
            return Err(AwsError::client(
                "AWS.SimpleQueueService.EmptyBatchRequest",
                "There should be at least one SendMessageBatchRequestEntry in the request.",
            ));
        }
        if entries.len() > 10 {
            let message = format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
            return Err(AwsError::client("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", message));
        }
        let ids: std::collections::BTreeSet<Option<&str>> = entries.iter().map(|entry| entry["Id"].as_str()).collect();
        if ids.len() < entries.len() {
            return Err(AwsError::client(
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        let bytes: usize = entries.iter().filter_map(|entry| entry["MessageBody"].as_str()).map(str::len).sum();
        if bytes > LARGEST_MESSAGE {
            let message =
                format!("Batch requests cannot be longer than {LARGEST_MESSAGE} bytes. You have sent {bytes} bytes.");
            return Err(AwsError::client("AWS.SimpleQueueService.BatchRequestTooLong", message));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let mut single = entry.clone();
            single["QueueUrl"] = request["QueueUrl"].clone();
            match self.send(&single) {
                Ok(sent) => successful.push(json!({"Id": entry["Id"], "MessageId": sent["MessageId"]})),
                Err(error) => failed.push(
                    json!({"Id": entry["Id"], "SenderFault": true, "Code": error.code, "Message": error.message}),
                ),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    fn receive(&mut self, name: &str, count: usize, visibility: Option<i64>) -> Result<Vec<QueuedMessage>, AwsError> {
        let now = self.clock.now();
        self.redrive(name, now);
        let missing =
            AwsError::client("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
        let queue = self.queues.get_mut(name).ok_or(missing)?;
        let in_flight = queue.messages.iter().filter(|message| message.receives > 0 && message.visible > now).count();
        if in_flight >= queue.most_in_flight {
            let message =
                format!("OverLimit: the queue has {in_flight} messages in flight, which is the most that it can have.");
            return Err(AwsError {
                status: 403,
                ..AwsError::client("AWS.SimpleQueueService.OverLimit", message)
            });
        }
        let count = count.min(queue.most_in_flight - in_flight);
        let hidden_for = visibility.unwrap_or(queue.visibility_timeout);
        let visible = queue.messages.iter_mut().filter(|message| message.visible <= now).take(count);
        Ok(visible
            .map(|message| {
                message.receives += 1;
                message.first_received.get_or_insert(now);
                message.visible = now.plus_seconds(hidden_for);
                message.handle = format!("{}-{}", message.id, message.receives);
                message.clone()
            })
            .collect())
    }

    /// Moves messages that have been received often enough, and are visible again, to the dead-letter queue.
    fn redrive(&mut self, name: &str, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        let Some((dead_letters, limit)) = queue.redrive.clone() else {
            return;
        };
        let (dead, alive) = queue
            .messages
            .drain(..)
            .partition(|message: &QueuedMessage| message.visible <= now && message.receives >= limit);
        queue.messages = alive;
        if let Some(dead_letters) = self.queues.get_mut(&dead_letters) {
            dead_letters.messages.extend(Vec::into_iter(dead));
        }
    }
}

fn queue_name(request: &Value) -> String {
    let url = request["QueueUrl"].as_str().unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

fn invalid(message: String) -> AwsError {
    AwsError::client("InvalidParameterValue", message)
}

fn system_attributes(message: &QueuedMessage) -> Value {
    json!({
        "ApproximateReceiveCount": message.receives.to_string(),
        "SentTimestamp": message.sent.millis().to_string(),
        "SenderId": ACCOUNT,
        "ApproximateFirstReceiveTimestamp": message.first_received.unwrap_or(message.sent).millis().to_string(),
    })
}

fn wire_message(message: &QueuedMessage) -> Value {
    json!({
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "Body": message.body,
        "Attributes": system_attributes(message),
        "MessageAttributes": message.attributes,
    })
}
