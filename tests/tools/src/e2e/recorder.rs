//! A stop on the way from the functions to the emulator, at which their calls are written down for `tests/judges`.
//!
//! Only there where a record is kept; otherwise the functions call the emulator itself.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http::EmulatorHttp;
use super::{Result, WhatWasTried as _};
use testkit::aws::record;

/// Headers that belong to one connection, or that a new request gets anew.
const OWN: &[&str] = &["host", "content-length", "connection", "transfer-encoding"];

/// A listening stop. It ends when it is dropped.
#[derive(Debug)]
pub struct Recorder {
    endpoint: String,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Starts it in front of an endpoint, if a record is kept.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(behind: &str) -> Result<Option<Self>> {
        if !record::is_kept() {
            return Ok(None);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("find a free port")?;
        let endpoint = format!("http://{}", listener.local_addr().context("find a free port")?);
        let routes = Router::new().fallback(pass_on).with_state((EmulatorHttp::default(), behind.to_owned()));
        let task = tokio::spawn(async move {
            // An end by an error shows as a call that gets no answer.
            axum::serve(listener, routes).await.ok();
        });
        Ok(Some(Self { endpoint, task }))
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(
    State((http, behind)): State<(EmulatorHttp, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    record::http(headers.get("x-amz-target").and_then(|target| target.to_str().ok()), &body);
    let of_the_request = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    let sent: Vec<(String, String)> = headers
        .iter()
        .filter_map(of_the_request)
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .collect();
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match http.send(method, &format!("{behind}{uri}"), &sent, body).await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let mut response = (status, answer.body).into_response();
            response.headers_mut().clear();
            let given = answer.headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
            response.headers_mut().extend(given.filter(|(name, _)| !OWN.contains(&name.as_str())));
            response
        }
        Err(failure) => (StatusCode::BAD_GATEWAY, failure.to_string()).into_response(),
    }
}
