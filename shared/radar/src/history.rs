//! What was read of one source over time, and how fast it is used.

use pullsafe::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// So many readings are kept: a bit more than a window at one every five minutes.
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
    /// In pulls a second.
    pub rate: f64,
    /// By so many pulls.
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
    /// Adds a reading. One that comes twice changes nothing, and one that comes late finds its place.
    pub fn add(&mut self, reading: Reading) {
        let place = self.0.partition_point(|known| known.at < reading.at);
        match self.0.get(place) {
            Some(known) if known.at == reading.at => self.0[place] = reading,
            Some(_) | None => self.0.insert(place, reading),
        }
        let excess = self.0.len().saturating_sub(MOST_READINGS);
        self.0.drain(..excess);
    }

    /// The newest reading.
    pub fn last(&self) -> Option<&Reading> {
        self.0.last()
    }

    /// Whether pulls were made of late, or none is left: only then anything can be foretold.
    pub fn is_used(&self) -> bool {
        self.last().is_some_and(|last| last.remaining == 0)
            || self.used().iter().rev().take(2).any(|(_, _, used)| *used > 0.0)
    }

    /// How many pulls were made between each two readings, with the time that they took; the oldest first.
    ///
    /// What leaves the window at its end comes back, so that a rise hides pulls. Those that are known to come back are
    /// counted.
    pub(crate) fn used(&self) -> Vec<Interval> {
        let mut steps: Vec<Interval> = Vec::new();
        for pair in self.0.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            let seconds = other.at.seconds_since(one.at).max(1);
            let window = i64::from(other.window_seconds);
            let back = returned(&steps, one.at.plus_seconds(-window), other.at.plus_seconds(-window));
            let fell = f64::from(one.remaining) - f64::from(other.remaining);
            // Nothing is left to be used where nothing is left.
            steps.push((other.at, seconds, (fell + back).max(0.0)));
        }
        steps
    }
}

/// The pace of these steps: that of the newest, and of as many before it as agree with it; `None` where fewer than two
/// do. What began in the middle of the newest step shows its pace with the next.
pub(crate) fn pace(steps: &[Interval]) -> Option<UseRate> {
    let (mut seconds, mut pulls, mut agreeing) = (0i64, 0.0f64, 0);
    for (_, length, used) in steps.iter().rev() {
        if agreeing > 0 {
            // As many as chance makes of the same pace, and a little more: readings are whole numbers.
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

/// The pulls that were made between two moments, as far as they were seen.
pub(crate) fn returned(steps: &[Interval], from: Timestamp, to: Timestamp) -> f64 {
    let part = |(end, length, used): &Interval| {
        let begin = end.plus_seconds(-length);
        let overlap = to.min(*end).seconds_since(from.max(begin));
        if overlap > 0 { used * overlap as f64 / *length as f64 } else { 0.0 }
    };
    steps.iter().map(part).sum()
}
