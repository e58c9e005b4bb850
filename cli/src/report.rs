//! `pullsafe report`: what happened to a service, or to all of them, from the table of incidents. Reads only.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use pullsafe::aws::table::{History, Table};
use pullsafe::aws::{Failure, FailureKind};
use pullsafe::domain::arn::ServiceId;
use pullsafe::domain::report::{Report, html, markdown};
use pullsafe::domain::settings::TABLE;
use pullsafe::domain::timestamp::Timestamp;

/// Report the incidents of a service, or of everything: causes, quota, evidence, what was done, what to change.
///
/// Exit status: 0 = reported, also where there was no incident; 1 = the table could not be read, or not all of it; 2 = wrong usage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A service by name, cluster/name or ARN (or a task family, or a build project); everything without it
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Also what was resolved no longer ago than this: 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = seconds)]
    since: i64,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Output::Markdown)]
    output: Output,
    /// The stack's table of incidents (its output TableName); PULLSAFE_TABLE without it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For an issue, a wiki or a terminal
    Markdown,
    /// One JSON array
    Json,
    /// One self-contained file for a browser
    Html,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let variable = std::env::var(TABLE.name).ok();
    let Some(table) = arguments.table.clone().or(variable).filter(|table| !table.trim().is_empty()) else {
        return stop(&format!("which table? Give --table, or set {}: it is the stack's output TableName", TABLE.name), 2);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    let now = pullsafe::clock::system()();
    let history = match runtime.block_on(read(&table, arguments.service.as_deref(), now.plus_seconds(-arguments.since))) {
        Ok(history) => history,
        Err(failure) if failure.kind == FailureKind::NotFound => {
            return stop(&format!("there is no table {table} in this account and region"), 2);
        }
        Err(failure) => return stop(&failure.to_string(), 1),
    };
    let reports: Vec<Report> = history.incidents.iter().map(|(subject, incident)| Report::of(subject, incident, now)).collect();
    let text = match arguments.output {
        Output::Markdown => markdown::page(&reports),
        Output::Html => html::page("pullsafe: incidents", &reports),
        Output::Json => match serde_json::to_string_pretty(&reports) {
            Ok(json) => format!("{json}\n"),
            Err(error) => return stop(&error.to_string(), 1),
        },
    };
    history.missing.iter().for_each(|missing| eprintln!("pullsafe: {missing}"));
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => stop(&error.to_string(), 1),
        Ok(()) | Err(_) if !history.missing.is_empty() => ExitCode::from(1),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

/// A service's ARN is the table's own key; any other name is looked for among all.
async fn read(table: &str, service: Option<&str>, since: Timestamp) -> Result<History, Failure> {
    let table = Table::new(&aws_config::load_from_env().await, table);
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

/// A number and a unit: `90s`, `30m`, `24h`, `7d`.
fn seconds(text: &str) -> Result<i64, String> {
    let problem = || format!("`{text}` is no duration; write 90m, 24h or 7d");
    let (number, unit) = text.trim().split_at_checked(text.trim().len().saturating_sub(1)).ok_or_else(problem)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(problem()),
    };
    number.parse::<u32>().ok().map(|number| i64::from(number) * factor).ok_or_else(problem)
}

fn stop(message: &str, code: u8) -> ExitCode {
    eprintln!("pullsafe: {message}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!((seconds("90s"), seconds("30m"), seconds("24h"), seconds("7d")), (Ok(90), Ok(1_800), Ok(86_400), Ok(604_800)));
        for text in ["", "h", "24", "-1h", "1w", "1.5h", "é"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
