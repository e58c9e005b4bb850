//! One repository of a registry: its manifests, tags and blobs.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

use super::blob::Blob;
use super::manifest::ManifestLinks;
use super::mutability::Mutability;

/// A manifest in a repository, with what the registry records about it.
#[derive(Debug, Clone)]
pub struct StoredManifest {
    /// The digest of the bytes.
    pub digest: Digest,
    /// The manifest, byte for byte as it was pushed.
    pub manifest: Bytes,
    /// What the manifest is and what it refers to.
    pub links: ManifestLinks,
    /// When it was pushed last.
    pub pushed_at: Timestamp,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// When the image was pulled last, as ECR records it.
    pub last_pull: Option<Timestamp>,
}

impl StoredManifest {
    /// The media type of the manifest.
    pub fn media_type(&self) -> &str {
        &self.links.media_type
    }
}

/// Where ECR keeps an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStatus {
    /// The image can be pulled.
    Active,
    /// The image can be described, but not pulled.
    Archived,
    /// The image is on its way back from the archive.
    Activating,
}

impl ImageStatus {
    /// ECR's name for the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
            Self::Activating => "ACTIVATING",
        }
    }
}

/// What a tag points to, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTag {
    pub digest: Digest,
    /// When it was pushed last.
    pub pushed_at: Timestamp,
}

/// A repository. Its methods keep it consistent and touch nothing outside it.
#[derive(Debug)]
pub struct StoredRepository {
    /// Whether tags may be moved.
    pub mutability: Mutability,
    /// When it was created.
    pub created_at: Timestamp,
    pub(super) images: BTreeMap<Digest, StoredManifest>,
    pub(super) tags: BTreeMap<String, StoredTag>,
    pub(super) blobs: HashMap<Digest, Blob>,
}

impl StoredRepository {
    pub(super) fn new(mutability: Mutability, created_at: Timestamp) -> Self {
        Self {
            mutability,
            created_at,
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            blobs: HashMap::new(),
        }
    }

    /// The image that a tag or a digest names.
    pub fn image(&self, reference: &str) -> Option<&StoredManifest> {
        match reference.parse::<Digest>() {
            Ok(digest) => self.images.get(&digest),
            Err(_) => self.tags.get(reference).and_then(|tag| self.images.get(&tag.digest)),
        }
    }

    /// Every image, in the order of their digests.
    pub fn images(&self) -> impl Iterator<Item = &StoredManifest> {
        self.images.values()
    }

    /// Every tag and what it points to, in the order of their names.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &StoredTag)> {
        self.tags.iter().map(|(name, tag)| (name.as_str(), tag))
    }

    /// The tags that point to a manifest.
    pub fn tags_of(&self, digest: &Digest) -> Vec<String> {
        self.tags.iter().filter(|(_, tag)| &tag.digest == digest).map(|(name, _)| name.clone()).collect()
    }

    /// A blob that was uploaded to, or mounted into, this repository.
    pub fn blob(&self, digest: &Digest) -> Option<&Blob> {
        self.blobs.get(digest)
    }

    /// Whether a manifest of this repository names the blob.
    pub fn refers_to_blob(&self, digest: &Digest) -> bool {
        self.images.values().any(|image| image.links.blobs().any(|blob| &blob.digest == digest))
    }

    /// The indexes that name this manifest.
    pub fn parents_of(&self, digest: &Digest) -> Vec<Digest> {
        let names_it = |image: &&StoredManifest| image.links.children.iter().any(|child| &child.digest == digest);
        self.images.values().filter(names_it).map(|image| image.digest.clone()).collect()
    }

    /// The size of an image as ECR counts it: the blobs of a manifest, or the largest manifest of an index.
    pub fn size_of(&self, image: &StoredManifest) -> u64 {
        if image.links.is_index() {
            let children = image.links.children.iter().filter_map(|child| self.images.get(&child.digest));
            children.map(|child| self.size_of(child)).max().unwrap_or(0)
        } else {
            image.links.blobs().map(|blob| blob.size).sum()
        }
    }

    pub(super) fn untag(&mut self, tag: &str) -> Option<Digest> {
        self.tags.remove(tag).map(|tag| tag.digest)
    }

    pub(super) fn remove_image(&mut self, digest: &Digest) {
        self.images.remove(digest);
        self.tags.retain(|_, tag| &tag.digest != digest);
    }
}
