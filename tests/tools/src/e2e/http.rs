//! Plain HTTP to programs on this machine.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Result, StepFailure, WhatWasTried as _};

/// A client.
#[derive(Debug, Clone)]
pub struct EmulatorHttp(Client<HttpConnector, Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl HttpAnswer {
    /// A header's value, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Default for EmulatorHttp {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl EmulatorHttp {
    /// Sends one request. Any status is an answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<HttpAnswer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).context(url)?;
        let (parts, body) = self.0.request(request).await.context(url)?.into_parts();
        let body = body.collect().await.context(url)?.to_bytes();
        Ok(HttpAnswer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// GET.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, url: &str) -> Result<HttpAnswer> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// Sends one request that has to succeed.
    ///
    /// # Errors
    /// If there is no answer, or its status is no success.
    pub async fn expect(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<HttpAnswer> {
        let answer = self.send(method.clone(), url, headers, body).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(StepFailure(format!("{method} {url}: {} {}", answer.status, String::from_utf8_lossy(&answer.body))))
    }
}
