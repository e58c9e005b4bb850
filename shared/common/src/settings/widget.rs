//! The settings of the widget.

use super::read::{SettingFault, SettingsReader};
use super::variables::*;

/// The widget's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidgetSettings {
    /// Name of the DynamoDB table with incidents.
    pub table: String,
    /// How many services with the same cause make an outbreak.
    pub outbreak_after: usize,
    /// Within how many minutes they must fail to make one.
    pub outbreak_minutes: i64,
    /// ARN of the function that the buttons call with an answer, if there are buttons.
    pub answers: Option<String>,
}

impl WidgetSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// Returns every fault, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingFault>> {
        let mut reader = SettingsReader { lookup, faults: Vec::new() };
        let settings = Self {
            table: reader.text(TABLE),
            outbreak_after: reader.outbreak_after(),
            outbreak_minutes: reader.outbreak_minutes(),
            answers: reader.function(ANSWERS_FUNCTION),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}
