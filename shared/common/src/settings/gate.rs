//! The settings of the image gate.

use super::read::{SettingFault, SettingsReader};
use super::values::MirrorLocation;
use super::variables::*;

/// The configuration of the image gate and its waker, read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateSettings {
    /// The table in which requests are parked.
    pub table: String,
    /// URL of the mirror's job queue; without it, the mirror is not asked for a `Source`.
    pub mirror_queue_url: Option<String>,
    /// Where the mirror puts its copies.
    pub mirror: Option<MirrorLocation>,
    /// The mirror's log group.
    pub mirror_log_group: Option<String>,
    /// URL of the gate's own queue.
    pub queue_url: Option<String>,
    /// Whether answers may go to this machine.
    pub allow_local_response_url: bool,
}

impl GateSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// Returns every fault, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingFault>> {
        let mut reader = SettingsReader { lookup, faults: Vec::new() };
        let prefix = reader.text(MIRROR_PREFIX).trim_matches('/').to_owned();
        let settings = Self {
            table: reader.text(TABLE),
            mirror_queue_url: reader.queue(MIRROR_QUEUE),
            mirror: reader.optional(MIRROR_REGISTRY).map(|registry| MirrorLocation { registry, prefix }),
            mirror_log_group: reader.optional(MIRROR_LOG),
            queue_url: reader.queue(GATE_QUEUE),
            allow_local_response_url: reader.flag(ALLOW_LOCAL_RESPONSE_URL),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}
