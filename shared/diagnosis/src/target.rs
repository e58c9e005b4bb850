//! Finds which image a text is about, and which registry it comes from.
//!
//! The image's host decides before any word of the message: a proxy repeats Docker Hub's messages, and a message about
//! ECR's API does not make an image of Docker Hub one of ECR.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::registries;
use pullsafe::reference::{Reference, Registry};
use pullsafe_events::stopped_task::Container;

/// What a text is about.
#[derive(Debug, Clone, Default)]
pub(super) struct TextSubject {
    /// The image, from the task if possible, else as the text writes it.
    pub(super) image: Option<String>,
    /// The registry; `None` if nothing tells it.
    pub(super) registry: Option<Registry>,
    /// The container that has the image.
    pub(super) container: Option<String>,
    /// The registry whose host the text itself names; a cut text may name none.
    pub(super) text_registry: Option<Registry>,
    /// The task's only container with an image of Docker Hub, and that image: a text about Docker Hub is about it.
    pub(super) hub: Option<(String, String)>,
}

/// The target of a text that belongs to one container, or to no task at all.
pub(super) fn of_container(text: &str, image: Option<&str>, container: Option<&str>) -> TextSubject {
    let text_registry = registry_in(text);
    let image = image.filter(|image| !image.is_empty());
    TextSubject {
        registry: image.and_then(registry_of).or(text_registry),
        image: image.map(str::to_owned).or_else(|| image_in(text).map(str::to_owned)),
        container: container.map(str::to_owned),
        text_registry,
        hub: None,
    }
}

/// The target of a text about a whole task: the container that the text names, or the task's only one.
pub(super) fn of_task(text: &str, containers: &[Container]) -> TextSubject {
    let pulled: Vec<(&Container, &str)> = containers
        .iter()
        .filter(|container| !container.is_injected())
        .filter_map(|container| Some((container, container.image.as_deref()?)))
        .collect();
    if let [only] = pulled.as_slice()
        && containers.iter().filter(|container| !container.is_injected()).count() == 1
    {
        return of_container(text, Some(only.1), Some(&only.0.name));
    }
    let mut named = pulled.iter().filter(|(_, image)| names(text, image));
    if let (Some((container, image)), None) = (named.next(), named.next()) {
        return of_container(text, Some(image), Some(&container.name));
    }
    let mut target = of_container(text, None, None);
    if let [single] = containers {
        target.container = Some(single.name.clone()).filter(|name| !name.is_empty());
    }
    let mut registries = pulled.iter().map(|(_, image)| registry_of(image).unwrap_or(Registry::Other));
    if target.registry.is_none()
        && let Some(first) = registries.next()
    {
        let (mut same, mut hub) = (true, first == Registry::DockerHub);
        for registry in registries {
            same &= registry == first;
            hub |= registry == Registry::DockerHub;
        }
        // Several registries, none of them Docker Hub: then at least that is known.
        target.registry = if same {
            Some(first)
        } else if hub {
            None
        } else {
            Some(Registry::Other)
        };
    }
    let mut of_hub = pulled.iter().filter(|(_, image)| registry_of(image) == Some(Registry::DockerHub));
    if let (Some((container, image)), None) = (of_hub.next(), of_hub.next()) {
        target.hub = Some((container.name.clone(), (*image).to_owned()));
    }
    target
}

/// The registry that an image comes from, by its host. It tolerates masked and malformed references.
pub(super) fn registry_of(image: &str) -> Option<Registry> {
    if let Ok(reference) = image.parse::<Reference>() {
        // Docker Hub has only `namespace/name`: a longer path without a host is a path in some proxy.
        if reference.is_docker_hub() && reference.repository().matches('/').count() > 1 {
            return Some(Registry::Proxy);
        }
        return Some(of_host(reference.registry()));
    }
    let name = image.split('@').next().unwrap_or_default();
    match name.split_once('/') {
        Some((host, _)) if host.contains('.') || host.contains(':') || host.eq_ignore_ascii_case("localhost") => {
            Some(of_host(host))
        }
        Some((first, rest)) if !rest.contains('/') && !first.contains(['*', '<', '$', '{']) => {
            Some(Registry::DockerHub)
        }
        Some(_) => registry_in(image),
        None if name.is_empty() || name.contains(['<', '$', '*', ' ']) => None,
        None => Some(Registry::DockerHub),
    }
}

/// Does as `Registry::of_host`, and also recognises ECR hosts whose account number somebody masked.
pub(super) fn of_host(host: &str) -> Registry {
    let by_name = Registry::of_host(host);
    let known = if by_name == Registry::Other {
        registries::of_host(host).map_or(by_name, |row| row.registry)
    } else {
        by_name
    };
    let lower = host.to_ascii_lowercase();
    if known == Registry::Other && (lower.contains(".dkr.ecr") || lower.contains(".dkr-ecr")) {
        Registry::EcrPrivate
    } else {
        known
    }
}

/// Phrases that a message has right before its image.
const BEFORE_IMAGE: &[&str] = &[
    "failed to resolve ref ",
    "failed to resolve reference ",
    "pull and unpack image ",
    "pull access denied for ",
    "manifest for ",
    "Failed to pull image ",
    "inspect failed for ",
    "in repository ",
    "error pulling image ",
    "unable to pull image ",
    "load metadata for ",
    "failed to solve: ",
    "can't pull the image ",
    "cannot pull ",
    "repository ",
];

/// Finds all of these phrases in one pass. Building it can fail only for lists of gigabytes.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(BEFORE_IMAGE).ok());

/// Returns the image that a message names, without quotes and the punctuation after it.
pub(super) fn image_in(text: &str) -> Option<&str> {
    let mut ends = [None; BEFORE_IMAGE.len()];
    for hit in FINDER.as_ref()?.find_overlapping_iter(text) {
        ends.get_mut(hit.pattern().as_usize())?.get_or_insert(hit.end());
    }
    ends.into_iter().flatten().find_map(|end| {
        let rest = text.get(end..)?;
        let rest = rest.trim_start_matches(['"', '\'', '`', '\\']);
        let end = rest.find(['"', '\'', '`', ' ', ',', '\\']).unwrap_or(rest.len());
        let image = rest.get(..end)?.trim_end_matches([':', '.', ';']);
        looks_like_an_image(image).then_some(image)
    })
}

fn looks_like_an_image(word: &str) -> bool {
    word.len() > 2
        && word.contains(['/', ':', '.'])
        && !word.contains("://")
        && !word.contains("(")
        && word.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Whether a text names an image, either as written or in the path of a registry URL.
fn names(text: &str, image: &str) -> bool {
    if text.contains(image) {
        return true;
    }
    image.parse::<Reference>().is_ok_and(|reference| {
        let repository = reference.repository();
        text.contains(&format!("/v2/{repository}/")) || text.contains(&format!("{}/{repository}", reference.registry()))
    })
}

/// The registry whose host appears in a text.
pub(super) fn registry_in(text: &str) -> Option<Registry> {
    let lower: Cow<'_, str> = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    // Artifactory reports what its remote said, with the remote's address.
    if lower.contains("(remote response") {
        return Some(Registry::Proxy);
    }
    if lower.contains("starport-layer-bucket") || lower.contains("redacted ecr url") {
        return Some(Registry::EcrPrivate);
    }
    let named = image_in(&lower).or_else(|| url_host(&lower)).map(|text| text.split('/').next().unwrap_or_default());
    if let Some(host) = named.filter(|host| host.contains('.') || host.contains(':'))
        && text_has_path(&lower, host)
    {
        return Some(of_host(host));
    }
    if let Some(host) = url_host(&lower) {
        return Some(of_host(host));
    }
    if lower.contains("public.ecr.aws") {
        return Some(Registry::EcrPublic);
    }
    if lower.contains(".dkr.ecr") || lower.contains(".dkr-ecr") {
        return Some(Registry::EcrPrivate);
    }
    if lower.contains("registry-1.docker.io") || lower.contains("docker.io/") {
        return Some(Registry::DockerHub);
    }
    None
}

/// Whether a `/` follows `host` somewhere: then it is a host, and not the name of an image with a dot.
fn text_has_path(text: &str, host: &str) -> bool {
    text.match_indices(host).any(|(at, _)| text.as_bytes().get(at + host.len()) == Some(&b'/'))
}

/// The host of the first URL that is a registry's address and not a page about it.
fn url_host(text: &str) -> Option<&str> {
    text.match_indices("://").find_map(|(at, _)| {
        // podman writes `docker://python:3.11`, which is not an address.
        let scheme = text.get(..at)?;
        if !scheme.ends_with("http") && !scheme.ends_with("https") {
            return None;
        }
        let rest = text.get(at + 3..)?;
        let host = rest.split(['/', '"', '\'', ' ', '?', ')', '\\']).next()?;
        let whole = rest.len() > host.len();
        (whole
            && host.contains('.')
            && !host.starts_with("www.")
            && !host.starts_with("docs.")
            && !host.starts_with("errors."))
        .then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_decides_and_masked_hosts_are_known() {
        for (image, registry) in [
            ("redis:7", Some(Registry::DockerHub)),
            ("acme/api", Some(Registry::DockerHub)),
            ("docker-remote/library/redmine", Some(Registry::Proxy)),
            ("***.dkr.ecr.us-east-1.amazonaws.com/app:1", Some(Registry::EcrPrivate)),
            ("<account-id>.dkr.ecr.eu-west-3.amazonaws.com/app", Some(Registry::EcrPrivate)),
            ("ACCOUNT_ID.dkr.ecr.us-east-1.amazonaws.com/backend:latest", Some(Registry::EcrPrivate)),
            ("GHCR.IO/A/B:1", Some(Registry::Ghcr)),
            ("", None),
        ] {
            assert_eq!(registry_of(image), registry, "{image}");
        }
    }

    #[test]
    fn finds_image_and_registry_in_messages() {
        for (text, image, registry) in [
            (
                "failed to resolve ref docker.io/library/nginx:latest: failed to do request",
                Some("docker.io/library/nginx:latest"),
                Some(Registry::DockerHub),
            ),
            (
                "unexpected status code https://registry-1.docker.io/v2/library/rust/manifests/1: 429",
                None,
                Some(Registry::DockerHub),
            ),
            (
                "toomanyrequests: You have reached your pull rate limit. https://www.docker.com/increase-rate-limit",
                None,
                None,
            ),
            ("failed to resolve ref \"xxxxx.xxx\": unexpected status code", Some("xxxxx.xxx"), None),
            (
                "Error fetching https://registry-1.docker.io/v2/a (remote response: 429: Too Many Requests)",
                None,
                Some(Registry::Proxy),
            ),
            (
                "Post \"https://api.ecr.us-east-1.amazonaws.com/\": i/o timeout",
                None,
                Some(Registry::EcrPrivateApi),
            ),
        ] {
            assert_eq!((image_in(text), registry_in(text)), (image, registry), "{text}");
        }
    }
}
