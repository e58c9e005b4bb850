//! The HTTP side of the Runtime API.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::FunctionOutcome;

/// When the function asked for its first event, or the error of its initialisation.
pub(super) type Ready = Result<Instant, Value>;

/// A listening Runtime API. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct RuntimeApiServer {
    address: SocketAddr,
    events: mpsc::UnboundedSender<(String, Bytes)>,
    shared: Arc<RuntimeApiShared>,
    next_id: AtomicU64,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct RuntimeApiShared {
    /// Events that wait for the function to ask for them.
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Bytes)>>,
    /// The receiver of each event's answer, by the event's id.
    waiting: Mutex<HashMap<String, oneshot::Sender<FunctionOutcome>>>,
    ready: Mutex<Option<oneshot::Sender<Ready>>>,
    timeout: Duration,
}

impl RuntimeApiServer {
    pub(super) async fn start(timeout: Duration) -> std::io::Result<(Self, oneshot::Receiver<Ready>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, receiver) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let shared = Arc::new(RuntimeApiShared {
            events: receiver.into(),
            waiting: Mutex::default(),
            ready: Mutex::new(Some(ready)),
            timeout,
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // If the server ends with an error, the function cannot reach its API and shows it.
            axum::serve(listener, routes).await.ok();
        });
        Ok((Self { address, events, shared, next_id: AtomicU64::new(1), task }, is_ready))
    }

    /// The value for `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Queues one event.
    pub(super) fn send(&self, event: Bytes) -> oneshot::Receiver<FunctionOutcome> {
        let id = format!("00000000-0000-4000-8000-{:012}", self.next_id.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.waiting).insert(id.clone(), sender);
        // The receiver is in `shared`, which this server holds, so sending cannot fail.
        self.events.send((id, event)).ok();
        receiver
    }
}

impl Drop for RuntimeApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn next(State(shared): State<Arc<RuntimeApiShared>>) -> Response {
    if let Some(ready) = lock(&shared.ready).take() {
        ready.send(Ok(Instant::now())).ok();
    }
    let Some((id, event)) = shared.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + shared.timeout;
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set("content-type", "application/json".to_owned());
    set("lambda-runtime-deadline-ms", deadline.as_millis().to_string());
    set(
        "lambda-runtime-invoked-function-arn",
        "arn:aws:lambda:us-east-1:123456789012:function:local".to_owned(),
    );
    set(
        "lambda-runtime-trace-id",
        "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".to_owned(),
    );
    set("lambda-runtime-aws-request-id", id);
    (headers, event).into_response()
}

async fn response(State(shared): State<Arc<RuntimeApiShared>>, Path(id): Path<String>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(value) => settle(&shared, &id, FunctionOutcome::Response(value)),
        // Lambda answers a body that is not JSON with this error, to the caller too.
        Err(error) => settle(
            &shared,
            &id,
            FunctionOutcome::Error(json!({"errorType": "Runtime.InvalidResponse", "errorMessage": error.to_string()})),
        ),
    }
}

async fn error(State(shared): State<Arc<RuntimeApiShared>>, Path(id): Path<String>, body: Bytes) -> Response {
    settle(&shared, &id, FunctionOutcome::Error(readable(&body)))
}

async fn init_error(State(shared): State<Arc<RuntimeApiShared>>, body: Bytes) -> Response {
    if let Some(ready) = lock(&shared.ready).take() {
        ready.send(Err(readable(&body))).ok();
    }
    accepted()
}

/// The error as JSON, or as text if it is not JSON.
fn readable(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn settle(shared: &RuntimeApiShared, id: &str, outcome: FunctionOutcome) -> Response {
    match lock(&shared.waiting).remove(id) {
        Some(waiting) => {
            waiting.send(outcome).ok();
            accepted()
        }
        None => (
            StatusCode::BAD_REQUEST,
            json!({"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}).to_string(),
        )
            .into_response(),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, json!({"status": "OK"}).to_string()).into_response()
}
