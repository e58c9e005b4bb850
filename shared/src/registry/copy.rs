//! Copies an image from one registry to another, byte for byte.
//!
//! 1. The source says by HEAD what the tag means. If the target's tag means the same, there is nothing to do.
//! 2. Manifests and blobs are taken by digest down a ladder of sources, the cheapest first and the source itself last:
//!    only it has to be believed about the tag, everything else is verified by its digest.
//! 3. What the target holds is not sent again; a blob that another of its repositories holds is mounted.
//! 4. Blobs before their manifest, manifests before their index, the tag last: the target never shows a tag whose
//!    content is incomplete, wherever a copy is interrupted.
//!
//! Memory is bounded by the blobs in flight times a few chunks; nothing touches a disk.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::client::Client;
use super::endpoints::Endpoints;
use super::error::RegistryError;
use super::manifests::Manifest;
use super::uploads::{Mount, TransferError, Upload};
use crate::domain::manifest::{Contents, Descriptor, Platform, platform_of_config};
use crate::domain::reference::{DOCKER_HUB, Digest, ECR_PUBLIC, Reference};

/// Blobs of one image that are copied at a time.
const BLOBS_IN_FLIGHT: usize = 4;
/// So often a blob is sent to a target that breaks off.
const MOST_SENDS: u32 = 3;
/// An index of indexes is allowed and rare; a deep one is an attack or a mistake.
const DEEPEST_INDEX: u32 = 4;
/// A config holds settings and history; 4 MiB is far beyond any real one.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
/// Blobs remembered for mounting. Forgetting costs a transfer, never correctness.
const MOST_REMEMBERED: usize = 10_000;

/// What to copy, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRequest {
    /// The image, whose registry says what the tag means.
    pub source: Reference,
    /// Where it goes. Without a tag it is stored under its digest alone, or as `latest` if it has no digest either.
    pub target: Reference,
    /// Repositories that may hold the same content, the cheapest first. They are asked by digest only.
    pub alternates: Vec<Reference>,
}

impl CopyRequest {
    /// A copy that tries, for a Docker Official Image, the registries that publish the same content without a pull quota.
    ///
    /// Where Docker Hub is mapped to another address, as in a local run, only alternates that are mapped too are tried.
    pub fn new(source: Reference, target: Reference, endpoints: &Endpoints) -> Self {
        let name = source.repository();
        let official = [(ECR_PUBLIC, format!("docker/{name}")), ("mirror.gcr.io", name.to_owned())];
        let alternates = official
            .iter()
            .filter(|(registry, _)| source.is_official() && (!endpoints.is_mapped(DOCKER_HUB) || endpoints.is_mapped(registry)))
            .filter_map(|(registry, repository)| source.moved_to(registry, repository).ok())
            .collect();
        Self { source, target, alternates }
    }
}

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// What the tag means, at the source and now at the target.
    pub digest: Digest,
    /// Bytes of blobs sent to the target.
    pub bytes_copied: u64,
    /// Blobs sent to the target.
    pub blobs_copied: u64,
    /// Blobs that the target's repository held already.
    pub blobs_skipped: u64,
    /// Blobs that another repository of the target held.
    pub blobs_mounted: u64,
    /// Layers that no registry holds: whoever pulls the image downloads them from their own addresses.
    pub foreign_layers: u64,
    /// GETs of manifests at the source itself, which is what Docker Hub counts as pulls.
    pub source_manifest_gets: u64,
    /// Whether the target was current before.
    pub up_to_date: bool,
    /// The platforms of the image; empty where they are not known.
    pub platforms: Vec<Platform>,
}

/// Copies images. One serves a whole process: it remembers which repository holds which blob.
#[derive(Debug)]
pub struct Copier {
    client: Client,
    /// For each registry and blob a repository with a manifest that refers to it.
    held: Mutex<HashMap<(String, Digest), String>>,
}

impl Copier {
    /// A copier that works with this client.
    pub fn new(client: Client) -> Self {
        Self { client, held: Mutex::default() }
    }

    /// The client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Copies one image with all its platforms. Safe to repeat: what has arrived is not sent again.
    ///
    /// # Errors
    /// The first thing that neither a repetition nor another source could cure.
    pub async fn copy(&self, request: &CopyRequest) -> Result<CopyReport, RegistryError> {
        let digest = self.client.resolve(&request.source).await?.digest;
        if let Some(pinned) = request.target.digest().filter(|pinned| **pinned != digest) {
            let text = format!("{} means {digest}, which cannot be stored as {pinned}", request.source);
            return Err(RegistryError::Invalid(text));
        }
        let run = Run::new(self, request);
        let target = run.named_target(&digest)?;
        let up_to_date = run.digest_at_target(&target).await? == Some(digest.clone());
        if up_to_date {
            let platforms = match self.client.manifest(&request.target, &digest).await {
                Ok(manifest) => run.platforms(&manifest).await,
                Err(_) => Vec::new(),
            };
            return Ok(run.report(digest, true, platforms));
        }
        // Under another tag the target may hold it already.
        let manifest = if run.digest_at_target(&request.target.at_digest(digest.clone())).await?.is_some() {
            self.client.manifest(&request.target, &digest).await?
        } else {
            run.copy_tree(digest.clone(), 0).await?
        };
        self.client.put_manifest(&target, &manifest).await?;
        run.remember_blobs();
        let platforms = run.platforms(&manifest).await;
        Ok(run.report(digest, false, platforms))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(String, Digest), String>> {
        // A panic elsewhere cannot leave the map half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One copy on its way.
struct Run<'a> {
    copier: &'a Copier,
    client: &'a Client,
    request: &'a CopyRequest,
    /// Alternates that failed are not asked again; the source itself always is.
    struck: Vec<AtomicBool>,
    blobs: Mutex<HashSet<Digest>>,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    bytes_copied: AtomicU64,
    blobs_copied: AtomicU64,
    blobs_skipped: AtomicU64,
    blobs_mounted: AtomicU64,
    foreign_layers: AtomicU64,
    source_manifest_gets: AtomicU64,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl<'a> Run<'a> {
    fn new(copier: &'a Copier, request: &'a CopyRequest) -> Self {
        let struck = request.alternates.iter().map(|_| AtomicBool::new(false)).collect();
        Self { copier, client: &copier.client, request, struck, blobs: Mutex::default(), tally: Tally::default() }
    }

    /// Copies what a manifest refers to, and returns it for its parent to be stored after.
    fn copy_tree(&self, digest: Digest, depth: u32) -> BoxFuture<'_, Result<Manifest, RegistryError>> {
        Box::pin(async move {
            let manifest = self.manifest(&digest).await?;
            let unusable = |why: String| RegistryError::Answer {
                registry: self.request.source.registry().to_owned(),
                what: format!("the manifest {digest}"),
                why,
            };
            match manifest.contents().map_err(|error| unusable(error.to_string()))? {
                Contents::Index { .. } if depth >= DEEPEST_INDEX => return Err(unusable("its indexes are nested too deep".to_owned())),
                Contents::Index { children } => {
                    for child in children {
                        let target = self.request.target.at_digest(child.digest.clone());
                        if self.digest_at_target(&target).await?.is_none() {
                            let manifest = self.copy_tree(child.digest, depth + 1).await?;
                            self.client.put_manifest(&target, &manifest).await?;
                        }
                    }
                }
                image @ Contents::Image { .. } => self.copy_blobs(&image).await?,
            }
            Ok(manifest)
        })
    }

    /// The largest blobs first: the last to arrive decides when the image has.
    async fn copy_blobs(&self, image: &Contents) -> Result<(), RegistryError> {
        if let Contents::Image { layers, .. } = image {
            add(&self.tally.foreign_layers, layers.iter().filter(|layer| layer.is_foreign()).map(|_| 1).sum());
        }
        let mut blobs: Vec<Descriptor> = {
            let mut seen = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            image.blobs().into_iter().filter(|blob| seen.insert(blob.digest.clone())).cloned().collect()
        };
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        let copies = blobs.into_iter().map(|blob| self.copy_blob(blob)).collect::<Vec<_>>();
        stream::iter(copies).buffer_unordered(BLOBS_IN_FLIGHT).try_collect().await
    }

    fn copy_blob(&self, blob: Descriptor) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let target = &self.request.target;
            if self.client.blob_exists(target, &blob.digest).await? {
                add(&self.tally.blobs_skipped, 1);
                return Ok(());
            }
            let mut open = match self.mount_for(&blob.digest) {
                None => None,
                Some(mount) => match self.client.begin_upload(target, Some(&mount)).await? {
                    Upload::Mounted => {
                        add(&self.tally.blobs_mounted, 1);
                        return Ok(());
                    }
                    Upload::Open(upload) => Some(upload),
                },
            };
            let mut sends = 0;
            let mut last_error = None;
            let mut sources = self.ladder().into_iter();
            let mut source = sources.next();
            while let Some((rung, reference)) = source {
                let reader = match self.client.blob(reference, &blob).await {
                    Ok(reader) => reader,
                    Err(error) => {
                        self.strike(rung, &error);
                        last_error = Some(error);
                        source = sources.next();
                        continue;
                    }
                };
                let upload = match open.take() {
                    Some(upload) => upload,
                    None => match self.client.begin_upload(target, None).await? {
                        Upload::Open(upload) => upload,
                        Upload::Mounted => return Ok(()),
                    },
                };
                sends += 1;
                match self.client.upload(target, upload, &blob, reader).await {
                    Ok(()) => {
                        add(&self.tally.blobs_copied, 1);
                        add(&self.tally.bytes_copied, blob.size);
                        return Ok(());
                    }
                    Err(TransferError::Source(error)) => {
                        self.strike(rung, &error);
                        last_error = Some(error);
                        source = sources.next();
                    }
                    Err(TransferError::Target(error)) if error.retryable() && sends < MOST_SENDS => {
                        tracing::debug!(digest = %blob.digest, %error, "the upload of a blob is repeated");
                        self.client.pause(sends).await;
                    }
                    Err(TransferError::Target(error)) => return Err(error),
                }
            }
            Err(last_error.unwrap_or_else(|| RegistryError::Invalid("there is no source to copy from".to_owned())))
        })
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let mut last_error = None;
        for (rung, reference) in self.ladder() {
            if rung.is_none() {
                add(&self.tally.source_manifest_gets, 1);
            }
            match self.client.manifest(reference, digest).await {
                Ok(manifest) => return Ok(manifest),
                Err(error) => {
                    self.strike(rung, &error);
                    last_error = Some(error);
                }
            }
        }
        Err(last_error.unwrap_or_else(|| RegistryError::Invalid("there is no source to copy from".to_owned())))
    }

    /// The sources to ask, in order, each with its place among the alternates; the source itself has none.
    fn ladder(&self) -> Vec<(Option<usize>, &'a Reference)> {
        let standing = |rung: &usize| !self.struck[*rung].load(Ordering::Relaxed);
        let alternates = self.request.alternates.iter().enumerate().filter(|(rung, _)| standing(rung));
        alternates.map(|(rung, reference)| (Some(rung), reference)).chain([(None, &self.request.source)]).collect()
    }

    /// An alternate that lacks one thing may have the next; one that fails otherwise costs time with every request.
    fn strike(&self, rung: Option<usize>, error: &RegistryError) {
        if let Some(rung) = rung.filter(|_| !error.is_not_found()) {
            tracing::info!(source = %self.request.alternates[rung].registry(), %error, "an alternate source is given up for this image");
            self.struck[rung].store(true, Ordering::Relaxed);
        }
    }

    async fn digest_at_target(&self, target: &Reference) -> Result<Option<Digest>, RegistryError> {
        match self.client.resolve(target).await {
            Ok(resolved) => Ok(Some(resolved.digest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The target by the one name that its manifest is stored under.
    fn named_target(&self, digest: &Digest) -> Result<Reference, RegistryError> {
        let target = &self.request.target;
        match target.tag().or_else(|| target.tag_or_latest()) {
            None => Ok(target.at_digest(digest.clone())),
            Some(tag) => Reference::new(target.registry(), target.repository(), Some(tag), None)
                .map_err(|error| RegistryError::Invalid(error.to_string())),
        }
    }

    fn mount_for(&self, digest: &Digest) -> Option<Mount> {
        let target = &self.request.target;
        let from = self.copier.held().get(&(target.registry().to_owned(), digest.clone())).cloned()?;
        (from != target.repository()).then(|| Mount { digest: digest.clone(), from })
    }

    /// Only now does a manifest refer to the blobs, which is what registries mount by.
    fn remember_blobs(&self) {
        let target = &self.request.target;
        let blobs = std::mem::take(&mut *self.blobs.lock().unwrap_or_else(PoisonError::into_inner));
        let mut held = self.copier.held();
        if held.len() + blobs.len() > MOST_REMEMBERED {
            held.clear();
        }
        held.extend(blobs.into_iter().map(|digest| ((target.registry().to_owned(), digest), target.repository().to_owned())));
    }

    /// The platforms of the image at the target. Not knowing them does not make a copy fail.
    async fn platforms(&self, manifest: &Manifest) -> Vec<Platform> {
        let Ok(contents) = manifest.contents() else { return Vec::new() };
        if let Contents::Image { config: Some(config), .. } = &contents {
            let config = self.client.small_blob(&self.request.target, config, LARGEST_CONFIG).await;
            return config.ok().and_then(|config| platform_of_config(&config)).into_iter().collect();
        }
        contents.platforms()
    }

    fn report(&self, digest: Digest, up_to_date: bool, platforms: Vec<Platform>) -> CopyReport {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CopyReport {
            digest,
            bytes_copied: count(&self.tally.bytes_copied),
            blobs_copied: count(&self.tally.blobs_copied),
            blobs_skipped: count(&self.tally.blobs_skipped),
            blobs_mounted: count(&self.tally.blobs_mounted),
            foreign_layers: count(&self.tally.foreign_layers),
            source_manifest_gets: count(&self.tally.source_manifest_gets),
            up_to_date,
            platforms,
        }
    }
}
