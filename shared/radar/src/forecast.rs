//! When a limit is used up, and which services are enough to move.

use std::collections::BTreeSet;

use pullsafe::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::{Interval, Reading, Readings, pace, returned};

/// How far ahead a forecast looks. Nothing further away is foretold, because other things will have happened by then.
pub const HORIZON_SECONDS: i64 = 15 * 60;
/// How many pulls of unknown origin must have been seen before the forecast has them go on.
const LEAST_SEEN: f64 = 6.0;
/// For how long launches must have gone on before their pace is known.
const LEAST_SECONDS: i64 = 150;
/// How long after the beginning of its launch a task pulls.
const PULL_SECONDS: i64 = 20;
/// The length of a step of the simulation.
const STEP_SECONDS: i64 = 15;

/// What a service is about to pull without credentials, or with those of the account that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The service, such as `prod/web`.
    pub service: String,
    /// What its launches under way still pull.
    pub due: PendingPulls,
    /// When each launch so far began, and what it has pulled; the oldest first.
    pub made: Vec<(Timestamp, u32)>,
    /// What it would pull besides, if it scaled out as far as it may.
    pub spare: u32,
}

/// What launches under way still pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingPulls {
    /// This many pulls, and then it is done.
    Pulls(u32),
    /// It launches again and again, because its tasks fail.
    WithoutEnd,
}

/// What becomes of a limit within the horizon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "becomes")]
pub enum Forecast {
    /// There is enough, as far as can be seen.
    Enough,
    /// There is enough for what goes on, and so many pulls too few should every service scale out as far as it may.
    Tight {
        /// The pulls that would be missing.
        missing: u32,
    },
    /// It is used up.
    Exhausted {
        /// When.
        at: Timestamp,
        /// By whom, the greatest first; empty where no service is known to pull.
        by: Vec<String>,
    },
}

/// Returns what becomes of the limit of one source, seen from its newest reading.
pub fn forecast(history: &Readings, demands: &[Demand]) -> Forecast {
    let Some(last) = history.last() else {
        return Forecast::Enough;
    };
    let by = || {
        ranked(demands)
            .into_iter()
            .filter(|demand| demand.due != PendingPulls::Pulls(0))
            .map(|demand| demand.service.clone())
            .collect()
    };
    if last.remaining == 0 {
        return Forecast::Exhausted { at: last.at, by: by() };
    }
    if let Some(at) = exhausted_at(history, last, demands) {
        return Forecast::Exhausted { at, by: by() };
    }
    let spare = demands.iter().fold(bounded(demands), |sum, demand| sum.saturating_add(demand.spare));
    match spare.checked_sub(last.remaining) {
        Some(missing) if missing > 0 => Forecast::Tight { missing },
        Some(_) | None => Forecast::Enough,
    }
}

fn exhausted_at(history: &Readings, last: &Reading, demands: &[Demand]) -> Option<Timestamp> {
    let steps = history.used();
    let known =
        |step: &Interval| demands.iter().flat_map(|demand| &demand.made).map(|made| within(made, step)).sum::<f64>();
    let strangers: Vec<Interval> = steps.iter().map(|step| (step.0, step.1, step.2 - known(step))).collect();
    // Unknown pullers go on at their present pace. Known services stop pulling when their launches end.
    let strangers = pace(&strangers).filter(|pace| pace.seen >= LEAST_SEEN).map_or(0.0, |pace| pace.rate);
    let mut launches: Vec<Launches> = demands.iter().filter_map(|demand| Launches::of(demand, last.at)).collect();
    let window = i64::from(last.window_seconds);
    let mut left = f64::from(last.remaining);
    for step in 1..=HORIZON_SECONDS / STEP_SECONDS {
        let (from, to) = (last.at.plus_seconds((step - 1) * STEP_SECONDS), last.at.plus_seconds(step * STEP_SECONDS));
        let seconds = STEP_SECONDS as f64;
        left -= strangers * seconds;
        left -= launches.iter_mut().map(|launches| launches.pulls_until((step * STEP_SECONDS) as f64)).sum::<f64>();
        left =
            (left + returned(&steps, from.plus_seconds(-window), to.plus_seconds(-window))).min(f64::from(last.limit));
        if left < 0.0 {
            return Some(to);
        }
    }
    None
}

/// Returns the pulls of a launch that lie in a step; a launch asks for its image a moment after it began.
fn within((began, pulls): &(Timestamp, u32), (end, length, _): &Interval) -> f64 {
    let asked = began.plus_seconds(PULL_SECONDS);
    if (end.plus_seconds(-length)..*end).contains(&asked) {
        f64::from(*pulls)
    } else {
        0.0
    }
}

/// The launches of a service, which go on at their pace until nothing is due any more.
struct Launches {
    next: f64,
    every: f64,
    each: f64,
    due: f64,
}

impl Launches {
    fn of(demand: &Demand, now: Timestamp) -> Option<Self> {
        let ((first, _), (last, _)) = (demand.made.first()?, demand.made.last()?);
        let later = demand.made.iter().filter(|(at, _)| at > first);
        let moments: BTreeSet<Timestamp> = later.clone().map(|(at, _)| *at).collect();
        let (seconds, gaps) = (last.seconds_since(*first), moments.len());
        if gaps == 0 || seconds < LEAST_SECONDS {
            return None;
        }
        // The pace is that of the launches after the first: a gap comes before each of them.
        let (every, each) =
            (seconds as f64 / gaps as f64, later.map(|(_, pulls)| f64::from(*pulls)).sum::<f64>() / gaps as f64);
        let due = match demand.due {
            PendingPulls::Pulls(pulls) => f64::from(pulls),
            PendingPulls::WithoutEnd => f64::INFINITY,
        };
        // A launch that is late comes at once.
        Some(Self {
            next: (every - now.seconds_since(*last) as f64).max(0.0),
            every,
            each,
            due,
        })
    }

    /// Returns what is pulled until this many seconds from now, without what an earlier call has returned.
    fn pulls_until(&mut self, seconds: f64) -> f64 {
        let mut pulls = 0.0;
        while self.next <= seconds && self.due > 0.0 {
            let some = self.each.min(self.due);
            self.due -= some;
            pulls += some;
            self.next += self.every;
        }
        pulls
    }
}

fn bounded(demands: &[Demand]) -> u32 {
    demands.iter().fold(0, |sum, demand| match demand.due {
        PendingPulls::Pulls(pulls) => sum.saturating_add(pulls),
        PendingPulls::WithoutEnd => sum,
    })
}

/// Sorts the demands, the greatest first: those without end, then by what is due.
fn ranked(demands: &[Demand]) -> Vec<&Demand> {
    let mut ranked: Vec<&Demand> = demands.iter().collect();
    let weight = |demand: &Demand| match demand.due {
        PendingPulls::WithoutEnd => u32::MAX,
        PendingPulls::Pulls(pulls) => pulls,
    };
    ranked.sort_by(|one, other| weight(other).cmp(&weight(one)).then_with(|| one.service.cmp(&other.service)));
    ranked
}

/// Returns the services to move, as few as it takes with the greatest first, so that the limit lasts without their
/// pulls; none if it lasts anyway.
pub fn to_move(history: &Readings, demands: &[Demand]) -> Vec<String> {
    let mut left: Vec<Demand> = ranked(demands).into_iter().cloned().collect();
    let mut moved = Vec::new();
    // It is certain how much launches that have just begun still pull, though not how fast.
    let short = |left: &[Demand]| history.last().is_some_and(|last| bounded(left) > last.remaining);
    while !left.is_empty() && (short(&left) || matches!(forecast(history, &left), Forecast::Exhausted { .. })) {
        let next = left.remove(0);
        if next.due == PendingPulls::Pulls(0) {
            break;
        }
        moved.push(next.service);
    }
    moved
}
