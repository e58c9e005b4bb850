//! A request of CloudFormation: who asks, what for, and where the answer goes.
//!
//! This is what an answer needs. It is read apart from the properties, so that bad properties are answered too.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::url::StoredResponseUrl;
use pullsafe::timestamp::Timestamp;

/// How many bytes CloudFormation takes as the id of a resource.
const LONGEST_ID: usize = 1024;

/// What CloudFormation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestType {
    /// A new resource.
    Create,
    /// Other properties of a resource; a rollback too.
    Update,
    /// An end of a resource.
    Delete,
}

/// Who asks, in CloudFormation's own words, which an answer has to repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// The stack.
    pub stack_id: String,
    /// The request.
    pub request_id: String,
    /// The resource in the template.
    pub logical_resource_id: String,
    /// What was answered for this resource before.
    pub physical_resource_id: Option<String>,
}

/// Where a stack is: `arn:<partition>:cloudformation:<region>:<account>:stack/<name>/<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackPlace<'a> {
    /// Such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// Such as `eu-west-1`.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

impl Requester {
    /// Where the stack is; `None` if its id does not say so.
    pub fn stack(&self) -> Option<StackPlace<'_>> {
        let parts: Vec<&str> = self.stack_id.splitn(6, ':').collect();
        let [_, partition, "cloudformation", region, account, resource] = parts.as_slice() else {
            return None;
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let valid = is_account && is_word(region) && is_word(partition) && resource.starts_with("stack/");
        valid.then_some(StackPlace { partition, region, account })
    }

    /// The id of the resource: constant, so that no change of an image makes CloudFormation replace and delete it.
    pub fn physical_id(&self) -> String {
        let own = || {
            let stack = self.stack_id.split_once(":stack/").map_or(self.stack_id.as_str(), |(_, stack)| stack);
            format!("pullsafe-image/{stack}/{}", self.logical_resource_id)
        };
        // Another id than the one that came would make CloudFormation replace the resource.
        let mut id = self.physical_resource_id.clone().unwrap_or_else(own);
        id.truncate(id.floor_char_boundary(LONGEST_ID));
        id
    }
}

/// A request, and where its answer goes.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// What is wanted; `None` if that cannot be read.
    pub request_type: Option<RequestType>,
    /// Where the answer goes.
    pub response_url: StoredResponseUrl,
    /// Who asks.
    pub requester: Requester,
    /// The properties as they came.
    pub properties: Value,
    /// When the request was on its way, where its wrapping says so.
    pub sent_at: Option<Timestamp>,
    /// Why Lambda gave an earlier invocation up, where this is the record of that.
    pub failed_before: Option<FailedBefore>,
}

/// An invocation that Lambda gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedBefore {
    /// Under which condition, such as `RetriesExhausted`.
    pub condition: String,
    /// The log group of the function, which says more.
    pub log_group: String,
}

impl Envelope {
    /// Finds the requests in an event: the event itself, SNS notifications that carry them (from Lambda, or from a
    /// queue), or Lambda's record of an invocation that failed.
    pub fn find(event: &Value) -> Vec<Self> {
        if let Some(payload) = event.get("requestPayload") {
            let context = |key: &str| event["requestContext"][key].as_str();
            // arn:aws:lambda:<region>:<account>:function:<name>:<qualifier>
            let function = context("functionArn").and_then(|arn| arn.split(':').nth(6)).unwrap_or("the gate function");
            let condition = context("condition").unwrap_or("no condition given").to_owned();
            let failed_before = FailedBefore { condition, log_group: format!("/aws/lambda/{function}") };
            let failed = |envelope| Self { failed_before: Some(failed_before.clone()), ..envelope };
            return Self::find_delivered(payload).into_iter().map(failed).collect();
        }
        Self::find_delivered(event)
    }

    /// Finds the requests in what Lambda was given.
    fn find_delivered(event: &Value) -> Vec<Self> {
        if let Some(response_url) = event.get("ResponseURL").and_then(Value::as_str) {
            return vec![Self::of(event, response_url)];
        }
        let records = event
            .get("Records")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|record| record.get("Sns"));
        records.chain([event]).filter_map(Self::notified).collect()
    }

    /// The request in a notification: never another notification.
    fn notified(notification: &Value) -> Option<Self> {
        let message: Value = serde_json::from_str(notification.get("Message")?.as_str()?).ok()?;
        let sent_at = notification.get("Timestamp").and_then(Value::as_str).and_then(Timestamp::parse);
        let response_url = message.get("ResponseURL").and_then(Value::as_str)?;
        Some(Self { sent_at, ..Self::of(&message, response_url) })
    }

    /// Whether an event is a request whose answer has nowhere to go.
    pub fn is_unanswerable(event: &Value) -> bool {
        let has = |key: &str| event.get(key).is_some();
        (has("RequestType") || has("ResponseURL")) && !event.get("ResponseURL").is_some_and(Value::is_string)
    }

    fn of(event: &Value, response_url: &str) -> Self {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut properties = event.get("ResourceProperties").cloned().unwrap_or_default();
        // Seen beside the properties as well as among them.
        if let (Some(properties), Some(timeout)) = (properties.as_object_mut(), event.get("ServiceTimeout")) {
            properties.entry("ServiceTimeout").or_insert_with(|| timeout.clone());
        }
        Self {
            request_type: match text("RequestType").as_str() {
                "Create" => Some(RequestType::Create),
                "Update" => Some(RequestType::Update),
                "Delete" => Some(RequestType::Delete),
                _ => None,
            },
            response_url: StoredResponseUrl::new(response_url),
            requester: Requester {
                stack_id: text("StackId"),
                request_id: text("RequestId"),
                logical_resource_id: text("LogicalResourceId"),
                physical_resource_id: Some(text("PhysicalResourceId")).filter(|id| !id.is_empty()),
            },
            properties,
            sent_at: None,
            failed_before: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> Value {
        json!({
            "RequestType": "Create", "RequestId": "r-1", "LogicalResourceId": "Image",
            "ResponseURL": "https://bucket.s3.eu-west-1.amazonaws.com/x?X-Amz-Date=20261121T060000Z&X-Amz-Signature=secret",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b",
            "ResourceProperties": {"RepositoryName": "web", "ImageTag": "1"},
        })
    }

    #[test]
    fn a_request_is_found_in_every_wrapping() {
        let sns = json!({"Records": [{"Sns": {"Message": request().to_string()}}]});
        let failed = json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": sns.clone()});
        for event in [request(), sns, failed] {
            let [envelope] = Envelope::find(&event).try_into().unwrap();
            assert_eq!(
                (envelope.requester.request_id.as_str(), envelope.request_type),
                ("r-1", Some(RequestType::Create))
            );
            assert_eq!(envelope.requester.physical_id(), "pullsafe-image/app/0a1b/Image");
            assert!(!format!("{envelope:?}").contains("secret"));
        }
        assert!(Envelope::find(&json!({"Records": [{"Sns": {"Message": "hello"}}]})).is_empty());
        assert!(Envelope::find(&json!("text")).is_empty());
    }
}
