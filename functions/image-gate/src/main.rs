//! Wiring only: configuration from the environment, clients, the runtime. The flow is in the library.

use std::sync::Arc;
use std::time::Duration;

use image_gate::{ALLOW_LOCAL_VARIABLE, Gate, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use pullsafe::registry::endpoints::{Endpoints, VARIABLE};
use pullsafe::{clock, telemetry};
use serde_json::Value;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let endpoints: Endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    let allow_local = std::env::var(ALLOW_LOCAL_VARIABLE).is_ok_and(|value| value == "true");
    let clock = clock::system();
    let settings = Settings { endpoints, allow_local_response_url: allow_local, ..Settings::default() };
    let gate = Arc::new(Gate::new(aws_config::load_from_env().await, settings, Arc::clone(&clock)));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let gate = Arc::clone(&gate);
        let now = clock().millis().unsigned_abs();
        let deadline = Instant::now() + Duration::from_millis(event.context.deadline.saturating_sub(now));
        async move { gate.handle(event.payload, deadline).await.map_err(Error::from) }
    }))
    .await
}
