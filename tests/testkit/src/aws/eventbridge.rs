//! EventBridge: `PutEvents` to the default bus, which keeps the events as they would be delivered; and rules, as far as
//! they start tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ids::Ids;
use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// The most bytes that one request may carry.
const LARGEST_REQUEST: usize = 256 * 1024;

/// An event bus. Clones share one state.
#[derive(Debug, Clone)]
pub struct EventBridge(Arc<Mutex<EventBridgeState>>);

#[derive(Debug)]
struct EventBridgeState {
    clock: VirtualClock,
    ids: Ids,
    events: Vec<Value>,
    refusing: Option<&'static str>,
    rules: Vec<TaskRule>,
}

/// A rule that starts a task on a cluster.
#[derive(Debug)]
struct TaskRule {
    name: String,
    cluster_arn: String,
    definition: String,
}

impl EventBridge {
    /// A bus without events.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(EventBridgeState {
            clock,
            ids: Ids::of_kind(0xeb05),
            events: Vec::new(),
            refusing: None,
            rules: Vec::new(),
        })))
    }

    /// Every event that the bus accepted, in its envelope, in order.
    pub fn events(&self) -> Vec<Value> {
        self.events_after(0)
    }

    /// The events after the first `seen` ones.
    pub fn events_after(&self, seen: usize) -> Vec<Value> {
        self.lock().events.iter().skip(seen).cloned().collect()
    }

    /// The events with this detail-type.
    pub fn events_of(&self, detail_type: &str) -> Vec<Value> {
        self.lock().events.iter().filter(|event| event["detail-type"] == detail_type).cloned().collect()
    }

    /// From now on every entry is refused with this error, in an answer with status 200. With `None` entries are
    /// accepted again.
    pub fn refuse_entries(&self, code: Option<&'static str>) {
        self.lock().refusing = code;
    }

    /// Makes a rule that starts a task definition on a cluster, by their ARNs.
    pub fn start_by_rule(&self, name: &str, cluster_arn: &str, definition: &str) {
        let rule = TaskRule {
            name: name.to_owned(),
            cluster_arn: cluster_arn.to_owned(),
            definition: definition.to_owned(),
        };
        self.lock().rules.push(rule);
    }

    fn lock(&self) -> MutexGuard<'_, EventBridgeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for EventBridge {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "PutEvents" => self.lock().put_events(request),
            "ListRuleNamesByTarget" => Ok(self.lock().rule_names(request)),
            "ListTargetsByRule" => Ok(self.lock().targets(request)),
            _ => {
                Err(AwsError::client("UnknownOperationException", format!("{operation} is not modelled by this fake")))
            }
        }
    }
}

impl EventBridgeState {
    fn rule_names(&self, request: &Value) -> Value {
        let names: Vec<&str> = self
            .rules
            .iter()
            .filter(|rule| request["TargetArn"] == rule.cluster_arn)
            .map(|rule| rule.name.as_str())
            .collect();
        json!({ "RuleNames": names })
    }

    fn targets(&self, request: &Value) -> Value {
        let of_rule = self.rules.iter().enumerate().filter(|(_, rule)| request["Rule"] == rule.name);
        let target = |(number, rule): (usize, &TaskRule)| json!({ "Id": number.to_string(), "Arn": rule.cluster_arn, "EcsParameters": { "TaskDefinitionArn": rule.definition, "TaskCount": 1 } });
        json!({ "Targets": of_rule.map(target).collect::<Vec<_>>() })
    }

    fn put_events(&mut self, request: &Value) -> Result<Value, AwsError> {
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() || entries.len() > 10 {
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have \
                 length between 1 and 10, has {}",
                entries.len()
            );
            return Err(AwsError::client("ValidationException", message));
        }
        let size = |entry: &Value| {
            ["Source", "DetailType", "Detail"]
                .iter()
                .filter_map(|name| entry[name].as_str())
                .map(str::len)
                .sum::<usize>()
        };
        if entries.iter().map(size).sum::<usize>() > LARGEST_REQUEST {
            return Err(AwsError::client(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            ));
        }
        let results: Vec<Value> = entries.iter().map(|entry| self.put(entry)).collect();
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": results}))
    }

    /// Accepts one entry, or says why not. A refused entry does not keep the others out.
    fn put(&mut self, entry: &Value) -> Value {
        let refused = |code: &str, message: String| json!({"ErrorCode": code, "ErrorMessage": message});
        if let Some(code) = self.refusing {
            return refused(code, "the bus refuses".to_owned());
        }
        for name in ["Source", "DetailType", "Detail"] {
            if entry[name].as_str().is_none_or(str::is_empty) {
                return refused(
                    "InvalidArgument",
                    format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
                );
            }
        }
        let source = entry["Source"].as_str().unwrap_or_default();
        if source.starts_with("aws.") {
            return refused("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned());
        }
        let detail: Option<Value> = entry["Detail"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let Some(detail) = detail.filter(Value::is_object) else {
            return refused("MalformedDetail", "Detail is malformed.".to_owned());
        };
        let at = entry["Time"].as_f64().map_or_else(|| self.clock.now(), Timestamp::from_epoch_seconds);
        let id = self.ids.next();
        self.events.push(json!({
            "version": "0",
            "id": id,
            "detail-type": entry["DetailType"],
            "source": source,
            "account": ACCOUNT,
            // Envelopes have whole seconds.
            "time": Timestamp::from_millis(at.seconds() * 1000),
            "region": REGION,
            "resources": entry.get("Resources").cloned().unwrap_or_else(|| json!([])),
            "detail": detail,
        }));
        json!({"EventId": id})
    }
}
