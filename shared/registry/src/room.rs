//! The right to hold pieces that are read ahead.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::decide::ahead::ReadAhead;

/// The right to hold pieces, for all blobs of a client.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) policy: ReadAhead,
    pub(crate) pieces: Arc<Semaphore>,
}

impl Room {
    pub(crate) fn new(policy: ReadAhead) -> Self {
        Self { policy, pieces: Arc::new(Semaphore::new(policy.of_all)) }
    }
}
