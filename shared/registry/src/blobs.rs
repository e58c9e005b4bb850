//! Asks whether a blob exists, and reads its content, verified while it streams.

use bytes::Bytes;
use http::Method;

use super::client::Client;
use super::error::RegistryError;
pub use super::reader::{BlobReader, OnFailure};
use super::request::blob_call;
use pullsafe::manifest::{Contents, Descriptor, Platform, platform_of_config};
use pullsafe::reference::{Digest, Reference};

/// The largest config that is read: 4 MiB, far beyond the few kilobytes of a real one.
pub(crate) const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

impl Client {
    /// Returns whether the repository of a reference holds a blob.
    ///
    /// # Errors
    /// The registry gave no answer that says so.
    pub async fn blob_exists(&self, reference: &Reference, digest: &Digest) -> Result<bool, RegistryError> {
        match self.call(&blob_call(Method::HEAD, reference, digest)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a blob of a reference's repository.
    ///
    /// # Errors
    /// The blob cannot be opened, or the answer already shows another size.
    pub async fn blob(&self, reference: &Reference, blob: &Descriptor) -> Result<BlobReader, RegistryError> {
        self.blob_from(vec![reference.clone()], blob, None).await
    }

    /// Opens a blob at the first of some repositories that gives it. Where one breaks off, the next goes on from the
    /// same byte; `on_failure` hears why a repository was left.
    ///
    /// # Errors
    /// No repository gives it; the error is that of the last one.
    pub async fn blob_from(
        &self,
        sources: Vec<Reference>,
        blob: &Descriptor,
        on_failure: Option<OnFailure>,
    ) -> Result<BlobReader, RegistryError> {
        let mut reader = BlobReader::new(self.clone(), sources, blob, on_failure);
        if blob.size == 0 {
            reader.content.verify("an empty blob")?;
        } else {
            reader.open().await?;
        }
        Ok(reader)
    }

    /// Reads a whole blob of at most `limit` bytes, and verifies it.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] if the blob is larger than the limit.
    pub async fn small_blob(
        &self,
        reference: &Reference,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Bytes, RegistryError> {
        if blob.size > limit {
            let what = format!(
                "the blob {} of {} bytes is larger than the {limit} bytes it may have here",
                blob.digest, blob.size
            );
            return Err(RegistryError::Invalid(what));
        }
        let mut reader = self.blob(reference, blob).await?;
        let mut whole = bytes::BytesMut::new();
        while let Some(chunk) = reader.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Returns the platforms that an image is for. An index names them; a single image says its own in its config,
    /// which is fetched.
    ///
    /// # Errors
    /// The config cannot be fetched.
    pub async fn platforms(&self, reference: &Reference, contents: &Contents) -> Result<Vec<Platform>, RegistryError> {
        let Contents::Image { config: Some(config), .. } = contents else {
            return Ok(contents.platforms());
        };
        let config = self.small_blob(reference, config, LARGEST_CONFIG).await?;
        Ok(platform_of_config(&config).into_iter().collect())
    }
}
