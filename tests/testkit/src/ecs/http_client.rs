//! GET requests of a task's host, through a NAT gateway, to registries that are mapped to other addresses here.

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// The media types of manifests that a container host accepts.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// A longer chain of redirects is taken for a loop.
const MOST_REDIRECTS: usize = 4;

pub(super) struct WholeAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Sends requests: knows where each registry really is, and the address that requests seem to come from.
pub(super) struct HttpClient {
    client: Client<HttpConnector, Empty<Bytes>>,
    nat_address: String,
    endpoints: BTreeMap<String, String>,
}

impl HttpClient {
    pub(super) fn new(nat_address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client,
            nat_address: nat_address.to_owned(),
            endpoints: BTreeMap::new(),
        }
    }

    pub(super) fn map(&mut self, host: &str, base: &str) {
        self.endpoints.insert(host.to_owned(), base.trim_end_matches('/').to_owned());
    }

    /// Gets a URL and follows redirects, without the credentials. `Err` says in Go's words why there is no answer.
    pub(super) async fn get(&self, url: &str, authorization: Option<&str>) -> Result<WholeAnswer, String> {
        let mut answer = self.get_once(url, authorization).await?;
        let mut from = url.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let Some(location) = answer.headers.get(header::LOCATION).filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            let location = location.to_str().map_err(|_| "malformed Location header".to_owned())?;
            from = resolve(&from, location);
            answer = self.get_once(&from, None).await?;
        }
        Ok(answer)
    }

    async fn get_once(&self, url: &str, authorization: Option<&str>) -> Result<WholeAnswer, String> {
        let target = self.target(url)?;
        let mut request =
            Request::get(&target).header(header::ACCEPT, ACCEPT).header("x-forwarded-for", &self.nat_address);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                format!("dial tcp {}: connect: connection refused", authority(&target))
            } else {
                "EOF".to_owned()
            }
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| "unexpected EOF".to_owned())?.to_bytes();
        Ok(WholeAnswer { status: head.status, headers: head.headers, body })
    }

    /// The real address behind a URL. Only mapped hosts and this machine can be reached.
    fn target(&self, url: &str) -> Result<String, String> {
        let host = authority(url);
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        if let Some(base) = self.endpoints.get(host) {
            return Ok(format!("{base}/{path}"));
        }
        let name = host.split(':').next().unwrap_or_default();
        if url.starts_with("http://") && matches!(name, "127.0.0.1" | "localhost") {
            return Ok(url.to_owned());
        }
        Err(format!("dial tcp: lookup {name} on 10.0.0.2:53: no such host"))
    }
}

/// The value of a `Basic` authorization header.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// Scheme and parameters of a `WWW-Authenticate` header.
pub(super) fn challenge(headers: &HeaderMap) -> Option<(String, BTreeMap<String, String>)> {
    let text = headers.get(header::WWW_AUTHENTICATE)?.to_str().ok()?;
    let (scheme, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut parameters = BTreeMap::new();
    // Values may contain commas (`pull,push`), so the quotes delimit them.
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let Some((value, after)) = quoted.split_once('"') else {
            break;
        };
        parameters.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    Some((scheme.to_ascii_lowercase(), parameters))
}

fn authority(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default()
}

fn resolve(from: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let scheme = from.split_once("://").map_or("https", |(scheme, _)| scheme);
    format!("{scheme}://{}/{}", authority(from), location.trim_start_matches('/'))
}
