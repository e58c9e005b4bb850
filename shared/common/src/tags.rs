//! What is known of a tag of a repository.

use crate::manifest::Platform;
use crate::reference::Digest;
use crate::timestamp::Timestamp;

/// A tag, with as much as its registry tells about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFacts {
    /// The tag.
    pub name: String,
    /// When it was last pushed. Docker Hub tells it, other registries do not.
    pub pushed_at: Option<Timestamp>,
    /// The digest that it named when the list was made.
    pub digest: Option<Digest>,
    /// How many manifests (platforms) its index lists; `None` for a single image.
    pub children: Option<u32>,
    /// The image of each platform, where the registry tells.
    pub images: Vec<(Platform, Digest)>,
}

impl TagFacts {
    /// A tag of which nothing else is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pushed_at: None,
            digest: None,
            children: None,
            images: Vec::new(),
        }
    }
}
