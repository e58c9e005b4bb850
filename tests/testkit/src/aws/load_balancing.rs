//! Elastic Load Balancing: the health of targets, as the test sets it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::service::{AwsError, FakeService};

/// Target groups. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct FakeTargetGroups(Arc<Mutex<BTreeMap<String, Vec<Value>>>>);

impl FakeTargetGroups {
    /// Starts without groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a target in a group, with its state and the code and text of the reason. An empty reason is left out.
    pub fn register(&self, group: &str, state: &str, reason: &str, description: &str) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let targets = groups.entry(group.to_owned()).or_default();
        let mut health = json!({ "State": state });
        if !reason.is_empty() {
            health["Reason"] = json!(reason);
            health["Description"] = json!(description);
        }
        targets.push(json!({ "Target": { "Id": format!("10.0.0.{}", targets.len() + 1), "Port": 8000 }, "TargetHealth": health }));
    }
}

impl FakeService for FakeTargetGroups {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        if operation != "DescribeTargetHealth" {
            return Err(AwsError::client("InvalidAction", format!("{operation} is not modelled by this fake")));
        }
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let group = request["TargetGroupArn"].as_str().unwrap_or_default();
        let missing = || AwsError::client("TargetGroupNotFound", format!("Target groups '{group}' not found"));
        let targets = groups.get(group).ok_or_else(missing)?;
        Ok(json!({ "TargetHealthDescriptions": targets }))
    }
}
