//! The probe: asks Docker Hub, from the subnets of the tasks, how many pulls are left there and whom it counts.
//!
//! Docker Hub counts by address, and the address of the other functions is not that of the tasks. The question is a
//! HEAD, which costs no pull. The answer becomes metrics, and the function's own answer, which Lambda puts on the bus.
//! Nothing here calls AWS, so that the subnets need a way to the internet but no VPC endpoint. A question that fails
//! twice is given up: the next one comes in a few minutes.

use pullsafe::clock::Clock;
use pullsafe::reference::Reference;
use pullsafe_aws::telemetry::{Unit, emf};
use pullsafe_radar::{Probed, Reading, Source};
use pullsafe_registry::Client;
use pullsafe_registry::error::RegistryError;
use pullsafe_registry::limits::StatedQuota;
use serde_json::Value;

/// The image that Docker Hub keeps for this question.
const ASKED_FOR: &str = "docker.io/ratelimitpreview/test:latest";

/// The probe, with the client through which it asks.
#[derive(Clone)]
pub struct ScheduledProbe {
    registry: Client,
    subnets: Vec<String>,
    clock: Clock,
}

impl ScheduledProbe {
    /// Makes a probe for these subnets.
    pub fn new(registry: Client, subnets: Vec<String>, clock: Clock) -> Self {
        Self { registry, subnets, clock }
    }

    /// Asks once, and returns what the remediator reads; null where Docker Hub states no limit, or does not say whom it
    /// counts.
    ///
    /// # Errors
    /// Docker Hub did not answer, or the subnets have no way to it: an alarm watches the function's failures.
    pub async fn handle(&self) -> Result<Value, String> {
        let asked: Reference = ASKED_FOR.parse().map_err(|error| format!("{ASKED_FOR}: {error}"))?;
        let quota = match self.registry.resolve(&asked).await {
            Ok(found) => found.quota,
            Err(RegistryError::Limited { quota: Some(quota), .. }) => Some(quota),
            Err(error) => return Err(format!("Docker Hub did not answer to these subnets: {error}")),
        };
        let Some(quota) = quota else {
            tracing::info!("Docker Hub states no limit for these subnets");
            return Ok(Value::Null);
        };
        let now = (self.clock)();
        emf(
            now,
            &[],
            &[
                ("DockerHubPullsLeft", Unit::Count, quota.remaining),
                ("DockerHubPullLimit", Unit::Count, quota.limit),
            ],
        );
        let Some(source) = quota.source.as_deref().and_then(Source::parse) else {
            tracing::warn!("Docker Hub does not say whom it counts");
            return Ok(Value::Null);
        };
        tracing::info!(%source, left = quota.remaining, limit = quota.limit, "{} of {} pulls are left to {source}", quota.remaining, quota.limit);
        Ok(Probed {
            source,
            subnets: self.subnets.clone(),
            reading: reading(&quota, now),
        }
        .message())
    }
}

fn reading(quota: &StatedQuota, at: pullsafe::timestamp::Timestamp) -> Reading {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let limit = number(quota.limit);
    Reading {
        at,
        remaining: number(quota.remaining).min(limit),
        limit,
        window_seconds: number(quota.window_seconds),
    }
}
