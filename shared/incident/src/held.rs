//! How many messages one author may cause by themselves, and what is known of those that were held back.

/// Messages of one author in one period that go out one by one. Jobs that fail in the normal course of events are few
/// at a time.
pub const MOST_SINGLE: i64 = 3;
/// How long a period is; no message of a queue can wait for longer.
pub const PERIOD_SECONDS: i64 = 15 * 60;

/// What was held back in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// How many messages.
    pub count: usize,
    /// The subject lines of the first of them.
    pub first: Vec<String>,
}
