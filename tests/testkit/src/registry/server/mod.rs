//! A registry server on a port of the loopback interface.
//!
//! The server runs on a thread of its own, so it works under any test runtime, with paused time, and from code that is
//! not async. It stops when its last [`RegistryServer`] is dropped.

mod answer;
mod auth;
mod blobs;
pub mod fault;
pub mod log;
mod manifests;
pub mod options;
pub mod quota;
mod request;
mod serve;
mod tags;
mod uploads;

#[cfg(test)]
mod test_client;
#[cfg(test)]
mod tests_ecr;
#[cfg(test)]
mod tests_faults;
#[cfg(test)]
mod tests_hub;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::Method;
use pullsafe::reference::Digest;
use tokio::sync::oneshot;

use super::sample::Sample;
use super::store::ImageStore;
use crate::registry::server::fault::{FaultRule, WaitingFaults};
use crate::registry::server::log::{AccessLine, AccessLog};
use crate::registry::server::options::{EcrOptions, HubOptions, OpenOptions, PlayedRegistry};
use crate::registry::server::quota::ServerQuota;
use crate::rounds::Rounds;

/// The repository that clients ask to learn their quota without using any of it.
const QUOTA_PROBE: &str = "ratelimitpreview/test";

/// A running registry. Clones share one state.
#[derive(Debug, Clone)]
pub struct RegistryServer {
    server: Arc<SharedServer>,
    _stop: Arc<oneshot::Sender<()>>,
}

/// The state that all requests to one server share.
#[derive(Debug)]
pub(super) struct SharedServer {
    store: ImageStore,
    mode: PlayedRegistry,
    url: String,
    cdn_url: String,
    faults: WaitingFaults,
    log: AccessLog,
    tokens: auth::IssuedTokens,
    quota: ServerQuota,
    hub_api: ServerQuota,
    rounds: OnceLock<Rounds>,
    uploads: Mutex<Uploads>,
}

#[derive(Debug, Default)]
struct Uploads {
    last: u64,
    open: HashMap<String, uploads::UploadUnderWay>,
}

impl RegistryServer {
    /// Acts as Docker Hub over this store: as its registry, and as the tags API of hub.docker.com.
    pub fn hub(store: &ImageStore, options: HubOptions) -> Self {
        if store.read(QUOTA_PROBE, |_| ()).is_none() {
            Sample::new(0).docker().build().push(store, QUOTA_PROBE, "latest");
        }
        Self::start(store, PlayedRegistry::Hub(options))
    }

    /// Acts as the data plane of Amazon ECR over this store.
    pub fn ecr(store: &ImageStore, options: EcrOptions) -> Self {
        Self::start(store, PlayedRegistry::Ecr(options))
    }

    /// Acts as an open registry over this store.
    pub fn open(store: &ImageStore, options: OpenOptions) -> Self {
        Self::start(store, PlayedRegistry::Open(options))
    }

    fn start(store: &ImageStore, mode: PlayedRegistry) -> Self {
        let (listener, url) = serve::listen();
        let (cdn_listener, cdn_url) = serve::listen();
        let window = match &mode {
            PlayedRegistry::Hub(options) => options.window_seconds,
            PlayedRegistry::Ecr(_) | PlayedRegistry::Open(_) => HubOptions::default().window_seconds,
        };
        let server = Arc::new(SharedServer {
            quota: ServerQuota::new(store.clock().clone(), window),
            hub_api: ServerQuota::new(store.clock().clone(), 60),
            store: store.clone(),
            mode,
            url,
            cdn_url,
            faults: WaitingFaults::default(),
            log: AccessLog::default(),
            tokens: auth::IssuedTokens::default(),
            rounds: OnceLock::new(),
            uploads: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&server);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the registry");
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // The sender never sends. It is dropped with the last handle of the server.
                    _ = stopped => {}
                    () = serve::accept(&shared, listener, false, None) => {}
                    () = serve::accept(&shared, cdn_listener, true, None) => {}
                }
            });
        });
        Self { server, _stop: Arc::new(stop) }
    }

    /// The URL that the server listens at: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Opens a further URL of the server. Requests to it seem to come from this address, as from behind a NAT gateway.
    /// It listens until the process ends.
    ///
    /// # Panics
    /// If the address is not a valid value of a header.
    pub fn seen_from(&self, address: &str) -> String {
        let (listener, url) = serve::listen();
        let address = address.parse().expect("an address");
        let server = Arc::clone(&self.server);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the registry");
        std::thread::spawn(move || runtime.block_on(serve::accept(&server, listener, false, Some(address))));
        url
    }

    /// Host and port without the scheme, as references name the registry.
    pub fn host(&self) -> &str {
        self.server.url.trim_start_matches("http://")
    }

    /// The URL of the other host, which sends redirected blobs.
    pub fn cdn_url(&self) -> &str {
        &self.server.cdn_url
    }

    /// A link to a blob on the other host, as the ECR API returns it.
    pub fn blob_link(&self, repository: &str, digest: &Digest) -> String {
        self.server.cdn_link(repository, digest)
    }

    /// The images that the server serves.
    pub fn store(&self) -> &ImageStore {
        &self.server.store
    }

    /// Docker Hub's count of pulls. The key of an address is what [`quota::source_of`] makes of it, the key of an
    /// account is [`RegistryServer::account_source`].
    pub fn quota(&self) -> &ServerQuota {
        &self.server.quota
    }

    /// The name of an account in `docker-ratelimit-source`.
    pub fn account_source(name: &str) -> String {
        manifests::account_id(name)
    }

    /// Makes every request wait for its latency, and counts how many requests follow one another. Only the first call
    /// of this function has an effect.
    pub fn count_rounds(&self, rounds: &Rounds) {
        let _ = self.server.rounds.set(rounds.clone());
    }

    /// Plants a fault.
    pub fn plant(&self, rule: FaultRule) {
        self.server.faults.plant(rule);
    }

    /// Removes all planted faults.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// How many planted rules still have to strike.
    pub fn faults_waiting(&self) -> usize {
        self.server.faults.waiting()
    }

    /// Every request so far, in the order of arrival.
    pub fn log(&self) -> Vec<AccessLine> {
        self.server.log.all()
    }

    /// Clears the log.
    pub fn clear_log(&self) {
        self.server.log.clear();
    }

    /// The most requests in flight at once since the log was cleared.
    pub fn peak_in_flight(&self) -> usize {
        self.server.log.peak()
    }

    /// How many requests of this method have this text in their path.
    pub fn requests(&self, method: &Method, path: &str) -> usize {
        self.log().iter().filter(|access| access.method == method && access.path.contains(path)).count()
    }

    /// How many GET requests for manifests of a repository there were, whatever was answered.
    pub fn manifest_gets(&self, repository: &str) -> usize {
        self.log()
            .iter()
            .filter(|access| access.method == Method::GET && access.is_manifest_of(repository))
            .count()
    }

    /// How many HEAD requests for manifests of a repository there were.
    pub fn manifest_heads(&self, repository: &str) -> usize {
        self.log()
            .iter()
            .filter(|access| access.method == Method::HEAD && access.is_manifest_of(repository))
            .count()
    }

    /// Requests that carried credentials to the other host, which must never see any.
    pub fn leaked_credentials(&self) -> Vec<AccessLine> {
        self.log().into_iter().filter(|access| access.cdn && access.had_authorization).collect()
    }
}

impl SharedServer {
    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> &str {
        match &self.mode {
            PlayedRegistry::Ecr(options) => &options.account,
            PlayedRegistry::Hub(_) | PlayedRegistry::Open(_) => "",
        }
    }
}
