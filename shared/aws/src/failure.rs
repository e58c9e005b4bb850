//! What went wrong with a call to AWS.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use pullsafe::lookup::{Doubt, Lookup};

/// Whose fault a failed call is, and so what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The thing does not exist.
    NotFound,
    /// A permission is missing.
    Denied,
    /// A condition on the stored state did not hold.
    ConditionFailed,
    /// Too many calls; trying later helps.
    Throttled,
    /// The service failed, could not be reached, or its answer was lost; trying again may help, and the effect may have happened.
    Unavailable,
    /// The service refuses the request as it is; trying again does not help.
    Refused,
}

/// A failed call: which one, why, and in the service's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {code}{message}", code = .code.as_deref().unwrap_or("no answer"), message = .message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
pub struct Failure {
    /// The call, as IAM names it: `ecs:UpdateService`.
    pub call: &'static str,
    /// What kind of failure.
    pub kind: FailureKind,
    /// The service's error code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
}

impl Failure {
    /// Classifies an error of the SDK.
    pub fn of<E: ProvideErrorMetadata>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let code = error.code().map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let kind = match code.as_deref() {
            None => FailureKind::Unavailable,
            Some("ConditionalCheckFailedException") => FailureKind::ConditionFailed,
            Some(code) if code.contains("Throttl") || code.contains("TooManyRequests") || code == "RequestLimitExceeded" => {
                FailureKind::Throttled
            }
            Some(code) if code.contains("AccessDenied") || code.contains("Unauthorized") || code == "AuthorizationError" => {
                FailureKind::Denied
            }
            Some(code) if code.contains("NotFound") || code == "NoSuchEntity" || code == "ServiceNotActiveException" => {
                FailureKind::NotFound
            }
            Some(_) if status.is_some_and(|status| status >= 500) => FailureKind::Unavailable,
            Some(_) => FailureKind::Refused,
        };
        Self { call, kind, code, message: error.message().map(str::to_owned) }
    }

    /// An answer of the service that makes no sense.
    pub fn unexpected(call: &'static str, problem: impl Into<String>) -> Self {
        Self { call, kind: FailureKind::Unavailable, code: Some("UnexpectedAnswer".to_owned()), message: Some(problem.into()) }
    }

    /// What could not be found out because of this.
    pub fn doubt<T>(&self) -> Lookup<T> {
        Lookup::Unknown(Doubt::new(self.to_string(), self.is_transient()))
    }

    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind, FailureKind::Throttled | FailureKind::Unavailable)
    }
}
