//! `pullsafe waiting`: lists which stacks wait at the image gate, for what, and until when. It only reads.

use std::process::ExitCode;

use aws_config::SdkConfig;
use clap::{Args, ValueEnum};
use image_gate::decide::foreign::harmless;
use image_gate::decide::wait::Wait;
use image_gate::table::GateTable;
use pullsafe::settings::TABLE;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::{Failure, FailureKind};
use serde::Serialize;

use crate::account::Session;
use crate::terminal::{answer, stop};

/// List the stacks that wait at the image gate: for which image, since when, and until when CloudFormation waits.
///
/// Exit status: 0 = listed, also where nobody waits; 1 = the table could not be read; 2 = wrong usage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The form of the list
    #[arg(long, value_enum, default_value_t = WaitingOutput::Text)]
    output: WaitingOutput,
    /// The stack's table (its output TableName); PULLSAFE_TABLE without it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WaitingOutput {
    /// For a terminal
    Text,
    /// One JSON array
    Json,
}

/// A request that waits.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct WaitingStack {
    stack: String,
    resource: String,
    image: String,
    platforms: Vec<String>,
    source: Option<String>,
    since: String,
    until: String,
    seconds_left: i64,
    /// Whether its answer is on its way.
    answering: bool,
    /// Since when the gate has been denied the look.
    denied_since: Option<String>,
}

impl WaitingStack {
    fn of(wait: &Wait, now: Timestamp) -> Self {
        Self {
            stack: harmless(&wait.requester.stack_id),
            resource: harmless(&wait.requester.logical_resource_id),
            image: wait.asked.image_at(&wait.place.uri()),
            platforms: wait.asked.platforms.iter().map(ToString::to_string).collect(),
            source: wait.asked.source.as_ref().map(ToString::to_string),
            since: wait.patience.began_at.to_string(),
            until: wait.patience.gives_up_at.to_string(),
            seconds_left: wait.patience.gives_up_at.seconds_since(now).max(0),
            answering: !wait.is_undecided(),
            denied_since: wait.denied_since.map(|since| since.to_string()),
        }
    }

    /// The stack's name, from its id.
    fn stack_name(&self) -> &str {
        self.stack.split('/').nth(1).unwrap_or(&self.stack)
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let variable = std::env::var(TABLE.name).ok();
    let Some(table) = arguments.table.clone().or(variable).filter(|table| !table.trim().is_empty()) else {
        return stop(
            &format!("which table? Give --table, or set {}: it is the stack's output TableName", TABLE.name),
            2,
        );
    };
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    let waits = match session.wait(read(&session.config, &table)) {
        Ok(waits) => waits,
        Err(failure) if failure.kind == FailureKind::NotFound => {
            return stop(&format!("there is no table {table} in this account and region"), 2);
        }
        Err(failure) => return stop(&failure.to_string(), 1),
    };
    let waiting = list(&waits, pullsafe::clock::system()());
    let text = match arguments.output {
        WaitingOutput::Text => text(&waiting),
        WaitingOutput::Json => match serde_json::to_string_pretty(&waiting) {
            Ok(json) => format!("{json}\n"),
            Err(error) => return stop(&error.to_string(), 1),
        },
    };
    answer(&text, true)
}

async fn read(config: &SdkConfig, table: &str) -> Result<Vec<Wait>, Failure> {
    GateTable::new(config, table).open().await
}

/// Lists the requests, the one with the least time left first.
fn list(waits: &[Wait], now: Timestamp) -> Vec<WaitingStack> {
    let mut waiting: Vec<WaitingStack> = waits.iter().map(|wait| WaitingStack::of(wait, now)).collect();
    waiting.sort_by(|a, b| (a.seconds_left, &a.stack, &a.resource).cmp(&(b.seconds_left, &b.stack, &b.resource)));
    waiting
}

fn text(waiting: &[WaitingStack]) -> String {
    if waiting.is_empty() {
        return "nobody waits\n".to_owned();
    }
    let line = |one: &WaitingStack| {
        let platforms = if one.platforms.is_empty() {
            String::new()
        } else {
            format!(" for {}", one.platforms.join(", "))
        };
        let source = one
            .source
            .as_ref()
            .map(|source| format!(", which the mirror copies from {source}"))
            .unwrap_or_default();
        let denied = one
            .denied_since
            .as_ref()
            .map(|since| format!("; the gate may not look since {since}"))
            .unwrap_or_default();
        let state = if one.answering { "is being answered" } else { "waits" };
        format!(
            "{} ({}) {state} for {}{platforms}{source}\n    since {}, until {} ({} s left){denied}\n",
            one.stack_name(),
            one.resource,
            one.image,
            one.since,
            one.until,
            one.seconds_left
        )
    };
    waiting.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use image_gate::decide::place::RepositoryPlace;
    use image_gate::decide::properties::Properties;
    use image_gate::decide::request::Envelope;
    use serde_json::json;

    use super::*;

    fn wait(stack: &str, timeout: u32, now: Timestamp) -> Wait {
        let request = json!({
            "ResponseURL": "https://x?X-Amz-Signature=secret", "LogicalResourceId": "Image", "StackId": format!("arn:aws:cloudformation:eu-west-1:111122223333:stack/{stack}/0a1b"),
            "ResourceProperties": {"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis", "Platforms": "arm64", "ServiceTimeout": timeout},
        });
        let envelope = Envelope::find(&request).pop().unwrap();
        let asked = Properties::parse(&envelope.properties).unwrap();
        let place = RepositoryPlace::of(&asked, &envelope.requester, None);
        Wait::new(&envelope, asked, place, now)
    }

    #[test]
    fn who_waits_for_what_until_when() {
        let now = Timestamp::from_millis(1_768_504_620_000);
        let waiting = list(&[wait("later", 3600, now), wait("soon", 600, now)], now.plus_seconds(60));
        assert_eq!(
            text(&waiting[..1]),
            "soon (Image) waits for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7 for \
             linux/arm64, which the mirror copies from docker.io/library/redis:7\n    \
             since 2026-01-15T19:17:00Z, until 2026-01-15T19:27:00Z (540 s left)\n"
        );
        assert_eq!(waiting[1].stack_name(), "later");
        let json = serde_json::to_string(&waiting).unwrap();
        assert!(json.contains("seconds_left") && !json.contains("secret"));
        assert_eq!(text(&[]), "nobody waits\n");
    }
}
