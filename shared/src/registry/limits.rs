//! What a registry says about its limits: the quota it counts, which of its limits a 429 means, and when to come back.
//!
//! Sources: Docker's documentation of pull limits; facts of the field: an abuse 429 of Docker Hub is plain text with
//! `Retry-After: 60`, Docker's web API puts an epoch into that header (docker/hub-feedback issues 1907 and 2459).

use std::time::Duration;

use http::HeaderMap;
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::domain::reference::DOCKER_HUB;
use crate::domain::timestamp::Timestamp;

/// A pull quota, as the headers of a manifest request state it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Pulls allowed in the window.
    pub limit: u64,
    /// Pulls left in the window.
    pub remaining: u64,
    /// The length of the rolling window.
    pub window_seconds: u64,
    /// What is counted: an address, a prefix, or an account's id.
    pub source: Option<String>,
}

impl Quota {
    /// Reads `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600` and `docker-ratelimit-source`. `None` where
    /// the registry states no quota, which on Docker Hub means that none applies.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let number = |name: &str| {
            let (value, rest) = text(name).map(|text| text.split_once(';').unwrap_or((text, "")))?;
            let window = rest.trim().strip_prefix("w=").and_then(|window| window.parse().ok());
            Some((value.trim().parse::<u64>().ok()?, window))
        };
        let (limit, window) = number("ratelimit-limit")?;
        let (remaining, other_window) = number("ratelimit-remaining")?;
        Some(Self {
            limit,
            remaining,
            window_seconds: window.or(other_window).unwrap_or(21_600),
            source: text("docker-ratelimit-source").map(str::to_owned),
        })
    }
}

/// Which limit a 429 enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Docker Hub's pull quota: hours until it lets anything through.
    PullQuota,
    /// Docker Hub's protection against bursts: about a minute.
    Burst,
    /// A limit of another registry.
    Other,
}

impl Limit {
    /// Tells the limits apart. A pull quota only ever stops a GET of a manifest; its texts vary, its words "pull rate
    /// limit" do not.
    pub(super) fn of_429(registry: &str, is_manifest: bool, quota: Option<&Quota>, body: &str) -> Self {
        let names_quota = body.to_ascii_lowercase().contains("pull rate limit");
        if registry != DOCKER_HUB {
            Self::Other
        } else if names_quota || is_manifest && quota.is_some_and(|quota| quota.remaining == 0) {
            Self::PullQuota
        } else {
            Self::Burst
        }
    }
}

/// How long to wait by `Retry-After`: seconds, an HTTP date, or an epoch. `None` if absent or unreadable.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    // No registry asks for thirty years of patience, so a number this large is a moment.
    const EPOCH_FROM: u64 = 1_000_000_000;
    let text = headers.get("retry-after").or_else(|| headers.get("x-retry-after"))?.to_str().ok()?.trim();
    let until = |seconds: i64| Duration::from_secs(u64::try_from(seconds.saturating_sub(now.seconds())).unwrap_or_default());
    if let Ok(number) = text.parse::<u64>() {
        return Some(if number < EPOCH_FROM { Duration::from_secs(number) } else { until(i64::try_from(number).ok()?) });
    }
    let format = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let moment = PrimitiveDateTime::parse(text, &format).ok()?;
    Some(until(moment.assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn reads_docker_hubs_quota() {
        let quota = Quota::from_headers(&headers(&[
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "76;w=21600"),
            ("docker-ratelimit-source", "203.0.113.7"),
        ]));
        let expected = Quota { limit: 100, remaining: 76, window_seconds: 21_600, source: Some("203.0.113.7".to_owned()) };
        assert_eq!(quota, Some(expected));
        assert_eq!(Quota::from_headers(&headers(&[("ratelimit-limit", "100")])), None);
        assert_eq!(Quota::from_headers(&headers(&[("ratelimit-limit", "x"), ("ratelimit-remaining", "1")])), None);
    }

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
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(retry_after(&headers(&[("retry-after", value)]), now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&headers(&[("x-retry-after", "7")]), now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_limits_behind_a_429_are_told_apart() {
        let quota = |remaining| Quota { limit: 100, remaining, window_seconds: 21_600, source: None };
        let quota_text = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        for (registry, is_manifest, quota, body, expected) in [
            ("docker.io", true, None, quota_text, Limit::PullQuota),
            ("docker.io", true, Some(quota(0)), "toomanyrequests", Limit::PullQuota),
            ("docker.io", true, Some(quota(9)), "Too Many Requests (HAP429).", Limit::Burst),
            ("docker.io", false, None, "Too Many Requests", Limit::Burst),
            ("public.ecr.aws", true, None, "Rate exceeded", Limit::Other),
            ("ghcr.io", true, None, quota_text, Limit::Other),
        ] {
            assert_eq!(Limit::of_429(registry, is_manifest, quota.as_ref(), body), expected, "{registry}: {body}");
        }
    }
}
