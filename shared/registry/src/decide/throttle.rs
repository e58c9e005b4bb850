//! Which of a registry's limits a 429 enforces, and when it says to come back.
//!
//! Sources: Docker's documentation of pull limits; facts of the field: an abuse 429 of Docker Hub is plain text with
//! `Retry-After: 60`, Docker's web API puts an epoch into that header (docker/hub-feedback issues 1907 and 2459);
//! ECR Public answers `Rate exceeded` and `Data limit exceeded`.

use std::time::Duration;

use time::PrimitiveDateTime;
use time::macros::format_description;

use pullsafe::reference::Registry;
use pullsafe::timestamp::Timestamp;

/// Docker Hub's web API, which has a limiter of its own.
const HUB_API: &str = "hub.docker.com";
/// No registry asks for thirty years of patience, so a number this large is a moment.
const EPOCH_FROM: u64 = 1_000_000_000;

/// Which limit a 429 enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Docker Hub's pull quota: hours until it lets anything through.
    PullQuota,
    /// Docker Hub's protection against bursts: about a minute.
    Burst,
    /// The limit of Docker Hub's web API: up to a minute.
    HubApi,
    /// ECR Public's rate of pulls: a second.
    EcrPublicRate,
    /// ECR Public's monthly amount of data for an address that has not signed in.
    EcrPublicData,
    /// A rate of an action of private ECR: a second.
    Ecr,
    /// A limit of another registry.
    Other,
}

impl Limit {
    /// Tells the limits apart. A pull quota only ever stops a GET of a manifest; its texts vary, its words "pull rate
    /// limit" do not. `remaining` is what the answer says is left of the quota.
    pub fn of_429(registry: &str, is_manifest_get: bool, remaining: Option<u64>, body: &str) -> Self {
        let body = body.to_ascii_lowercase();
        if registry == HUB_API {
            return Self::HubApi;
        }
        match Registry::of_host(registry) {
            Registry::DockerHub if body.contains("pull rate limit") || is_manifest_get && remaining == Some(0) => Self::PullQuota,
            Registry::DockerHub => Self::Burst,
            Registry::EcrPublic if body.contains("data limit") => Self::EcrPublicData,
            Registry::EcrPublic => Self::EcrPublicRate,
            Registry::EcrPrivate | Registry::EcrPrivateApi => Self::Ecr,
            Registry::Ghcr | Registry::Quay | Registry::Gitlab | Registry::Proxy | Registry::Other => Self::Other,
        }
    }

    /// Whether waiting within one run is of no use.
    pub const fn lasts(self) -> bool {
        match self {
            Self::PullQuota | Self::EcrPublicData => true,
            Self::Burst | Self::HubApi | Self::EcrPublicRate | Self::Ecr | Self::Other => false,
        }
    }
}

/// How long to wait by `Retry-After`: seconds, an HTTP date, or an epoch. `None` if unreadable.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let until = |seconds: i64| Duration::from_secs(u64::try_from(seconds.saturating_sub(now.seconds())).unwrap_or_default());
    if let Ok(number) = text.parse::<u64>() {
        return Some(if number < EPOCH_FROM { Duration::from_secs(number) } else { until(i64::try_from(number).ok()?) });
    }
    let format = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let moment = PrimitiveDateTime::parse(text, &format).ok()?;
    Some(until(moment.assume_utc().unix_timestamp()))
}

/// When a rolling quota lets something through again at the latest, where the answer does not say: after its window.
/// At the earliest it is any moment, for pulls leave the window one by one.
pub fn quota_returns_within(window_seconds: u64, retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or(Duration::from_secs(window_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_a_date_or_an_epoch() {
        let now = Timestamp::parse("2026-01-15T19:47:00Z").unwrap();
        for (value, seconds) in [
            ("60", Some(60)),
            ("0", Some(0)),
            ("Thu, 15 Jan 2026 19:48:30 GMT", Some(90)),
            ("Thu, 15 Jan 2026 19:00:00 GMT", Some(0)),
            ("1768506480", Some(60)),
            ("1000000001", Some(0)),
            ("18446744073709551615", None),
            ("99999999999999999999999", None),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn the_limits_behind_a_429_are_told_apart() {
        let quota_text = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        for (registry, is_manifest_get, remaining, body, expected) in [
            ("docker.io", true, None, quota_text, Limit::PullQuota),
            ("docker.io", true, Some(0), "toomanyrequests", Limit::PullQuota),
            ("docker.io", true, Some(9), "Too Many Requests (HAP429).", Limit::Burst),
            ("docker.io", false, Some(0), "Too Many Requests", Limit::Burst),
            ("hub.docker.com", false, None, "", Limit::HubApi),
            ("public.ecr.aws", true, None, "toomanyrequests: Rate exceeded", Limit::EcrPublicRate),
            ("public.ecr.aws", false, None, "toomanyrequests: Data limit exceeded", Limit::EcrPublicData),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", false, None, "Rate exceeded", Limit::Ecr),
            ("ghcr.io", true, None, quota_text, Limit::Other),
        ] {
            assert_eq!(Limit::of_429(registry, is_manifest_get, remaining, body), expected, "{registry}: {body}");
        }
        assert!(Limit::PullQuota.lasts() && Limit::EcrPublicData.lasts() && !Limit::Burst.lasts());
    }
}
