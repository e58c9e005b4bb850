//! An input and its answer.

use pullsafe_diagnosis::event::Verdict;
use pullsafe_diagnosis::setting::Setting;
use serde_json::Value;

pub(super) struct Item {
    pub(super) id: Value,
    pub(super) verdict: Verdict,
    /// Where it happened, with the names that commands need.
    pub(super) setting: Setting,
    /// What the input was taken for, if it is not an event.
    pub(super) took: Option<&'static str>,
}
