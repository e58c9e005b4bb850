//! What is mirrored: the configuration, the selection of tags, the plan, and what is no longer wanted.
//!
//! Pure, as everything in the domain: what registries and ECS say comes in as values, and the plan goes out as one.

mod config;
mod glob;
mod keys;
mod naming;
mod parse;
pub mod plan;
pub mod prune;
mod read;
mod schema;
mod select;
pub mod text;
mod unfinished;
mod version;
mod want;

#[cfg(test)]
mod tests;

pub use config::{
    By, DEFAULT_PREFIX, ImageRule, LARGEST_CONFIG, Listed, MirrorConfig, PruneRule, RepositorySettings, TagRule, TagSelection,
};
pub use glob::Glob;
pub use keys::{KEYS, Key, Kind, table};
pub use naming::mirrored_name;
pub use read::ConfigFault;
pub use schema::schema;
pub use select::{Chosen, Selected, TagFacts, select};
pub use unfinished::Unfinished;
pub use version::{Range, Version};
pub use want::{InUse, Want, Wants};
