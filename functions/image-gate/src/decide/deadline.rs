//! How long a request may wait: CloudFormation's patience, the rhythm of the sweep, and what lies between them.

use pullsafe::timestamp::Timestamp;

/// CloudFormation's own limit, which also holds where a template sets none.
pub const LONGEST_TIMEOUT_SECONDS: i64 = 3600;
/// The rhythm of the sweep.
pub const TICK_SECONDS: i64 = 60;
/// Room for one sweep that fails, and for the work of the next.
const SAFETY_SECONDS: i64 = 90;
/// A request with less time than this is not parked: the sweep would give it up as soon as it saw it, or soon after.
const SHORTEST_PARKED_SECONDS: i64 = 300;

/// From when to when CloudFormation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Patience {
    /// When it began.
    pub began_at: Timestamp,
    /// When it gives up.
    pub gives_up_at: Timestamp,
}

impl Patience {
    /// `since` is the earliest sign of the request, if it has one. A sign older than CloudFormation's whole patience would
    /// mean that nobody waits any more, and must then be wrong: the wait is counted from now.
    pub fn new(timeout_seconds: i64, since: Option<Timestamp>, now: Timestamp) -> Self {
        let timeout = timeout_seconds.clamp(1, LONGEST_TIMEOUT_SECONDS);
        let began_at = since.filter(|since| (0..timeout).contains(&now.seconds_since(*since))).unwrap_or(now);
        Self { began_at, gives_up_at: began_at.plus_seconds(timeout) }
    }

    /// Whole seconds that CloudFormation has waited; never negative.
    pub fn waited(&self, now: Timestamp) -> u64 {
        now.seconds_since(self.began_at).max(0).unsigned_abs()
    }

    /// CloudFormation's whole patience in seconds.
    pub fn total(&self) -> i64 {
        self.gives_up_at.seconds_since(self.began_at)
    }

    /// Whether the request can be left to the sweep.
    pub fn can_be_parked(&self, now: Timestamp) -> bool {
        self.gives_up_at.seconds_since(now) > SHORTEST_PARKED_SECONDS
    }

    /// Whether a sweep at this moment has to answer: the next sweep could still do it if this one dies, no later one could.
    pub fn has_to_end(&self, now: Timestamp) -> bool {
        self.gives_up_at.seconds_since(now) <= TICK_SECONDS + SAFETY_SECONDS
    }

    /// The last moment at which a function that waits by itself should answer: somewhat before CloudFormation gives up.
    pub fn last_moment(&self) -> Timestamp {
        self.gives_up_at.plus_seconds(-(self.total() / 4).min(30))
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
        let patience = |timeout, since: Option<i64>| Patience::new(timeout, since.map(at), at(0));
        assert_eq!(patience(600, Some(-90)).gives_up_at, at(510));
        assert_eq!(patience(600, None).gives_up_at, at(600));
        assert_eq!(patience(600, Some(-700)).began_at, at(0), "nobody waits any more, or the sign is wrong");
        assert_eq!(patience(600, Some(5)).began_at, at(0));
        assert_eq!(patience(0, None).total(), 1);
        assert_eq!(patience(99999, None).total(), 3600);
        assert_eq!((patience(600, None).last_moment(), patience(20, None).last_moment()), (at(570), at(15)));
        assert_eq!((patience(600, Some(-90)).waited(at(10)), patience(600, None).waited(at(-5))), (100, 0));
    }

    /// Whatever the phase of the sweep: two of them see that they have to answer, well before CloudFormation gives up.
    #[test]
    fn two_sweeps_can_answer_before_the_end() {
        let patience = Patience::new(3600, None, at(0));
        for phase in 0..TICK_SECONDS {
            let ending: Vec<i64> = (0..)
                .map(|tick| phase + tick * TICK_SECONDS)
                .take_while(|at| *at < 3600)
                .filter(|second| patience.has_to_end(at(*second)))
                .collect();
            assert!(ending.len() >= 2 && 3600 - ending[1] >= 30, "{phase}: {ending:?}");
            assert!(ending[0] >= 3600 - 150, "given up no earlier than needed");
        }
        assert!(Patience::new(301, None, at(0)).can_be_parked(at(0)) && !Patience::new(300, None, at(0)).can_be_parked(at(0)));
    }
}
