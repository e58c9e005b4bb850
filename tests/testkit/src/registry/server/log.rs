//! The requests to a server, and the answers.

use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLine {
    /// The HTTP method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, undecoded.
    pub query: String,
    /// The status of the answer; 0 if the connection was cut or nothing has been answered yet.
    pub status: u16,
    /// The address that the request came from (see [`super::quota::source_of`]).
    pub source: String,
    /// Bytes of the answer's body sent so far.
    pub bytes_out: u64,
    /// Whether it carried an `Authorization` header.
    pub had_authorization: bool,
    /// Whether it went to the other host, which serves redirected blobs.
    pub cdn: bool,
}

impl AccessLine {
    /// Whether the request is for a manifest of this repository.
    pub fn is_manifest_of(&self, repository: &str) -> bool {
        self.path
            .strip_prefix("/v2/")
            .and_then(|path| path.strip_prefix(repository))
            .is_some_and(|rest| rest.starts_with("/manifests/"))
    }
}

/// The log of one server. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessLog {
    entries: Arc<Mutex<Vec<Arc<LogEntry>>>>,
    in_flight: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct LogEntry {
    asked: AccessLine,
    status: AtomicU16,
    bytes_out: AtomicU64,
}

/// A request in flight and its line in the log. It is no longer in flight when this is dropped.
#[derive(Debug)]
pub(super) struct OpenRequest {
    entry: Arc<LogEntry>,
    in_flight: Arc<AtomicUsize>,
}

impl AccessLog {
    pub(super) fn open(&self, asked: AccessLine) -> OpenRequest {
        let entry = Arc::new(LogEntry {
            asked,
            status: AtomicU16::new(0),
            bytes_out: AtomicU64::new(0),
        });
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&entry));
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        OpenRequest { entry, in_flight: Arc::clone(&self.in_flight) }
    }

    pub(super) fn all(&self) -> Vec<AccessLine> {
        let read = |entry: &Arc<LogEntry>| AccessLine {
            status: entry.status.load(Ordering::SeqCst),
            bytes_out: entry.bytes_out.load(Ordering::SeqCst),
            ..entry.asked.clone()
        };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().map(read).collect()
    }

    pub(super) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.peak.store(self.in_flight.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

impl OpenRequest {
    pub(super) fn answered(&self, status: u16) {
        self.entry.status.store(status, Ordering::SeqCst);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.entry.bytes_out.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
