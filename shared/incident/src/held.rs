//! How many messages of one author go out one by one, and what is known of those that were held back.

/// How many messages of one author go out one by one in a period. Jobs that fail in normal operation are few at a time.
pub const MOST_SINGLE: i64 = 3;
/// How long a period is: the longest delay of a message that SQS allows.
pub const PERIOD_SECONDS: i64 = 15 * 60;

/// What was held back in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// How many messages.
    pub count: usize,
    /// The subject lines of the first of them.
    pub first: Vec<String>,
}
