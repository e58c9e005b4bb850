//! When an incident is looked at again: soon after something has changed, less and less often while nothing does, and
//! at the moments that matter by themselves.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::incident::{ActState, Incident};
use super::record::Record;
use super::refusal::GRACE_SECONDS;
use super::waiting::WaitingFor;
use pullsafe::lookup::PATIENCE_SECONDS;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;

/// Minutes from one look to the next while nothing changes; the last one repeats.
const MINUTES: [i64; 4] = [1, 2, 5, 15];

/// For how long no task may have failed before a steady service counts as recovered. A service whose tasks crash or
/// fail their health checks looks steady between two failures.
pub const QUIET_SECONDS: i64 = 300;
/// For how long a subject without a service (a task family, a build project) must be quiet before its incident is
/// closed.
pub const FORGOTTEN_SECONDS: i64 = 24 * 3600;

/// When the next look is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextLook {
    /// When.
    pub at: Timestamp,
    /// How many looks in a row have found nothing new.
    pub quiet: u8,
    /// Moments at which a look may find something even if no event comes: the end of a wait, of a grace period, or of
    /// the time without failures.
    pub wakes: Vec<Timestamp>,
}

impl NextLook {
    /// Returns the first look after a change; `None` where nothing is open and everything is told.
    pub fn after_change(subject: &Subject, record: &Record, now: Timestamp) -> Option<Self> {
        let soon = || Self { at: now.plus_seconds(60), quiet: 0, wakes: Vec::new() };
        if !record.outbox.is_empty() {
            return Some(soon());
        }
        if let Some(door) = &record.door {
            return Some(Self { wakes: vec![door.until], ..soon() });
        }
        let incident = record.open.as_ref()?;
        let last = last_failure(incident);
        match subject {
            // There is no service to look at: only a day without a failure ends the incident.
            Subject::Family { .. } | Subject::Project { .. }
                if incident.waiting.is_none() && incident.refusal.is_none() =>
            {
                Some(Self {
                    at: last.plus_seconds(FORGOTTEN_SECONDS),
                    quiet: 0,
                    wakes: Vec::new(),
                })
            }
            Subject::Service(_) | Subject::Family { .. } | Subject::Project { .. } => {
                Some(Self { wakes: wakes(incident, last), ..soon() })
            }
        }
    }

    /// Returns the look that follows one made now. `key` spreads looks that began together.
    #[must_use]
    pub fn after_look(&self, key: &str, now: Timestamp) -> Self {
        let quiet = self.quiet.saturating_add(1);
        let seconds = MINUTES.get(usize::from(quiet)).or(MINUTES.last()).map_or(60, |minutes| minutes * 60);
        let usual = now.plus_seconds(seconds + spread(key, seconds / 10));
        let wake = self.wakes.iter().copied().filter(|wake| *wake > now).min();
        Self {
            at: wake.map_or(usual, |wake| wake.min(usual)),
            quiet,
            wakes: self.wakes.clone(),
        }
    }
}

fn last_failure(incident: &Incident) -> Timestamp {
    incident.causes.iter().map(|seen| seen.last_at).max().unwrap_or(incident.opened_at)
}

fn wakes(incident: &Incident, last: Timestamp) -> Vec<Timestamp> {
    let pause = incident.waiting.as_ref().and_then(|waiting| match &waiting.cause {
        WaitingFor::Push { pause_at, .. } => Some(*pause_at),
        WaitingFor::Mirror(_) | WaitingFor::Image(_) | WaitingFor::Restored(_) | WaitingFor::MoreFailures => None,
    });
    let grace = incident.refusal.as_ref().and_then(super::refusal::StepRefusal::due_at);
    let untold = incident.blocker().filter(|_| incident.told.is_empty());
    let patience = untold.map(|blocker| blocker.first_at.plus_seconds(PATIENCE_SECONDS));
    let denied = untold.map(|blocker| blocker.first_at.plus_seconds(GRACE_SECONDS));
    let quiet = incident.looks_steady.then(|| last.plus_seconds(QUIET_SECONDS));
    let settled = incident.act.as_ref().filter(|act| act.state == ActState::Done).map(|act| act.settled_at());
    let asked = incident.open_question().map(|question| question.expires_at);
    [pause, grace, patience, denied, settled, quiet, asked].into_iter().flatten().collect()
}

/// Returns a number of seconds below a bound, always the same for the same key.
pub fn spread(key: &str, below: i64) -> i64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let below = u64::try_from(below).unwrap_or(0).max(1);
    i64::try_from(hasher.finish() % below).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_768_504_620_000);

    #[test]
    fn while_nothing_changes_looks_become_rare() {
        let mut due = NextLook { at: NOW.plus_seconds(60), quiet: 0, wakes: Vec::new() };
        let mut gaps = Vec::new();
        for _ in 0..6 {
            let next = due.after_look("prod/web", due.at);
            gaps.push(next.at.seconds_since(due.at) / 60);
            due = next;
        }
        assert_eq!(gaps.get(..2), Some(&[2, 5][..]));
        assert!(gaps.iter().skip(2).all(|gap| (15..=16).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn a_moment_that_matters_is_not_slept_through() {
        let wake = NOW.plus_seconds(90);
        let due = NextLook { at: NOW, quiet: 3, wakes: vec![wake, NOW.plus_seconds(-5)] };
        assert_eq!(due.after_look("prod/web", NOW).at, wake);
        assert!(
            due.after_look("prod/web", wake).at > wake.plus_seconds(14 * 60),
            "once it is over it does not wake again"
        );
    }
}
