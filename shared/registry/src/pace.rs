//! Keeps requests within what each host takes: one limiter of `decide` for each host and action, with a clock and a way
//! to wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::decide::limiter::{Admission, Ended, Limiter, Rate, RequestKind};

/// Manifest and upload requests at once: a few warm connections.
const METADATA_AT_ONCE: u32 = 16;
/// Transfers at once, each over a connection of its own.
const TRANSFERS_AT_ONCE: u32 = 48;

/// A limit that several processes share, beside the limits that each keeps by itself.
pub trait Allowance: Send + Sync {
    /// Waits until one such request may go. Dropping the future gives up the wait.
    fn admit<'a>(&'a self, registry: &'a str, action: RequestKind) -> BoxFuture<'a, ()>;
}

/// All limiters of a client.
#[derive(Debug)]
pub(crate) struct Limiters {
    started: Instant,
    gates: Mutex<HashMap<(String, RequestKind), Arc<HostLimit>>>,
}

#[derive(Debug)]
struct HostLimit {
    limiter: Mutex<Limiter>,
    freed: Notify,
    started: Instant,
}

/// The right to send one request. If it is just dropped, the request's end says nothing about the rate.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<HostLimit>,
    how: Ended,
}

impl Default for Limiters {
    fn default() -> Self {
        Self { started: Instant::now(), gates: Mutex::default() }
    }
}

impl Limiters {
    /// Waits until a request may go.
    pub(crate) async fn admit(&self, registry: &str, action: RequestKind) -> Permit {
        let gate = self.gate(registry, action);
        loop {
            let admission = gate.limiter().admit(gate.started.elapsed());
            match admission {
                Admission::Go => return Permit { gate: Arc::clone(&gate), how: Ended::Otherwise },
                Admission::At(moment) => tokio::time::sleep_until(gate.started + moment).await,
                // An end in between is not missed: `Notify` keeps it for the next who waits.
                Admission::Full => gate.freed.notified().await,
            }
        }
    }

    fn gate(&self, registry: &str, action: RequestKind) -> Arc<HostLimit> {
        // A panic elsewhere cannot leave the map half changed.
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let largest = match action {
                RequestKind::ReadManifest | RequestKind::WriteManifest | RequestKind::OpenUpload => METADATA_AT_ONCE,
                RequestKind::ReadBlob | RequestKind::WriteBlob => TRANSFERS_AT_ONCE,
            };
            let limiter = Mutex::new(Limiter::new(Rate::published(registry, action), largest));
            Arc::new(HostLimit { limiter, freed: Notify::new(), started: self.started })
        };
        Arc::clone(gates.entry((registry.to_owned(), action)).or_insert_with(new))
    }
}

impl HostLimit {
    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Ends the request: the host had no complaint about the rate.
    pub(crate) fn well(mut self) {
        self.how = Ended::Well;
    }

    /// Ends the request: the host refused for its rate.
    pub(crate) fn throttled(mut self, come_back: Option<Duration>) {
        self.how = Ended::Throttled(come_back);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.limiter().ended(self.how, self.gate.started.elapsed());
        self.gate.freed.notify_one();
    }
}
