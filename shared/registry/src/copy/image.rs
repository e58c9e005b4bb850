//! Copies one image: reads its manifests from the top down, brings its content from the bottom up.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Weak};

use futures_util::future::{BoxFuture, join, join_all};
use std::sync::Arc;
use tokio::sync::OnceCell;

use super::board::BlobBoard;
use super::budget::ManifestBudget;
use super::sources::Sources;
use super::{CopyReport, CopyRequest, CopyRun, lock};
use crate::client::Client;
use crate::error::RegistryError;
use crate::manifests::Manifest;
use pullsafe::manifest::{Contents, Descriptor, Platform, platform_of_config};
use pullsafe::platforms::{Choice, choose, taken_from};
use pullsafe::reference::{Digest, Reference, row_of};

/// The deepest nesting of indexes that is followed. An index of indexes is allowed and rare; a deep one is an attack or
/// a mistake.
const DEEPEST_INDEX: u32 = 4;

/// Manifests that are being fetched or in use, so that one which several images share is fetched once.
#[derive(Debug, Default)]
pub(crate) struct Manifests(Mutex<HashMap<Digest, Weak<OnceCell<Manifest>>>>);

impl Manifests {
    fn cell(&self, digest: &Digest) -> Arc<OnceCell<Manifest>> {
        let mut cells = lock(&self.0);
        if let Some(cell) = cells.get(digest).and_then(Weak::upgrade) {
            return cell;
        }
        if cells.len() > 256 {
            cells.retain(|_, cell| cell.strong_count() > 0);
        }
        let cell = Arc::default();
        cells.insert(digest.clone(), Arc::downgrade(&cell));
        cell
    }
}

pub(crate) struct ImageCopy<'a> {
    pub(crate) run: &'a CopyRun<'a>,
    pub(crate) client: &'a Client,
    pub(crate) sources: &'a Arc<Sources>,
    pub(crate) board: &'a BlobBoard,
    pub(crate) index: usize,
    pub(crate) request: &'a CopyRequest,
    /// The blobs that this image has dealt with, each once.
    blobs: Mutex<HashSet<Digest>>,
    /// The manifests that this image uses, kept alive for others that run at the same time.
    kept: Mutex<Vec<Arc<OnceCell<Manifest>>>>,
    budget: ManifestBudget,
    pub(crate) tally: CopyTally,
}

#[derive(Default)]
pub(crate) struct CopyTally {
    pub(crate) bytes_copied: AtomicU64,
    pub(crate) blobs_copied: AtomicU64,
    pub(crate) blobs_skipped: AtomicU64,
    pub(crate) blobs_mounted: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) foreign_layers: AtomicU64,
    pub(crate) artifacts_copied: AtomicU64,
    pub(crate) source_manifest_gets: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl<'a> ImageCopy<'a> {
    pub(crate) fn new(run: &'a CopyRun<'a>, index: usize, request: &'a CopyRequest) -> Self {
        let (client, sources, board) = (&run.copier.client, &run.copier.sources, &run.board);
        let (blobs, kept, tally) = (Mutex::default(), Mutex::default(), CopyTally::default());
        Self {
            run,
            client,
            sources,
            board,
            index,
            request,
            blobs,
            kept,
            budget: ManifestBudget::default(),
            tally,
        }
    }

    /// Copies the image, and what belongs to it.
    pub(crate) async fn copy(&self) -> Result<CopyReport, RegistryError> {
        let outcome = self.copy_image().await;
        if outcome.is_err() {
            // Nobody need wait any longer for a manifest of this image to refer to a blob.
            self.board.abandoned(self.index);
        }
        outcome
    }

    async fn copy_image(&self) -> Result<CopyReport, RegistryError> {
        let (source, target) = join(self.meaning(), self.current()).await;
        let (source, current) = (source?, target?);
        let wanted = if self.request.platforms.is_empty() {
            TagTarget::Digest(source)
        } else {
            self.wanted(&source, current.as_ref()).await?
        };
        let digest = wanted.digest();
        if let Some(pinned) = self.request.target.digest().filter(|pinned| *pinned != digest) {
            let text = format!("{} means {digest}, which cannot be stored as {pinned}", self.request.source);
            return Err(RegistryError::Invalid(text));
        }
        let up_to_date = current.as_ref() == Some(digest);
        let mut manifest = None;
        if !up_to_date {
            manifest = Some(self.bring(&wanted).await?);
        }
        if self.request.artifacts.referrers || self.request.artifacts.cosign_tags {
            self.copy_artifacts(digest).await?;
        }
        let platforms = if self.run.options.describe {
            self.platforms(digest, manifest).await
        } else {
            Vec::new()
        };
        Ok(self.report(digest.clone(), up_to_date, platforms))
    }

    /// Returns the digest that the source has now. One request brings the manifest as well if the target lacks the
    /// image, the source does not count pulls, and there are neither alternates nor a choice of platforms.
    async fn meaning(&self) -> Result<Digest, RegistryError> {
        let CopyRequest { source, alternates, platforms, .. } = self.request;
        let lacks = matches!(self.run.tags.get(&self.request.target), Some(None));
        if !lacks || self.asks_target_first() || !alternates.is_empty() || !platforms.is_empty() {
            return Ok(self.client.resolve(source).await?.digest);
        }
        let _turn = self.run.reads.acquire().await;
        let manifest = self.client.current_manifest(source).await?;
        add(&self.tally.source_manifest_gets, 1);
        let digest = manifest.digest.clone();
        self.budget.hold(&digest, manifest.bytes.len()).map_err(|why| self.unusable(&digest, why))?;
        let cell = self.run.manifests.cell(&digest);
        // Another image may have fetched the same manifest meanwhile.
        let _ = cell.set(manifest);
        lock(&self.kept).push(cell);
        Ok(digest)
    }

    /// Returns the digest that the target's tag has now.
    async fn current(&self) -> Result<Option<Digest>, RegistryError> {
        if let Some(known) = self.run.tags.get(&self.request.target) {
            return Ok(known.clone());
        }
        self.digest_at(&self.request.target).await
    }

    /// Returns what the target is to hold: the source as a whole, or what the chosen platforms make of it.
    async fn wanted(&self, source: &Digest, current: Option<&Digest>) -> Result<TagTarget, RegistryError> {
        let platforms = &self.request.platforms;
        if let Some(current) = current.filter(|current| *current != source)
            && platforms.len() > 1
            && let Ok(held) = self.client.manifest(&self.request.target, current).await
            && taken_from(&held.bytes).as_ref() == Some(source)
            && held.contents().is_ok_and(|held| {
                let held = held.platforms();
                held.iter().all(|held| platforms.iter().any(|wanted| held.satisfies(wanted)))
                    && platforms.iter().all(|wanted| held.iter().any(|held| held.satisfies(wanted)))
            })
        {
            // The target's index says itself that it was made of exactly this source index, so nothing has to be
            // fetched.
            return Ok(TagTarget::Made(held));
        }
        let whole = self.manifest(source).await?;
        let not_offered = |error: pullsafe::platforms::NotOffered| {
            RegistryError::Invalid(format!("{} cannot be reduced to platforms: {error}", self.request.source))
        };
        match choose(&whole.bytes, platforms).map_err(not_offered)? {
            Choice::Whole => {
                self.check_single(&whole).await?;
                Ok(TagTarget::Digest(source.clone()))
            }
            Choice::One(digest) => Ok(TagTarget::Digest(digest)),
            Choice::Index(bytes) => {
                let digest = Digest::of(&bytes);
                Ok(TagTarget::Made(Manifest { bytes: bytes.into(), media_type: whole.media_type, digest }))
            }
        }
    }

    /// Fails for a single image that is not for one of the platforms asked for.
    async fn check_single(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let Ok(Contents::Image { config: Some(config), .. }) = manifest.contents() else {
            return Ok(());
        };
        let config = self.client.small_blob(&self.request.source, &config, crate::blobs::LARGEST_CONFIG).await?;
        match platform_of_config(&config) {
            Some(own) if !self.request.platforms.iter().any(|wanted| own.satisfies(wanted)) => {
                Err(RegistryError::Invalid(format!("{} is an image for {own} alone", self.request.source)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Brings what is wanted to the target, the tag last.
    async fn bring(&self, wanted: &TagTarget) -> Result<Manifest, RegistryError> {
        let digest = wanted.digest();
        let by_digest = self.request.target.at_digest(digest.clone());
        let manifest = match wanted {
            TagTarget::Made(manifest) => {
                self.copy_content(manifest, 0).await?;
                manifest.clone()
            }
            // The target may hold it under another tag already. Asking there first spares a request to a source that
            // counts pulls.
            TagTarget::Digest(digest) if self.asks_target_first() && self.digest_at(&by_digest).await?.is_some() => {
                self.client.manifest(&self.request.target, digest).await?
            }
            TagTarget::Digest(digest) => self.copy_tree(digest.clone(), 0).await?,
        };
        self.store(&self.named_target(digest)?, &manifest).await?;
        Ok(manifest)
    }

    /// Copies what a manifest refers to, and returns the manifest, for its parent to be stored after it.
    pub(crate) fn copy_tree(&self, digest: Digest, depth: u32) -> BoxFuture<'_, Result<Manifest, RegistryError>> {
        Box::pin(async move {
            self.budget.follow().map_err(|why| self.unusable(&digest, why))?;
            let manifest = self.manifest(&digest).await?;
            self.copy_content(&manifest, depth).await?;
            Ok(manifest)
        })
    }

    fn unusable(&self, digest: &Digest, why: String) -> RegistryError {
        let registry = self.request.source.registry().to_owned();
        RegistryError::Answer { registry, what: format!("the manifest {digest}"), why }
    }

    async fn copy_content(&self, manifest: &Manifest, depth: u32) -> Result<(), RegistryError> {
        let unusable = |why: String| self.unusable(&manifest.digest, why);
        match manifest.contents().map_err(|error| unusable(error.to_string()))? {
            Contents::Index { .. } if depth >= DEEPEST_INDEX => {
                Err(unusable("its indexes are nested too deep".to_owned()))
            }
            Contents::Index { children } => {
                let there = self.there(&children).await;
                let mut seen = HashSet::new();
                let missing = children
                    .into_iter()
                    .filter(|child| !there.contains(&child.digest) && seen.insert(child.digest.clone()));
                // Every child is copied as far as possible: one that fails does not stop the others.
                let copied = join_all(missing.map(|child| self.copy_child(child.digest, depth + 1))).await;
                copied.into_iter().collect()
            }
            image @ Contents::Image { .. } => {
                let mut blobs = self.new_blobs(&image);
                // Where one native call answers for many blobs, it is used.
                let there = self.blobs_there(&blobs).await;
                blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
                let copied = join_all(blobs.iter().map(|blob| self.copy_blob(blob, there.as_ref()))).await;
                copied.into_iter().collect()
            }
        }
    }

    fn copy_child(&self, digest: Digest, depth: u32) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let target = self.request.target.at_digest(digest.clone());
            if self.asks_target_first() && self.run.copier.native.is_none() && self.digest_at(&target).await?.is_some()
            {
                return Ok(());
            }
            let manifest = self.copy_tree(digest, depth).await?;
            self.store(&target, &manifest).await
        })
    }

    /// Stores a manifest whose content is at the target. If the target has lost some of the content meanwhile, that is
    /// brought once more.
    pub(crate) async fn store(&self, target: &Reference, manifest: &Manifest) -> Result<(), RegistryError> {
        let mut stored = self.client.put_manifest(target, manifest).await;
        if let Err(RegistryError::Refused { why, .. }) = &stored
            && ["BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "layer digests match"]
                .iter()
                .any(|words| why.contains(words))
            && let Ok(image @ Contents::Image { .. }) = manifest.contents()
        {
            let digests: Vec<Digest> = image.blobs().iter().map(|blob| blob.digest.clone()).collect();
            self.board.forget(&self.request.target, &digests);
            lock(&self.blobs).retain(|digest| !digests.contains(digest));
            self.copy_content(manifest, DEEPEST_INDEX).await?;
            stored = self.client.put_manifest(target, manifest).await;
        }
        if let Err(RegistryError::TagImmutable { .. }) = &stored
            && self.digest_at(target).await?.as_ref() == Some(&manifest.digest)
        {
            // Somebody else has stored the same manifest meanwhile.
            stored = Ok(());
        }
        stored?;
        if let Ok(contents) = manifest.contents() {
            let digests: Vec<Digest> = contents.blobs().iter().map(|blob| blob.digest.clone()).collect();
            self.board.referred(&self.request.target, &digests);
            self.run.copier.remember(&self.request.target, &digests);
        }
        Ok(())
    }

    fn new_blobs(&self, image: &Contents) -> Vec<Descriptor> {
        if let Contents::Image { layers, .. } = image {
            add(&self.tally.foreign_layers, layers.iter().filter(|layer| layer.is_foreign()).map(|_| 1).sum());
        }
        let mut seen = lock(&self.blobs);
        image.blobs().into_iter().filter(|blob| seen.insert(blob.digest.clone())).cloned().collect()
    }

    /// Returns the children that the target has, where one call tells it. If that call fails, each child is asked for
    /// by itself: this costs requests, but nothing is wrongly taken to be there.
    async fn there(&self, children: &[Descriptor]) -> HashSet<Digest> {
        let Some(native) = &self.run.copier.native else {
            return HashSet::new();
        };
        let digests: Vec<Digest> = children.iter().map(|child| child.digest.clone()).collect();
        native.manifests(&self.request.target, &digests).await.unwrap_or_default().into_iter().collect()
    }

    /// Returns the blobs that the target has, where one call tells it; `None` where each has to be asked for.
    async fn blobs_there(&self, blobs: &[Descriptor]) -> Option<HashSet<Digest>> {
        let native = self.run.copier.native.as_ref().filter(|_| !blobs.is_empty())?;
        let digests: Vec<Digest> = blobs.iter().map(|blob| blob.digest.clone()).collect();
        Some(native.blobs(&self.request.target, &digests).await?.into_iter().collect())
    }

    /// Fetches a manifest by its digest, from the first source that gives it.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let cell = self.run.manifests.cell(digest);
        lock(&self.kept).push(Arc::clone(&cell));
        let fetched = || async {
            // Few are fetched at a time, and none once the image has cost too much: together they fill the memory.
            let _turn = self.run.reads.acquire().await;
            self.budget.check().map_err(|why| self.unusable(digest, why))?;
            let manifest = self.fetch(digest).await?;
            self.budget.hold(digest, manifest.bytes.len()).map_err(|why| self.unusable(digest, why))?;
            Ok(manifest)
        };
        cell.get_or_try_init(fetched).await.cloned()
    }

    async fn fetch(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let mut last_error = None;
        for source in self.sources.ladder(self.request) {
            let is_itself = source == self.request.source;
            if let Some(error) = self.sources.used_up(source.registry()) {
                last_error = Some(error);
                continue;
            }
            if is_itself {
                add(&self.tally.source_manifest_gets, 1);
            }
            match self.client.manifest(&source, digest).await {
                Ok(manifest) => {
                    self.sources.worked(&source);
                    return Ok(manifest);
                }
                Err(error) => {
                    self.sources.note_quota(source.registry(), &error);
                    if !is_itself {
                        self.sources.failed(&source, &error);
                    }
                    last_error = Some(error);
                }
            }
        }
        Err(last_error.unwrap_or_else(|| RegistryError::Invalid("there is no source to copy from".to_owned())))
    }

    /// Whether a request to the target is cheaper than one to the sources, because the source registry counts pulls.
    fn asks_target_first(&self) -> bool {
        row_of(self.request.source.registry()).counts_pulls
    }

    pub(crate) async fn digest_at(&self, target: &Reference) -> Result<Option<Digest>, RegistryError> {
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

    /// Returns the platforms of the image at the target. A copy does not fail because they are unknown.
    async fn platforms(&self, digest: &Digest, manifest: Option<Manifest>) -> Vec<Platform> {
        let target = &self.request.target;
        let manifest = match manifest {
            Some(manifest) => Some(manifest),
            None => self.client.manifest(target, digest).await.ok(),
        };
        let Some(contents) = manifest.and_then(|manifest| manifest.contents().ok()) else {
            return Vec::new();
        };
        if let Contents::Image { config: Some(config), .. } = &contents {
            let config = self.client.small_blob(target, config, crate::blobs::LARGEST_CONFIG).await;
            return config.ok().and_then(|config| platform_of_config(&config)).into_iter().collect();
        }
        contents.platforms()
    }

    fn report(&self, digest: Digest, up_to_date: bool, platforms: Vec<Platform>) -> CopyReport {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let bytes_copied = count(&self.tally.bytes_copied);
        CopyReport {
            digest,
            bytes_copied,
            blobs_copied: count(&self.tally.blobs_copied),
            blobs_skipped: count(&self.tally.blobs_skipped),
            blobs_mounted: count(&self.tally.blobs_mounted),
            bytes_sent_again: count(&self.tally.bytes_sent).saturating_sub(bytes_copied),
            foreign_layers: count(&self.tally.foreign_layers),
            artifacts_copied: count(&self.tally.artifacts_copied),
            source_manifest_gets: count(&self.tally.source_manifest_gets),
            up_to_date,
            platforms,
        }
    }
}

/// What the target's tag is to mean.
enum TagTarget {
    /// A manifest that a source has.
    Digest(Digest),
    /// An index that was made here.
    Made(Manifest),
}

impl TagTarget {
    const fn digest(&self) -> &Digest {
        match self {
            Self::Digest(digest) => digest,
            Self::Made(manifest) => &manifest.digest,
        }
    }
}
