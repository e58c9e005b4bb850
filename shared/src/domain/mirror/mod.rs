//! What is mirrored: the configuration, the selection of tags, the plan, and what is no longer wanted.
//!
//! Pure, as everything in the domain: what registries and ECS say comes in as values, and the plan goes out as one.

mod config;
mod glob;
mod keys;
mod parse;
mod read;
mod version;
mod yaml;

#[cfg(test)]
mod tests;

pub use config::{
    By, DEFAULT_PREFIX, ImageRule, LARGEST_CONFIG, Listed, MirrorConfig, PruneRule, RepositorySettings, TagRule, TagSelection,
};
pub use glob::Glob;
pub use keys::{KEYS, Key, table};
pub use read::ConfigFault;
pub use version::{Range, Version};
pub use yaml::Position;
