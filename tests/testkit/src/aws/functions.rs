//! AWS Lambda, as far as a function can be invoked and answer. The test says what the function does.

use std::sync::Arc;

use serde_json::Value;

use super::service::{AwsError, FakeService};

/// One function, found by this name or its ARN.
#[derive(Clone)]
pub struct FakeFunction {
    name: String,
    handler: Arc<dyn Fn(&Value) -> Value + Send + Sync>,
}

impl FakeFunction {
    /// A function that answers each event with what `handler` returns.
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
