//! The settings of the probe.

use super::read::{SettingFault, SettingsReader};
use super::variables::*;

/// The probe's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Ids of the subnets whose limit at Docker Hub the probe reads.
    pub subnets: Vec<String>,
}

impl ProbeSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// Returns every fault, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingFault>> {
        let mut reader = SettingsReader { lookup, faults: Vec::new() };
        let subnets = reader.text(PROBE_SUBNETS);
        let subnets =
            subnets.split(',').map(str::trim).filter(|subnet| !subnet.is_empty()).map(str::to_owned).collect();
        if reader.faults.is_empty() { Ok(Self { subnets }) } else { Err(reader.faults) }
    }
}
