//! What is wanted in the mirror, from the configuration and from what runs in ECS: each image once, with every reason
//! for it.

use std::collections::{BTreeMap, BTreeSet};

use super::select::Chosen;
use crate::decide::config::{ImageRule, ImageSelection, MirrorConfig};
use pullsafe::manifest::Platform;
use pullsafe::reference::Reference;

/// An image that is wanted in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What is copied.
    pub source: Reference,
    /// Where to: a tag, or a digest.
    pub target: Reference,
    /// Only these platforms; empty for all.
    pub platforms: Vec<Platform>,
    /// Why, in words for a person.
    pub why: Vec<String>,
    /// The ECS services that run it.
    pub used_by: Vec<String>,
}

/// An image that something in ECS uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InUse {
    /// The image as the task definition writes it.
    pub image: String,
    /// By what: `cluster/service`.
    pub by: String,
}

/// What is wanted, collected.
#[derive(Debug, Default)]
pub struct Wants {
    by_target: BTreeMap<String, Want>,
    /// Those that the configuration names: their platforms are its business, whatever else runs them.
    configured: BTreeSet<String>,
    /// What a person should know: images that contradict each other, or that cannot be read.
    pub warnings: Vec<String>,
}

impl Wants {
    /// Adds what an entry of the configuration lists, or what its rule has selected.
    pub fn add_rule(&mut self, config: &MirrorConfig, rule: &ImageRule, chosen: &[Chosen]) {
        match &rule.tags {
            ImageSelection::Listed(images) => {
                for image in images {
                    let named = Reference::new(
                        rule.source.registry(),
                        rule.source.repository(),
                        image.tag.as_deref(),
                        image.digest.clone(),
                    );
                    let Ok(source) = named else { continue };
                    self.add(config, source, &rule.platforms, format!("line {}: listed", rule.line), None);
                }
            }
            ImageSelection::Rule(_) => {
                for one in chosen {
                    let Ok(source) =
                        Reference::new(rule.source.registry(), rule.source.repository(), Some(&one.tag), None)
                    else {
                        continue;
                    };
                    self.add(config, source, &rule.platforms, format!("line {}: {}", rule.line, one.why), None);
                }
            }
        }
    }

    /// Adds what runs in ECS: images of Docker Hub, and those that come from the mirror already, which are to stay
    /// current.
    pub fn add_in_use(&mut self, config: &MirrorConfig, used: &[InUse]) {
        for one in used {
            let Ok(image) = one.image.parse::<Reference>() else {
                continue;
            };
            let (source, why) = if image.is_docker_hub() {
                (image, format!("ECS: {} runs it", one.by))
            } else if let Some(source) = origin(config, &image) {
                (source, format!("ECS: {} runs it from the mirror", one.by))
            } else {
                continue;
            };
            // What is pinned is pulled by its digest, whatever its tag means today.
            let source = match source.digest() {
                Some(digest) => source.at_digest(digest.clone()),
                None => source,
            };
            self.add(config, source, &[], why, Some(&one.by));
        }
    }

    /// Everything, in the order of the targets' names.
    pub fn into_list(self) -> Vec<Want> {
        self.by_target.into_values().collect()
    }

    fn add(
        &mut self,
        config: &MirrorConfig,
        source: Reference,
        platforms: &[Platform],
        why: String,
        used_by: Option<&str>,
    ) {
        let tag = source.tag().or(if source.digest().is_none() { Some("latest") } else { None });
        let digest = if tag.is_some() { None } else { source.digest().cloned() };
        let Ok(target) = Reference::new(&config.registry, &config.repository_for(&source), tag, digest) else {
            self.warnings.push(format!("{source} cannot be stored: its repository's name would not be valid"));
            return;
        };
        let key = target.to_string();
        let by_rule = used_by.is_none();
        let was_configured = self.configured.contains(&key);
        if by_rule {
            self.configured.insert(key.clone());
        }
        if let Some(known) = self.by_target.get_mut(&key) {
            if known.source.digest() != source.digest() {
                let pinned = if known.source.digest().is_some() { &known.source } else { &source };
                self.warnings
                    .push(format!("{target} is wanted both as its tag moves and pinned; it is pinned to {pinned}"));
                known.source = pinned.clone();
            }
            match (was_configured, by_rule) {
                // Whoever may start a service chooses no platforms.
                (true, false) => {}
                (false, true) => known.platforms = platforms.to_vec(),
                // Of equals, whoever wants all platforms wins.
                _ if known.platforms.is_empty() || platforms.is_empty() => known.platforms.clear(),
                _ => {
                    let more: Vec<_> =
                        platforms.iter().filter(|platform| !known.platforms.contains(platform)).cloned().collect();
                    known.platforms.extend(more);
                }
            }
            if !known.why.contains(&why) {
                known.why.push(why);
            }
            known
                .used_by
                .extend(used_by.filter(|by| !known.used_by.iter().any(|other| other == by)).map(str::to_owned));
            return;
        }
        let used_by = used_by.into_iter().map(str::to_owned).collect();
        self.by_target.insert(
            key,
            Want {
                source,
                target,
                platforms: platforms.to_vec(),
                why: vec![why],
                used_by,
            },
        );
    }
}

/// The image of Docker Hub that an image of the mirror is a copy of.
pub(crate) fn origin(config: &MirrorConfig, image: &Reference) -> Option<Reference> {
    let name = image.repository();
    let name = if config.prefix.is_empty() {
        name
    } else {
        name.strip_prefix(&config.prefix)?.strip_prefix('/')?
    };
    // Docker Hub's names have two parts, and the first is no host.
    let mut parts = name.split('/');
    let namespace = parts.next().filter(|first| !first.contains('.'))?;
    (image.registry() == config.registry && parts.count() == 1 && !namespace.is_empty())
        .then(|| image.moved_to("docker.io", name).ok())
        .flatten()
}
