//! What a fake AWS service looks like to the rest of the fake.

use serde_json::Value;

/// An error as an AWS service returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    pub status: u16,
    /// The error's code, such as `ServiceNotFoundException`.
    pub code: String,
    /// The message for people.
    pub message: String,
}

impl AwsError {
    /// An error of the caller (HTTP 400).
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into() }
    }
}

/// One AWS service: operations by name, JSON in, JSON out, whatever the protocol on the wire.
pub trait FakeService: Send + Sync {
    /// Carries out one operation.
    ///
    /// # Errors
    /// What the real service would answer instead.
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError>;
}
