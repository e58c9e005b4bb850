//! The mirror's configuration: YAML in, and either everything that it says or every fault in it, each with its line.

use pullsafe::repository::RepositorySettings;

use pullsafe::glob::Glob;

use self::read::ConfigFault;
use self::version::Range;
use pullsafe::manifest::Platform;
pub use pullsafe::naming::DEFAULT_PREFIX;
use pullsafe::naming::mirrored_name;
use pullsafe::reference::{Digest, Reference};

/// Longer than any configuration that a person keeps.
pub const LARGEST_CONFIG: usize = 256 * 1024;

/// What is mirrored, where to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorConfig {
    /// The registry that the copies go to.
    pub registry: String,
    /// First part of the repositories' names; may be empty.
    pub prefix: String,
    /// Whether the images of the ECS services are mirrored too.
    pub discover_ecs: bool,
    /// What is mirrored, in the order in which it was written.
    pub images: Vec<ImageRule>,
    /// Whether what refers to an image (signatures, attestations, SBOMs) is copied with it.
    pub referrers: bool,
    /// How repositories are created.
    pub repositories: RepositorySettings,
    /// What is deleted; `None` if the configuration does not say a word about it.
    pub prune: Option<PruneRule>,
}

/// An entry of `images`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRule {
    /// The repository, without tag and digest.
    pub source: Reference,
    /// Which of its images.
    pub tags: ImageSelection,
    /// Only these platforms; empty for all.
    pub platforms: Vec<Platform>,
    /// Where the entry stands.
    pub line: usize,
}

/// Which images of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSelection {
    /// These.
    Listed(Vec<ListedImage>),
    /// Those that a rule selects among the tags there are.
    Rule(TagRule),
}

/// One image by name: a tag, a digest, or a tag that is to have one digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListedImage {
    /// The tag; `None` for an image that is kept by its digest alone.
    pub tag: Option<String>,
    /// The digest that the tag is pinned to.
    pub digest: Option<Digest>,
}

/// Which tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// The range of versions.
    pub semver: Option<Range>,
    /// Patterns of which one has to match; empty for any tag.
    pub include: Vec<Glob>,
    /// Patterns of which none may match.
    pub exclude: Vec<Glob>,
    /// How many at most.
    pub newest: Option<u32>,
    /// What makes a tag newer.
    pub by: By,
    /// How old a tag may be.
    pub max_age_days: Option<u32>,
    /// Whether prereleases count.
    pub prereleases: bool,
}

/// What makes a tag newer than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The version in it.
    Version,
    /// When it was pushed.
    PushTime,
}

/// What is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRule {
    /// Whether anything is deleted at all.
    pub enabled: bool,
    /// For how long an image has to be unwanted.
    pub grace_days: u32,
    /// Tags that are kept.
    pub keep_tags: Vec<Glob>,
    /// How many images of a repository are kept, those pushed last.
    pub keep_newest: u32,
    /// Images pulled within so many days are kept.
    pub keep_pulled_within_days: u32,
}

impl Default for PruneRule {
    fn default() -> Self {
        Self {
            enabled: false,
            grace_days: 7,
            keep_tags: Vec::new(),
            keep_newest: 0,
            keep_pulled_within_days: 30,
        }
    }
}

impl MirrorConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Every fault, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigFault>> {
        parse::parse(text)
    }

    /// The repository that mirrors another, below the prefix.
    pub fn repository_for(&self, source: &Reference) -> String {
        mirrored_name(&self.prefix, source)
    }
}

pub mod keys;
pub mod parse;
pub mod read;
pub mod schema;
pub mod version;
