//! The request rates of an account: token buckets on the virtual clock, as AWS documents them, and the time that calls
//! take.
//!
//! The limits are off until [`super::FakeAws::limit`] turns them on. DynamoDB's limits apply to partitions and are kept
//! with the tables. The limit on messages in flight is kept by the queue.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;

use super::service::AwsError;

/// A token bucket that some operations share.
#[derive(Debug)]
struct BucketRate {
    service: &'static str,
    operations: &'static [&'static str],
    /// How many calls it allows at once.
    burst: i64,
    /// How many calls it allows a second in the long run.
    refill: i64,
}

const fn rate(service: &'static str, operations: &'static [&'static str], burst: i64, refill: i64) -> BucketRate {
    BucketRate { service, operations, burst, refill }
}

/// ECS's rates are from "Request throttling for the Amazon ECS API" in its API reference (November 2026). IAM publishes
/// none: people were refused after about 180 simulations in a row, and a bucket of 100 with 10 a second is on the safe
/// side of that. ECR's rates are from "Amazon ECR service quotas".
const RATES: &[BucketRate] = &[
    rate("ecs", &["DescribeClusters", "ListClusters"], 50, 20),
    rate("ecs", &["RegisterTaskDefinition", "DeregisterTaskDefinition"], 20, 1),
    rate("ecs", &["DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"], 50, 20),
    rate("ecs", &["TagResource", "UntagResource"], 20, 10),
    rate("ecs", &["DescribeTasks", "ListTasks"], 100, 20),
    rate("ecs", &["CreateService", "DeleteService", "UpdateService"], 50, 5),
    rate("ecs", &["DescribeServices", "ListServices"], 100, 20),
    rate("iam", &["SimulatePrincipalPolicy"], 100, 10),
    rate("ecr", &["BatchGetImage"], 2000, 2000),
    rate("ecr", &["GetAuthorizationToken"], 500, 500),
];

/// How full a bucket was at a moment, in thousandths of a call.
#[derive(Debug, Clone, Copy)]
struct BucketLevel {
    tokens: i64,
    at: Timestamp,
}

/// The limits, and what they have refused.
#[derive(Debug, Default)]
pub(super) struct Limits {
    levels: BTreeMap<usize, BucketLevel>,
    refused: Vec<TooSoon>,
}

/// A call that was refused because calls came too fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooSoon {
    /// The call, as `ecs:DescribeServices`.
    pub call: String,
    pub at: Timestamp,
}

impl Limits {
    /// Takes a token for a call. Without a token, returns the error that AWS answers.
    pub(super) fn take(&mut self, service: &str, operation: &str, now: Timestamp) -> Option<AwsError> {
        let place = RATES.iter().position(|rate| rate.service == service && rate.operations.contains(&operation))?;
        let rate = RATES.get(place)?;
        let full = rate.burst * 1000;
        let level = self.levels.entry(place).or_insert(BucketLevel { tokens: full, at: now });
        let passed = now.millis().saturating_sub(level.at.millis()).max(0);
        *level = BucketLevel {
            tokens: level.tokens.saturating_add(passed.saturating_mul(rate.refill)).min(full),
            at: now,
        };
        if level.tokens < 1000 {
            self.refuse(service, operation, now);
            let code = if service == "iam" { "Throttling" } else { "ThrottlingException" };
            return Some(AwsError::client(code, "Rate exceeded"));
        }
        level.tokens -= 1000;
        None
    }

    /// Notes a refusal, also for a service that keeps its own limits.
    pub(super) fn refuse(&mut self, service: &str, operation: &str, at: Timestamp) {
        self.refused.push(TooSoon { call: format!("{service}:{operation}"), at });
    }

    /// What was refused so far.
    pub(super) fn refused(&self) -> &[TooSoon] {
        &self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_768_504_620_000);

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut limits = Limits::default();
        let mut taken = |operation: &str, at: Timestamp, times: usize| {
            (0..times).filter(|_| limits.take("ecs", operation, at).is_none()).count()
        };
        assert_eq!(taken("DescribeServices", START, 150), 100);
        assert_eq!(taken("ListServices", START.plus_seconds(1), 50), 20, "the operations of a bucket share it");
        assert_eq!(taken("UpdateService", START.plus_seconds(1), 100), 50, "another bucket is full");
        assert_eq!(taken("DescribeServices", START.plus_seconds(3600), 150), 100, "it is never more than full");
        assert_eq!(taken("RegisterTaskDefinition", START, 30), 20);
        assert_eq!(taken("RegisterTaskDefinition", Timestamp::from_millis(START.millis() + 999), 1), 0);
        assert_eq!(taken("RegisterTaskDefinition", START.plus_seconds(1), 2), 1);
        assert_eq!(taken("CreateCapacityProvider", START, 1_000), 1_000, "what nobody here calls is not counted");
        assert_eq!(limits.refused().len(), 50 + 30 + 50 + 50 + 10 + 1 + 1);
        let error = limits.take("ecs", "RegisterTaskDefinition", START.plus_seconds(1)).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("ThrottlingException", "Rate exceeded"));
    }
}
