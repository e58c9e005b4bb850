//! `pullsafe report`: what happened to a service, or to all of them, from the table of incidents. It only reads.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::SdkConfig;
use clap::{Args, ValueEnum};
use pullsafe::arn::ServiceId;
use pullsafe::settings::TABLE;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_incident::outbreak::OutbreakRules;
use pullsafe_incident::store::{IncidentHistory, Table};
use pullsafe_report::{Report, html, markdown, outbreak};

use crate::account::Session;
use crate::arguments::duration;
use crate::terminal::CommandResult;

/// Report the incidents of a service, or of everything: causes, quota, evidence, what was done, what to change.
///
/// Exit status: 0 = reported, also where there was no incident; 1 = the table could not be read, or not all of it; 2 =
/// wrong usage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A service by name, cluster/name or ARN (or a task family, or a build project); everything without it
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Also what was resolved no longer ago than this: 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    since: Duration,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = ReportOutput::Markdown)]
    output: ReportOutput,
    /// The stack's table of incidents (its output TableName); PULLSAFE_TABLE without it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportOutput {
    /// For an issue, a wiki or a terminal
    Markdown,
    /// A line for each incident: since when, what, how it stands, and its blocker
    List,
    /// Only what was done, would be done or is waited for, and why nothing else
    Plan,
    /// One JSON array
    Json,
    /// One self-contained file for a browser
    Html,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    said(arguments).end()
}

/// Reports without printing.
pub(crate) fn said(arguments: &Arguments) -> CommandResult {
    let variable = std::env::var(TABLE.name).ok();
    let Some(table) = arguments.table.clone().or(variable).filter(|table| !table.trim().is_empty()) else {
        return CommandResult::fault(
            format!("which table? Give --table, or set {}: it is the stack's output TableName", TABLE.name),
            2,
        );
    };
    let session = match Session::open() {
        Ok(session) => session,
        Err(fault) => return fault,
    };
    let now = pullsafe::clock::system()();
    let since = now.plus_seconds(-i64::try_from(arguments.since.as_secs()).unwrap_or(i64::MAX));
    let history = match session.wait(read(&session.config, &table, arguments.service.as_deref(), since)) {
        Ok(history) => history,
        Err(failure) if failure.kind == FailureKind::NotFound => {
            return CommandResult::fault(format!("there is no table {table} in this account and region"), 2);
        }
        Err(failure) => return CommandResult::fault(failure.to_string(), 1),
    };
    let reports: Vec<Report> =
        history.incidents.iter().map(|(subject, incident)| Report::of(subject, incident, now)).collect();
    let outbreaks = outbreak::of(&history.incidents, OutbreakRules::USUAL, now);
    let text = match arguments.output {
        ReportOutput::Markdown => format!("{}{}", outbreak::in_markdown(&outbreaks), markdown::page(&reports)),
        ReportOutput::List => markdown::list(&reports),
        ReportOutput::Plan => markdown::plans(&reports),
        ReportOutput::Html => html::page_with("pullsafe: incidents", &outbreaks, &reports),
        ReportOutput::Json => match serde_json::to_string_pretty(&reports) {
            Ok(json) => format!("{json}\n"),
            Err(error) => return CommandResult::fault(error.to_string(), 1),
        },
    };
    CommandResult {
        text,
        code: u8::from(!history.missing.is_empty()),
        faults: history.missing,
    }
}

/// Reads the incidents. A service's ARN is the table's own key; any other name is searched for among all services.
async fn read(
    config: &SdkConfig,
    table: &str,
    service: Option<&str>,
    since: Timestamp,
) -> Result<IncidentHistory, Failure> {
    let table = Table::new(config, table);
    match service {
        Some(arn) if ServiceId::from_arn(arn).is_some() => table.history(arn, since).await,
        Some(name) => {
            let mut history = table.histories(since).await?;
            history.incidents.retain(|(subject, _)| subject.is_called(name));
            Ok(history)
        }
        None => table.histories(since).await,
    }
}
