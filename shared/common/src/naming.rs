//! How the mirror names its repositories. Whoever asks for a copy finds it by the same names.

use crate::reference::{DOCKER_HUB, Reference};
use crate::settings::MirrorLocation;

/// What the repositories' names begin with unless the configuration says otherwise.
pub const DEFAULT_PREFIX: &str = "docker-hub";

/// The name of the repository in which the mirror keeps copies of `source`, with the prefix. For registries other than
/// Docker Hub, the registry's host is a part of the name.
pub fn mirrored_name(prefix: &str, source: &Reference) -> String {
    let name = if source.registry() == DOCKER_HUB {
        source.repository().to_owned()
    } else {
        format!("{}/{}", source.registry().replace([':', '[', ']'], "-").trim_matches('-'), source.repository())
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// The Docker Hub image that `copy` is a copy of, by its name in the mirror. `None` without a prefix: a copy could not
/// be told from another image of the registry.
pub fn docker_hub_source(mirror: &MirrorLocation, copy: &Reference) -> Option<Reference> {
    let name = copy.repository().strip_prefix(&mirror.prefix)?.strip_prefix('/')?;
    // A name that begins with a host is a copy from another registry. Names of Docker Hub have no dot in their first
    // part.
    let of_docker_hub = name.split_once('/').is_some_and(|(first, _)| !first.contains('.'));
    (copy.registry() == mirror.registry && of_docker_hub && !mirror.prefix.is_empty())
        .then(|| copy.moved_to(DOCKER_HUB, name).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_traced_to_docker_hub_by_its_name() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (prefix, copy, source) in [
            (
                "docker-hub",
                "registry.example/docker-hub/library/python:3.11",
                Some("docker.io/library/python:3.11"),
            ),
            ("a/b", "registry.example/a/b/acme/app/web:1", Some("docker.io/acme/app/web:1")),
            (
                "docker-hub",
                &format!("registry.example/docker-hub/library/python@{digest}"),
                Some(&*format!("docker.io/library/python@{digest}")),
            ),
            ("docker-hub", "registry.example/docker-hub/ghcr.io/acme/app:1", None),
            ("docker-hub", "registry.example/docker-hub-2/library/python:3.11", None),
            ("docker-hub", "registry.example/docker-hub/python:3.11", None),
            ("docker-hub", "registry.example/app:1", None),
            ("docker-hub", "other.example/docker-hub/library/python:3.11", None),
            ("", "registry.example/library/python:3.11", None),
        ] {
            let mirror = MirrorLocation {
                registry: "registry.example".to_owned(),
                prefix: prefix.to_owned(),
            };
            let found = docker_hub_source(&mirror, &copy.parse().unwrap()).map(|found| found.to_string());
            assert_eq!(found.as_deref(), source, "{copy}");
        }
    }
}
