//! The calls that the fake got, and their outcomes.

use serde_json::Value;

use super::fault::FaultKind;
use super::names;
use super::service::AwsError;

/// One request that reached the fake. Each attempt of a retried operation is a call of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Counts from 1 over all services: from the beginning, or from when the log was last cleared.
    pub number: u64,
    /// The service's IAM prefix, such as `ecs`.
    pub service: String,
    /// The operation, such as `UpdateService`.
    pub operation: String,
    /// The request as JSON, unchanged. In requests of the awsQuery protocol all values are strings.
    pub request: Value,
    pub outcome: CallOutcome,
}

impl Call {
    /// Whether the call asks for a change to something of the user, successful or not.
    pub fn is_write(&self) -> bool {
        names::changes_user_resources(&self.service, &self.operation)
    }

    /// Whether the service carried the call out, even if the caller did not learn of it.
    pub fn took_effect(&self) -> bool {
        match &self.outcome {
            CallOutcome::Answered(_) => true,
            CallOutcome::Faulted { effect, .. } | CallOutcome::Died { effect } => matches!(effect, Some(Ok(_))),
            CallOutcome::Refused(_) | CallOutcome::Unserved => false,
        }
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallOutcome {
    /// The service answered with this.
    Answered(Value),
    /// The service refused with this error.
    Refused(AwsError),
    /// An injected fault struck the call.
    Faulted {
        /// The kind of fault.
        kind: FaultKind,
        /// What the service said, if the request got that far.
        effect: Option<Result<Value, AwsError>>,
    },
    /// The caller's process ended on this call.
    Died {
        /// What the service said, if the request got that far.
        effect: Option<Result<Value, AwsError>>,
    },
    /// The test set up no service of that name.
    Unserved,
}
