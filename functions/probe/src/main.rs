//! Wiring: the subnets from the environment, the client, and the runtime loop.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use probe::ScheduledProbe;
use pullsafe::clock;
use pullsafe::settings::ProbeSettings;
use pullsafe_aws::telemetry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use pullsafe_registry::{Client, Config};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init_logging();
    let settings = ProbeSettings::read(|name| std::env::var(name).ok()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration is wrong:\n{}", lines.join("\n"))
    })?;
    let endpoints: Endpoints = std::env::var(VARIABLE).unwrap_or_default().parse()?;
    let clock = clock::system();
    // Two attempts stay within the function's time even if nothing answers.
    let registry = Client::new(Config { endpoints, attempts: 2, ..Config::new(clock.clone()) });
    let probe = ScheduledProbe::new(registry, settings.subnets, clock);
    let probe = &probe;
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| async move { probe.handle().await.map_err(Error::from) }))
        .await
}
