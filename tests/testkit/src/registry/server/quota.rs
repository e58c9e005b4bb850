//! A limit over a rolling window of virtual time, counted per source.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError};

use pullsafe::timestamp::Timestamp;

use crate::clock::VirtualClock;

/// How much of its limit every source has used within the window. Clones share the count.
///
/// The server counts here. A model of the scheduler can count here without HTTP.
#[derive(Debug, Clone)]
pub struct ServerQuota {
    clock: VirtualClock,
    window_seconds: i64,
    used: Arc<Mutex<HashMap<String, VecDeque<Timestamp>>>>,
}

impl ServerQuota {
    /// Starts with nothing used.
    pub fn new(clock: VirtualClock, window_seconds: i64) -> Self {
        Self { clock, window_seconds, used: Arc::default() }
    }

    /// The length of the window.
    pub fn window_seconds(&self) -> i64 {
        self.window_seconds
    }

    /// How much a source has used in the window that ends now.
    pub fn used(&self, source: &str) -> u32 {
        self.with(source, |used| used.len() as u32)
    }

    /// Uses one unit if the limit allows it. A refused unit does not count.
    pub fn take(&self, source: &str, limit: u32) -> bool {
        let now = self.clock.now();
        self.with(source, |used| {
            let free = (used.len() as u32) < limit;
            if free {
                used.push_back(now);
            }
            free
        })
    }

    /// Adds units that were used at an earlier moment, for a test that begins in the middle.
    pub fn spend(&self, source: &str, units: u32, at: Timestamp) {
        self.with(source, |used| {
            used.extend(std::iter::repeat_n(at, units as usize));
            used.make_contiguous().sort();
        });
    }

    /// When the oldest unit of a source leaves the window, if it has any.
    pub fn frees_at(&self, source: &str) -> Option<Timestamp> {
        self.with(source, |used| used.front().map(|oldest| oldest.plus_seconds(self.window_seconds)))
    }

    fn with<T>(&self, source: &str, act: impl FnOnce(&mut VecDeque<Timestamp>) -> T) -> T {
        let now = self.clock.now();
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = all.entry(source.to_owned()).or_default();
        while used.front().is_some_and(|oldest| oldest.plus_seconds(self.window_seconds) <= now) {
            used.pop_front();
        }
        act(used)
    }
}

/// The source that Docker Hub counts an address as: an IPv4 address by itself, an IPv6 address by its /64 network.
pub fn source_of(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_leave_the_window_one_by_one() {
        let start = Timestamp::from_millis(0);
        let clock = VirtualClock::at(start);
        let quota = ServerQuota::new(clock.clone(), 21_600);
        assert!(quota.take("nat", 2));
        clock.advance(3_600);
        assert!(quota.take("nat", 2));
        assert!(!quota.take("nat", 2), "the limit is reached");
        assert!(quota.take("other", 2), "another source has its own");
        assert_eq!(quota.frees_at("nat"), Some(start.plus_seconds(21_600)));
        clock.advance_to(start.plus_seconds(21_599));
        assert_eq!(quota.used("nat"), 2);
        clock.advance(1);
        assert_eq!(quota.used("nat"), 1);
        quota.spend("nat", 5, start.plus_seconds(10));
        assert_eq!(quota.used("nat"), 6);
    }

    #[test]
    fn an_ipv6_address_counts_as_its_network() {
        assert_eq!(source_of("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::");
        assert_eq!(source_of("203.0.113.7"), "203.0.113.7");
        assert_eq!(source_of("lambda"), "lambda");
    }
}
