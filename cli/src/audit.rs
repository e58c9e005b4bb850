//! `pullsafe audit`: which services of an account and region depend on Docker Hub, and what that can cost them. Also
//! what will go wrong with the images of everything that runs, and of everything that a repository's files build from.

mod files;
mod inventory;
mod outlook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pullsafe::clock;
use pullsafe::foreign::{self, log_line};
use pullsafe_find::walk::{self, Options};
use pullsafe_incident::outlook::Urgency;
use pullsafe_incident::outlook::message::page;
use pullsafe_scan::audit::{ANONYMOUS_QUOTA, audit};
use pullsafe_scan::rewrite::DEFAULT_PREFIX;

use crate::account::Session;
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
    /// Also say what will go wrong with the images of what runs: gone, archived, about to be deleted by a lifecycle
    /// policy, without a copy
    #[arg(long)]
    outlook: bool,
    /// Also say which images of Docker Hub that these files and directories pull the mirror has no copy of, or an old
    /// one of, base images of Dockerfiles among them
    #[arg(long, value_name = "PATH", requires = "registry")]
    files: Vec<PathBuf>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exits with 0 if no service pulls from Docker Hub, nothing is unknown and nothing will fail within a week; with 1
/// otherwise, or if the account could not be looked at.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mirror = match arguments
        .registry
        .as_deref()
        .map(|host| inventory::MirrorAccount::new(host, &arguments.prefix))
        .transpose()
    {
        Ok(mirror) => mirror,
        Err(message) => return stop(&message, 2),
    };
    let scanned =
        match (!arguments.files.is_empty()).then(|| walk::scan(&arguments.files, Options::default())).transpose() {
            Ok(scanned) => scanned,
            Err(error) => return stop(&log_line(&error.to_string()), 2),
        };
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    let inventory = match session.wait(inventory::take(&session.config, &arguments.clusters, mirror.as_ref())) {
        Ok(inventory) => inventory,
        Err(failure) => return stop(&failure.to_string(), 1),
    };
    let mut found = match arguments.outlook.then(|| look_out(&session, arguments)).transpose() {
        Ok(found) => found.unwrap_or_default(),
        Err(message) => return stop(&message, 1),
    };
    let mut left_out = Vec::new();
    let now = clock::system()();
    if let (Some(scanned), Some(mirror)) = (&scanned, &mirror) {
        let client = match crate::registry::client() {
            Ok(client) => client,
            Err(message) => return stop(&message, 1),
        };
        let of_files = session.wait(files::look(&session.config, client, scanned, &mirror.place, now));
        found.outlooks.extend(of_files.outlooks);
        found.unknown.extend(of_files.unknown);
        left_out = of_files.left_out;
    }
    let mut audit = audit(&inventory, arguments.quota);
    audit.unknown.extend(found.unknown);
    let fails = found
        .outlooks
        .iter()
        .flat_map(|outlook| &outlook.findings)
        .any(|finding| finding.severity(now) < Urgency::Later);
    let text = match arguments.output {
        Output::Text => {
            let left_out: String = left_out.iter().map(|what| format!("left out: {what}\n")).collect();
            audit.text() + &page(&found.outlooks, now) + &foreign::terminal(&left_out)
        }
        Output::Json => {
            let document = serde_json::to_value(&audit).map(|mut document| {
                if arguments.outlook || !arguments.files.is_empty() {
                    document["outlooks"] = serde_json::json!(found.outlooks);
                }
                if !arguments.files.is_empty() {
                    document["left_out"] = serde_json::json!(left_out);
                }
                document
            });
            match document.and_then(|document| serde_json::to_string_pretty(&document)) {
                Ok(json) => json + "\n",
                Err(error) => return stop(&error.to_string(), 1),
            }
        }
    };
    answer(&text, !audit.is_exposed() && audit.unknown.is_empty() && !fails)
}

fn look_out(session: &Session, arguments: &Arguments) -> Result<outlook::OutlooksFound, String> {
    let mirror = arguments.registry.as_deref().map(|host| (host, arguments.prefix.as_str()));
    let looks = outlook::look(&session.config, crate::registry::client()?, &arguments.clusters, mirror);
    session.wait(looks).map_err(|failure| failure.to_string())
}
