//! Wiring only: configuration from the environment, clients, the runtime. The flow is in the library.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use image_gate::{ALLOW_LOCAL_VARIABLE, Gate, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use pullsafe::clock;
use pullsafe::settings;
use pullsafe_aws::telemetry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let endpoints: Endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let clock = clock::system();
    let settings = Settings {
        endpoints,
        allow_local_response_url: set(ALLOW_LOCAL_VARIABLE).is_some_and(|value| value == "true"),
        table: set(settings::TABLE.name),
        mirror_queue: set(settings::MIRROR_QUEUE.name),
        ..Settings::default()
    };
    // Made for the first request, not at start: a cold start stays that of a bare runtime.
    let gate = OnceCell::new();
    let (settings, clock, gate) = (&settings, &clock, &gate);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let now = clock().millis().unsigned_abs();
        let deadline = Instant::now() + Duration::from_millis(event.context.deadline.saturating_sub(now));
        let build = || async {
            let timeouts =
                TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).operation_attempt_timeout(Duration::from_secs(3)).build();
            let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
            Arc::new(Gate::new(config, settings.clone(), Arc::clone(clock)))
        };
        let gate: &Arc<Gate> = gate.get_or_init(build).await;
        Arc::clone(gate).handle(event.payload, &event.context.request_id, deadline).await.map_err(Error::from)
    }))
    .await
}
