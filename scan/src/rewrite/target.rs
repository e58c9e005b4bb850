//! Where images move to, and the edit that moves one.

use pullsafe::reference::{DOCKER_HUB, ECR_PUBLIC, Reference};
use pullsafe_find::finding::{ChangesToo, Finding, PlaceKind, RegistryPart};

use super::FileEdit;

/// The prefix that ECR's own pull-through cache uses for Docker Hub.
pub const DEFAULT_PREFIX: &str = "docker-hub";

/// The registry that images move to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistry {
    /// `host/prefix`, where there is a registry.
    base: Option<String>,
    /// Where official images go.
    official: Official,
}

/// Where official images of Docker Hub go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Official {
    /// To the registry, as all others.
    AsOthers,
    /// To ECR Public, which has copies of them.
    ToEcrPublic,
}

/// A registry or prefix that references cannot have.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    /// Not a registry's host.
    #[error("`{0}` is not a registry: give a host such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com")]
    Registry(String),
    /// Docker Hub itself.
    #[error("the registry is Docker Hub itself: nothing would be gained")]
    DockerHub,
    /// Not a repository prefix.
    #[error("`{0}` is not a repository prefix: give lower-case letters and digits, such as docker-hub")]
    Prefix(String),
    /// Neither a registry nor ECR Public.
    #[error("nowhere to move to: give --registry, --ecr-public or both")]
    Nowhere,
}

impl NewRegistry {
    /// A target. Without a registry, only official images move, to ECR Public.
    ///
    /// # Errors
    /// The registry or the prefix is malformed, or there is nowhere to move to.
    pub fn new(registry: Option<&str>, prefix: &str, official: Official) -> Result<Self, InvalidTarget> {
        let Some(registry) = registry else {
            return if official == Official::ToEcrPublic {
                Ok(Self { base: None, official })
            } else {
                Err(InvalidTarget::Nowhere)
            };
        };
        let host = registry.trim_end_matches('/');
        let parsed: Reference =
            format!("{host}/image").parse().map_err(|_| InvalidTarget::Registry(registry.to_owned()))?;
        if parsed.is_docker_hub() && (host.contains('.') || host == DOCKER_HUB) {
            return Err(InvalidTarget::DockerHub);
        }
        if parsed.registry() != host.to_ascii_lowercase() {
            return Err(InvalidTarget::Registry(registry.to_owned()));
        }
        let prefix = prefix.trim_matches('/');
        let base = if prefix.is_empty() { host.to_owned() } else { format!("{host}/{prefix}") };
        match format!("{base}/library/image").parse::<Reference>() {
            Ok(_) => Ok(Self { base: Some(base), official }),
            Err(_) => Err(InvalidTarget::Prefix(prefix.to_owned())),
        }
    }

    /// The full reference after the move; `None` where the image does not move.
    pub fn moved(&self, finding: &Finding) -> Option<String> {
        let base = self.base_for(finding)?;
        let rest = finding.reference.strip_prefix(DOCKER_HUB)?;
        Some(format!("{base}{rest}"))
    }

    /// The reference after the move, with the variables that its file writes in it.
    pub(crate) fn moved_as_written(&self, finding: &Finding) -> Option<String> {
        let head = finding.head.as_ref()?;
        let written = finding.written.as_str();
        let name = written
            .split_once('/')
            .filter(|(host, _)| head.host.is_some() && !host.contains('$'))
            .map_or(written, |(_, rest)| rest);
        // Where a variable begins the name, the variable's value moves instead.
        if name.starts_with('$')
            || name.contains(['"', '\\', '\''])
            || head.host.is_some() && name.len() == written.len()
        {
            return None;
        }
        let library = if head.bare { "library/" } else { "" };
        Some(format!("{}/{library}{name}", self.base_for(finding)?))
    }

    fn base_for(&self, finding: &Finding) -> Option<String> {
        if (self.official == Official::ToEcrPublic) && finding.official {
            Some(format!("{ECR_PUBLIC}/docker"))
        } else {
            self.base.clone()
        }
    }

    /// The edits that move a finding, each with its file, and the reference after the move; or why the image stays.
    pub(crate) fn edits(&self, finding: &Finding) -> Result<(Vec<(String, FileEdit)>, String), String> {
        let Some(base) = self.base_for(finding) else {
            return Err("not an official image: ECR Public has no copy of it; give --registry".to_owned());
        };
        let Some(head) = &finding.head else {
            return Err(match finding.variables.first() {
                Some(variable) => format!("`{variable}` decides the repository: set its value instead"),
                None => "the reference is put together from several places".to_owned(),
            });
        };
        let Some(reference) = self.moved(finding) else {
            return Err("the reference is not in its plain form".to_owned());
        };
        let mut edits = edits_at(head, &base);
        match &finding.along {
            ChangesToo::Nothing => {}
            ChangesToo::Texts(texts) => {
                for (file, at, text) in texts {
                    // Text that goes in where the reference begins is put before the registry, in one edit.
                    match edits.iter_mut().find(|(other, edit)| other == file && edit.start == *at) {
                        Some((_, edit)) => edit.text.insert_str(0, text),
                        None => edits.push((file.clone(), FileEdit { start: *at, end: *at, text: text.clone() })),
                    }
                }
            }
            ChangesToo::Stays(why) => return Err((*why).to_owned()),
        }
        if let Some(why) = stays(finding) {
            return Err(why.to_owned());
        }
        Ok((edits, reference))
    }

    /// The edits that move a name along with the image that it stands for.
    pub(super) fn edits_at(&self, head: &RegistryPart, finding: &Finding) -> Vec<(String, FileEdit)> {
        self.base_for(finding).map(|base| edits_at(head, &base)).unwrap_or_default()
    }
}

/// Why an image has to stay whose name means more to its tool than where it is pulled from.
fn stays(finding: &Finding) -> Option<&'static str> {
    let repository = finding.reference.strip_prefix(DOCKER_HUB).unwrap_or_default().trim_start_matches('/');
    let runner = finding.file.contains(".drone") || finding.file.contains(".woodpecker");
    if runner && (repository.starts_with("plugins/") || repository.starts_with("woodpeckerci/")) {
        return Some(
            "the runner gives this plugin privileges and secrets by its name: add the new name to its list first",
        );
    }
    let jvm = [".java", ".kt", ".kts", ".scala", ".groovy"].iter().any(|end| finding.file.ends_with(end));
    (finding.place == PlaceKind::Testcontainers && jvm).then_some(
        "a module checks the name: set TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX, or add \
            asCompatibleSubstituteFor with the old name",
    )
}

fn edits_at(head: &RegistryPart, base: &str) -> Vec<(String, FileEdit)> {
    let library = if head.bare { "library/" } else { "" };
    let before = if head.host.is_some() {
        library.to_owned()
    } else {
        format!("{base}/{library}")
    };
    let host = head
        .host
        .iter()
        .map(|(file, host)| (file.clone(), FileEdit { start: host.start, end: host.end, text: base.to_owned() }));
    let repository = head
        .repository
        .iter()
        .map(|(file, at)| (file.clone(), FileEdit { start: *at, end: *at, text: before.clone() }));
    host.chain(repository).collect()
}
