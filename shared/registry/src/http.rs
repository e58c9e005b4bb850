//! The HTTP client for registries, token services and signed addresses: HTTP/1.1 over the TLS stack that the AWS SDK
//! brings anyway.
//!
//! Every wait has a limit: connecting, the first byte of an answer, and the gap between two chunks. Errors name the
//! host and never the address, which may be signed. The TLS roots are loaded at the first https request, so that a cold
//! start or a local run does not pay for them.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::RegistryError;
use super::reach::{AllowedHosts, Resolver};
use super::wire::{Buffered, Filled, Wrapped};

pub use super::reach::host_of;

/// The most bytes that one connection reads or writes at a time.
const LARGEST_BUFFER: usize = 64 * 1024;

/// An error of a request's body.
pub type BodyError = Box<dyn StdError + Send + Sync>;
/// A request's body.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Makes a body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How long to wait for each part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer, once the request is sent.
    pub first_byte: Duration,
    /// Between two chunks, in either direction.
    pub stall: Duration,
    /// For the answer to an upload, once its last byte is sent: the registry may hash it first.
    pub upload_answer: Duration,
    /// For the whole of an answer that is kept in memory (a manifest, a token, a list, an error), however slowly it
    /// drips.
    pub small_answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(10),
            stall: Duration::from_secs(12),
            upload_answer: Duration::from_secs(120),
            small_answer: Duration::from_secs(45),
        }
    }
}

/// A client over TLS.
type Encrypted = Client<Wrapped<HttpsConnector<Below>, MaybeHttpsStream<TcpConnection>, Filled<TcpConnection>>, Body>;
/// The layers below TLS.
type Below = Wrapped<HttpConnector<Resolver>, TokioIo<TcpStream>, TcpConnection>;
type TcpConnection = Buffered<TokioIo<TcpStream>>;

/// The client. It keeps connections for reuse, so one client serves a whole process.
#[derive(Debug)]
pub struct Http {
    timeouts: Timeouts,
    reach: AllowedHosts,
    plain: Client<HttpConnector<Resolver>, Body>,
    tls: OnceLock<Result<Encrypted, String>>,
}

impl Http {
    /// Makes a client with these time limits, which connects only to addresses that `reach` allows. Nothing is loaded
    /// or connected yet.
    pub fn new(timeouts: Timeouts, reach: AllowedHosts) -> Self {
        let plain = builder().build(connector(&timeouts, reach));
        Self { timeouts, reach, plain, tls: OnceLock::new() }
    }

    /// The time limits.
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Sends a request whose body is in memory, and waits for the head of the answer.
    ///
    /// # Errors
    /// [`RegistryError::Connection`] or [`RegistryError::Stalled`].
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, RegistryError> {
        let host = host_of(request.uri());
        let limit = self.timeouts.connect + self.timeouts.first_byte;
        match timeout(limit, self.send_unlimited(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(stalled(host, limit, "waiting for an answer")),
        }
    }

    /// Sends a request whose body may take long; the caller has to watch its progress.
    ///
    /// # Errors
    /// [`RegistryError::Connection`].
    pub async fn send_unlimited(&self, request: Request<Body>) -> Result<Response<Incoming>, RegistryError> {
        let host = host_of(request.uri());
        let failed = |why| RegistryError::Connection { host: host.clone(), why };
        let answer = if request.uri().scheme_str() == Some("http") {
            self.plain.request(request).await
        } else {
            let client = self
                .tls
                .get_or_init(|| tls_client(&self.timeouts, self.reach))
                .as_ref()
                .map_err(|why| failed(why.clone()))?;
            client.request(request).await
        };
        answer.map_err(|error| failed(chain(&error)))
    }

    /// Reads the next chunk of an answer; `None` at its end.
    ///
    /// # Errors
    /// [`RegistryError::Connection`] or [`RegistryError::Stalled`].
    pub async fn chunk(&self, body: &mut Incoming, host: &str) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let frame = match timeout(self.timeouts.stall, body.frame()).await {
                Err(_elapsed) => return Err(stalled(host.to_owned(), self.timeouts.stall, "sending content")),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    return Err(RegistryError::Connection { host: host.to_owned(), why: chain(&error) });
                }
                Ok(Some(Ok(frame))) => frame,
            };
            // A frame without data is a trailer.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
    }

    /// Reads a whole answer of at most `limit` bytes; `None` if it is longer.
    ///
    /// # Errors
    /// As for [`Self::chunk`]; also if the whole takes too long, even without a long pause.
    pub async fn whole(&self, body: Incoming, host: &str, limit: usize) -> Result<Option<Bytes>, RegistryError> {
        let time = self.timeouts.small_answer;
        let all = timeout(time, self.collect(body, host, limit)).await;
        all.unwrap_or_else(|_elapsed| Err(RegistryError::TooSlow { host: host.to_owned(), seconds: time.as_secs() }))
    }

    async fn collect(&self, mut body: Incoming, host: &str, limit: usize) -> Result<Option<Bytes>, RegistryError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut body, host).await? {
            if whole.len() + chunk.len() > limit {
                return Ok(None);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Some(whole.freeze()))
    }
}

fn stalled(host: String, limit: Duration, waiting_for: &'static str) -> RegistryError {
    RegistryError::Stalled { host, seconds: limit.as_secs(), waiting_for }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    // A function that was frozen for longer finds its connections dead.
    builder.pool_idle_timeout(Duration::from_secs(30)).pool_timer(TokioTimer::new());
    // The most of a body that one connection holds: many connections are open at once.
    builder.http1_max_buf_size(LARGEST_BUFFER);
    builder
}

fn connector(timeouts: &Timeouts, reach: AllowedHosts) -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new(reach));
    connector.set_connect_timeout(Some(timeouts.connect));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

fn tls_client(timeouts: &Timeouts, reach: AllowedHosts) -> Result<Encrypted, String> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("the system's certificates cannot be loaded: {error}"))?
        .https_only()
        .enable_http1()
        .wrap_connector(Wrapped::new(connector(timeouts, reach), Buffered::new as fn(_) -> _));
    Ok(builder().build(Wrapped::new(connector, Filled::new as fn(_) -> _)))
}

/// Formats an error with its causes, each once.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
