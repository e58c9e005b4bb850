//! Identifiers that look like those of AWS but are the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of identifiers in the form of a UUID. Each service has its own.
#[derive(Debug)]
pub(super) struct Ids {
    kind: u16,
    next: AtomicU64,
}

impl Ids {
    /// A source whose identifiers start with this number, so that those of two services never collide.
    pub(super) const fn of_kind(kind: u16) -> Self {
        Self { kind, next: AtomicU64::new(1) }
    }

    /// The next identifier.
    pub(super) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        format!("{:04x}0000-0000-4000-8000-{number:012x}", self.kind)
    }
}
