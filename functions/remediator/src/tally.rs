//! What came of an event: the function's answer, and its metrics.

use pullsafe::count::counted;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::telemetry::{Unit, emf};
use serde_json::{Value, json};

/// What came of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// What happened, in one word or two, for queries.
    pub outcome: &'static str,
    /// Why, for people.
    pub why: String,
    /// The remedy that was applied, or would have been.
    pub remedy: Option<&'static str>,
    /// What a person who invoked the function by hand is shown in addition.
    pub shown: Option<Value>,
}

impl Tally {
    /// The result where nothing was to be done.
    pub fn ignored(why: String) -> Self {
        Self { outcome: "ignored", why, ..Self::default() }
    }

    /// The result where another invocation is at work, and the event waits in the queue.
    pub fn deferred() -> Self {
        Self {
            outcome: "deferred",
            why: "another invocation holds the lease".to_owned(),
            ..Self::default()
        }
    }

    /// Whether the event waits for another invocation.
    pub fn is_deferred(&self) -> bool {
        self.outcome == Self::deferred().outcome
    }

    /// The result of a sweep that put looks at this many incidents into the queue.
    pub fn swept(count: usize) -> Self {
        Self {
            outcome: "swept",
            why: counted(count, "incident", "is due", "are due"),
            ..Self::default()
        }
    }

    /// The result of work on an incident.
    pub fn worked(outcome: &'static str, why: impl Into<String>, remedy: Option<&'static str>) -> Self {
        Self { outcome, why: why.into(), remedy, shown: None }
    }

    /// Counts the event in the metrics: events by outcome, remedies by name. Ignored events and sweeps have no metric,
    /// because it would cost more than it tells.
    pub fn count(&self, now: Timestamp) {
        if !matches!(self.outcome, "ignored" | "swept") {
            emf(now, &[("Outcome", self.outcome)], &[("Events", Unit::Count, 1)]);
        }
        if let (Some(remedy), "acted") = (self.remedy, self.outcome) {
            emf(now, &[("Remedy", remedy)], &[("RemediesApplied", Unit::Count, 1)]);
        }
    }

    /// The function's answer, for whoever invokes it by hand.
    pub fn into_json(self) -> Value {
        let mut answer = json!({ "outcome": self.outcome, "why": self.why, "remedy": self.remedy });
        if let Some(shown) = self.shown {
            answer["shown"] = shown;
        }
        answer
    }
}
