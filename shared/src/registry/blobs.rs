//! Blobs: whether one exists, and its content, verified while it streams.
//!
//! The last chunk of a blob is handed on only if the whole belongs to its digest, so whoever forwards chunks never
//! completes a wrong blob. A broken stream is taken up where it broke, by a Range request.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use sha2::{Digest as _, Sha256};

use super::auth::Scope;
use super::client::{Call, Client};
use super::error::RegistryError;
use crate::domain::manifest::Descriptor;
use crate::domain::reference::{Digest, Reference};

/// So often is one blob's stream taken up again before its source counts as broken.
const MOST_RESUMES: u32 = 5;

impl Client {
    /// Whether the repository of a reference holds a blob.
    ///
    /// # Errors
    /// Whatever leaves that open.
    pub async fn blob_exists(&self, reference: &Reference, digest: &Digest) -> Result<bool, RegistryError> {
        match self.call(&blob_call(Method::HEAD, reference, digest)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a blob of the repository of a reference.
    ///
    /// # Errors
    /// It cannot be opened, or the answer already shows another size.
    pub async fn blob(&self, reference: &Reference, blob: &Descriptor) -> Result<BlobReader, RegistryError> {
        let mut reader = BlobReader {
            client: self.clone(),
            reference: reference.clone(),
            digest: blob.digest.clone(),
            size: blob.size,
            offset: 0,
            skip: 0,
            hasher: Sha256::new(),
            stream: None,
            resumes: 0,
        };
        if blob.size == 0 {
            reader.verify_whole(reference.registry())?;
        } else {
            reader.open().await?;
        }
        Ok(reader)
    }

    /// A whole blob of at most `limit` bytes, verified.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] where its size is over the limit.
    pub async fn small_blob(&self, reference: &Reference, blob: &Descriptor, limit: u64) -> Result<Bytes, RegistryError> {
        if blob.size > limit {
            let what = format!("the blob {} of {} bytes is larger than the {limit} bytes it may have here", blob.digest, blob.size);
            return Err(RegistryError::Invalid(what));
        }
        let mut reader = self.blob(reference, blob).await?;
        let mut whole = bytes::BytesMut::new();
        while let Some(chunk) = reader.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

/// A blob that is being read.
#[derive(Debug)]
pub struct BlobReader {
    client: Client,
    reference: Reference,
    digest: Digest,
    size: u64,
    offset: u64,
    /// Bytes that a server without Range support sends for the second time.
    skip: u64,
    hasher: Sha256,
    stream: Option<(Incoming, String)>,
    resumes: u32,
}

impl BlobReader {
    /// The next chunk; `None` once the whole blob was handed on.
    ///
    /// # Errors
    /// [`RegistryError::Content`] instead of the last chunk if the whole is not what was asked for; a network error only
    /// after the stream was taken up again a few times.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        while self.offset < self.size {
            if self.stream.is_none() {
                self.open().await?;
            }
            let Some((body, host)) = &mut self.stream else { continue };
            let broken = match self.client.inner.http.chunk(body, host).await {
                Ok(Some(chunk)) => match self.accept(chunk)? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Ok(None) => RegistryError::Connection {
                    host: host.clone(),
                    why: format!("{} ended after {} of {} bytes", self.digest, self.offset, self.size),
                },
                Err(error) => error,
            };
            self.stream = None;
            if self.resumes >= MOST_RESUMES {
                return Err(broken);
            }
            self.resumes += 1;
            tracing::debug!(digest = %self.digest, offset_bytes = self.offset, error = %broken, "the download of a blob is taken up again");
        }
        Ok(None)
    }

    fn accept(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, RegistryError> {
        let length = |chunk: &Bytes| u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let skipped = self.skip.min(length(&chunk));
        self.skip -= skipped;
        // Not more than the chunk's own length, so it fits.
        chunk = chunk.split_off(usize::try_from(skipped).unwrap_or_default());
        if chunk.is_empty() {
            return Ok(None);
        }
        let from = self.stream.as_ref().map_or_else(String::new, |(_, host)| host.clone());
        self.hasher.update(&chunk);
        self.offset = self.offset.saturating_add(length(&chunk));
        if self.offset > self.size {
            return Err(self.wrong(&from, format!("it is longer than its {} bytes", self.size)));
        }
        if self.offset == self.size {
            self.verify_whole(&from)?;
        }
        Ok(Some(chunk))
    }

    async fn open(&mut self) -> Result<(), RegistryError> {
        let mut call = blob_call(Method::GET, &self.reference, &self.digest);
        if self.offset > 0 {
            call.headers.push((RANGE, format!("bytes={}-", self.offset)));
        }
        let answer = self.client.call(&call).await?;
        let host = answer.host.clone();
        let partial = answer.response.status() == StatusCode::PARTIAL_CONTENT;
        let starts_at = if partial { range_start(answer.header(CONTENT_RANGE)) } else { Some(0) };
        let Some(starts_at) = starts_at.filter(|start| *start <= self.offset) else {
            let why = "it sent another range than was asked for".to_owned();
            return Err(RegistryError::Answer { registry: host, what: call.what, why });
        };
        let length = answer.header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if let Some(length) = length.filter(|length| starts_at.saturating_add(*length) != self.size) {
            return Err(self.wrong(&host, format!("it has {} bytes and not {}", starts_at.saturating_add(length), self.size)));
        }
        self.skip = self.offset - starts_at;
        self.stream = Some((answer.response.into_body(), host));
        Ok(())
    }

    fn verify_whole(&mut self, from: &str) -> Result<(), RegistryError> {
        let actual = Digest::from_sha256(self.hasher.finalize_reset().into());
        if actual == self.digest { Ok(()) } else { Err(self.wrong(from, format!("it is {actual}"))) }
    }

    fn wrong(&self, from: &str, why: String) -> RegistryError {
        RegistryError::Content { from: from.to_owned(), digest: self.digest.clone(), why }
    }
}

pub(super) fn blob_call<'a>(method: Method, reference: &'a Reference, digest: &Digest) -> Call<'a> {
    let repository = reference.repository();
    Call {
        method,
        registry: reference.registry(),
        path: format!("{repository}/blobs/{digest}"),
        scopes: vec![Scope { repository: repository.to_owned(), push: false }],
        headers: Vec::new(),
        body: Bytes::new(),
        what: format!("the blob {repository}@{digest}"),
    }
}

/// The first byte of `bytes 5-9/10`.
fn range_start(content_range: Option<&str>) -> Option<u64> {
    content_range?.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
