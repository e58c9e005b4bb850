//! Reads what the headers of a registry's answers say about its limits: the quota, and when to come back.

use std::time::Duration;

use http::HeaderMap;

use crate::decide::throttle;
pub use crate::decide::throttle::Limit;
use pullsafe::reference::pull_quota;
use pullsafe::timestamp::Timestamp;

/// A pull quota, as the headers of a manifest request state it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedQuota {
    /// Pulls allowed in the window.
    pub limit: u64,
    /// Pulls left in the window.
    pub remaining: u64,
    /// The length of the rolling window.
    pub window_seconds: u64,
    /// Who is counted: an address, a prefix, or an account's id.
    pub source: Option<String>,
}

/// The most that is believed of a header: no registry grants a larger limit, or counts in a longer window.
const LARGEST_LIMIT: u64 = 1_000_000_000;
const LONGEST_WINDOW_SECONDS: u64 = 31 * 86_400;

impl StatedQuota {
    /// Reads `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600` and `docker-ratelimit-source`. `None` if
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
            limit: limit.min(LARGEST_LIMIT),
            remaining: remaining.min(LARGEST_LIMIT),
            window_seconds: window
                .or(other_window)
                .unwrap_or(pull_quota::WINDOW_SECONDS)
                .clamp(1, LONGEST_WINDOW_SECONDS),
            source: text("docker-ratelimit-source").map(|source| source.chars().take(100).collect()),
        })
    }
}

/// Returns how long to wait by `Retry-After`: seconds, an HTTP date, or an epoch. `None` if absent or unreadable.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    throttle::retry_after(headers.get("retry-after").or_else(|| headers.get("x-retry-after"))?.to_str().ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn reads_docker_hubs_quota() {
        let quota = StatedQuota::from_headers(&headers(&[
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "76;w=21600"),
            ("docker-ratelimit-source", "203.0.113.7"),
        ]));
        let expected = StatedQuota {
            limit: 100,
            remaining: 76,
            window_seconds: 21_600,
            source: Some("203.0.113.7".to_owned()),
        };
        assert_eq!(quota, Some(expected));
        assert_eq!(StatedQuota::from_headers(&headers(&[("ratelimit-limit", "100")])), None);
        assert_eq!(
            StatedQuota::from_headers(&headers(&[("ratelimit-limit", "x"), ("ratelimit-remaining", "1")])),
            None
        );
    }

    #[test]
    fn either_header_says_when_to_come_back() {
        let now = Timestamp::parse("2026-01-15T19:47:00Z").unwrap();
        assert_eq!(retry_after(&headers(&[("retry-after", "60")]), now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(&headers(&[("x-retry-after", "7")]), now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
