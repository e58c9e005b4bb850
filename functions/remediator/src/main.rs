//! Wiring: configuration from the environment, clients, and the runtime loop.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use pullsafe::domain::settings::Settings;
use pullsafe::domain::timestamp::Timestamp;
use pullsafe::registry;
use pullsafe::telemetry;
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
    // Clients are made for the first event, not at start: a cold start stays that of a bare runtime.
    let remediator = OnceCell::new();
    let (settings, remediator) = (&settings, &remediator);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let remediator: &Remediator = remediator.get_or_try_init(|| build(settings)).await?;
        let answer = remediator.handle(&event.payload, &event.context.request_id).await;
        answer.map_err(lambda_runtime::Error::from)
    }))
    .await
}

async fn build(settings: &Settings) -> Result<Remediator, lambda_runtime::Error> {
    let config = pullsafe::aws::load_config().await;
    let registry = registry::Client::from_environment(|name| std::env::var(name).ok())?;
    Ok(Remediator::new(settings.clone(), &config, registry, Arc::new(now)))
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
