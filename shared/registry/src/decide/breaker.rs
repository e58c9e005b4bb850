//! A circuit breaker: what has just failed is not tried for a while, then once.

use std::time::Duration;

const FIRST_REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_secs(600);

/// The state of one thing that can fail. It begins closed and lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Duration>,
}

impl Breaker {
    /// Returns whether a try may pass. Once the pause is over, one trial passes; the others wait for its outcome.
    pub fn admits(&mut self, now: Duration) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until = Some(now + FIRST_REST);
                true
            }
        }
    }

    /// Notes a failure. The pause doubles with each failure, or is as long as the answer said.
    pub fn failed(&mut self, now: Duration, said: Option<Duration>) {
        let rest = said.unwrap_or_else(|| (FIRST_REST * 2_u32.saturating_pow(self.failures.min(8))).min(LONGEST_REST));
        self.failures = self.failures.saturating_add(1);
        self.open_until = self.open_until.max(Some(now + rest));
    }

    /// Notes a success, which closes the breaker.
    pub fn worked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_rests_longer_each_time_and_tries_once() {
        let mut breaker = Breaker::default();
        assert!(breaker.admits(s(0)));
        breaker.failed(s(0), None);
        assert!(!breaker.admits(s(14)));
        assert!(breaker.admits(s(15)));
        assert!(!breaker.admits(s(15)), "one trial");
        breaker.failed(s(16), None);
        assert!(!breaker.admits(s(45)));
        assert!(breaker.admits(s(46)));
        breaker.worked();
        assert!(breaker.admits(s(46)) && breaker.admits(s(46)));
    }

    #[test]
    fn what_the_other_side_says_counts() {
        let mut breaker = Breaker::default();
        breaker.failed(s(0), Some(s(21_600)));
        breaker.failed(s(1), None);
        assert!(!breaker.admits(s(21_599)) && breaker.admits(s(21_600)));
    }
}
