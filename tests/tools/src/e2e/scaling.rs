//! Application Auto Scaling, which the emulator does not have: this project's own fake of it, on a port of its own.
//!
//! The functions find it by the SDK's variable for that one service; every other call goes to the emulator. It knows
//! the two operations that pullsafe calls and checks no signature.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Result, WhatWasTried as _};
use testkit::aws::autoscaling::AutoScaling;
use testkit::aws::service::FakeService as _;
use testkit::clock::VirtualClock;

/// What the SDK reads to find the service elsewhere than all others.
pub const VARIABLE: &str = "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING";

/// A listening Application Auto Scaling. It stops when it is dropped.
#[derive(Debug)]
pub struct PlayedScaling {
    endpoint: String,
    targets: AutoScaling,
    task: JoinHandle<()>,
}

impl PlayedScaling {
    /// Starts it with one target: the resource (`service/<cluster>/<service>`), between these counts.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(resource: &str, minimum: i64, maximum: i64) -> Result<Self> {
        let clock = VirtualClock::at(Timestamp::from_millis(1_768_504_620_000));
        let targets = AutoScaling::new(clock).with_service(resource, minimum, maximum);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("find a free port")?;
        let address = listener.local_addr().context("find a free port")?;
        let routes = Router::new().route("/", post(answer)).with_state(targets.clone());
        let task = tokio::spawn(async move {
            // An end by an error shows as a call that gets no answer.
            axum::serve(listener, routes).await.ok();
        });
        Ok(Self { endpoint: format!("http://{address}"), targets, task })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether everything of a target is suspended, or nothing.
    ///
    /// # Errors
    /// If there is no such target, or its state is mixed.
    pub fn is_suspended(&self, resource: &str) -> Result<bool> {
        let target = self.targets.target(resource).context(format!("{resource} is not scaled"))?;
        let flags = target["SuspendedState"].as_object().context("a suspended state")?;
        let suspended = flags.values().filter(|flag| **flag == Value::Bool(true)).count();
        super::ensure(suspended == 0 || suspended == flags.len(), format!("partly suspended: {flags:?}"))?;
        Ok(suspended > 0)
    }
}

impl Drop for PlayedScaling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(targets): State<AutoScaling>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let (status, answer) = match targets.call(operation, &serde_json::from_slice(&body).unwrap_or_default()) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => (
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
            json!({"__type": error.code, "message": error.message}),
        ),
    };
    (status, [("content-type", "application/x-amz-json-1.1")], answer.to_string()).into_response()
}
