//! What was asked of the fake, and what became of it.

use serde_json::Value;

use super::fault::FaultKind;
use super::names;
use super::service::AwsError;

/// One request that reached the fake; each attempt of a retried operation is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Counts from 1 over all services, from the beginning or from when the log was last cleared.
    pub number: u64,
    /// The service's IAM prefix, such as `ecs`.
    pub service: String,
    /// The operation, such as `UpdateService`.
    pub operation: String,
    /// The request as JSON, as it came. Requests of the awsQuery protocol have strings for all values.
    pub request: Value,
    /// What became of it.
    pub outcome: CallOutcome,
}

impl Call {
    /// Whether it asks for a change to something of the user's, whatever became of it.
    pub fn is_write(&self) -> bool {
        names::changes_user_resources(&self.service, &self.operation)
    }

    /// Whether the service carried it out, even if the caller did not learn of it.
    pub fn took_effect(&self) -> bool {
        match &self.outcome {
            CallOutcome::Answered(_) => true,
            CallOutcome::Faulted { effect, .. } | CallOutcome::Died { effect } => matches!(effect, Some(Ok(_))),
            CallOutcome::Refused(_) | CallOutcome::Unserved => false,
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallOutcome {
    /// The service's answer.
    Answered(Value),
    /// The service's refusal.
    Refused(AwsError),
    /// An injected fault stood in the way.
    Faulted {
        /// The kind of fault.
        kind: FaultKind,
        /// What the service said, if the request got as far.
        effect: Option<Result<Value, AwsError>>,
    },
    /// The caller's process ended on this call.
    Died {
        /// What the service said, if the request got as far.
        effect: Option<Result<Value, AwsError>>,
    },
    /// The test set up no service of that name.
    Unserved,
}
