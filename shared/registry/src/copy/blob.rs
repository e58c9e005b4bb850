//! Copies one blob. It is claimed on the board and mounted where that is possible. Otherwise it is streamed from the
//! first source that gives it, with retries and from further sources as long as that can help.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join;
use tokio::time::{Duration, Instant, timeout};

use super::board::{BlobClaim, BlobState, Leader, reached};
use super::image::{ImageCopy, add};
use super::{CopyEvent, OwnMounts, lock};
use crate::blobs::OnFailure;
use crate::error::RegistryError;
use crate::reader::BlobReader;
use crate::uploads::{Mount, OpenUpload, TransferError, Upload};
use pullsafe::manifest::Descriptor;
use pullsafe::reference::{Digest, Reference, Registry};

/// From this size on, the target is asked whether it has a blob before the blob is sent.
const WORTH_A_LOOK: u64 = 1024 * 1024;
/// How many times a blob is sent to a target that breaks off.
const MOST_SENDS: u32 = 5;
/// How long to wait for another image's manifest to refer to a blob, which would allow a mount.
const LONGEST_WAIT_FOR_MANIFEST: Duration = Duration::from_secs(60);
/// No connection of one blob transfers faster, so a blob that would need more to arrive in time is not begun.
const FASTEST_BYTES_PER_SECOND: u64 = 200 * 1024 * 1024;

impl ImageCopy<'_> {
    /// Brings a blob to the target, unless it is there. `there` is the set of the target's blobs that one call has
    /// told.
    pub(crate) async fn copy_blob(
        &self,
        blob: &Descriptor,
        there: Option<&HashSet<Digest>>,
    ) -> Result<(), RegistryError> {
        let target = &self.request.target;
        self.run.tell(CopyEvent::Found { image: self.index, bytes: blob.size });
        loop {
            match self.board.claim(target, &blob.digest, self.index) {
                BlobClaim::Same(mut state) => {
                    if reached(&mut state, BlobState::There).await != BlobState::Failed {
                        self.spared(blob, &self.tally.blobs_skipped);
                        return Ok(());
                    }
                }
                BlobClaim::Lead(turn) => {
                    let holder = self.run.copier.holder(target, &blob.digest);
                    self.bring_blob(blob, there, holder).await?;
                    turn.done();
                    return Ok(());
                }
                BlobClaim::Follow(turn, leader) => {
                    let holder = self.mountable(leader).await;
                    self.bring_blob(blob, there, holder).await?;
                    turn.done();
                    return Ok(());
                }
            }
        }
    }

    fn spared(&self, blob: &Descriptor, counter: &std::sync::atomic::AtomicU64) {
        add(counter, 1);
        self.run.tell(CopyEvent::Spared { image: self.index, bytes: blob.size });
    }

    /// Waits until another repository's blob can be mounted; `None` if it never arrived.
    async fn mountable(&self, mut leader: Leader) -> Option<String> {
        // ECR mounts only what a manifest refers to. Only an image earlier in the list is waited for: a later one may
        // itself be waiting for this one.
        let is_ecr = self.request.target.kind() == Registry::EcrPrivate;
        if reached(&mut leader.state, BlobState::There).await == BlobState::Failed {
            return None;
        }
        if is_ecr && leader.image < self.index {
            // Three images with two blobs could still wait for each other in a circle, hence the timeout. A mount that
            // comes too early only costs the transfer.
            let referred = timeout(LONGEST_WAIT_FOR_MANIFEST, reached(&mut leader.state, BlobState::Referred));
            if referred.await == Ok(BlobState::Failed) {
                return None;
            }
        }
        Some(leader.repository)
    }

    async fn bring_blob(
        &self,
        blob: &Descriptor,
        there: Option<&HashSet<Digest>>,
        holder: Option<String>,
    ) -> Result<(), RegistryError> {
        let target = &self.request.target;
        if there.is_some_and(|there| there.contains(&blob.digest)) {
            self.spared(blob, &self.tally.blobs_skipped);
            return Ok(());
        }
        let _flow = self.run.flows.take(blob.size).await;
        self.check_time(blob)?;
        let mut upload = None;
        if let Some(from) = holder.filter(|from| from != target.repository()) {
            match self.open_upload(blob, Some(from)).await? {
                Upload::Mounted => {
                    self.spared(blob, &self.tally.blobs_mounted);
                    return Ok(());
                }
                Upload::Open(open) => upload = Some(open),
            }
        } else if there.is_none() {
            let own_mounts = self.own_mounts();
            if own_mounts != OwnMounts::Useless {
                match self.open_upload(blob, Some(target.repository().to_owned())).await? {
                    Upload::Mounted => {
                        self.learnt_own_mounts(OwnMounts::Told);
                        self.spared(blob, &self.tally.blobs_skipped);
                        return Ok(());
                    }
                    Upload::Open(open) => upload = Some(open),
                }
            }
            // While it is unknown what a refused mount means here, only a large blob is asked for; sending a small one
            // is cheaper.
            let open =
                own_mounts == OwnMounts::Useless || own_mounts == OwnMounts::Unknown && blob.size >= WORTH_A_LOOK;
            if open && self.client.blob_exists(target, &blob.digest).await? {
                self.learnt_own_mounts(OwnMounts::Useless);
                self.spared(blob, &self.tally.blobs_skipped);
                return Ok(());
            }
        }
        self.send_blob(blob, upload).await?;
        add(&self.tally.blobs_copied, 1);
        add(&self.tally.bytes_copied, blob.size);
        self.learn_own_mounts(blob).await;
        Ok(())
    }

    async fn send_blob(&self, blob: &Descriptor, upload: Option<OpenUpload>) -> Result<(), RegistryError> {
        let target = &self.request.target;
        let (itself, sources) = (self.request.source.clone(), Arc::clone(self.sources));
        let on_failure: OnFailure = Arc::new(move |source: &Reference, error: &RegistryError| {
            if *source != itself {
                sources.failed(source, error);
            }
        });
        let opening = async {
            match upload {
                Some(upload) => Ok(Upload::Open(upload)),
                None => self.open_upload(blob, None).await,
            }
        };
        // While the source looks for the blob, the target opens the upload.
        let ladder = self.sources.ladder(self.request);
        let (reader, upload) = join(self.client.blob_from(ladder, blob, Some(on_failure)), opening).await;
        let mut reader = reader?;
        let Upload::Open(mut upload) = upload? else {
            return Ok(());
        };
        let sent = |bytes: u64| {
            add(&self.tally.bytes_sent, bytes);
            self.run.tell(CopyEvent::Sent { image: self.index, bytes });
        };
        let mut sends = 1;
        // When wrong content came from several sources and no one of them can be blamed, each is tried alone.
        let mut alone: Vec<Reference> = Vec::new();
        loop {
            let error = match self.client.upload(target, upload.clone(), blob, &mut reader, &sent).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error {
                TransferError::Source(error @ RegistryError::Content { .. }) => {
                    self.next_source(&mut reader, &mut alone, error)?;
                    upload = self.new_upload(blob).await?;
                }
                TransferError::Source(error) => return Err(error),
                TransferError::Target(error)
                    if error.is_transient() && !error.is_pull_quota() && sends < MOST_SENDS =>
                {
                    tracing::debug!(digest = %blob.digest, %error, "the upload of a blob is repeated");
                    self.client.pause(sends).await;
                    sends += 1;
                    upload = match self.client.continue_upload(target, &upload, blob.size).await {
                        Some(rest) => rest,
                        None => self.new_upload(blob).await?,
                    };
                    reader.rewind(upload.offset());
                }
                TransferError::Target(error) => return Err(error),
            }
        }
    }

    /// After wrong content: the source that sent it is not asked for this blob again.
    fn next_source(
        &self,
        reader: &mut BlobReader,
        alone: &mut Vec<Reference>,
        error: RegistryError,
    ) -> Result<(), RegistryError> {
        if reader.is_mixed() {
            *alone = reader.sources().to_vec();
        } else if alone.is_empty() {
            *alone = reader.sources().iter().skip(1).cloned().collect();
        } else {
            alone.remove(0);
        }
        if let Some(culprit) =
            reader.sources().first().filter(|source| !reader.is_mixed() && **source != self.request.source)
        {
            self.sources.failed(culprit, &error);
        }
        match alone.first().cloned() {
            Some(next) => {
                reader.restart(vec![next]);
                Ok(())
            }
            None => Err(error),
        }
    }

    async fn new_upload(&self, blob: &Descriptor) -> Result<OpenUpload, RegistryError> {
        match self.open_upload(blob, None).await? {
            Upload::Open(upload) => Ok(upload),
            Upload::Mounted => Err(RegistryError::Invalid("a mount was answered that nobody asked for".to_owned())),
        }
    }

    async fn open_upload(&self, blob: &Descriptor, from: Option<String>) -> Result<Upload, RegistryError> {
        let mount = from.map(|from| Mount { digest: blob.digest.clone(), from });
        self.client.begin_upload(&self.request.target, mount.as_ref()).await
    }

    /// Refuses to begin a blob that cannot arrive in time.
    fn check_time(&self, blob: &Descriptor) -> Result<(), RegistryError> {
        let Some(deadline) = self.run.options.deadline else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || blob.size / FASTEST_BYTES_PER_SECOND > left.as_secs() {
            return Err(RegistryError::OutOfTime { what: self.request.source.to_string() });
        }
        Ok(())
    }

    fn own_mounts(&self) -> OwnMounts {
        if self.request.target.kind() == Registry::EcrPrivate {
            return OwnMounts::Useless;
        }
        lock(&self.run.copier.own_mounts)
            .get(self.request.target.registry())
            .copied()
            .unwrap_or(OwnMounts::Unknown)
    }

    fn learnt_own_mounts(&self, how: OwnMounts) {
        lock(&self.run.copier.own_mounts).insert(self.request.target.registry().to_owned(), how);
    }

    /// After the first blob that was sent to a registry: learns whether the registry confirms it when asked to mount it
    /// where it already is.
    async fn learn_own_mounts(&self, blob: &Descriptor) {
        let target = &self.request.target;
        if target.kind() == Registry::EcrPrivate {
            return;
        }
        {
            let mut known = lock(&self.run.copier.own_mounts);
            if known.contains_key(target.registry()) {
                return;
            }
            known.insert(target.registry().to_owned(), OwnMounts::Unknown);
        }
        let answer = match self.open_upload(blob, Some(target.repository().to_owned())).await {
            Ok(Upload::Mounted) => OwnMounts::Told,
            Ok(Upload::Open(_)) | Err(_) => OwnMounts::Useless,
        };
        self.learnt_own_mounts(answer);
    }
}
