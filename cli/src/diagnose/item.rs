//! One input and its answer.

use pullsafe_diagnosis::event::EventDiagnosis;
use pullsafe_diagnosis::setting::StopSetting;
use serde_json::Value;

/// One input and its answer.
pub(super) struct DiagnosedInput {
    pub(super) id: Value,
    pub(super) verdict: EventDiagnosis,
    /// Where it happened, with names for commands.
    pub(super) setting: StopSetting,
    /// What the input was taken for, where it is not an event.
    pub(super) took: Option<&'static str>,
}
