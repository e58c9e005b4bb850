//! How CloudFormation waits for a service: until it is steady, the breaker fails it, or the time is over.

use pullsafe::timestamp::Timestamp;
use serde_json::Value;

/// The state of a stack that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackOutcome {
    /// Still CREATE_IN_PROGRESS or UPDATE_IN_PROGRESS.
    Waiting {
        /// Since the stack began to wait.
        seconds: i64,
    },
    /// The service is steady. With a desired count of 0 it is steady while nothing runs.
    Complete,
    /// The circuit breaker failed the deployment that the stack started.
    Failed,
    /// The time limit was reached.
    TimedOut,
}

/// A stack that has created or updated a service.
#[derive(Debug, Clone)]
pub struct StackWatch {
    since: Timestamp,
    limit_seconds: i64,
    deployment: String,
}

impl StackWatch {
    /// How long CloudFormation waits for a service if nobody intervenes.
    pub const LIMIT_SECONDS: i64 = 3 * 60 * 60;

    /// Begins to wait for the PRIMARY deployment of a service, as DescribeServices shows it. The limit is
    /// [`Self::LIMIT_SECONDS`], or the time after which a person loses patience.
    pub fn begin(service: &Value, now: Timestamp, limit_seconds: i64) -> Self {
        let deployment = service["deployments"][0]["id"].as_str().unwrap_or_default().to_owned();
        Self { since: now, limit_seconds, deployment }
    }

    /// Looks at the service again.
    pub fn look(&self, service: &Value, now: Timestamp) -> StackOutcome {
        let deployments = service["deployments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let failed =
            |deployment: &Value| deployment["id"] == self.deployment.as_str() && deployment["rolloutState"] == "FAILED";
        let seconds = now.seconds_since(self.since);
        if deployments.iter().any(failed) {
            StackOutcome::Failed
        } else if matches!(deployments, [only] if only["rolloutState"] == "COMPLETED" && only["runningCount"] == service["desiredCount"])
        {
            StackOutcome::Complete
        } else if seconds >= self.limit_seconds {
            StackOutcome::TimedOut
        } else {
            StackOutcome::Waiting { seconds }
        }
    }
}
