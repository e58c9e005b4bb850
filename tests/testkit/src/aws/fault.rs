//! Faults: which call fails, and how.

use super::ACCOUNT;
use super::service::AwsError;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The service says that requests come too fast; nothing happened.
    Throttle,
    /// HTTP 500; nothing happened.
    InternalError,
    /// HTTP 503; nothing happened.
    Unavailable,
    /// No answer within the time allowed; nothing happened.
    Timeout,
    /// The connection broke before the service saw the request.
    ConnectionCut,
    /// The connection broke after the service had carried the request out.
    ConnectionCutAfter,
    /// The role lacks the permission.
    AccessDenied,
    /// The service refuses with this code.
    Code(&'static str),
}

impl FaultKind {
    /// Every kind, for a matrix of faults.
    pub const ALL: [Self; 7] = [
        Self::Throttle,
        Self::InternalError,
        Self::Unavailable,
        Self::Timeout,
        Self::ConnectionCut,
        Self::ConnectionCutAfter,
        Self::AccessDenied,
    ];

    /// The error that the service answers with; `None` where there is no answer.
    pub(super) fn error(self, service: &str, operation: &str) -> Option<AwsError> {
        let query = matches!(service, "sns" | "iam" | "cloudformation");
        match self {
            Self::Throttle => {
                Some(AwsError::client(if query { "Throttling" } else { "ThrottlingException" }, "Rate exceeded"))
            }
            Self::InternalError => {
                let code = if query { "InternalFailure" } else { "InternalServerError" };
                Some(AwsError {
                    status: 500,
                    code: code.to_owned(),
                    message: "We encountered an internal error. Please try again.".to_owned(),
                })
            }
            Self::Unavailable => Some(AwsError {
                status: 503,
                code: "ServiceUnavailable".to_owned(),
                message: "Service is unavailable".to_owned(),
            }),
            Self::AccessDenied => {
                let message = format!(
                    "User: arn:aws:sts::{ACCOUNT}:assumed-role/pullsafe/function is not authorized to perform: \
                     {service}:{operation}"
                );
                Some(match service {
                    "sns" => AwsError { status: 403, code: "AuthorizationError".to_owned(), message },
                    "iam" | "cloudformation" => AwsError { status: 403, code: "AccessDenied".to_owned(), message },
                    _ => AwsError::client("AccessDeniedException", message),
                })
            }
            Self::Code(code) => Some(AwsError::client(code, "the service refuses")),
            Self::Timeout | Self::ConnectionCut | Self::ConnectionCutAfter => None,
        }
    }
}

/// Which of the matching calls a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The n-th matching call after the fault was injected, from 1.
    Nth(u64),
    /// The call with this number in the log, if it matches.
    Call(u64),
    /// Every matching call.
    Any,
}

/// A fault that waits for its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsFault {
    /// The service that it applies to; `None` means every service.
    pub service: Option<String>,
    /// The operation that it applies to; `None` means every operation.
    pub operation: Option<String>,
    pub which: Which,
    /// How many matching calls in a row the fault strikes, from that one on. Has no meaning with [`Which::Any`].
    pub times: u64,
    pub kind: FaultKind,
}

impl AwsFault {
    /// A fault that makes the first call of an operation fail once.
    pub fn on(service: &str, operation: &str, kind: FaultKind) -> Self {
        Self {
            service: Some(service.to_owned()),
            operation: Some(operation.to_owned()),
            which: Which::Nth(1),
            times: 1,
            kind,
        }
    }

    /// A fault that makes the call with this number fail.
    pub fn at_call(number: u64, kind: FaultKind) -> Self {
        Self {
            service: None,
            operation: None,
            which: Which::Call(number),
            times: 1,
            kind,
        }
    }

    /// Moves the fault to the n-th matching call.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.which = Which::Nth(nth);
        self
    }

    /// Makes the fault strike this many matching calls in a row.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Makes the fault strike every matching call.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.which = Which::Any;
        self
    }
}

/// The faults that wait for their calls.
#[derive(Debug, Default)]
pub(super) struct FaultQueue {
    waiting: Vec<(AwsFault, u64)>,
}

impl FaultQueue {
    pub(super) fn push(&mut self, fault: AwsFault) {
        self.waiting.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The fault that strikes this call, if any. Every fault counts the call, even if another fault strikes it.
    pub(super) fn strike(&mut self, number: u64, service: &str, operation: &str) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.waiting {
            let applies = fault.service.as_deref().is_none_or(|name| name == service)
                && fault.operation.as_deref().is_none_or(|name| name == operation);
            if !applies {
                continue;
            }
            *seen += 1;
            let strikes = match fault.which {
                Which::Nth(nth) => (nth..nth + fault.times).contains(seen),
                Which::Call(first) => (first..first + fault.times).contains(&number),
                Which::Any => true,
            };
            if strikes && struck.is_none() {
                struck = Some(fault.kind);
            }
        }
        struck
    }
}
