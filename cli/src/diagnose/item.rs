//! One input and its answer.

use pullsafe_diagnosis::event::Verdict;
use pullsafe_diagnosis::setting::Setting;
use serde_json::Value;

/// One input and its answer.
pub(super) struct Item {
    pub(super) id: Value,
    pub(super) verdict: Verdict,
    /// Where it happened, with names for commands.
    pub(super) setting: Setting,
    /// What the input was taken for, where it is not an event.
    pub(super) took: Option<&'static str>,
}
