//! Systems Manager: `GetParameter`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// Parameters by name. Clones share one state.
#[derive(Debug, Clone)]
pub struct Parameters(Arc<Mutex<ParametersState>>);

#[derive(Debug)]
struct ParametersState {
    clock: VirtualClock,
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Debug)]
struct Parameter {
    secure: bool,
    value: String,
    version: u64,
    modified: Timestamp,
}

impl Parameters {
    /// Starts without parameters.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(ParametersState { clock, parameters: BTreeMap::new() })))
    }

    /// Keeps a plain parameter.
    #[must_use]
    pub fn with_parameter(self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Keeps an encrypted parameter.
    #[must_use]
    pub fn with_secure(self, name: &str, value: &str) -> Self {
        self.store(name, value, true);
        self
    }

    /// Changes a plain parameter; its version goes up.
    pub fn set(&self, name: &str, value: &str) {
        self.store(name, value, false);
    }

    fn store(&self, name: &str, value: &str, secure: bool) {
        let mut state = self.lock();
        let modified = state.clock.now();
        let version = state.parameters.get(name).map_or(1, |parameter| parameter.version + 1);
        state
            .parameters
            .insert(name.to_owned(), Parameter { secure, value: value.to_owned(), version, modified });
    }

    fn lock(&self) -> MutexGuard<'_, ParametersState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for Parameters {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        if operation != "GetParameter" {
            return Err(AwsError::client(
                "UnknownOperationException",
                format!("{operation} is not modelled by this fake"),
            ));
        }
        let wanted = request["Name"].as_str().unwrap_or_default();
        let state = self.lock();
        let parameter = state.parameters.get(wanted).ok_or_else(|| AwsError::client("ParameterNotFound", ""))?;
        let encrypted = parameter.secure && request["WithDecryption"] != true;
        Ok(json!({"Parameter": {
            "Name": wanted,
            "Type": if parameter.secure { "SecureString" } else { "String" },
            "Value": if encrypted { "AQICAHexample-ciphertext" } else { parameter.value.as_str() },
            "Version": parameter.version,
            "LastModifiedDate": parameter.modified.seconds(),
            "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", wanted.trim_start_matches('/')),
            "DataType": "text",
        }}))
    }
}
