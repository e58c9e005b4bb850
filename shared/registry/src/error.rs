//! What can go wrong with a registry. One enum says whose fault it is and, separately, whether trying again can help.

use pullsafe::lookup::Doubt;
use std::time::Duration;

use super::limits::{Limit, StatedQuota};
use pullsafe::reference::Digest;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorSource {
    /// The request cannot succeed: it needs another reference, credential or setting.
    Input,
    /// The service refused or failed.
    Refused,
    /// The connection to the service failed.
    Network,
    /// What the service sent is not what was asked for.
    Content,
    /// The caller gave too little time.
    Time,
}

/// Why a registry did not do what it was asked to. No variant holds a token, a password or a signed address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The request makes no sense at any registry.
    #[error("{0}")]
    Invalid(String),
    /// The repository, manifest or blob does not exist.
    #[error("{registry} does not have {what}")]
    NotFound {
        /// The registry's host.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// The registry wants other credentials, or hides a repository that does not exist.
    #[error("{registry} refuses access to {what}: {why}")]
    Denied {
        /// The registry's host.
        registry: String,
        /// What was asked for.
        what: String,
        /// The registry's own words, or ours.
        why: String,
    },
    /// Credentials that should exist could not be obtained.
    #[error("no credentials for {registry}: {why}")]
    Credentials {
        /// The registry's host.
        registry: String,
        /// What went wrong.
        why: String,
        /// Whether asking again later can help.
        is_transient: bool,
    },
    /// A limit of the registry (HTTP 429).
    #[error("{registry} limits requests: {}", describe_limit(*.limit, .quota.as_ref(), *.retry_after))]
    Limited {
        /// The registry's host.
        registry: String,
        /// Which limit it is.
        limit: Limit,
        /// The quota, if the answer states one.
        quota: Option<StatedQuota>,
        /// When to come back, if the answer says so.
        retry_after: Option<Duration>,
    },
    /// The tag holds other content, and its repository's tags are immutable.
    #[error("{reference} holds other content and its repository's tags are immutable")]
    TagImmutable {
        /// The tag's reference.
        reference: String,
    },
    /// Any other refusal (HTTP 4xx).
    #[error("{registry} refused {what} with HTTP {status}: {why}")]
    Refused {
        /// The registry's host.
        registry: String,
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own words.
        why: String,
    },
    /// The registry failed (HTTP 5xx).
    #[error("{registry} failed with HTTP {status} at {what}")]
    Unavailable {
        /// The registry's host.
        registry: String,
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// The connection could not be made, or broke.
    #[error("connection to {host} failed: {why}")]
    Connection {
        /// The host; after a redirect, it is not the registry's.
        host: String,
        /// The cause, as the transport gives it.
        why: String,
    },
    /// Nothing arrived for too long.
    #[error("{host} sent nothing for {seconds} s while {waiting_for}")]
    Stalled {
        /// The host.
        host: String,
        /// For how long nothing arrived.
        seconds: u64,
        /// What was waited for.
        waiting_for: &'static str,
    },
    /// An answer that should be short kept coming, a little at a time, for too long.
    #[error("{host} had not sent a short answer in {seconds} s")]
    TooSlow {
        /// The host.
        host: String,
        /// How long it had taken by then.
        seconds: u64,
    },
    /// The content does not match its digest or its size.
    #[error("{from} sent content that is not {digest}: {why}")]
    Content {
        /// The host that sent it.
        from: String,
        /// The digest that was asked for.
        digest: Digest,
        /// How it differs.
        why: String,
    },
    /// The caller's time ran out before the copy was done; what has arrived stays.
    #[error("the time ran out before {what} was copied; the next run continues")]
    OutOfTime {
        /// What was to be copied.
        what: String,
    },
    /// The answer breaks the protocol.
    #[error("{registry} answered {what} in a way that cannot be used: {why}")]
    Answer {
        /// The registry's host.
        registry: String,
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl RegistryError {
    /// Returns whose fault this is.
    pub const fn fault(&self) -> ErrorSource {
        match self {
            Self::Invalid(_) | Self::NotFound { .. } | Self::Denied { .. } | Self::TagImmutable { .. } => {
                ErrorSource::Input
            }
            Self::Credentials { .. } | Self::Limited { .. } | Self::Refused { .. } | Self::Unavailable { .. } => {
                ErrorSource::Refused
            }
            Self::Connection { .. } | Self::Stalled { .. } | Self::TooSlow { .. } => ErrorSource::Network,
            Self::Content { .. } | Self::Answer { .. } => ErrorSource::Content,
            Self::OutOfTime { .. } => ErrorSource::Time,
        }
    }

    /// Whether the same request can succeed later without any change.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Limited { .. }
            | Self::Unavailable { .. }
            | Self::Connection { .. }
            | Self::Stalled { .. }
            | Self::TooSlow { .. }
            | Self::Content { .. }
            | Self::OutOfTime { .. } => true,
            Self::Credentials { is_transient, .. } => *is_transient,
            Self::Invalid(_)
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::TagImmutable { .. }
            | Self::Refused { .. }
            | Self::Answer { .. } => false,
        }
    }

    /// Returns the doubt that this error leaves about what was asked for.
    pub fn doubt(&self) -> Doubt {
        match self.is_transient() {
            true => Doubt::passing(self.to_string()),
            false => Doubt::lasting(self.to_string()),
        }
    }

    /// Whether what was asked for does not exist.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether Docker Hub's pull quota is used up. Hours of waiting end that; retries do not.
    pub const fn is_pull_quota(&self) -> bool {
        matches!(self, Self::Limited { limit: Limit::PullQuota, .. })
    }
}

fn describe_limit(limit: Limit, quota: Option<&StatedQuota>, retry_after: Option<Duration>) -> String {
    let mut text = match limit {
        Limit::PullQuota => "its pull quota is used up".to_owned(),
        Limit::Burst => "too many requests in a short time".to_owned(),
        Limit::HubApi => "too many requests to its web API".to_owned(),
        Limit::EcrPublicRate => "too many pulls in a second".to_owned(),
        Limit::EcrPublicData => "the month's data for callers that have not signed in is used up".to_owned(),
        Limit::Ecr => "too many requests of this kind in a second".to_owned(),
        Limit::Other => "too many requests".to_owned(),
    };
    if let Some(quota) = quota {
        text.push_str(&format!(
            " ({} of {} pulls left in {} h)",
            quota.remaining,
            quota.limit,
            quota.window_seconds / 3600
        ));
    }
    if let Some(wait) = retry_after {
        text.push_str(&format!(", it says to come back in {} s", wait.as_secs()));
    } else if let Some(quota) = quota.filter(|_| limit == Limit::PullQuota) {
        let window = quota.window_seconds / 3600;
        text.push_str(&format!(", it returns pull by pull and is whole again in {window} h at the latest"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_reads_as_a_sentence() {
        let error = RegistryError::Limited {
            registry: "docker.io".to_owned(),
            limit: Limit::PullQuota,
            quota: Some(StatedQuota {
                limit: 100,
                remaining: 0,
                window_seconds: 21_600,
                source: None,
            }),
            retry_after: Some(Duration::from_secs(60)),
        };
        assert_eq!(
            error.to_string(),
            "docker.io limits requests: its pull quota is used up (0 of 100 pulls left in 6 h), it says to come back \
             in 60 s"
        );
        assert!(error.is_transient() && error.is_pull_quota());
        assert_eq!(error.fault(), ErrorSource::Refused);
    }
}
