//! What is mirrored: the configuration, the selection of tags, the plan, and what is no longer wanted.
//!
//! Pure, as everything in the domain: what registries and ECS say comes in as values, and the plan goes out as one.

pub mod config;
pub mod plan;

#[cfg(test)]
mod tests;

pub use config::keys::{ConfigKey, KEYS, ValueKind, table};
pub use config::read::ConfigFault;
pub use config::schema::schema;
pub use config::version::{Range, Version};
pub use config::{
    By, DEFAULT_PREFIX, ImageRule, ImageSelection, LARGEST_CONFIG, ListedImage, MirrorConfig, PruneRule, TagRule,
};
pub use plan::select::{Chosen, Selected, select};
pub use plan::unfinished::Unfinished;
pub use plan::want::{InUse, Want, Wants};
pub use pullsafe::glob::Glob;
pub use pullsafe::repository::RepositorySettings;
pub use pullsafe::tags::TagFacts;
