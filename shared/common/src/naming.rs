//! How the mirror names its repositories: who asks for a copy has to expect it where the mirror puts it.

use crate::reference::{DOCKER_HUB, Reference};

/// What the repositories' names begin with unless the configuration says otherwise.
pub const DEFAULT_PREFIX: &str = "docker-hub";

/// The repository that mirrors another, below the prefix. Images of other registries than Docker Hub have its host in
/// their name.
pub fn mirrored_name(prefix: &str, source: &Reference) -> String {
    let name = if source.registry() == DOCKER_HUB {
        source.repository().to_owned()
    } else {
        format!("{}/{}", source.registry().replace([':', '[', ']'], "-").trim_matches('-'), source.repository())
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}
