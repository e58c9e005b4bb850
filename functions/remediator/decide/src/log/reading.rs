//! How a stream of CloudWatch Logs is read: newest first, as far as the budget goes, then once from its beginning.
//!
//! An application says why it dies in its last lines, and why it never gets healthy in its first. In a long log, the
//! lines between are not read, and the description says so. This is pure: it says what to ask for, and is given what
//! came. Source: Amazon CloudWatch Logs API Reference, GetLogEvents: a page can be empty; the end is where the token
//! repeats.

use pullsafe::count::count;
use pullsafe_incident::spent::LogBudget;

/// How many lines a page may have at most.
pub const PAGE_LINES: u32 = 10_000;

/// What to ask for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page backwards: the newest one, or the one before this token.
    Backwards(Option<String>),
    /// The first page, up to the oldest line that was read (in milliseconds since the epoch).
    Head(Option<i64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadingPhase {
    Backwards,
    Head,
    Ended,
}

/// The state of the reading of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReading {
    phase: ReadingPhase,
    token: Option<String>,
    oldest: Option<i64>,
    lines: u64,
    gap: bool,
}

impl LogReading {
    /// A reading that has not begun.
    pub fn new() -> Self {
        Self {
            phase: ReadingPhase::Backwards,
            token: None,
            oldest: None,
            lines: 0,
            gap: false,
        }
    }

    /// What to ask for next; `None` where the reading is over or the budget is spent. The last call goes to the
    /// beginning of the stream.
    pub fn next(&mut self, budget: &LogBudget) -> Option<Ask> {
        if self.phase == ReadingPhase::Backwards && self.token.is_some() && (budget.calls <= 1 || budget.bytes == 0) {
            self.gap = true;
            self.phase = ReadingPhase::Head;
        }
        match self.phase {
            ReadingPhase::Ended => None,
            _ if budget.calls == 0 => None,
            ReadingPhase::Backwards => Some(Ask::Backwards(self.token.clone())),
            ReadingPhase::Head => Some(Ask::Head(self.oldest)),
        }
    }

    /// Takes an answer in: the time of its first line, the number and the bytes of its lines, and the token for the
    /// page before it.
    pub fn took(
        &mut self,
        budget: &mut LogBudget,
        first: Option<i64>,
        lines: usize,
        bytes: usize,
        token: Option<String>,
    ) {
        budget.calls = budget.calls.saturating_sub(1);
        budget.bytes = budget.bytes.saturating_sub(bytes);
        self.lines += lines as u64;
        self.oldest = match (self.oldest, first) {
            (Some(known), Some(first)) => Some(known.min(first)),
            (known, first) => known.or(first),
        };
        if self.phase == ReadingPhase::Head || token.is_none() || token == self.token {
            self.phase = ReadingPhase::Ended;
        }
        self.token = token;
    }

    /// What was read, in words.
    pub fn describe(&self) -> String {
        let lines = count(self.lines, "line");
        match (self.lines, self.gap, self.phase) {
            (0, _, _) => "it has no lines in this time".to_owned(),
            (_, false, _) => format!("{lines}, all of them"),
            (_, true, ReadingPhase::Ended) => {
                format!("{lines}, the newest and the first; what lies between was not read")
            }
            (_, true, ReadingPhase::Backwards | ReadingPhase::Head) => {
                format!("the newest {lines}; what is older was not read")
            }
        }
    }

    /// How many lines came.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

impl Default for LogReading {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe_diagnosis::cause::Cause;
    use pullsafe_incident::spent::LogsRead;

    fn some(token: &str) -> Option<String> {
        Some(token.to_owned())
    }

    #[test]
    fn an_empty_page_is_not_the_end_and_a_repeated_token_is() {
        let (mut reading, mut budget) = (LogReading::new(), LogBudget { calls: 6, bytes: 1000 });
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(None)));
        reading.took(&mut budget, Some(90), 10, 100, some("b/1"));
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(some("b/1"))));
        reading.took(&mut budget, None, 0, 0, some("b/2"));
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(some("b/2"))));
        reading.took(&mut budget, Some(40), 5, 50, some("b/2"));
        assert_eq!((reading.next(&budget), budget), (None, LogBudget { calls: 3, bytes: 850 }));
        assert_eq!(reading.describe(), "15 lines, all of them");
    }

    #[test]
    fn the_last_call_goes_to_the_beginning() {
        let (mut reading, mut budget) = (LogReading::new(), LogBudget { calls: 3, bytes: 1000 });
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
        let (mut reading, mut budget) = (LogReading::new(), LogBudget { calls: 6, bytes: 100 });
        assert!(reading.next(&budget).is_some());
        reading.took(&mut budget, Some(7), 1, 500, some("1"));
        assert_eq!(reading.next(&budget), Some(Ask::Head(Some(7))));
    }

    #[test]
    fn a_budget_of_one_call_reads_the_end() {
        let (mut reading, mut budget) = (LogReading::new(), LogBudget { calls: 1, bytes: 100 });
        assert_eq!(reading.next(&budget), Some(Ask::Backwards(None)));
        reading.took(&mut budget, Some(7), 1, 5, some("1"));
        assert_eq!(reading.next(&budget), None);
        assert_eq!(reading.describe(), "the newest 1 line; what is older was not read");
    }

    #[test]
    fn a_new_revision_has_a_budget_of_its_own_until_the_incident_has_none() {
        let mut spent = LogsRead::default();
        let found = pullsafe_diagnosis::diagnose_log("app", &["No module named 'x'".to_owned()]).unwrap();
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
