//! The images of one registry.
//!
//! Every write is checked against the rules that ECR states: what a manifest refers to exists before it, an immutable
//! tag does not move, blobs belong to one repository. The servers of the store word the refusals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

use super::blob::{Blob, BlobWriter};
use super::credentials::KnownPasswords;
use super::manifest::ManifestLinks;
use super::mutability::Mutability;
use super::repository::{ImageStatus, StoredManifest, StoredRepository, StoredTag};
use crate::clock::VirtualClock;

/// The images of one registry. Clones share one state.
#[derive(Debug, Clone)]
pub struct ImageStore {
    clock: VirtualClock,
    credentials: KnownPasswords,
    state: Arc<Mutex<StoreState>>,
}

#[derive(Debug)]
struct StoreState {
    repositories: BTreeMap<String, StoredRepository>,
    pushes: Vec<Push>,
    blob_mounting: bool,
    keep_up_to: u64,
}

/// A pushed manifest. ECR sends an event for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository.
    pub repository: String,
    /// The tag, if the manifest was pushed under one.
    pub tag: Option<String>,
    /// The manifest.
    pub digest: Digest,
    /// The media type of the manifest.
    pub media_type: String,
    pub time: Timestamp,
}

/// Why a manifest is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushError {
    /// No repository has this name.
    RepositoryNotFound,
    /// The bytes are not a manifest.
    Invalid(String),
    /// The bytes have this digest, not the one that they were pushed under.
    DigestMismatch(Digest),
    /// The repository lacks these blobs.
    BlobsMissing(Vec<Digest>),
    /// The repository lacks these manifests.
    ChildrenMissing(Vec<Digest>),
    /// The tag exists and must not be moved, nor pushed again.
    TagLocked {
        /// The tag.
        tag: String,
        /// What it points to.
        digest: Digest,
    },
}

impl ImageStore {
    /// An empty registry.
    pub fn new(clock: VirtualClock) -> Self {
        let state = StoreState {
            repositories: BTreeMap::new(),
            pushes: Vec::new(),
            blob_mounting: false,
            keep_up_to: u64::MAX,
        };
        Self {
            clock,
            credentials: KnownPasswords::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The clock of everything in this registry.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// The passwords that the ECR API issues for this registry.
    pub fn credentials(&self) -> &KnownPasswords {
        &self.credentials
    }

    /// Creates a repository. Returns false if the name is taken.
    pub fn create_repository(&self, name: &str, mutability: Mutability) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.repositories.contains_key(name) {
            return false;
        }
        state.repositories.insert(name.to_owned(), StoredRepository::new(mutability, now));
        true
    }

    /// Removes a repository with everything in it. Returns false if it does not exist.
    pub fn delete_repository(&self, name: &str) -> bool {
        self.lock().repositories.remove(name).is_some()
    }

    /// The names of all repositories, in order.
    pub fn repositories(&self) -> Vec<String> {
        self.lock().repositories.keys().cloned().collect()
    }

    /// Reads a repository; `None` if it does not exist.
    pub fn read<T>(&self, repository: &str, read: impl FnOnce(&StoredRepository) -> T) -> Option<T> {
        self.lock().repositories.get(repository).map(read)
    }

    /// Changes whether the tags of a repository may be moved. Returns false if it does not exist.
    pub fn set_mutability(&self, repository: &str, mutability: Mutability) -> bool {
        self.change(repository, |repository| repository.mutability = mutability).is_some()
    }

    /// The image that a tag or a digest names.
    pub fn image(&self, repository: &str, reference: &str) -> Option<StoredManifest> {
        self.read(repository, |repository| repository.image(reference).cloned()).flatten()
    }

    /// A blob of a repository.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Blob> {
        self.read(repository, |repository| repository.blob(digest).cloned()).flatten()
    }

    /// Adds a blob to a repository. Returns false if the repository does not exist.
    pub fn put_blob(&self, repository: &str, blob: Blob) -> bool {
        self.change(repository, |repository| repository.blobs.insert(blob.digest().clone(), blob)).is_some()
    }

    /// Adds a blob of one repository to another, if the first has it.
    pub fn mount_blob(&self, from: &str, to: &str, digest: &Digest) -> bool {
        self.blob(from, digest).is_some_and(|blob| self.put_blob(to, blob))
    }

    /// Accepts a manifest that is pushed under a tag or its digest (`reference`), or under neither.
    ///
    /// # Errors
    /// The rule that the push breaks.
    pub fn push(
        &self,
        repository: &str,
        reference: Option<&str>,
        manifest: Bytes,
        content_type: Option<&str>,
    ) -> Result<StoredManifest, PushError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let held = state.repositories.get_mut(repository).ok_or(PushError::RepositoryNotFound)?;
        let links = ManifestLinks::read(&manifest, content_type).map_err(PushError::Invalid)?;
        let digest = Digest::of(&manifest);
        let tag = match reference.map(|reference| (reference, reference.parse::<Digest>())) {
            Some((_, Ok(named))) if named != digest => return Err(PushError::DigestMismatch(digest)),
            Some((_, Ok(_))) | None => None,
            Some((tag, Err(_))) => Some(tag.to_owned()),
        };
        check_links(held, &links)?;
        if let Some(tag) = &tag {
            match held.tags.get(tag) {
                Some(held_tag) if held.mutability.locks(tag) => {
                    return Err(PushError::TagLocked { tag: tag.clone(), digest: held_tag.digest.clone() });
                }
                Some(_) | None => held.tags.insert(tag.clone(), StoredTag { digest: digest.clone(), pushed_at: now }),
            };
        }
        let media_type = links.media_type.clone();
        let last_pull = held.images.get(&digest).and_then(|image| image.last_pull);
        let image = StoredManifest {
            digest: digest.clone(),
            manifest,
            links,
            pushed_at: now,
            status: ImageStatus::Active,
            last_pull,
        };
        held.images.insert(digest.clone(), image.clone());
        state.pushes.push(Push {
            repository: repository.to_owned(),
            tag,
            digest,
            media_type,
            time: now,
        });
        Ok(image)
    }

    /// Every manifest pushed so far.
    pub fn pushes(&self) -> Vec<Push> {
        self.pushes_after(0)
    }

    /// The manifests pushed after the first `seen` ones.
    pub fn pushes_after(&self, seen: usize) -> Vec<Push> {
        self.lock().pushes.iter().skip(seen).cloned().collect()
    }

    /// Removes a tag, and its image if that was the last tag. Returns the image's digest.
    pub fn untag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.change(repository, |repository| {
            let digest = repository.untag(tag)?;
            if repository.tags_of(&digest).is_empty() && repository.parents_of(&digest).is_empty() {
                repository.remove_image(&digest);
            }
            Some(digest)
        })
        .flatten()
    }

    /// Removes an image with all its tags, as a lifecycle policy does.
    pub fn remove_image(&self, repository: &str, digest: &Digest) {
        self.change(repository, |repository| repository.remove_image(digest));
    }

    /// Moves an image into or out of the archive. Returns false if the image does not exist.
    pub fn set_status(&self, repository: &str, digest: &Digest, status: ImageStatus) -> bool {
        let set = |repository: &mut StoredRepository| {
            repository.images.get_mut(digest).map(|image| image.status = status).is_some()
        };
        self.change(repository, set).unwrap_or(false)
    }

    /// Notes that an image was pulled now.
    pub fn record_pull(&self, repository: &str, digest: &Digest) {
        let now = self.clock.now();
        self.change(repository, |repository| {
            if let Some(image) = repository.images.get_mut(digest) {
                image.last_pull = Some(now);
            }
        });
    }

    /// Whether blobs may be mounted between repositories (ECR's account setting `BLOB_MOUNTING`, off by default).
    pub fn blob_mounting(&self) -> bool {
        self.lock().blob_mounting
    }

    /// Switches [`ImageStore::blob_mounting`].
    pub fn set_blob_mounting(&self, enabled: bool) {
        self.lock().blob_mounting = enabled;
    }

    /// From now on, of an uploaded blob larger than this only the digest and the size are kept. For benchmarks that
    /// move more bytes than the machine has memory.
    pub fn discard_uploads_above(&self, bytes: u64) {
        self.lock().keep_up_to = bytes;
    }

    pub(super) fn blob_writer(&self) -> BlobWriter {
        BlobWriter::new(self.lock().keep_up_to)
    }

    fn change<T>(&self, repository: &str, change: impl FnOnce(&mut StoredRepository) -> T) -> Option<T> {
        self.lock().repositories.get_mut(repository).map(change)
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_links(repository: &StoredRepository, links: &ManifestLinks) -> Result<(), PushError> {
    let absent = |digest: &&Digest| !repository.images.contains_key(*digest);
    let children: Vec<Digest> = links.children.iter().map(|child| &child.digest).filter(absent).cloned().collect();
    if !children.is_empty() {
        return Err(PushError::ChildrenMissing(children));
    }
    let absent = |digest: &&Digest| !repository.blobs.contains_key(*digest);
    let blobs: Vec<Digest> = links.blobs().map(|blob| &blob.digest).filter(absent).cloned().collect();
    if blobs.is_empty() { Ok(()) } else { Err(PushError::BlobsMissing(blobs)) }
}
