//! The settings of the mirror.

use super::read::{SettingFault, SettingsReader};
use super::values::MessageFormat;
use super::variables::*;

/// The mirror's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSettings {
    /// The table with its memory and leases.
    pub table: Option<String>,
    /// The topic for people.
    pub topic_arn: Option<String>,
    /// URL of the mirror's own queue for requested copies. With it, a message that failed is made visible again before
    /// its visibility timeout is over.
    pub queue_url: Option<String>,
    /// URL of the mirror's own queue for planned copies.
    pub plan_queue_url: Option<String>,
    /// The event bus that pullsafe's events go to.
    pub event_bus: String,
    /// The registry that the function may write to.
    pub registry: Option<String>,
    /// First part of the repository names that the function may write to.
    pub prefix: String,
    /// The parameter with the configuration.
    pub config_parameter: Option<String>,
    /// The secret with Docker Hub's credentials.
    pub hub_secret: Option<String>,
    /// How messages for people are written.
    pub format: MessageFormat,
}

impl Default for MirrorSettings {
    /// Only copies on request, with anonymous pulls from Docker Hub.
    fn default() -> Self {
        Self {
            table: None,
            topic_arn: None,
            queue_url: None,
            plan_queue_url: None,
            event_bus: "default".to_owned(),
            registry: None,
            prefix: "docker-hub".to_owned(),
            config_parameter: None,
            hub_secret: None,
            format: MessageFormat::Text,
        }
    }
}

impl MirrorSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// Returns every fault, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingFault>> {
        let mut reader = SettingsReader { lookup, faults: Vec::new() };
        let settings = Self {
            table: reader.optional(TABLE),
            topic_arn: reader.optional(TOPIC),
            queue_url: reader.optional(MIRROR_QUEUE),
            plan_queue_url: reader.optional(MIRROR_PLAN_QUEUE),
            event_bus: reader.text(EVENT_BUS),
            registry: reader.optional(MIRROR_REGISTRY),
            prefix: reader.text(MIRROR_PREFIX).trim_matches('/').to_owned(),
            config_parameter: reader.optional(MIRROR_CONFIG),
            hub_secret: reader.optional(HUB_SECRET),
            format: reader.format(),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}
