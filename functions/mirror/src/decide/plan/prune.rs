//! What is no longer wanted in the mirror, and when it may go.
//!
//! Deleted is only what a complete look at the account found unused: who could not be asked might be using it, so that
//! every caller passes what it did not find out, and nothing goes where something was not. An image goes only if an
//! earlier run found it unwanted too, and for the whole of the grace. What a kept index names, and what is attached to
//! a kept image, is kept with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Memory;
use super::want::{InUse, Want};
use crate::decide::config::{MirrorConfig, PruneRule};
use pullsafe::reference::{Digest, Reference};
use pullsafe::timestamp::Timestamp;

/// An image in a repository of the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredImage {
    /// Its digest.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, as far as ECR has recorded it.
    pub pulled_at: Option<Timestamp>,
    /// Its size.
    pub size_bytes: u64,
    /// What it is attached to: a signature or an SBOM names its image.
    pub subject: Option<Digest>,
    /// The manifests that it names, if it is an index; `None` if that could not be read.
    pub children: Option<Vec<Digest>>,
}

/// A repository of the mirror, as far as it could be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRepository {
    /// Its name.
    pub name: String,
    /// All its images.
    pub images: Vec<MirroredImage>,
    /// Why nothing may be deleted here, where something about it could not be found out.
    pub doubt: Option<String>,
}

/// An image that nothing wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwanted {
    /// Its repository.
    pub repository: String,
    /// Its digest.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its size.
    pub size_bytes: u64,
    /// Since when it has been unwanted.
    pub since: Timestamp,
    /// Whether it goes in this run.
    pub due: bool,
}

/// Where nothing is deleted because something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneDoubt {
    /// The repository; `None` for the whole mirror.
    pub repository: Option<String>,
    /// Why, as a sentence without its full stop.
    pub why: String,
}

/// What goes and what does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunePlan {
    /// What nothing wants, in the order in which it can be deleted: what names others before what it names.
    pub unwanted: Vec<Unwanted>,
    /// Where nothing is deleted, and why.
    pub doubts: Vec<PruneDoubt>,
    /// How many images are kept.
    pub kept: u64,
}

impl PrunePlan {
    /// What goes in this run.
    pub fn due(&self) -> impl Iterator<Item = &Unwanted> {
        self.unwanted.iter().filter(|image| image.due)
    }

    /// What to remember: since when each image has been unwanted, and in how many runs. What was deleted, or is wanted
    /// again, is forgotten; where nothing could be decided, everything stays as it was.
    pub fn remember(&self, memory: &Memory, gone: &HashSet<String>) -> BTreeMap<String, (Timestamp, u32)> {
        let undecided = |key: &str| {
            self.doubts.iter().any(|doubt| {
                doubt
                    .repository
                    .as_ref()
                    .is_none_or(|name| key.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('@')))
            })
        };
        let as_it_was =
            memory.unwanted.iter().filter(|(key, _)| undecided(key)).map(|(key, mark)| (key.clone(), *mark));
        let marked = self.unwanted.iter().map(|image| {
            let key = key(&image.repository, &image.digest);
            let runs = memory.unwanted.get(&key).map_or(0, |(_, runs)| *runs);
            (key, (image.since, runs.saturating_add(1)))
        });
        as_it_was.chain(marked).filter(|(key, _)| !gone.contains(key)).collect()
    }
}

/// What an image is remembered by.
pub fn key(repository: &str, digest: &Digest) -> String {
    format!("{repository}@{digest}")
}

/// Who needs what, as far as it was found out.
#[derive(Debug, Clone, Copy)]
pub struct InDemand<'a> {
    /// What the configuration and ECS want in the mirror.
    pub wants: &'a [Want],
    /// What ECS uses.
    pub used: &'a [InUse],
    /// Why the look at what is in use was not complete, if it was not.
    pub incomplete: Option<&'a str>,
}

/// Decides about every image.
pub fn prune(
    config: &MirrorConfig,
    repositories: &[HeldRepository],
    demand: InDemand<'_>,
    memory: &Memory,
    now: Timestamp,
) -> PrunePlan {
    let mut plan = PrunePlan::default();
    let Some(rule) = &config.prune else { return plan };
    if let Some(why) = demand.incomplete {
        plan.doubts.push(PruneDoubt {
            repository: None,
            why: format!("nothing is deleted, because not everything in use is known: {why}"),
        });
        return plan;
    }
    let needed = Needed::of(config, demand.wants, demand.used);
    for repository in repositories {
        match unwanted_in(rule, repository, &needed, now) {
            Err(why) => {
                let why = format!("nothing is deleted in {}: {why}", repository.name);
                plan.doubts.push(PruneDoubt { repository: Some(repository.name.clone()), why });
            }
            Ok(unwanted) => {
                plan.kept += (repository.images.len() - unwanted.len()) as u64;
                plan.unwanted
                    .extend(unwanted.into_iter().map(|image| mark(rule, &repository.name, image, memory, now)));
            }
        }
    }
    plan
}

fn mark(rule: &PruneRule, repository: &str, image: &MirroredImage, memory: &Memory, now: Timestamp) -> Unwanted {
    let (since, runs) = memory.unwanted.get(&key(repository, &image.digest)).copied().unwrap_or((now, 0));
    let due = runs >= 1 && now.seconds_since(since) >= i64::from(rule.grace_days) * 86_400;
    Unwanted {
        repository: repository.to_owned(),
        digest: image.digest.clone(),
        tags: image.tags.clone(),
        size_bytes: image.size_bytes,
        since,
        due,
    }
}

/// Tags and digests that somebody needs, by repository of the mirror.
struct Needed {
    tags: HashSet<(String, String)>,
    digests: HashSet<Digest>,
}

impl Needed {
    fn of(config: &MirrorConfig, wants: &[Want], used: &[InUse]) -> Self {
        let mut needed = Self { tags: HashSet::new(), digests: HashSet::new() };
        for want in wants {
            needed.add(want.target.repository(), &want.target);
            needed.digests.extend(want.source.digest().cloned());
        }
        for image in used.iter().filter_map(|used| used.image.parse::<Reference>().ok()) {
            // Whoever names Docker Hub may be moved to the mirror at any moment.
            let repository = if image.registry() == config.registry {
                image.repository().to_owned()
            } else {
                config.repository_for(&image)
            };
            needed.add(&repository, &image);
        }
        needed
    }

    fn add(&mut self, repository: &str, image: &Reference) {
        self.digests.extend(image.digest().cloned());
        // A tag beside a digest is kept too: people look for it.
        let tag = image.tag().or_else(|| image.tag_or_latest());
        self.tags.extend(tag.map(|tag| (repository.to_owned(), tag.to_owned())));
    }
}

fn unwanted_in<'a>(
    rule: &PruneRule,
    repository: &'a HeldRepository,
    needed: &Needed,
    now: Timestamp,
) -> Result<Vec<&'a MirroredImage>, String> {
    if let Some(doubt) = &repository.doubt {
        return Err(doubt.clone());
    }
    let images = &repository.images;
    let by_digest: HashMap<&Digest, &MirroredImage> = images.iter().map(|image| (&image.digest, image)).collect();
    let newest = newest(images, rule.keep_newest);
    let young = |at: Option<Timestamp>| {
        at.is_some_and(|at| now.seconds_since(at) < i64::from(rule.keep_pulled_within_days) * 86_400)
    };
    let wanted = |image: &MirroredImage| {
        needed.digests.contains(&image.digest)
            || newest.contains(&image.digest)
            || young(image.pulled_at)
            || image.tags.iter().any(|tag| {
                needed.tags.contains(&(repository.name.clone(), tag.clone()))
                    || rule.keep_tags.iter().any(|glob| glob.matches(tag))
            })
    };
    let mut kept: HashSet<&Digest> = HashSet::new();
    let mut open: Vec<&MirroredImage> = images.iter().filter(|image| wanted(image)).collect();
    loop {
        while let Some(image) = open.pop() {
            if kept.insert(&image.digest) {
                let children = image
                    .children
                    .as_ref()
                    .ok_or_else(|| format!("what the index {} names could not be read", image.digest))?;
                open.extend(children.iter().filter_map(|child| by_digest.get(child).copied()));
            }
        }
        // Signatures and the like follow what they are about.
        open.extend(images.iter().filter(|image| !kept.contains(&image.digest) && follows(image, &kept)));
        if open.is_empty() {
            break;
        }
    }
    let mut unwanted: Vec<&MirroredImage> = images.iter().filter(|image| !kept.contains(&image.digest)).collect();
    // ECR deletes nothing that an index names, so indexes go before what they name.
    let depth = |image: &MirroredImage| {
        u8::from(images.iter().any(|parent| parent.children.iter().flatten().any(|child| *child == image.digest)))
    };
    unwanted.sort_by_key(|image| (depth(image), image.pushed_at, image.digest.clone()));
    Ok(unwanted)
}

fn follows(image: &MirroredImage, kept: &HashSet<&Digest>) -> bool {
    let by_subject = image.subject.as_ref().is_some_and(|subject| kept.contains(subject));
    // cosign names what it signs in the tag: sha256-<hex>.sig.
    let by_tag = image
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("sha256-")?.get(..64))
        .any(|hex| format!("sha256:{hex}").parse::<Digest>().is_ok_and(|digest| kept.contains(&digest)));
    by_subject || by_tag
}

/// The digests of the tagged images that were pushed last.
fn newest(images: &[MirroredImage], count: u32) -> HashSet<Digest> {
    let mut tagged: Vec<&MirroredImage> = images.iter().filter(|image| !image.tags.is_empty()).collect();
    tagged.sort_by_key(|image| (std::cmp::Reverse(image.pushed_at), image.digest.clone()));
    tagged
        .into_iter()
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .map(|image| image.digest.clone())
        .collect()
}
