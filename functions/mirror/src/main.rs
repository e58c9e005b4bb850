//! Wiring only: configuration from the environment, clients, the runtime. The flow is in the library.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mirror::MirrorFunction;
use pullsafe::clock;
use pullsafe::settings::MirrorSettings;
use pullsafe_aws::telemetry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let endpoints: Endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    let settings = MirrorSettings::read(|name| std::env::var(name).ok()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration is wrong:\n{}", lines.join("\n"))
    })?;
    let clock = clock::system();
    // Made for the first event, not at start: a cold start stays that of a bare runtime.
    let mirror = OnceCell::new();
    let (settings, endpoints, clock, mirror) = (&settings, &endpoints, &clock, &mirror);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let now = clock().millis().unsigned_abs();
        let deadline = Instant::now() + Duration::from_millis(event.context.deadline.saturating_sub(now));
        let build = || async {
            MirrorFunction::new(
                settings.clone(),
                aws_config::load_from_env().await,
                endpoints.clone(),
                Arc::clone(clock),
            )
        };
        let mirror: &MirrorFunction = mirror.get_or_init(build).await;
        Ok::<Value, Error>(mirror.handle(&event.payload, deadline).await)
    }))
    .await
}
