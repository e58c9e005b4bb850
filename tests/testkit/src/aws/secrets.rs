//! Secrets Manager: `GetSecretValue`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};

/// Secrets by name. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeMap<String, String>>>);

impl Secrets {
    /// Starts without secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a secret.
    #[must_use]
    pub fn with_secret(self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Changes a secret.
    pub fn set(&self, name: &str, value: &str) {
        self.lock().insert(name.to_owned(), value.to_owned());
    }

    /// The ARN of a secret with this name. Real ARNs end in six random characters too.
    pub fn arn(name: &str) -> String {
        format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for Secrets {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        if operation != "GetSecretValue" {
            return Err(AwsError::client(
                "UnknownOperationException",
                format!("{operation} is not modelled by this fake"),
            ));
        }
        let wanted = request["SecretId"].as_str().unwrap_or_default();
        let secrets = self.lock();
        // A secret is found by name, by ARN, or by the ARN without its random end.
        let fits = |name: &str| {
            wanted == name || Self::arn(name) == wanted || Self::arn(name).strip_suffix("-AbCdEf") == Some(wanted)
        };
        let missing =
            || AwsError::client("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        let (name, value) = secrets.iter().find(|(name, _)| fits(name)).ok_or_else(missing)?;
        Ok(json!({"ARN": Self::arn(name), "Name": name, "SecretString": value, "VersionStages": ["AWSCURRENT"]}))
    }
}
