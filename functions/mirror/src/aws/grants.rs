//! Limits how many requests several processes send together within a window of time.
//!
//! The state is the moments of the latest grants: at most as many as one window allows. Every process that takes a
//! grant writes the state, so that all together stay within the quota in every window, wherever a window begins. A
//! granted moment allows one request, sent at that moment.

use serde::{Deserialize, Serialize};

/// The limit for all processes together: `most` requests in `millis` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Requests in a window.
    pub most: usize,
    /// The window's length.
    pub millis: i64,
}

impl Allowed {
    /// Turns a rate into a window. It is a little longer than a second, because requests that are sent evenly do not
    /// arrive evenly.
    pub fn of_rate(per_second: u16) -> Self {
        Self { most: usize::from(per_second.max(1)), millis: 1050 }
    }

    /// The share of one of several processes, for as long as they cannot coordinate: one request in each window.
    pub fn share(self, processes: usize) -> Self {
        let (most, processes) =
            (i64::try_from(self.most).unwrap_or(i64::MAX), i64::try_from(processes).unwrap_or(i64::MAX));
        Self {
            most: 1,
            millis: self.millis.saturating_mul(processes) / most.max(1),
        }
    }
}

/// The moments of the latest grants, in milliseconds since the epoch, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants(Vec<i64>);

/// No grant lies further ahead than this. A moment that lies further ahead was granted by a wrong clock and is ignored.
const FURTHEST_AHEAD_MILLIS: i64 = 10_000;

impl Grants {
    /// Grants up to `wanted` requests and returns the moments at which they may be sent, each as early as possible.
    /// Returns fewer, or none, if a moment would lie more than `ahead` milliseconds after `now`.
    pub fn take(&mut self, allowed: Allowed, wanted: usize, now: i64, ahead: i64) -> Vec<i64> {
        self.0.retain(|moment| *moment <= now.saturating_add(FURTHEST_AHEAD_MILLIS));
        let mut granted = Vec::new();
        while granted.len() < wanted {
            let latest = self.0.last().copied().unwrap_or(now);
            let window = self.0.len().checked_sub(allowed.most.max(1)).and_then(|place| self.0.get(place));
            let free = window.map_or(now, |moment| moment.saturating_add(allowed.millis));
            let moment = now.max(latest).max(free);
            if moment > now.saturating_add(ahead.min(FURTHEST_AHEAD_MILLIS)) {
                break;
            }
            self.0.push(moment);
            granted.push(moment);
        }
        let surplus = self.0.len().saturating_sub(allowed.most.max(1));
        self.0.drain(..surplus);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Allowed = Allowed { most: 10, millis: 1000 };

    #[test]
    fn one_alone_has_full_speed_from_the_start() {
        let mut grants = Grants::default();
        assert_eq!(grants.take(TEN, 10, 5000, 5000), [5000; 10]);
        assert_eq!(grants.take(TEN, 3, 5000, 5000), [6000; 3]);
        assert_eq!(grants.take(TEN, 9, 6100, 5000), [6100, 6100, 6100, 6100, 6100, 6100, 6100, 7000, 7000]);
    }

    #[test]
    fn nothing_is_granted_far_ahead() {
        let mut grants = Grants::default();
        let all: Vec<i64> = (0..9).flat_map(|_| grants.take(TEN, 10, 0, 5000)).collect();
        assert_eq!((all.len(), all.last()), (60, Some(&5000)));
        assert!(grants.take(TEN, 1, 0, 5000).is_empty());
        assert_eq!(grants.take(TEN, 1, 1000, 5000), [6000]);
    }

    #[test]
    fn a_wrong_clock_stops_nobody() {
        let mut grants = Grants::default();
        assert_eq!(grants.take(TEN, 10, 3_600_000, 5000).len(), 10);
        assert_eq!(grants.take(TEN, 2, 0, 5000), [0, 0]);
    }

    #[test]
    fn the_shares_together_are_the_whole() {
        assert_eq!(Allowed::of_rate(10).share(6), Allowed { most: 1, millis: 630 });
        assert_eq!(TEN.share(1), Allowed { most: 1, millis: 100 });
        assert_eq!(Allowed { most: 0, millis: 1000 }.share(2).millis, 2000);
    }

    /// Several processes whose clocks differ a little never get more in any window than is allowed, however much each
    /// asks for. Processes that always ask get all that is allowed.
    #[test]
    fn together_they_stay_within_every_window_and_use_it() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for round in 0..200 {
            let allowed = Allowed {
                most: 1 + random(12) as usize,
                millis: 1 + random(2000) as i64,
            };
            let busy = round % 2 == 0;
            let (mut grants, mut now, mut all) = (Grants::default(), 0_i64, Vec::new());
            for _ in 0..300 {
                now += random(if busy { 20 } else { 900 }) as i64;
                let skewed = now + random(100) as i64;
                let wanted = if busy { 20 } else { random(6) as usize };
                let granted = grants.take(allowed, wanted, skewed, 5000);
                assert!(granted.iter().all(|moment| *moment >= skewed && *moment <= skewed + 5000));
                all.extend(granted);
            }
            assert!(all.is_sorted());
            for window in all.windows(allowed.most + 1) {
                assert!(window[allowed.most] - window[0] >= allowed.millis, "{allowed:?}: {window:?}");
            }
            if busy {
                let (first, last) = (all[0], all[all.len() - 1]);
                let windows = (last - first) / allowed.millis;
                assert!(
                    all.len() as i64 >= windows * allowed.most as i64,
                    "{allowed:?}: {} in {windows} windows",
                    all.len()
                );
            }
        }
    }
}
