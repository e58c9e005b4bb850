//! Limits how many requests of one kind go to one host: full speed from the start, within the published rate, and fewer
//! once the host has refused for its rate.
//!
//! Two limits hold together. A token bucket keeps a published rate (ECR's PutImage: 10 a second). A window limits the
//! number under way: a 429 halves it, and successes let it grow back by one request for each window of successes.

use std::time::Duration;

pub use pullsafe::reference::RequestKind;
use pullsafe::reference::row_of;

/// Halves the window at most once in this time: requests that were under way with the first refused one do not count
/// again.
const CUT_ONCE_PER: Duration = Duration::from_millis(250);

/// A published rate, in requests a second, and how many requests may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: f64,
    /// Requests at once after a pause.
    pub burst: f64,
}

impl Rate {
    /// Returns what the registry publishes for this action; `None` where it publishes nothing.
    pub fn published(registry: &str, action: RequestKind) -> Option<Self> {
        let rate = row_of(registry).rates.iter().find(|(limited, _)| *limited == action);
        rate.map(|(_, per_second)| Self { per_second: *per_second, burst: *per_second })
    }
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may go now, and counts as under way until [`Limiter::ended`].
    Go,
    /// It may go at this moment, not before.
    At(Duration),
    /// It may go when another has ended.
    Full,
}

/// How a request ended, as far as rate limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The host had no complaint about the rate.
    Well,
    /// The host refused for its rate, and perhaps said when to come back.
    Throttled(Option<Duration>),
    /// The end says nothing about the rate: a broken connection, a request that was given up.
    Otherwise,
}

/// The state for one action at one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Limiter {
    rate: Option<Rate>,
    tokens: f64,
    counted_at: Duration,
    window: f64,
    largest: f64,
    under_way: u32,
    closed_until: Duration,
    last_cut: Option<Duration>,
}

impl Limiter {
    /// Starts at full speed: `largest` requests at once, within a rate.
    pub fn new(rate: Option<Rate>, largest: u32) -> Self {
        let largest = f64::from(largest.max(1));
        Self {
            rate,
            tokens: rate.map_or(0.0, |rate| rate.burst),
            counted_at: Duration::ZERO,
            window: largest,
            largest,
            under_way: 0,
            closed_until: Duration::ZERO,
            last_cut: None,
        }
    }

    /// Asks to send one request.
    pub fn admit(&mut self, now: Duration) -> Admission {
        if now < self.closed_until {
            return Admission::At(self.closed_until);
        }
        if f64::from(self.under_way) >= self.window.floor().max(1.0) {
            return Admission::Full;
        }
        if let Some(rate) = self.rate {
            let passed = now.saturating_sub(self.counted_at).as_secs_f64();
            self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst.max(1.0));
            self.counted_at = self.counted_at.max(now);
            if self.tokens < 1.0 {
                // A little late rather than too early: an early request would only have to ask again.
                let wait = Duration::from_secs_f64((1.0 - self.tokens) / rate.per_second) + Duration::from_micros(100);
                return Admission::At(now + wait);
            }
            self.tokens -= 1.0;
        }
        self.under_way += 1;
        Admission::Go
    }

    /// Notes that one request has ended.
    pub fn ended(&mut self, how: Ended, now: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        match how {
            Ended::Well => self.window = (self.window + 1.0 / self.window).min(self.largest),
            Ended::Throttled(come_back) => {
                if self.last_cut.is_none_or(|cut| now >= cut + CUT_ONCE_PER) {
                    self.window = (self.window / 2.0).max(1.0);
                    self.last_cut = Some(now);
                }
                self.closed_until = self.closed_until.max(now + come_back.unwrap_or_default());
            }
            Ended::Otherwise => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn go(limiter: &mut Limiter, now: Duration) -> usize {
        std::iter::from_fn(|| (limiter.admit(now) == Admission::Go).then_some(())).take(1000).count()
    }

    #[test]
    fn full_speed_at_once_then_the_published_rate() {
        let mut limiter = Limiter::new(
            Rate::published("123456789012.dkr.ecr.eu-west-1.amazonaws.com", RequestKind::WriteManifest),
            64,
        );
        assert_eq!(go(&mut limiter, ms(0)), 10);
        assert!(matches!(limiter.admit(ms(0)), Admission::At(at) if at >= ms(100) && at < ms(101)));
        assert_eq!(go(&mut limiter, ms(201)), 2);
        assert_eq!(go(&mut limiter, ms(60_000)), 10, "a pause does not save up more than a burst");
    }

    #[test]
    fn a_refusal_halves_the_window_once_and_closes_for_as_long_as_it_says() {
        let mut limiter = Limiter::new(None, 16);
        assert_eq!((go(&mut limiter, ms(0)), limiter.admit(ms(0))), (16, Admission::Full));
        for _ in 0..16 {
            limiter.ended(Ended::Throttled(Some(ms(2000))), ms(10));
        }
        assert_eq!(limiter.admit(ms(20)), Admission::At(ms(2010)));
        assert_eq!(go(&mut limiter, ms(2010)), 8);
        for _ in 0..8 {
            limiter.ended(Ended::Well, ms(2100));
        }
        assert_eq!(go(&mut limiter, ms(2200)), 8, "it grows by one only after a whole window");
        for _ in 0..8 {
            limiter.ended(Ended::Well, ms(2300));
        }
        assert_eq!(go(&mut limiter, ms(2400)), 9);
    }

    #[test]
    fn only_what_is_published_is_kept() {
        assert_eq!(Rate::published("docker.io", RequestKind::ReadManifest), None);
        assert_eq!(
            Rate::published("public.ecr.aws", RequestKind::ReadManifest).map(|rate| rate.per_second),
            Some(10.0)
        );
    }

    #[test]
    fn it_never_stands_still_and_never_exceeds_its_window() {
        let mut state = 42_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut limiter = Limiter::new(Some(Rate { per_second: 50.0, burst: 5.0 }), 8);
        let (mut now, mut under_way) = (ms(0), 0_u32);
        for _ in 0..5000 {
            now += ms(random(500));
            loop {
                match limiter.admit(now) {
                    Admission::Go => {
                        under_way += 1;
                        assert!(under_way <= 8);
                    }
                    Admission::At(at) => {
                        assert!(at > now);
                        if under_way > 0 {
                            break;
                        }
                        now = at;
                    }
                    Admission::Full => {
                        assert!(under_way > 0);
                        break;
                    }
                }
            }
            let how =
                [Ended::Well, Ended::Throttled(Some(ms(30))), Ended::Otherwise][usize::try_from(random(3)).unwrap()];
            limiter.ended(how, now);
            under_way -= 1;
        }
    }
}
