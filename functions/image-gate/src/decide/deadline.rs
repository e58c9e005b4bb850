//! How long a request may wait: until shortly before CloudFormation gives up, so that there is time for an answer.
//!
//! The margin is the time that is kept back for the answer: two seconds and a twentieth of the time, thirty seconds at
//! most, and never more than half of the time. When the margin begins, a delayed message wakes the waker. A second one
//! wakes it in the middle of the margin, in case the first is lost or its run dies.

use pullsafe::timestamp::Timestamp;

/// CloudFormation's longest timeout, which also applies where a template sets none.
pub const LONGEST_TIMEOUT_SECONDS: i64 = 3600;
/// The time between two sweeps.
pub const TICK_SECONDS: i64 = 60;
/// How long before the end of a wait its timers are set: two sweeps see every request within this time, so that one of
/// them may fail to set them.
const TIMER_SECONDS: i64 = 2 * TICK_SECONDS + 10;
const SMALLEST_MARGIN_SECONDS: i64 = 2;
const LARGEST_MARGIN_SECONDS: i64 = 30;
/// The whole time is divided by this, and the result is kept back in addition to the smallest margin.
const MARGIN_SHARE: i64 = 20;

/// The time during which CloudFormation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WaitWindow {
    /// When CloudFormation began to wait.
    pub began_at: Timestamp,
    /// When CloudFormation gives up.
    pub gives_up_at: Timestamp,
}

impl WaitWindow {
    /// Counts the wait from `since`, the earliest known moment of the request, if there is one. A moment longer ago
    /// than the whole timeout must be wrong, because nobody would wait any more; the wait is then counted from now.
    pub fn new(timeout_seconds: i64, since: Option<Timestamp>, now: Timestamp) -> Self {
        let timeout = timeout_seconds.clamp(1, LONGEST_TIMEOUT_SECONDS);
        let began_at = since.filter(|since| (0..timeout).contains(&now.seconds_since(*since))).unwrap_or(now);
        Self { began_at, gives_up_at: began_at.plus_seconds(timeout) }
    }

    /// How many whole seconds CloudFormation has waited; never negative.
    pub fn waited(&self, now: Timestamp) -> u64 {
        now.seconds_since(self.began_at).max(0).unsigned_abs()
    }

    /// How many seconds CloudFormation waits in all.
    pub fn total(&self) -> i64 {
        self.gives_up_at.seconds_since(self.began_at)
    }

    /// How many seconds are kept back for the answer.
    fn margin(&self) -> i64 {
        let total = self.total();
        (SMALLEST_MARGIN_SECONDS + total / MARGIN_SHARE).min(LARGEST_MARGIN_SECONDS).min(total / 2)
    }

    /// The moment from which no answer waits for the image any more.
    pub fn last_moment(&self) -> Timestamp {
        self.gives_up_at.plus_seconds(-self.margin())
    }

    /// Whether the time is over, except for what is kept back for the answer.
    pub fn has_to_end(&self, now: Timestamp) -> bool {
        now >= self.last_moment()
    }

    /// Whether the request has to be answered before another sweep would come.
    pub fn ends_before_another_sweep(&self, now: Timestamp) -> bool {
        self.has_to_end(now.plus_seconds(TICK_SECONDS))
    }

    /// The delays after which the waker has to be woken, in seconds from now. There are none while sweeps will still
    /// set them, and none once the end has come.
    pub fn timers(&self, now: Timestamp) -> Vec<i64> {
        if !self.has_to_end(now.plus_seconds(TIMER_SECONDS)) || self.has_to_end(now) {
            return Vec::new();
        }
        let millis = |moment: Timestamp| moment.millis().saturating_sub(now.millis()).max(0);
        let (first, end) = (millis(self.last_moment()), millis(self.gives_up_at));
        let seconds = |millis: i64| millis / 1000 + i64::from(millis % 1000 > 0);
        let mut delays = vec![seconds(first), seconds(first + (end - first) / 2)];
        delays.dedup();
        delays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_768_504_620_000).plus_seconds(second)
    }

    #[test]
    fn the_wait_counts_from_the_earliest_sign_unless_that_cannot_be() {
        let patience = |timeout, since: Option<i64>| WaitWindow::new(timeout, since.map(at), at(0));
        assert_eq!(patience(600, Some(-90)).gives_up_at, at(510));
        assert_eq!(patience(600, None).gives_up_at, at(600));
        assert_eq!(patience(600, Some(-700)).began_at, at(0), "nobody waits any more, or the sign is wrong");
        assert_eq!(patience(600, Some(5)).began_at, at(0));
        assert_eq!(patience(0, None).total(), 1);
        assert_eq!(patience(99999, None).total(), 3600);
        assert_eq!((patience(600, Some(-90)).waited(at(10)), patience(600, None).waited(at(-5))), (100, 0));
    }

    #[test]
    fn a_second_more_never_costs_more_than_itself() {
        let waits = |timeout| WaitWindow::new(timeout, None, at(0)).last_moment().seconds_since(at(0));
        for timeout in 1..3600 {
            assert!((0..=1).contains(&(waits(timeout + 1) - waits(timeout))), "{timeout}");
            assert!(timeout < 20 || (timeout - waits(timeout)) * 100 / timeout <= 15, "{timeout}: {}", waits(timeout));
        }
        assert_eq!([20, 60, 300, 305, 310, 600, 3600].map(waits), [17, 55, 283, 288, 293, 570, 3570]);
    }

    /// Whatever the phase of the sweep, two sweeps set the timers of a request, or the run that parked it did.
    #[test]
    fn two_sweeps_see_to_the_end() {
        for timeout in [2, 20, 61, 130, 131, 310, 3600] {
            let patience = WaitWindow::new(timeout, None, at(0));
            for phase in 0..TICK_SECONDS {
                let sweeps = (0..)
                    .map(|tick| phase + tick * TICK_SECONDS)
                    .take_while(|second| !patience.has_to_end(at(*second)));
                let setting = sweeps.filter(|second| !patience.timers(at(*second)).is_empty()).count();
                assert!(setting >= 2 || !patience.timers(at(0)).is_empty(), "{timeout} {phase}");
            }
            let end = patience.last_moment();
            assert!(patience.timers(end).is_empty(), "a timer sets no other");
            let shortly_before = end.plus_seconds(-1);
            let timers = patience.timers(shortly_before);
            assert_eq!(timers.first(), Some(&1));
            assert!(timers.iter().all(|delay| shortly_before.plus_seconds(*delay) <= patience.gives_up_at));
        }
    }
}
