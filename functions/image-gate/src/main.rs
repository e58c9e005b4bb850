//! Wiring only: configuration from the environment, clients, the runtime. The flow is in the library.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use image_gate::{GateContext, ImageGate};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use pullsafe::clock;
use pullsafe::settings::GateSettings;
use pullsafe_aws::telemetry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let settings = settings(|name| std::env::var(name).ok())
        .map_err(|faults| format!("the configuration is wrong:\n{}", faults.join("\n")))?;
    let clock = clock::system();
    // Made for the first request, not at start: a cold start stays that of a bare runtime.
    let gate = OnceCell::new();
    let (settings, clock, gate) = (&settings, &clock, &gate);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let now = clock().millis().unsigned_abs();
        let deadline = Instant::now() + Duration::from_millis(event.context.deadline.saturating_sub(now));
        let build = || async {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(Duration::from_secs(3))
                .build();
            let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
            Arc::new(ImageGate::new(config, settings.clone(), Arc::clone(clock)))
        };
        let gate: &Arc<ImageGate> = gate.get_or_init(build).await;
        Arc::clone(gate)
            .handle(event.payload, &event.context.request_id, deadline)
            .await
            .map_err(Error::from)
    }))
    .await
}

/// Reads the configuration; every fault, with the name of its variable.
fn settings(lookup: impl Fn(&str) -> Option<String>) -> Result<GateContext, Vec<String>> {
    let endpoints = lookup(VARIABLE)
        .unwrap_or_default()
        .parse::<Endpoints>()
        .map_err(|error| format!("{VARIABLE}: {error}"));
    let stack =
        GateSettings::read(&lookup).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>());
    // Lambda sets it.
    let log_group = lookup("AWS_LAMBDA_LOG_GROUP_NAME").unwrap_or_else(|| GateContext::default().log_group);
    match (stack, endpoints) {
        (Ok(stack), Ok(endpoints)) => Ok(GateContext { stack, endpoints, log_group, ..GateContext::default() }),
        (Err(faults), Ok(_)) => Err(faults),
        (faults, Err(fault)) => Err(faults.err().unwrap_or_default().into_iter().chain([fault]).collect()),
    }
}
