//! How a repository of the mirror is made.

use std::collections::BTreeMap;

use crate::reference::{DOCKER_HUB, Reference};

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

/// The repository that mirrors another, below a prefix that may be empty. Images of other registries than Docker Hub have its host in
/// their name.
pub fn repository_below(prefix: &str, source: &Reference) -> String {
    let name = if source.registry() == DOCKER_HUB {
        source.repository().to_owned()
    } else {
        format!("{}/{}", source.registry().replace([':', '[', ']'], "-").trim_matches('-'), source.repository())
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}
