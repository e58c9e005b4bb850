//! AWS Lambda, as far as a function can be invoked and answers: what it does is the test's.

use std::sync::Arc;

use serde_json::Value;

use super::service::{AwsError, FakeService};

/// A function of this name or ARN.
#[derive(Clone)]
pub struct FakeFunction {
    name: String,
    handler: Arc<dyn Fn(&Value) -> Value + Send + Sync>,
}

impl FakeFunction {
    /// One that answers an event with this.
    pub fn new(name: &str, handler: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), handler: Arc::new(handler) }
    }
}

impl FakeService for FakeFunction {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let named = request["FunctionName"].as_str().unwrap_or_default();
        if operation != "Invoke" || named != self.name && !named.ends_with(&format!(":function:{}", self.name)) {
            return Err(AwsError {
                status: 404,
                code: "ResourceNotFoundException".to_owned(),
                message: format!("Function not found: {named}"),
            });
        }
        let payload = request["Payload"]
            .as_str()
            .and_then(|payload| serde_json::from_str(payload).ok())
            .unwrap_or_default();
        Ok((self.handler)(&payload))
    }
}
