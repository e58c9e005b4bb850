//! Tells which of a registry's limits a 429 enforces, and when to come back.
//!
//! Sources: Docker's documentation of pull limits; observations: an abuse 429 of Docker Hub is plain text with
//! `Retry-After: 60`, and Docker's web API puts an epoch into that header (docker/hub-feedback issues 1907 and 2459);
//! ECR Public answers `Rate exceeded` and `Data limit exceeded`.

use std::time::Duration;

use time::PrimitiveDateTime;
use time::macros::format_description;

pub use pullsafe::reference::Limit;
use pullsafe::timestamp::Timestamp;

/// The longest wait for a registry, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 86_400);
/// From this number on, a value is an epoch and not a duration: no registry asks to wait for thirty years.
const EPOCH_FROM: u64 = 1_000_000_000;

/// Returns how long to wait by `Retry-After`: seconds, an HTTP date, or an epoch, and a week at most. `None` if
/// unreadable.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    Some(stated(text.trim(), now)?.min(LONGEST_WAIT))
}

fn stated(text: &str, now: Timestamp) -> Option<Duration> {
    let until =
        |seconds: i64| Duration::from_secs(u64::try_from(seconds.saturating_sub(now.seconds())).unwrap_or_default());
    if let Ok(number) = text.parse::<u64>() {
        return Some(if number < EPOCH_FROM {
            Duration::from_secs(number)
        } else {
            until(i64::try_from(number).ok()?)
        });
    }
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let moment = PrimitiveDateTime::parse(text, &format).ok()?;
    Some(until(moment.assume_utc().unix_timestamp()))
}

/// Returns the longest time until a rolling quota lets something through again: its window, if the answer does not say.
/// It may be any moment earlier, for pulls leave the window one by one.
pub fn quota_returns_within(window_seconds: u64, retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or(Duration::from_secs(window_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe::host::TooManyRequests;

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
        let quota_text =
            "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        for (registry, is_manifest_get, remaining, text, expected) in [
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
            assert_eq!(
                Limit::of_429(registry, TooManyRequests { is_manifest_get, remaining, text }),
                expected,
                "{registry}: {text}"
            );
        }
        assert!(Limit::PullQuota.lasts() && Limit::EcrPublicData.lasts() && !Limit::Burst.lasts());
    }
}
