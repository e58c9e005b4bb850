//! One request, as its operation describes it, and the answer to it.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, USER_AGENT};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;

use super::config::AGENT;
use super::error::RegistryError;
use super::http::{Body, full};
use super::sign_in::auth::TokenScope;
use super::sign_in::credentials::Secret;
use crate::decide::limiter::RequestKind;
use pullsafe::reference::{Digest, Reference};

/// One request, as its operation describes it.
#[derive(Debug, Clone)]
pub(crate) struct RegistryRequest<'a> {
    pub(crate) method: Method,
    /// The registry's host.
    pub(crate) registry: &'a str,
    /// The path below `/v2/`.
    pub(crate) path: String,
    pub(crate) scopes: Vec<TokenScope>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Bytes,
    /// What is asked for, as an error names it.
    pub(crate) what: String,
}

impl RegistryRequest<'_> {
    pub(crate) fn follows_redirects(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD) && !self.is_head_of_blob()
    }

    pub(crate) fn action(&self) -> RequestKind {
        let is_manifest = self.path.contains("/manifests/") || self.path.contains("/referrers/");
        match (&self.method, is_manifest) {
            (&Method::PUT, true) => RequestKind::WriteManifest,
            (_, true) => RequestKind::ReadManifest,
            (&Method::POST, false) => RequestKind::OpenUpload,
            (&Method::PUT, false) => RequestKind::WriteBlob,
            _ => RequestKind::ReadBlob,
        }
    }

    /// Whether this is a HEAD of a blob. Its redirect is not followed: a storage address is signed for GET alone, and
    /// that there is one says that the blob exists.
    pub(crate) fn is_head_of_blob(&self) -> bool {
        self.method == Method::HEAD && self.path.contains("/blobs/")
    }
}

/// A successful answer, with the host that gave it.
#[derive(Debug)]
pub(crate) struct SuccessfulResponse {
    pub(crate) response: Response<Incoming>,
    pub(crate) host: String,
}

impl SuccessfulResponse {
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

/// Builds a request to an address, with this authorization and no other.
pub(crate) fn request(
    call: &RegistryRequest<'_>,
    address: &Uri,
    authorization: Option<&Secret>,
) -> Result<Request<Body>, RegistryError> {
    let mut request = Request::builder().method(call.method.clone()).uri(address.clone()).header(USER_AGENT, AGENT);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization.expose());
    }
    request
        .body(full(call.body.clone()))
        .map_err(|error| RegistryError::Invalid(format!("{} cannot be asked for: {error}", call.what)))
}

pub(crate) fn blob_call<'a>(method: Method, reference: &'a Reference, digest: &Digest) -> RegistryRequest<'a> {
    let repository = reference.repository();
    RegistryRequest {
        method,
        registry: reference.registry(),
        path: format!("{repository}/blobs/{digest}"),
        scopes: vec![TokenScope { repository: repository.to_owned(), push: false }],
        headers: Vec::new(),
        body: Bytes::new(),
        what: format!("the blob {repository}@{digest}"),
    }
}
