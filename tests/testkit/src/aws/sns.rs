//! SNS: `Publish` to topics that keep what they get.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ids::Ids;
use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// The largest message with its attributes, in bytes.
const LARGEST_MESSAGE: usize = 256 * 1024;

/// A message that was published to a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedMessage {
    /// The topic's ARN.
    pub topic: String,
    /// The subject, if it had one.
    pub subject: Option<String>,
    pub message: String,
    /// String attributes by name.
    pub attributes: BTreeMap<String, String>,
    pub at: Timestamp,
    /// The identifier that SNS gave the message.
    pub id: String,
}

/// Topics. Clones share one state.
#[derive(Debug, Clone)]
pub struct Sns(Arc<Mutex<SnsState>>);

#[derive(Debug)]
struct SnsState {
    clock: VirtualClock,
    ids: Ids,
    topics: Vec<String>,
    published: Vec<PublishedMessage>,
}

impl Sns {
    /// Starts without topics.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(SnsState {
            clock,
            ids: Ids::of_kind(0x5005),
            topics: Vec::new(),
            published: Vec::new(),
        })))
    }

    /// The ARN of a topic with this name.
    pub fn arn(name: &str) -> String {
        format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
    }

    /// Creates a topic.
    #[must_use]
    pub fn with_topic(self, name: &str) -> Self {
        self.lock().topics.push(Self::arn(name));
        self
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        self.lock().topics.retain(|topic| *topic != Self::arn(name));
    }

    /// Everything published so far, in order.
    pub fn published(&self) -> Vec<PublishedMessage> {
        self.lock().published.clone()
    }

    fn lock(&self) -> MutexGuard<'_, SnsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for Sns {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "Publish" => self.lock().publish(request),
            _ => Err(AwsError::client("InvalidAction", format!("{operation} is not modelled by this fake"))),
        }
    }
}

impl SnsState {
    fn publish(&mut self, request: &Value) -> Result<Value, AwsError> {
        let text = |member: &str| request[member].as_str().map(str::to_owned);
        let topic = text("TopicArn").or_else(|| text("TargetArn")).unwrap_or_default();
        if !self.topics.contains(&topic) {
            return Err(AwsError {
                status: 404,
                code: "NotFound".to_owned(),
                message: "Topic does not exist".to_owned(),
            });
        }
        let subject = text("Subject");
        if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(AwsError::client("InvalidParameter", "Invalid parameter: Subject"));
        }
        let message = text("Message").unwrap_or_default();
        if message.is_empty() {
            return Err(AwsError::client("InvalidParameter", "Invalid parameter: Empty message"));
        }
        let attributes: BTreeMap<String, String> = request["MessageAttributes"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value["StringValue"].as_str().unwrap_or_default().to_owned()))
            .collect();
        let attribute_bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if message.len() + attribute_bytes > LARGEST_MESSAGE {
            return Err(AwsError::client("InvalidParameter", "Invalid parameter: Message too long"));
        }
        if text("MessageStructure").as_deref() == Some("json") {
            let parsed: Option<Value> = serde_json::from_str(&message).ok();
            if !parsed.is_some_and(|parsed| parsed["default"].is_string()) {
                return Err(AwsError::client(
                    "InvalidParameter",
                    "Invalid parameter: Message Structure - No default entry in JSON message body",
                ));
            }
        }
        let id = self.ids.next();
        self.published.push(PublishedMessage {
            topic,
            subject,
            message,
            attributes,
            at: self.clock.now(),
            id: id.clone(),
        });
        Ok(json!({"MessageId": id}))
    }
}

/// Whether a subject is valid: ASCII without control characters, at most 100 characters, not empty. Newer documentation
/// allows UTF-8; ASCII is valid under both.
fn is_subject(subject: &str) -> bool {
    (1..=100).contains(&subject.len())
        && subject.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && !subject.starts_with(' ')
}
