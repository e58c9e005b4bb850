//! What was read of one source over time, and how fast its limit is used.

use pullsafe::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// How many readings are kept: with one every five minutes, a bit more than a window.
const MOST_READINGS: usize = 80;

/// What Docker Hub said at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// Pulls left.
    pub remaining: u32,
    /// Pulls allowed in the window.
    pub limit: u32,
    /// The length of the rolling window.
    pub window_seconds: u32,
}

/// The readings of one source, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings(Vec<Reading>);

/// The end of the time between two readings, its seconds, and the pulls in it.
pub(crate) type Interval = (Timestamp, i64, f64);

/// How fast a limit is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UseRate {
    /// Pulls per second.
    pub rate: f64,
    /// How many pulls it was computed from.
    pub seen: f64,
}

impl FromIterator<Reading> for Readings {
    fn from_iter<T: IntoIterator<Item = Reading>>(readings: T) -> Self {
        let mut history = Self::default();
        readings.into_iter().for_each(|reading| history.add(reading));
        history
    }
}

impl Readings {
    /// Adds a reading. A reading that comes twice changes nothing, and one that comes late is put in its place.
    pub fn add(&mut self, reading: Reading) {
        let place = self.0.partition_point(|known| known.at < reading.at);
        match self.0.get(place) {
            Some(known) if known.at == reading.at => self.0[place] = reading,
            Some(_) | None => self.0.insert(place, reading),
        }
        let excess = self.0.len().saturating_sub(MOST_READINGS);
        self.0.drain(..excess);
    }

    /// Returns the newest reading.
    pub fn last(&self) -> Option<&Reading> {
        self.0.last()
    }

    /// Whether pulls were made between the last three readings, or none is left: only then can anything be foretold.
    pub fn is_used(&self) -> bool {
        self.last().is_some_and(|last| last.remaining == 0)
            || self.used().iter().rev().take(2).any(|(_, _, used)| *used > 0.0)
    }

    /// Returns how many pulls were made from each reading to the next, with the time in between; the oldest first.
    ///
    /// Pulls that leave the window come back, which hides new pulls. Those that are known to have come back are added.
    pub(crate) fn used(&self) -> Vec<Interval> {
        let mut steps: Vec<Interval> = Vec::new();
        for pair in self.0.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            let seconds = other.at.seconds_since(one.at).max(1);
            let window = i64::from(other.window_seconds);
            let back = returned(&steps, one.at.plus_seconds(-window), other.at.plus_seconds(-window));
            let fell = f64::from(one.remaining) - f64::from(other.remaining);
            // Pulls that were never seen may have come back too, but the number of pulls made is never negative.
            steps.push((other.at, seconds, (fell + back).max(0.0)));
        }
        steps
    }
}

/// Returns the pace of these steps: that of the newest, and of as many before it as agree with it; `None` where fewer
/// than two agree. What began in the middle of the newest step shows its pace only with the next one.
pub(crate) fn pace(steps: &[Interval]) -> Option<UseRate> {
    let (mut seconds, mut pulls, mut agreeing) = (0i64, 0.0f64, 0);
    for (_, length, used) in steps.iter().rev() {
        if agreeing > 0 {
            // The step agrees if it differs by no more than chance allows, and a little more because readings are whole
            // numbers.
            let expected = pulls / seconds as f64 * *length as f64;
            if (used - expected).abs() > 1.0 + 1.5 * expected.max(*used).max(0.0).sqrt() {
                break;
            }
        }
        seconds += length;
        pulls += used;
        agreeing += 1;
    }
    (agreeing > 1).then(|| UseRate { rate: pulls / seconds as f64, seen: pulls })
}

/// Returns how many pulls were made between two moments, as far as these steps cover them.
pub(crate) fn returned(steps: &[Interval], from: Timestamp, to: Timestamp) -> f64 {
    let part = |(end, length, used): &Interval| {
        let begin = end.plus_seconds(-length);
        let overlap = to.min(*end).seconds_since(from.max(begin));
        if overlap > 0 { used * overlap as f64 / *length as f64 } else { 0.0 }
    };
    steps.iter().map(part).sum()
}
