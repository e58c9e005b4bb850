//! Reads a blob from one or several repositories as if they were one.
//!
//! The last chunk is handed on only if the whole matches its digest, so whoever forwards chunks never completes a wrong
//! blob. When a stream breaks, stalls or crawls, a Range request continues it where it stopped, at the next repository
//! that has the blob.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Duration, Instant};

use super::client::Client;
use super::error::RegistryError;
use super::request::blob_call;
use super::verify::Content;
use pullsafe::manifest::Descriptor;
use pullsafe::reference::Reference;

/// How many times a stream is continued without [`USEFUL`] bytes of progress in between.
const MOST_RESUMES: u32 = 5;
const USEFUL: u64 = 1024 * 1024;
/// The attempts at a repository while there is another one to turn to.
const ATTEMPTS_WITH_OTHERS: u32 = 2;
/// A stream that brings less than this in [`CRAWL_TIME`] crawls, and is left if there is another repository.
const CRAWL_BYTES: u64 = 256 * 1024;
const CRAWL_TIME: Duration = Duration::from_secs(12);
/// If there is no other repository, a crawling stream gets this much time instead.
const CRAWL_TIME_ALONE: Duration = Duration::from_secs(60);

/// Is called when a repository failed to give a blob, with the reason.
pub type OnFailure = Arc<dyn Fn(&Reference, &RegistryError) + Send + Sync>;

/// A blob that is being read.
pub struct BlobReader {
    client: Client,
    /// The repositories; the first is the one being read.
    sources: Vec<Reference>,
    pub(crate) content: Content,
    /// How many bytes to drop that a server without Range support sends for the second time.
    skip: u64,
    stream: Option<Stream>,
    /// Every host that has sent content since the start.
    senders: Vec<String>,
    resumes: u32,
    resumed_at: u64,
    on_failure: Option<OnFailure>,
}

struct Stream {
    body: Incoming,
    host: String,
    /// For the speed: since when, and from which byte.
    since: Instant,
    from: u64,
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BlobReader")
            .field("sources", &self.sources)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

impl BlobReader {
    pub(crate) fn new(
        client: Client,
        sources: Vec<Reference>,
        blob: &Descriptor,
        on_failure: Option<OnFailure>,
    ) -> Self {
        let content = Content::new(blob.digest.clone(), blob.size);
        let (skip, stream, senders, resumes, resumed_at) = (0, None, Vec::new(), 0, 0);
        Self {
            client,
            sources,
            content,
            skip,
            stream,
            senders,
            resumes,
            resumed_at,
            on_failure,
        }
    }

    /// Returns the next chunk; `None` once the whole blob was handed on.
    ///
    /// # Errors
    /// [`RegistryError::Content`] instead of the last chunk if the whole is not what was asked for; a network error
    /// only after the stream was continued a few times.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        if let Some(kept) = self.content.take_kept() {
            return Ok(Some(kept));
        }
        while self.content.offset() < self.content.size() {
            if self.stream.is_none() {
                self.open().await?;
            }
            let Some(stream) = &mut self.stream else { continue };
            let broken = match self.client.inner.http.chunk(&mut stream.body, &stream.host).await {
                Ok(Some(chunk)) => match self.accept(chunk)? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Ok(None) => RegistryError::Connection {
                    host: stream.host.clone(),
                    why: format!(
                        "{} ended after {} of {} bytes",
                        self.content.digest(),
                        self.content.offset(),
                        self.content.size()
                    ),
                },
                Err(error) => error,
            };
            self.leave(broken)?;
        }
        Ok(None)
    }

    /// Goes back, so that the next byte handed on is this one.
    pub(crate) fn rewind(&mut self, to: u64) {
        let before = self.content.offset();
        self.content.rewind(to);
        if self.content.offset() != before {
            self.stream = None;
        }
    }

    /// Whether the content came from more than one host, so that wrong content cannot be blamed on one of them.
    pub(crate) fn is_mixed(&self) -> bool {
        self.senders.len() > 1
    }

    /// Starts over with these repositories.
    pub(crate) fn restart(&mut self, sources: Vec<Reference>) {
        self.content.restart();
        (self.stream, self.skip, self.resumes, self.resumed_at) = (None, 0, 0, 0);
        self.senders.clear();
        self.sources = sources;
    }

    /// The repositories that are left, the one being read first.
    pub(crate) fn sources(&self) -> &[Reference] {
        &self.sources
    }

    fn accept(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, RegistryError> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let skipped = self.skip.min(length);
        self.skip -= skipped;
        // At most the chunk's own length, so it fits.
        chunk = chunk.split_off(usize::try_from(skipped).unwrap_or_default());
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        if self.senders.last() != Some(&stream.host) {
            self.senders.push(stream.host.clone());
        }
        let patience = if self.sources.len() > 1 { CRAWL_TIME } else { CRAWL_TIME_ALONE };
        let crawls = {
            let (now, so_far) = (Instant::now(), self.content.offset());
            let over = now.duration_since(stream.since) >= patience;
            let crawls = over && so_far.saturating_sub(stream.from) < CRAWL_BYTES;
            if over {
                (stream.since, stream.from) = (now, so_far);
            }
            crawls
        };
        if chunk.is_empty() {
            return Ok(None);
        }
        let host = stream.host.clone();
        let accepted = self.content.accept(chunk, &host)?;
        if crawls && self.content.offset() < self.content.size() {
            let crawled = RegistryError::Stalled {
                host,
                seconds: patience.as_secs(),
                waiting_for: "sending content at a useful speed",
            };
            self.leave(crawled)?;
        }
        Ok(accepted)
    }

    /// Leaves a stream that failed; the next one comes from the next repository.
    fn leave(&mut self, broken: RegistryError) -> Result<(), RegistryError> {
        self.stream = None;
        if self.content.offset() >= self.resumed_at + USEFUL {
            self.resumes = 0;
        }
        self.resumed_at = self.content.offset();
        self.failed(&broken);
        if self.resumes >= MOST_RESUMES {
            return Err(broken);
        }
        self.resumes += 1;
        let offset_bytes = self.content.offset();
        tracing::debug!(digest = %self.content.digest(), offset_bytes, error = %broken, "the download of a blob is \
            taken up again");
        let next = 1.min(self.sources.len());
        self.sources.rotate_left(next);
        Ok(())
    }

    fn failed(&self, error: &RegistryError) {
        if let (Some(on_failure), Some(source)) = (&self.on_failure, self.sources.first()) {
            on_failure(source, error);
        }
    }

    /// Opens the stream at the first repository that gives one. Those that do not are not asked again for this blob.
    pub(crate) async fn open(&mut self) -> Result<(), RegistryError> {
        loop {
            let Some(source) = self.sources.first().cloned() else {
                return Err(RegistryError::Invalid(format!(
                    "there is no source of the blob {}",
                    self.content.digest()
                )));
            };
            match self.open_at(&source).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.failed(&error);
                    if self.sources.len() == 1 {
                        return Err(error);
                    }
                    self.sources.remove(0);
                }
            }
        }
    }

    async fn open_at(&mut self, source: &Reference) -> Result<(), RegistryError> {
        let mut call = blob_call(Method::GET, source, self.content.digest());
        let offset = self.content.offset();
        if offset > 0 {
            call.headers.push((RANGE, format!("bytes={offset}-")));
        }
        let attempts = if self.sources.len() > 1 {
            ATTEMPTS_WITH_OTHERS
        } else {
            self.client.attempts()
        };
        let answer = self.client.call_at_most(&call, attempts).await?;
        let host = answer.host.clone();
        let partial = answer.response.status() == StatusCode::PARTIAL_CONTENT;
        let starts_at = if partial { range_start(answer.header(CONTENT_RANGE)) } else { Some(0) };
        let Some(starts_at) = starts_at.filter(|start| *start <= offset) else {
            let why = "it sent another range than was asked for".to_owned();
            return Err(RegistryError::Answer { registry: host, what: call.what, why });
        };
        let length = answer.header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if let Some(length) = length.filter(|length| starts_at.saturating_add(*length) != self.content.size()) {
            let why = format!("it has {} bytes and not {}", starts_at.saturating_add(length), self.content.size());
            return Err(self.content.wrong(&host, why));
        }
        self.skip = offset - starts_at;
        self.stream = Some(Stream {
            body: answer.response.into_body(),
            host,
            since: Instant::now(),
            from: offset,
        });
        Ok(())
    }
}

/// Returns the first byte of a range such as `bytes 5-9/10`.
fn range_start(content_range: Option<&str>) -> Option<u64> {
    content_range?.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
