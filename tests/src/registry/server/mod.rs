//! A registry server on a port of the loopback interface.
//!
//! It runs on a thread of its own, so it works under any test runtime, with paused time, and from code that is
//! not async. It ends when the last [`RegistryServer`] of it is dropped.

pub(super) mod answer;
mod auth;
mod blobs;
pub mod fault;
pub mod log;
mod manifests;
pub mod options;
pub mod quota;
mod request;
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
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pullsafe::domain::reference::Digest;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::answer::{Answer, Cut, abuse, counted, error, has_content, respond, spoil, too_many_requests};
use self::fault::{Fault, Faults, Rule};
use self::log::{Access, AccessLog};
use self::options::{EcrOptions, HubOptions, Mode, OpenOptions};
use self::quota::PullQuota;
use self::request::{Query, Route, source};
use super::sample::Sample;
use super::store::ImageStore;

/// The repository that clients ask for their quota without spending any.
const QUOTA_PROBE: &str = "ratelimitpreview/test";

/// A running registry. Clones are the same server.
#[derive(Debug, Clone)]
pub struct RegistryServer {
    server: Arc<Server>,
    _stop: Arc<oneshot::Sender<()>>,
}

/// What all requests of one server share.
#[derive(Debug)]
pub(super) struct Server {
    store: ImageStore,
    mode: Mode,
    url: String,
    cdn_url: String,
    faults: Faults,
    log: AccessLog,
    tokens: auth::Tokens,
    quota: PullQuota,
    hub_api: PullQuota,
    uploads: Mutex<Uploads>,
}

#[derive(Debug, Default)]
struct Uploads {
    last: u64,
    open: HashMap<String, uploads::Upload>,
}

impl RegistryServer {
    /// Plays Docker Hub over this store: both its registry and the tags API of hub.docker.com.
    pub fn hub(store: &ImageStore, options: HubOptions) -> Self {
        if store.read(QUOTA_PROBE, |_| ()).is_none() {
            Sample::new(0).docker().build().push(store, QUOTA_PROBE, "latest");
        }
        Self::start(store, Mode::Hub(options))
    }

    /// Plays the data plane of Amazon ECR over this store.
    pub fn ecr(store: &ImageStore, options: EcrOptions) -> Self {
        Self::start(store, Mode::Ecr(options))
    }

    /// Plays a registry open to everybody over this store.
    pub fn open(store: &ImageStore, options: OpenOptions) -> Self {
        Self::start(store, Mode::Open(options))
    }

    fn start(store: &ImageStore, mode: Mode) -> Self {
        let (listener, url) = listen();
        let (cdn_listener, cdn_url) = listen();
        let window = match &mode {
            Mode::Hub(options) => options.window_seconds,
            Mode::Ecr(_) | Mode::Open(_) => HubOptions::default().window_seconds,
        };
        let server = Arc::new(Server {
            quota: PullQuota::new(store.clock().clone(), window),
            hub_api: PullQuota::new(store.clock().clone(), 60),
            store: store.clone(),
            mode,
            url,
            cdn_url,
            faults: Faults::default(),
            log: AccessLog::default(),
            tokens: auth::Tokens::default(),
            uploads: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&server);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the registry");
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // The sender never sends: it is dropped with the last handle of the server.
                    _ = stopped => {}
                    () = accept(&shared, listener, false) => {}
                    () = accept(&shared, cdn_listener, true) => {}
                }
            });
        });
        Self { server, _stop: Arc::new(stop) }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Host and port without the scheme, as a reference names a registry.
    pub fn host(&self) -> &str {
        self.server.url.trim_start_matches("http://")
    }

    /// Where the other host listens, which sends redirected blobs.
    pub fn cdn_url(&self) -> &str {
        &self.server.cdn_url
    }

    /// A link to a blob on the other host, as the ECR API gives it.
    pub fn blob_link(&self, repository: &str, digest: &Digest) -> String {
        self.server.cdn_link(repository, digest)
    }

    /// The images it serves.
    pub fn store(&self) -> &ImageStore {
        &self.server.store
    }

    /// Docker Hub's count of pulls. The key of an address is [`quota::source_of`] it, that of an account [`RegistryServer::account_source`].
    pub fn quota(&self) -> &PullQuota {
        &self.server.quota
    }

    /// What `docker-ratelimit-source` calls an account.
    pub fn account_source(name: &str) -> String {
        manifests::account_id(name)
    }

    /// Plants a fault.
    pub fn plant(&self, rule: Rule) {
        self.server.faults.plant(rule);
    }

    /// Removes all planted faults.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// How many planted rules have not been used up.
    pub fn faults_waiting(&self) -> usize {
        self.server.faults.waiting()
    }

    /// Every request so far, in the order of arrival.
    pub fn log(&self) -> Vec<Access> {
        self.server.log.all()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.server.log.clear();
    }

    /// The most requests that were under way at once since the log was cleared.
    pub fn peak_in_flight(&self) -> usize {
        self.server.log.peak()
    }

    /// How many requests of this method had this text in their path.
    pub fn requests(&self, method: &Method, path: &str) -> usize {
        self.log().iter().filter(|access| access.method == method && access.path.contains(path)).count()
    }

    /// How many manifests of a repository were asked for with GET, whatever was answered.
    pub fn manifest_gets(&self, repository: &str) -> usize {
        self.log().iter().filter(|access| access.method == Method::GET && access.is_manifest_of(repository)).count()
    }

    /// How many manifests of a repository were asked for with HEAD.
    pub fn manifest_heads(&self, repository: &str) -> usize {
        self.log().iter().filter(|access| access.method == Method::HEAD && access.is_manifest_of(repository)).count()
    }

    /// Requests that carried credentials to the other host, which must never see any.
    pub fn leaked_credentials(&self) -> Vec<Access> {
        self.log().into_iter().filter(|access| access.cdn && access.had_authorization).collect()
    }
}

impl Server {
    async fn serve(self: Arc<Self>, request: Request<Incoming>, cdn: bool) -> Answer {
        let (parts, body) = request.into_parts();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let open = self.log.open(Access {
            method: parts.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            status: 0,
            source: source(&parts.headers),
            bytes_out: 0,
            had_authorization: parts.headers.contains_key(AUTHORIZATION),
            cdn,
        });
        let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
        let fault = self.faults.strike(&parts.method, target, false);
        let mut body = Body::new(body);
        let mut redirect = self.mode.redirects_blobs();
        let instead = match fault {
            None => None,
            Some(Fault::Redirect) => {
                redirect = true;
                None
            }
            Some(fault) => self.strike(fault, &Route::of(path), &mut body).await?,
        };
        let response = match instead {
            Some(response) => response,
            None if cdn => self.cdn(&parts.method, &parts.headers, path, query),
            None => self.route(&parts, &mut body, redirect).await?,
        };
        // An answer before the request has ended would reach some clients and not others.
        while let Some(Ok(_)) = body.frame().await {}
        let spoiled = if has_content(&response) { self.faults.strike(&parts.method, target, true) } else { None };
        let response = match spoiled {
            Some(fault) => spoil(response, fault),
            None => response,
        };
        Ok(counted(response, open))
    }

    /// Carries out a fault that strikes before the answer: gives what to answer instead, if anything.
    async fn strike(&self, fault: Fault, route: &Route<'_>, body: &mut Body) -> Result<Option<Response<Body>>, Cut> {
        match fault {
            Fault::Status(status) => {
                let status = StatusCode::from_u16(status).expect("a status between 100 and 999");
                Ok(Some(error(status, "UNKNOWN", status.canonical_reason().unwrap_or("unknown error"))))
            }
            Fault::Unauthorized => Ok(Some(self.expired(route))),
            Fault::TooManyRequests(retry_after) => Ok(Some(too_many_requests(retry_after, "TOOMANYREQUESTS", "Rate exceeded"))),
            Fault::Abuse => Ok(Some(abuse())),
            Fault::Cut { after } => {
                let mut seen = 0;
                while seen < after {
                    let Some(Ok(frame)) = body.frame().await else { break };
                    seen += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Err(Cut)
            }
            Fault::Hold(gate) => {
                gate.pass().await;
                Ok(None)
            }
            Fault::Redirect
            | Fault::Truncate { .. }
            | Fault::Corrupt
            | Fault::Reset { .. }
            | Fault::HoldBody { .. }
            | Fault::Trickle { .. } => Ok(None),
        }
    }

    async fn route(&self, parts: &http::request::Parts, body: &mut Body, redirect: bool) -> Answer {
        let (method, headers) = (&parts.method, &parts.headers);
        let query = Query::of(parts.uri.query().unwrap_or_default());
        let route = Route::of(parts.uri.path());
        match route {
            Route::Token => return Ok(self.token(headers, &query)),
            Route::HubTags { namespace, repository } => return Ok(self.hub_tags(headers, namespace, repository, &query)),
            Route::Unknown => return Ok(error(StatusCode::NOT_FOUND, "NOT_FOUND", "page not found")),
            Route::Ping
            | Route::Manifest { .. }
            | Route::Blob { .. }
            | Route::Uploads { .. }
            | Route::Upload { .. }
            | Route::Tags { .. }
            | Route::Referrers { .. } => {}
        }
        let reads = method == Method::GET || method == Method::HEAD;
        let caller = match self.authenticate(headers, &route, !reads) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(refusal),
        };
        match route {
            Route::Ping if reads => Ok(answer::json_body(respond(StatusCode::OK), &serde_json::json!({}))),
            Route::Manifest { repository, reference } if reads => Ok(self.pull_manifest(method, headers, &caller, repository, reference)),
            Route::Manifest { repository, reference } if method == Method::PUT => {
                self.push_manifest(headers, repository, reference, body).await
            }
            Route::Blob { repository, digest } if reads => Ok(self.pull_blob(method, headers, repository, digest, redirect)),
            Route::Uploads { repository } if method == Method::POST => Ok(self.start_upload(repository, &query)),
            Route::Upload { repository, id } if method == Method::PATCH => self.upload_chunk(headers, repository, id, body).await,
            Route::Upload { repository, id } if method == Method::PUT => self.finish_upload(repository, id, &query, body).await,
            Route::Upload { repository, id } if method == Method::DELETE => Ok(self.cancel_upload(repository, id)),
            Route::Tags { repository } if reads => Ok(self.tags_list(repository, &query)),
            Route::Referrers { repository, digest } if reads => Ok(self.referrers(repository, digest, &query)),
            Route::Ping
            | Route::Token
            | Route::Manifest { .. }
            | Route::Blob { .. }
            | Route::Uploads { .. }
            | Route::Upload { .. }
            | Route::Tags { .. }
            | Route::Referrers { .. }
            | Route::HubTags { .. }
            | Route::Unknown => Ok(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported.")),
        }
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> &str {
        match &self.mode {
            Mode::Ecr(options) => &options.account,
            Mode::Hub(_) | Mode::Open(_) => "",
        }
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on the loopback interface");
    listener.set_nonblocking(true).expect("a listener that does not block");
    let url = format!("http://{}", listener.local_addr().expect("the port it got"));
    (listener, url)
}

/// Takes connections until it is dropped; the connections end with it.
async fn accept(server: &Arc<Server>, listener: TcpListener, cdn: bool) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener of this runtime");
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without it, small answers wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let server = Arc::clone(server);
        connections.spawn(async move {
            let service = service_fn(|request| Arc::clone(&server).serve(request, cdn));
            // An error is a cut, planted here or made by the client.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
