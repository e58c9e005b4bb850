//! How a stream of CloudWatch Logs is read: newest first, as far as the budget goes, then once from its beginning.
//!
//! An application says why it dies in its last lines, and why it never gets healthy in its first. What lies between,
//! in a long log, is left unread and said to be. Pure: it says what to ask for, and hears what came.
//! Source: Amazon CloudWatch Logs API Reference, GetLogEvents: a page can be empty; the end is where the token repeats.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::cause::{Cause, Diagnosis};
use crate::domain::probe::Settled;
use crate::domain::timestamp::Timestamp;

/// Calls for the logs of one stop or build.
pub const CALLS_OF_ONE: u32 = 6;
/// Calls for the stops of one revision of a task definition, within one incident.
pub const CALLS_OF_A_REVISION: u32 = 12;
/// Calls for one incident.
pub const CALLS_OF_AN_INCIDENT: u32 = 60;
/// Bytes of messages of one stop or build.
pub const BYTES_OF_ONE: usize = 4 * 1024 * 1024;
/// Lines that a page may have.
pub const PAGE_LINES: u32 = 10_000;

/// What to ask for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page backwards: the newest one, or the one before this token.
    Backwards(Option<String>),
    /// The first page, up to the oldest line that was read (in milliseconds since the epoch).
    Head(Option<i64>),
}

/// What is left to spend on the logs of one stop or build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Calls.
    pub calls: u32,
    /// Bytes of messages.
    pub bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Backwards,
    Head,
    Ended,
}

/// The reading of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    phase: Phase,
    token: Option<String>,
    oldest: Option<i64>,
    lines: u64,
    gap: bool,
}

impl Reading {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self { phase: Phase::Backwards, token: None, oldest: None, lines: 0, gap: false }
    }

    /// What to ask for, if anything is left that this budget allows. The last call goes to the beginning of the stream.
    pub fn next(&mut self, budget: &Budget) -> Option<Ask> {
        if self.phase == Phase::Backwards && self.token.is_some() && (budget.calls <= 1 || budget.bytes == 0) {
            self.gap = true;
            self.phase = Phase::Head;
        }
        match self.phase {
            Phase::Ended => None,
            _ if budget.calls == 0 => None,
            Phase::Backwards => Some(Ask::Backwards(self.token.clone())),
            Phase::Head => Some(Ask::Head(self.oldest)),
        }
    }

    /// Hears what came: the time of its first line, how many there were and how large, and the token backwards.
    pub fn took(&mut self, budget: &mut Budget, first: Option<i64>, lines: usize, bytes: usize, token: Option<String>) {
        budget.calls = budget.calls.saturating_sub(1);
        budget.bytes = budget.bytes.saturating_sub(bytes);
        self.lines += lines as u64;
        self.oldest = match (self.oldest, first) {
            (Some(known), Some(first)) => Some(known.min(first)),
            (known, first) => known.or(first),
        };
        if self.phase == Phase::Head || token.is_none() || token == self.token {
            self.phase = Phase::Ended;
        }
        self.token = token;
    }

    /// What was read, in words.
    pub fn describe(&self) -> String {
        let lines = self.lines;
        match (lines, self.gap, self.phase) {
            (0, _, _) => "it has no lines in this time".to_owned(),
            (_, false, _) => format!("{lines} line(s), all of them"),
            (_, true, Phase::Ended) => format!("{lines} line(s), the newest and the first; what lies between was not read"),
            (_, true, Phase::Backwards | Phase::Head) => format!("the newest {lines} line(s); what is older was not read"),
        }
    }

    /// How many lines came.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

impl Default for Reading {
    fn default() -> Self {
        Self::new()
    }
}

/// What an incident has spent on logs, and what they said: enough not to read the same story without end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The revision of the last stop.
    revision: String,
    /// Calls for it.
    of_revision: u32,
    /// Calls altogether.
    total: u32,
    /// What the logs of this revision made of a cause that the text alone gave.
    #[serde(default)]
    known: BTreeMap<Cause, Diagnosis>,
    /// What the other probes said of stops with this cause, and when they were asked.
    #[serde(default)]
    settled: BTreeMap<Cause, (Timestamp, Vec<Settled>)>,
}

impl Spent {
    /// A stop of this revision (or a build) is looked at. What was known of another revision does not hold for it.
    pub fn begin(&mut self, revision: &str) {
        if self.revision != revision {
            *self = Self { revision: revision.to_owned(), total: self.total, ..Self::default() };
        }
    }

    /// What may be spent on the logs of one stop.
    pub fn budget(&self) -> Budget {
        let left = CALLS_OF_A_REVISION.saturating_sub(self.of_revision).min(CALLS_OF_AN_INCIDENT.saturating_sub(self.total));
        Budget { calls: left.min(CALLS_OF_ONE), bytes: BYTES_OF_ONE }
    }

    /// Adds what a stop took, and what came of it.
    pub fn add(&mut self, calls: u32, by_text: Cause, found: &Diagnosis) {
        self.count(calls);
        if found.signature.is_some() || found.cause != by_text {
            self.known.insert(by_text, found.clone());
        }
    }

    /// Adds what was taken.
    pub fn count(&mut self, calls: u32) {
        self.of_revision += calls;
        self.total += calls;
    }

    /// What the other probes said of this cause not long ago.
    pub fn settled(&self, by_text: Cause, now: Timestamp) -> Option<Vec<Settled>> {
        /// A crash loop asks every ten minutes, not with every task.
        const SECONDS: i64 = 10 * 60;
        let (at, settled) = self.settled.get(&by_text)?;
        (now.seconds_since(*at) < SECONDS).then(|| settled.clone())
    }

    /// Remembers what they said.
    pub fn settle(&mut self, by_text: Cause, settled: Vec<Settled>, now: Timestamp) {
        if !settled.is_empty() {
            self.settled.insert(by_text, (now, settled));
        }
    }

    /// What the log of an earlier stop of the same revision said about the same text.
    pub fn known(&self, by_text: Cause) -> Option<&Diagnosis> {
        self.known.get(&by_text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(token: &str) -> Option<String> {
        Some(token.to_owned())
    }

    #[test]
    fn an_empty_page_is_not_the_end_and_a_repeated_token_is() {
        let (mut reading, mut budget) = (Reading::new(), Budget { calls: 6, bytes: 1000 });
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(None)));
        reading.took(&mut budget, Some(90), 10, 100, some("b/1"));
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(some("b/1"))));
        reading.took(&mut budget, None, 0, 0, some("b/2"));
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(some("b/2"))));
        reading.took(&mut budget, Some(40), 5, 50, some("b/2"));
        assert_eq!((reading.next(&budget), budget), (None, Budget { calls: 3, bytes: 850 }));
        assert_eq!(reading.describe(), "15 line(s), all of them");
    }

    #[test]
    fn the_last_call_goes_to_the_beginning() {
        let (mut reading, mut budget) = (Reading::new(), Budget { calls: 3, bytes: 1000 });
        for page in ["1", "2"] {
            assert!(matches!(reading.next(&budget), Some(Ask::Backwards(_))));
            reading.took(&mut budget, Some(90), 10, 100, some(page));
        }
        assert_eq!(reading.next(&budget), Some(Ask::Head(Some(90))));
        reading.took(&mut budget, Some(1), 10, 100, some("3"));
        assert_eq!(reading.next(&budget), None);
        assert!(reading.describe().contains("what lies between was not read"), "{}", reading.describe());
    }

    #[test]
    fn bytes_end_the_way_back_too() {
        let (mut reading, mut budget) = (Reading::new(), Budget { calls: 6, bytes: 100 });
        assert!(reading.next(&budget).is_some());
        reading.took(&mut budget, Some(7), 1, 500, some("1"));
        assert_eq!(reading.next(&budget), Some(Ask::Head(Some(7))));
    }

    #[test]
    fn a_budget_of_one_call_reads_the_end() {
        let (mut reading, mut budget) = (Reading::new(), Budget { calls: 1, bytes: 100 });
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(None)));
        reading.took(&mut budget, Some(7), 1, 5, some("1"));
        assert_eq!(reading.next(&budget), None);
        assert_eq!(reading.describe(), "the newest 1 line(s); what is older was not read");
    }

    #[test]
    fn a_new_revision_has_a_budget_of_its_own_until_the_incident_has_none() {
        let mut spent = Spent::default();
        let found = crate::domain::diagnose::diagnose_log("app", &["No module named 'x'".to_owned()]).unwrap();
        for stop in 0..4 {
            spent.begin("web:1");
            let budget = spent.budget();
            assert_eq!(budget.calls, if stop < 2 { 6 } else { 0 });
            spent.add(budget.calls, Cause::AppCrashed, &found);
        }
        assert!(spent.known(Cause::AppCrashed).is_some());
        for revision in 2..=5 {
            for _ in 0..2 {
                spent.begin(&format!("web:{revision}"));
                let calls = spent.budget().calls;
                assert_eq!(calls, 6);
                spent.add(calls, Cause::Unknown, &found);
            }
        }
        spent.begin("web:6");
        assert_eq!((spent.budget().calls, spent.known(Cause::AppCrashed)), (0, None));
    }
}
