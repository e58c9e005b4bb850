//! Copies images from one registry to another, byte for byte.
//!
//! 1. The source says by HEAD what the tag means. If the target's tag means the same, there is nothing to do. If the
//!    target is known to lack the tag and the source does not count pulls, the HEAD is left out: the manifest is
//!    fetched by its tag.
//! 2. Manifests and blobs are fetched by digest from a list of sources, the cheapest first and the source itself last.
//!    Only the source itself has to be believed about the tag; everything else is verified by its digest. See
//!    `sources`.
//! 3. What the target holds is not sent again. A blob that another of its repositories holds is mounted. A blob that
//!    several images share is sent once, and the others wait for it. See `board` and `blob`.
//! 4. The largest blobs of all images go first. See `flows`.
//! 5. Blobs come before their manifest, manifests before their index, and the tag last. So the target never shows a tag
//!    whose content is incomplete, wherever a copy is interrupted. See `image`.
//!
//! Memory is bounded by the blobs in flight times a few chunks, and by a budget for the manifests of an image (see
//! `budget`). Nothing is written to disk.

mod artifacts;
mod blob;
mod board;
mod budget;
mod flows;
mod image;
mod sources;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::client::Client;
use super::endpoints::Endpoints;
use super::error::RegistryError;
use crate::copy::board::BlobBoard;
use crate::copy::flows::Flows;
use crate::copy::image::{ImageCopy, Manifests};
use crate::copy::sources::Sources;
use pullsafe::manifest::Platform;
use pullsafe::reference::{DOCKER_HUB, Digest, ECR_PUBLIC, Reference, row_of};

/// How many images are worked on at a time. Their requests are limited elsewhere; this bounds what is kept in memory
/// for them.
const IMAGES_AT_ONCE: usize = 64;
/// How many manifests are read at a time; the largest has 4 MiB.
const MANIFESTS_AT_ONCE: usize = 12;
/// From this many further tags in a repository, listing its tags is cheaper than asking for each.
const WORTH_A_LIST: usize = 3;
/// How many blobs are remembered for mounting. Forgetting one costs a transfer, never correctness.
const MOST_REMEMBERED: usize = 10_000;
/// How many repositories are remembered for each blob.
const MOST_HOLDERS: usize = 4;

/// What to copy, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRequest {
    /// The image. Its registry says what the tag means.
    pub source: Reference,
    /// Where the image goes. Without a tag it is stored under its digest alone, or as `latest` if it has no digest
    /// either.
    pub target: Reference,
    /// Repositories that may hold the same content, the cheapest first. They are asked by digest only.
    pub alternates: Vec<Reference>,
    /// The platforms to copy; all if empty. See [`pullsafe::platforms`] for how an index is reduced.
    pub platforms: Vec<Platform>,
    /// Which signatures and attestations are copied as well.
    pub artifacts: Artifacts,
}

/// Which artifacts are copied with an image: signatures, attestations and the like that refer to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Whether to copy what refers to the image by OCI 1.1 (the referrers API, or its fallback tag).
    pub referrers: bool,
    /// Whether to copy what cosign stores under tags made of the image's digest (`sha256-<hex>.sig`, `.att`, `.sbom`).
    pub cosign_tags: bool,
}

impl CopyRequest {
    /// Describes a copy. For a Docker Official Image, its alternates are the registries that publish the same content
    /// without a pull quota.
    ///
    /// Where Docker Hub is mapped to another address, as in a local run, only alternates that are mapped too are tried.
    pub fn new(source: Reference, target: Reference, endpoints: &Endpoints) -> Self {
        let alternates = [ECR_PUBLIC, "mirror.gcr.io"]
            .iter()
            .filter(|registry| !endpoints.is_mapped(DOCKER_HUB) || endpoints.is_mapped(registry))
            .filter_map(|registry| source.official_at(registry))
            .collect();
        Self {
            source,
            target,
            alternates,
            platforms: Vec::new(),
            artifacts: Artifacts::default(),
        }
    }
}

/// How [`Copier::copy_all`] works.
#[derive(Clone)]
pub struct CopyOptions {
    /// When the copying has to end. Nothing is begun that cannot end before it, and nothing goes on after it: an image
    /// that is not done by then fails with [`RegistryError::OutOfTime`], and what has arrived stays.
    pub deadline: Option<Instant>,
    /// Whether the reports name the image's platforms, which can take further requests to the target.
    pub describe: bool,
    /// Is called at each step, and with each image's result as soon as there is one.
    pub progress: Option<Progress>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { deadline: None, describe: true, progress: None }
    }
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CopyOptions")
            .field("deadline", &self.deadline)
            .field("describe", &self.describe)
            .finish_non_exhaustive()
    }
}

/// A callback for the steps of a copy. The copy itself calls it, so it must not block.
pub type Progress = Arc<dyn Fn(CopyEvent<'_>) + Send + Sync>;

/// A step of a copy. Images are named by their place in the list of requests.
#[derive(Debug, Clone, Copy)]
pub enum CopyEvent<'a> {
    /// A blob has to be dealt with; the target may turn out to have it already.
    Found {
        /// The image.
        image: usize,
        /// The blob's size.
        bytes: u64,
    },
    /// Bytes were sent to the target.
    Sent {
        /// The image.
        image: usize,
        /// How many bytes.
        bytes: u64,
    },
    /// A blob did not have to be sent.
    Spared {
        /// The image.
        image: usize,
        /// The blob's size.
        bytes: u64,
    },
    /// An image is done, or has failed.
    Done {
        /// The image.
        image: usize,
        /// Its result, as it will be returned.
        result: &'a Result<CopyReport, RegistryError>,
    },
}

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// What the tag means at the target now. It is the source's digest, unless several of an index's platforms were
    /// chosen.
    pub digest: Digest,
    /// Bytes of blobs sent to the target.
    pub bytes_copied: u64,
    /// Blobs sent to the target.
    pub blobs_copied: u64,
    /// Blobs that the target's repository held already.
    pub blobs_skipped: u64,
    /// Blobs that were mounted from another repository of the target's registry.
    pub blobs_mounted: u64,
    /// Bytes that were sent again after a connection or an upload was lost.
    pub bytes_sent_again: u64,
    /// Layers that no registry holds: whoever pulls the image downloads them from the addresses that the manifest
    /// gives.
    pub foreign_layers: u64,
    /// Signatures, attestations and the like that were copied with the image.
    pub artifacts_copied: u64,
    /// GETs of manifests at the source itself, which is what Docker Hub counts as pulls.
    pub source_manifest_gets: u64,
    /// Whether the target was up to date before the copy.
    pub up_to_date: bool,
    /// The platforms of the image; empty where they are not known.
    pub platforms: Vec<Platform>,
}

/// Answers about many images of a target in one call, where the target has such an API (ECR). Everything works without
/// it too, with one request at a time. An answer of `None` only means that the registry itself is asked.
pub trait Native: Send + Sync {
    /// Returns what these tags mean in one repository; a tag that does not exist is not in the answer.
    fn tags<'a>(
        &'a self,
        repository: &'a Reference,
        tags: &'a [String],
    ) -> BoxFuture<'a, Option<HashMap<String, Digest>>>;
    /// Returns which of these manifests one repository holds.
    fn manifests<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>>;
    /// Returns which of these blobs one repository holds, ready to be referred to.
    fn blobs<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>>;
}

/// A repository that refers to a blob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// The registry's host.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The blob.
    pub digest: Digest,
}

/// Copies images. One copier serves a whole process: it remembers which repository holds which blob, and which sources
/// fail.
pub struct Copier {
    client: Client,
    native: Option<Arc<dyn Native>>,
    sources: Arc<Sources>,
    /// For each registry and blob, some repositories with a manifest that refers to the blob.
    held: Mutex<HashMap<(String, Digest), Vec<String>>>,
    /// How each registry answers a mount from the target repository itself.
    own_mounts: Mutex<HashMap<String, OwnMounts>>,
}

/// Whether a registry says if a blob is there when asked to mount it from the very repository that it goes to. If it
/// does, that one request replaces a HEAD and also opens the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnMounts {
    /// The registry has not shown it yet.
    Unknown,
    Told,
    Useless,
}

impl fmt::Debug for Copier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Copier")
            .field("client", &self.client)
            .field("native", &self.native.is_some())
            .finish_non_exhaustive()
    }
}

impl Copier {
    /// Makes a copier that works with this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            native: None,
            sources: Arc::default(),
            held: Mutex::default(),
            own_mounts: Mutex::default(),
        }
    }

    /// Adds an API that answers for many images at once.
    pub fn with_native(mut self, native: Arc<dyn Native>) -> Self {
        self.native = Some(native);
        self
    }

    /// The client that this copier works with.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Takes over what an earlier process remembered: repositories of a registry that refer to blobs. An entry that is
    /// no longer true costs nothing: a mount that fails opens the upload that is needed then.
    pub fn recall(&self, held: impl IntoIterator<Item = Holder>) {
        let mut known = lock(&self.held);
        for held in held.into_iter().take(MOST_REMEMBERED) {
            note(&mut known, held.registry, held.digest, held.repository);
        }
    }

    /// Returns what a later process may [`recall`](Self::recall).
    pub fn remembered(&self) -> Vec<Holder> {
        let held = lock(&self.held);
        let holders = held.iter().flat_map(|((registry, digest), repositories)| {
            repositories.iter().map(|repository| Holder {
                registry: registry.clone(),
                repository: repository.clone(),
                digest: digest.clone(),
            })
        });
        holders.collect()
    }

    /// Copies one image. It may be repeated: what has arrived is not sent again.
    ///
    /// # Errors
    /// The first fault that neither a retry nor another source could cure.
    pub async fn copy(&self, request: &CopyRequest) -> Result<CopyReport, RegistryError> {
        let results = self.copy_all(std::slice::from_ref(request), &CopyOptions::default()).await;
        results
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(RegistryError::Invalid("there is nothing to copy".to_owned())))
    }

    /// Copies many images at once, and returns the results in the order of the requests. One that fails stops no other.
    /// It may be repeated.
    pub async fn copy_all(
        &self,
        requests: &[CopyRequest],
        options: &CopyOptions,
    ) -> Vec<Result<CopyReport, RegistryError>> {
        let sources: Vec<Reference> = requests.iter().map(|request| request.source.clone()).collect();
        let targets: Vec<Reference> = requests.iter().map(|request| request.target.clone()).collect();
        self.client.expect_pulls(&sources).await;
        self.client.expect_pushes(&targets).await;
        let run = CopyRun {
            copier: self,
            options,
            board: BlobBoard::default(),
            flows: Flows::default(),
            manifests: Manifests::default(),
            reads: Semaphore::new(MANIFESTS_AT_ONCE),
            tags: self.current_tags(requests).await,
        };
        let images = requests.iter().enumerate().map(|(index, request)| run.image(index, request));
        let mut results: Vec<_> = stream::iter(images).buffer_unordered(IMAGES_AT_ONCE).collect().await;
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Returns what the tags at the target mean, where one call tells it for many.
    async fn current_tags(&self, requests: &[CopyRequest]) -> HashMap<Reference, Option<Digest>> {
        let mut repositories: HashMap<(&str, &str), Vec<&CopyRequest>> = HashMap::new();
        for request in requests.iter().filter(|request| request.target.tag_or_latest().is_some()) {
            repositories
                .entry((request.target.registry(), request.target.repository()))
                .or_default()
                .push(request);
        }
        let asked = repositories.into_values().map(|requests| async move {
            let told = match &self.native {
                Some(native) => tags_by_call(native.as_ref(), &requests).await,
                None => None,
            };
            match told {
                Some(told) => told,
                None => self.tags_by_list(&requests).await,
            }
        });
        stream::iter(asked).buffer_unordered(8).concat().await.into_iter().collect()
    }

    /// Finds the tags that a repository lacks: if the first of several is missing, the repository's list of tags tells
    /// about the others.
    async fn tags_by_list(&self, requests: &[&CopyRequest]) -> Vec<(Reference, Option<Digest>)> {
        let Some((first, others)) = requests.split_first().filter(|(_, others)| others.len() >= WORTH_A_LIST) else {
            return Vec::new();
        };
        match self.client.resolve(&first.target).await {
            Ok(resolved) => return vec![(first.target.clone(), Some(resolved.digest))],
            Err(error) if error.is_not_found() => {}
            // Each image then finds out by itself, and reports it.
            Err(_) => return Vec::new(),
        }
        // A 404 for the list means a new repository, or a registry without lists. The second case must not cost pulls.
        let counted = || others.iter().any(|request| row_of(request.source.registry()).counts_pulls);
        let names = match self.client.tags_at_once(&first.target).await {
            Err(error) if error.is_not_found() && !counted() => Some(HashSet::new()),
            answer => answer.unwrap_or_default(),
        };
        let lacks = |request: &&&CopyRequest| {
            let tag = request.target.tag_or_latest();
            names.as_ref().zip(tag).is_some_and(|(names, tag)| !names.contains(tag))
        };
        [first]
            .into_iter()
            .chain(others.iter().filter(lacks))
            .map(|request| (request.target.clone(), None))
            .collect()
    }

    /// Returns a repository of the target's registry that refers to this blob: the target's own, if it does.
    fn holder(&self, target: &Reference, digest: &Digest) -> Option<String> {
        let held = lock(&self.held);
        let repositories = held.get(&(target.registry().to_owned(), digest.clone()))?;
        repositories
            .iter()
            .find(|repository| *repository == target.repository())
            .or(repositories.last())
            .cloned()
    }

    /// Remembers blobs once a manifest refers to them, for only then do registries mount them.
    fn remember(&self, target: &Reference, blobs: &[Digest]) {
        let mut held = lock(&self.held);
        if held.len() + blobs.len() > MOST_REMEMBERED {
            held.clear();
        }
        for digest in blobs {
            note(&mut held, target.registry().to_owned(), digest.clone(), target.repository().to_owned());
        }
    }
}

/// Returns what the tags of one repository mean, by an API that tells it for many at once.
async fn tags_by_call(native: &dyn Native, requests: &[&CopyRequest]) -> Option<Vec<(Reference, Option<Digest>)>> {
    let tags: Vec<String> =
        requests.iter().filter_map(|request| request.target.tag_or_latest().map(str::to_owned)).collect();
    let found = native.tags(&requests.first()?.target, &tags).await?;
    let meant = |target: &Reference| target.tag_or_latest().and_then(|tag| found.get(tag)).cloned();
    Some(requests.iter().map(|request| (request.target.clone(), meant(&request.target))).collect())
}

fn note(held: &mut HashMap<(String, Digest), Vec<String>>, registry: String, digest: Digest, repository: String) {
    let repositories = held.entry((registry, digest)).or_default();
    if !repositories.contains(&repository) {
        if repositories.len() == MOST_HOLDERS {
            repositories.remove(0);
        }
        repositories.push(repository);
    }
}

/// One call of [`Copier::copy_all`].
struct CopyRun<'a> {
    copier: &'a Copier,
    options: &'a CopyOptions,
    board: BlobBoard,
    flows: Flows,
    manifests: Manifests,
    /// Permits to load one more manifest into memory.
    reads: Semaphore,
    /// What the target's tags mean, as far as one call told it.
    tags: HashMap<Reference, Option<Digest>>,
}

impl CopyRun<'_> {
    async fn image(&self, index: usize, request: &CopyRequest) -> (usize, Result<CopyReport, RegistryError>) {
        let out_of_time = || RegistryError::OutOfTime { what: request.source.to_string() };
        let image = ImageCopy::new(self, index, request);
        let result = match self.options.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(out_of_time()),
            Some(deadline) => timeout_at(deadline, image.copy()).await.unwrap_or_else(|_elapsed| Err(out_of_time())),
            None => image.copy().await,
        };
        self.tell(CopyEvent::Done { image: index, result: &result });
        (index, result)
    }

    fn tell(&self, event: CopyEvent<'_>) {
        if let Some(progress) = &self.options.progress {
            progress(event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave any of these maps half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
