//! What went wrong with a call to AWS.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::errors::{self, ErrorVerdict};
pub use super::kind::FailureKind;
use pullsafe::lookup::{Doubt, Lookup};

/// The kind of an error by its row, and without one by its status and by the words that every service uses for
/// throttling.
fn kind_of(call: &str, code: &str, status: Option<u16>) -> FailureKind {
    let service = call.split_once(':').map_or(call, |(service, _)| service);
    if let Some(row) = errors::find(service, code) {
        return row.kind;
    }
    match status {
        Some(429) => FailureKind::Throttled,
        Some(403) => FailureKind::Denied,
        Some(408 | 500..) => FailureKind::Unavailable,
        _ if code.contains("Throttl") => FailureKind::Throttled,
        Some(_) | None => FailureKind::Refused,
    }
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

/// An error with everything that caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl Failure {
    /// Classifies an error of the SDK.
    pub fn of<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let kind = match (&code, status) {
            (Some(code), _) => kind_of(call, code, status),
            // A refusal without a name, such as that of a proxy on the way.
            (None, Some(400..)) => kind_of(call, "", status),
            (None, _) => FailureKind::Unavailable,
        };
        // Where nobody answered, what was in the way tells: a refused connection, a time-out, a name that is not known.
        let message = error
            .message()
            .map(str::to_owned)
            .or_else(|| error.as_service_error().is_none().then(|| chain(error)));
        Self { call, kind, code, message }
    }

    /// An error that an answer has within it, in the service's words: the call itself went well.
    pub fn within(call: &'static str, code: &str, message: Option<&str>) -> Self {
        Self {
            call,
            kind: kind_of(call, code, None),
            code: Some(code.to_owned()),
            message: message.map(str::to_owned),
        }
    }

    /// An answer of the service that makes no sense.
    pub fn unexpected(call: &'static str, problem: impl Into<String>) -> Self {
        Self {
            call,
            kind: FailureKind::Unavailable,
            code: Some("UnexpectedAnswer".to_owned()),
            message: Some(problem.into()),
        }
    }

    /// A call that was not waited for any longer; one that was not waited for at all was not made.
    pub fn late(call: &'static str, waited: std::time::Duration) -> Self {
        let code = match waited.is_zero() {
            true => "not asked, because the time for looks was used up".to_owned(),
            false => format!("no answer in {} s", waited.as_secs_f64().ceil()),
        };
        Self {
            call,
            kind: FailureKind::Unavailable,
            code: Some(code),
            message: None,
        }
    }

    /// What could not be found out because of this.
    pub fn doubt<T>(&self) -> Lookup<T> {
        Lookup::Unknown(match self.kind {
            FailureKind::Denied => Doubt::denied(self.to_string()),
            FailureKind::Throttled | FailureKind::Unavailable => Doubt::passing(self.to_string()),
            FailureKind::NotFound | FailureKind::ConditionFailed | FailureKind::Refused => {
                Doubt::lasting(self.to_string())
            }
        })
    }

    /// What is to be done about it. An error that nobody has heard of is a person's, unless its kind passes.
    pub fn verdict(&self) -> ErrorVerdict {
        let service = self.call.split_once(':').map_or(self.call, |(service, _)| service);
        let row = self.code.as_deref().and_then(|code| errors::find(service, code));
        row.map_or(if self.is_transient() { ErrorVerdict::Passes } else { ErrorVerdict::Person }, |row| row.verdict)
    }

    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind, FailureKind::Throttled | FailureKind::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;
    use std::time::Duration;

    #[test]
    fn a_refusal_without_a_name_is_judged_by_its_status() {
        for (status, kind) in [
            (200, FailureKind::Unavailable),
            (400, FailureKind::Refused),
            (403, FailureKind::Denied),
            (408, FailureKind::Unavailable),
            (429, FailureKind::Throttled),
            (502, FailureKind::Unavailable),
        ] {
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            let error = SdkError::service_error(ErrorMetadata::builder().build(), response);
            assert_eq!(Failure::of("ecs:UpdateService", &error).kind, kind, "{status}");
        }
    }

    #[test]
    fn a_call_that_was_not_made_is_not_said_to_be_unanswered() {
        let said = |waited| Failure::late("ecs:DescribeServices", waited).to_string();
        assert_eq!(said(Duration::from_secs(8)), "ecs:DescribeServices: no answer in 8 s");
        assert_eq!(said(Duration::from_millis(300)), "ecs:DescribeServices: no answer in 1 s");
        assert!(said(Duration::ZERO).contains("not asked"));
    }
}
