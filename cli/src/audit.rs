//! `pullsafe audit`: which services of an account and region depend on Docker Hub, and what that can cost them.

mod inventory;

use std::process::ExitCode;

use clap::Args;
use pullsafe_scan::audit::{ANONYMOUS_QUOTA, audit};
use pullsafe_scan::rewrite::DEFAULT_PREFIX;

use crate::account;
use crate::terminal::{Output, answer, stop};

/// Say which services of this account and region depend on Docker Hub, and what that can cost them.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these clusters, by name or ARN; all of the region without it
    #[arg(long = "cluster", value_name = "CLUSTER")]
    clusters: Vec<String>,
    /// The ECR registry with the mirror: what it holds is looked up
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
    /// What the mirror's repositories begin with
    #[arg(long, value_name = "PREFIX", default_value = DEFAULT_PREFIX)]
    prefix: String,
    /// Anonymous pulls that Docker Hub grants an address in six hours
    #[arg(long, value_name = "PULLS", default_value_t = ANONYMOUS_QUOTA)]
    quota: u32,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// 0 if no service pulls from Docker Hub, 1 if one does or if the account could not be looked at.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mirror = match arguments.registry.as_deref().map(|host| inventory::Mirror::new(host, &arguments.prefix)).transpose() {
        Ok(mirror) => mirror,
        Err(message) => return stop(&message, 2),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    let config = match runtime.block_on(account::config()) {
        Ok(config) => config,
        Err(message) => return stop(&message, 2),
    };
    let inventory = match runtime.block_on(inventory::take(&config, &arguments.clusters, mirror.as_ref())) {
        Ok(inventory) => inventory,
        Err(failure) => return stop(&failure.to_string(), 1),
    };
    let audit = audit(&inventory, arguments.quota);
    let text = match arguments.output {
        Output::Text => audit.text(),
        Output::Json => match audit.json() {
            Ok(json) => json,
            Err(error) => return stop(&error.to_string(), 1),
        },
    };
    answer(&text, !audit.is_exposed() && audit.unknown.is_empty())
}
