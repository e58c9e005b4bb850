//! A breaker: what has just failed is left alone for a while, then tried once.

use std::time::Duration;

const FIRST_REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_secs(600);

/// The state for one thing that can fail. Closed at first, which lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Duration>,
}

impl Breaker {
    /// Whether something may be tried. Once the rest is over one trial may pass; the others wait for how it ends.
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

    /// It failed: a rest that doubles with each failure, or as long as it said itself.
    pub fn failed(&mut self, now: Duration, said: Option<Duration>) {
        let rest = said.unwrap_or_else(|| (FIRST_REST * 2_u32.saturating_pow(self.failures.min(8))).min(LONGEST_REST));
        self.failures = self.failures.saturating_add(1);
        self.open_until = self.open_until.max(Some(now + rest));
    }

    /// It worked.
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
