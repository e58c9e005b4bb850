//! How a repository of the mirror is made.

use std::collections::BTreeMap;

/// How repositories are created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Whether tags cannot be overwritten.
    pub immutable: bool,
    /// Whether images are scanned when they arrive.
    pub scan_on_push: bool,
    /// How many tagged images ECR's lifecycle policy keeps.
    pub lifecycle_keep: Option<u32>,
    /// AWS tags.
    pub tags: BTreeMap<String, String>,
}
