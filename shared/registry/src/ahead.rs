//! The rest of a large blob, read ahead: pieces that are asked for by Range while the bytes before them still arrive.
//!
//! A piece that fails in any way costs nothing but itself: its reader goes on with one stream from where it is.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use super::client::Client;
use super::error::RegistryError;
use super::request::blob_call;
use crate::decide::ahead::{Progress, ReadAhead};
use pullsafe::reference::{Digest, Reference};

/// A connection that was kept may turn out to be closed; more than one repetition would hold up the blob.
const ATTEMPTS: u32 = 2;
/// Pieces at first; see [`Ahead::adapt`].
const FIRST_DEPTH: usize = 2;

/// Pieces of one blob, one after the other.
#[derive(Debug)]
pub(crate) struct Ahead {
    source: Reference,
    digest: Digest,
    size: u64,
    /// The first byte that nobody has asked for.
    next: u64,
    /// Pieces that are asked for at a time.
    depth: usize,
    pieces: VecDeque<Piece>,
}

impl Ahead {
    /// Pieces of a blob from this byte on; `None` where others have taken all the room.
    pub(crate) fn from(client: &Client, source: &Reference, digest: &Digest, size: u64, from: u64) -> Option<Self> {
        let (source, digest, depth) = (source.clone(), digest.clone(), FIRST_DEPTH.min(client.inner.room.policy.of_one));
        let mut ahead = Self { source, digest, size, next: from, depth, pieces: VecDeque::new() };
        ahead.fill(client);
        (!ahead.pieces.is_empty()).then_some(ahead)
    }

    /// The piece that begins here, and further ones are asked for.
    pub(crate) fn take(&mut self, client: &Client, at: u64) -> Option<Piece> {
        let piece = self.pieces.pop_front().filter(|piece| piece.range.start == at)?;
        self.fill(client);
        Some(piece)
    }

    /// More pieces where the last one was waited for, fewer where it waited: then the target is the limit.
    pub(crate) fn adapt(&mut self, policy: &ReadAhead, last: &Progress) {
        self.depth = if policy.idle(last) { policy.of_one.min(self.depth + 1) } else { self.depth.saturating_sub(1).max(1) };
    }

    fn fill(&mut self, client: &Client) {
        let room = &client.inner.room;
        while self.next < self.size && self.pieces.len() < self.depth {
            let Ok(place) = Arc::clone(&room.pieces).try_acquire_owned() else { return };
            let range = self.next..self.next.saturating_add(room.policy.piece.max(1)).min(self.size);
            self.next = range.end;
            self.pieces.push_back(Piece::ask(client.clone(), self, range, place));
        }
    }
}

/// A piece on its way: its chunks wait here, however late they are taken. Dropped, it is no longer fetched.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<u64>,
    host: Arc<OnceLock<String>>,
    /// Without a bound of its own: a piece is as much as there is room for.
    chunks: mpsc::UnboundedReceiver<Result<Bytes, RegistryError>>,
    task: AbortHandle,
    _place: OwnedSemaphorePermit,
}

impl Piece {
    fn ask(client: Client, ahead: &Ahead, range: Range<u64>, place: OwnedSemaphorePermit) -> Self {
        let (sender, chunks) = mpsc::unbounded_channel();
        let host = Arc::new(OnceLock::new());
        let (source, digest, size) = (ahead.source.clone(), ahead.digest.clone(), ahead.size);
        let (asked, from) = (range.clone(), Arc::clone(&host));
        let fetching = tokio::spawn(async move {
            if let Err(error) = fetch(&client, &source, &digest, size, asked, &from, &sender).await {
                // Whoever no longer listens needs no reason.
                let _ = sender.send(Err(error));
            }
        });
        Self { range, host, chunks, task: fetching.abort_handle(), _place: place }
    }

    /// Who sends it, once that is known.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.get().map(String::as_str)
    }

    /// The next chunk; `None` at the end of the piece.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, RegistryError> {
        self.chunks.recv().await.transpose()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn fetch(
    client: &Client,
    source: &Reference,
    digest: &Digest,
    size: u64,
    range: Range<u64>,
    from: &OnceLock<String>,
    chunks: &mpsc::UnboundedSender<Result<Bytes, RegistryError>>,
) -> Result<(), RegistryError> {
    let mut call = blob_call(Method::GET, source, digest);
    let last = range.end.saturating_sub(1);
    call.headers.push((RANGE, format!("bytes={}-{last}", range.start)));
    let answer = client.call_at_most(&call, ATTEMPTS).await?;
    let host = from.get_or_init(|| answer.host.clone());
    let sent = answer.header(CONTENT_RANGE).map(str::trim).unwrap_or_default();
    let expected = format!("bytes {}-{last}/", range.start);
    let total = sent.strip_prefix(&expected).filter(|total| *total == "*" || *total == size.to_string());
    if answer.response.status() != StatusCode::PARTIAL_CONTENT || total.is_none() {
        let why = "it sent something else than the range that was asked for".to_owned();
        return Err(RegistryError::Answer { registry: host.clone(), what: call.what, why });
    }
    let mut body = answer.response.into_body();
    let mut left = range.end - range.start;
    while let Some(chunk) = client.inner.http.chunk(&mut body, host).await? {
        let Some(rest) = left.checked_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX)) else { break };
        left = rest;
        if chunks.send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
    if left > 0 {
        let why = format!("{digest} ended {left} bytes before the range that was asked for");
        return Err(RegistryError::Connection { host: host.clone(), why });
    }
    Ok(())
}
