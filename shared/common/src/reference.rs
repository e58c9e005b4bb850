//! Image references: `registry/repository:tag@digest`, as Docker and ECS read them.
//!
//! Parsing fills in what a short reference leaves out (`python` is `docker.io/library/python`), and the parsed
//! form can be moved to another registry without touching the tag or the digest that its author wrote.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::digest::Digest;
pub use crate::ecr::{EcrHost, ecr_host};
pub use crate::host::{Limit, ROWS, Registry, RegistryRow, RequestKind, TooManyRequests, pull_quota, row_of};
pub use crate::internet::{HostKind, is_loopback, is_public, kind_of_address, kind_of_host};
pub use crate::invalid::InvalidReference;
pub use crate::region::{InvalidRegion, Partition, Region};

/// Docker Hub's name in references. Its API answers at `registry-1.docker.io`.
pub const DOCKER_HUB: &str = "docker.io";
/// Amazon ECR Public's host.
pub const ECR_PUBLIC: &str = "public.ecr.aws";

/// An image reference in which everything that a short form leaves out is filled in.
///
/// `Display` gives the full form, which parses back to the same value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// A reference from its parts.
    ///
    /// # Errors
    /// As for parsing: every part must be well-formed.
    pub fn new(
        registry: &str,
        repository: &str,
        tag: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<Self, InvalidReference> {
        let mut text = format!("{registry}/{repository}");
        if let Some(tag) = tag {
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = digest {
            text = format!("{text}@{digest}");
        }
        text.parse()
    }

    /// The registry's host, with a port if one was written; `docker.io` for Docker Hub under any of its names.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within its registry; on Docker Hub always with its namespace (`library/python`).
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as written. A reference without tag and digest means `latest`: see [`Self::tag_or_latest`].
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The tag that a pull would ask for, or `None` where the digest decides.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (_, Some(_)) => None,
            (Some(tag), None) => Some(tag),
            (None, None) => Some("latest"),
        }
    }

    /// The digest as written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a request for the manifest names: the digest if there is one, else the tag, else `latest`.
    pub fn tag_or_digest(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }

    /// Which registry this is, by its host.
    pub fn kind(&self) -> Registry {
        Registry::of_host(&self.registry)
    }

    /// Whether a pull of this goes to Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        self.registry == DOCKER_HUB
    }

    /// Whether this is a Docker Official Image, which Docker also publishes at `public.ecr.aws/docker/library`.
    pub fn is_official(&self) -> bool {
        self.is_docker_hub() && self.repository.starts_with("library/")
    }

    /// The same official image at another registry; `None` if this is not an official image, or that registry does not
    /// publish them.
    pub fn official_at(&self, registry: &str) -> Option<Self> {
        let place = row_of(registry).official.filter(|_| self.is_official())?;
        self.moved_to(registry, &format!("{place}{}", self.repository)).ok()
    }

    /// The same tag and digest in another repository: only the registry and the repository change.
    ///
    /// # Errors
    /// The registry or the repository is malformed.
    pub fn moved_to(&self, registry: &str, repository: &str) -> Result<Self, InvalidReference> {
        Self::new(registry, repository, self.tag(), self.digest.clone())
    }

    /// The same name with this digest: the tag is for people to read, the digest is what is pulled.
    pub fn pinned_to(&self, digest: Digest) -> Self {
        let tag = self.tag.clone().or_else(|| self.tag_or_latest().map(str::to_owned));
        Self { tag, digest: Some(digest), ..self.clone() }
    }

    /// The same repository at this digest, without its tag.
    pub fn at_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Reads a reference by the grammar of `distribution/reference`, which Docker, containerd and ECS share.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let fail = |why| Err(InvalidReference::new(text, why));
        if text.is_empty() {
            return fail("it is empty");
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse::<Digest>().map_err(|error| InvalidReference::new(text, error.why))?))
            }
            None => (text, None),
        };
        let (host, remainder) = split_host(rest);
        let (path, tag) = match remainder.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (remainder, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return fail("a tag is 1 to 128 letters, digits, `_`, `.` or `-`, and starts with none of the last two");
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return fail("a repository must be lower case");
        }
        if path.is_empty() || !path.split('/').all(is_path_component) {
            return fail("a repository is lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`");
        }
        let registry = match host {
            None => DOCKER_HUB.to_owned(),
            Some(host) => match host.to_ascii_lowercase().as_str() {
                "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
                    DOCKER_HUB.to_owned()
                }
                // Docker takes this part for a host only because of its capitals, so they stay: in lower case it would
                // be a part of the repository.
                low if split_host(&format!("{low}/")).0.is_none() && is_host(host) => host.to_owned(),
                host if is_host(host) => host.to_owned(),
                _ => return fail("the registry's host is malformed"),
            },
        };
        let repository = if registry == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        // The full name counts, with the `library/` that a short name leaves out.
        if repository.len() > 255 {
            return fail("a repository is at most 255 characters long");
        }
        Ok(Self { registry, repository, tag: tag.map(str::to_owned), digest })
    }
}

/// The first component is a host if it could not be a repository's: it has a dot, a port or capitals, or is
/// `localhost`.
fn split_host(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, text),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, after)) => {
                let valid = address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
                return valid && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok()
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// `[a-z0-9]+` runs joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    alphanumeric(first)
        && alphanumeric(last)
        && bytes
            .split(|&byte| alphanumeric(byte))
            .all(|between| matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|&byte| byte == b'-'))
}

/// Where Docker publishes the same official image at ECR Public; `None` for all other images.
pub fn in_ecr_public(image: &Reference) -> Option<Reference> {
    image.official_at(ECR_PUBLIC)
}

#[cfg(test)]
mod tests;
