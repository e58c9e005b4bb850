//! The access log: one entry for each request. The reader does the counting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// One request and its answer.
pub struct Entry {
    pub method: String,
    /// `manifest`, `blob`, `upload`, `tags`, `token`, `ping` or `other`.
    pub kind: &'static str,
    pub status: u16,
    pub bytes_in: u64,
    /// Grows while the body is sent: for a download that was broken off, this is how much left the server.
    pub bytes_out: Arc<AtomicU64>,
    /// `mount`, `range`, `again` (a blob that had been uploaded before) or `-`.
    pub note: &'static str,
    pub path: String,
}

#[derive(Default)]
pub struct Log(Mutex<Vec<Entry>>);

impl Log {
    pub fn add(&self, entry: Entry) {
        self.0.lock().expect("the log").push(entry);
    }

    pub fn clear(&self) {
        self.0.lock().expect("the log").clear();
    }

    /// A line for each entry: method, kind, status, bytes in, bytes out, note, path.
    pub fn text(&self) -> String {
        let entries = self.0.lock().expect("the log");
        let line = |entry: &Entry| {
            let Entry { method, kind, status, bytes_in, bytes_out, note, path } = entry;
            format!("{method} {kind} {status} {bytes_in} {} {note} {path}\n", bytes_out.load(Ordering::Relaxed))
        };
        entries.iter().map(line).collect()
    }
}
