//! A plain HTTP client for the tests of the server.

use std::collections::HashMap;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pullsafe::timestamp::Timestamp;
use serde_json::Value;

use super::RegistryServer;
use crate::clock::VirtualClock;
use crate::registry::ImageStore;

/// A complete answer.
#[derive(Debug)]
pub(super) struct TestReply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl TestReply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The code of the first error in a registry's answer.
    pub(super) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A client of one server that sends the same headers with every request.
pub(super) struct TestClient {
    client: Client<HttpConnector, Body>,
    base: String,
    pub(super) headers: HashMap<&'static str, String>,
}

impl TestClient {
    pub(super) fn of(server: &RegistryServer) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client,
            base: server.url().to_owned(),
            headers: HashMap::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    /// Sends a request to a path of the server or to a whole URL. The error says whether the answer or its body was
    /// cut.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Result<TestReply, &'static str> {
        let uri = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}{target}", self.base)
        };
        let mut request = Request::builder().method(method).uri(uri);
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).expect("a valid request");
        let response = self.client.request(request).await.map_err(|_| "no answer")?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| "cut body")?.to_bytes();
        Ok(TestReply { status: parts.status, headers: parts.headers, body })
    }

    pub(super) async fn get(&self, target: &str) -> TestReply {
        self.send(Method::GET, target, &[], Body::empty()).await.expect("an answer")
    }

    pub(super) async fn head(&self, target: &str) -> TestReply {
        self.send(Method::HEAD, target, &[], Body::empty()).await.expect("an answer")
    }

    pub(super) async fn put(&self, target: &str, content_type: &str, body: impl Into<Body>) -> TestReply {
        self.send(Method::PUT, target, &[("content-type", content_type)], body).await.expect("an answer")
    }

    pub(super) async fn post(&self, target: &str) -> TestReply {
        self.send(Method::POST, target, &[], Body::empty()).await.expect("an answer")
    }

    pub(super) async fn patch(&self, target: &str, body: impl Into<Body>) -> TestReply {
        self.send(Method::PATCH, target, &[], body).await.expect("an answer")
    }
}

pub(super) fn new_store() -> ImageStore {
    ImageStore::new(VirtualClock::at(Timestamp::parse("2026-01-15T19:00:00Z").expect("a time")))
}
