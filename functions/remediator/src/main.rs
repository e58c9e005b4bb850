//! Wiring: configuration from the environment, clients, and the runtime loop.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use lambda_runtime::{LambdaEvent, service_fn};
use pullsafe::clock;
use pullsafe::settings::Settings;
use pullsafe_aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe_aws::telemetry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use pullsafe_registry::{Client, Config};
use remediator::Remediator;
use serde_json::Value;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init_logging();
    let settings = Settings::read(|name| std::env::var(name).ok()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration is wrong:\n{}", lines.join("\n"))
    })?;
    let endpoints: Endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    // Clients are made with the first event, not at start, so that a cold start takes no longer than a bare runtime's.
    let remediator = OnceCell::new();
    let (settings, endpoints, remediator) = (&settings, &endpoints, &remediator);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let remediator: &Remediator = remediator.get_or_init(|| build(settings, endpoints)).await;
        let answer = remediator.handle(&event.payload, &event.context.request_id).await;
        answer.map_err(lambda_runtime::Error::from)
    }))
    .await
}

async fn build(settings: &Settings, endpoints: &Endpoints) -> Remediator {
    // A peer that accepts a connection and never answers costs one attempt, not the function's whole time.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
    let clock = clock::system();
    let credentials = EcrCredentials::new(EcrRegions::new(config.clone()), clock.clone());
    let endpoints = endpoints.clone();
    let registry = Client::new(Config {
        endpoints,
        credentials: Arc::new(credentials),
        ..Config::new(clock.clone())
    });
    Remediator::new(settings.clone(), &config, registry, clock)
}
