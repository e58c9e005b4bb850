//! An input and its answer.

use pullsafe_diagnosis::event::EventDiagnosis;
use pullsafe_diagnosis::setting::StopSetting;
use serde_json::Value;

pub(super) struct DiagnosedInput {
    pub(super) id: Value,
    pub(super) verdict: EventDiagnosis,
    /// Where it happened, with the names that commands need.
    pub(super) setting: StopSetting,
    /// What the input was taken for, if it is not an event.
    pub(super) took: Option<&'static str>,
}
