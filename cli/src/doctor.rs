//! `pullsafe doctor`: whether a deployed stack is healthy, seen from outside. It changes nothing.

mod assumptions;
mod finding;
mod hearing;
mod leaving;
mod mirror;
mod pull_through;
mod queues;
mod region;
mod resource;
mod roles;
mod stack;

use std::process::ExitCode;

use aws_config::SdkConfig;
use clap::Args;
use pullsafe::clock;
use pullsafe_aws::Failure;

use crate::account::Session;
use crate::terminal::{Output, answer, stop};
use finding::{Check, CheckState};

/// Say whether a deployed stack is well: its rules, roles, queues and table, its last work, and what it takes for
/// granted.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The stack's name
    #[arg(long, value_name = "NAME", default_value = "pullsafe")]
    stack: String,
    /// Whether the stack may be deleted: what is paused and would stay so, who still needs the gate
    #[arg(long)]
    before_delete: bool,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exits with 0 if nothing is wrong, and with 1 if something is or the stack cannot be looked at. What could not be
/// found out is not an error.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    let findings = match session.wait(look(&session.config, arguments)) {
        Ok(findings) => findings,
        Err(failure) => return stop(&format!("the stack {} cannot be looked at: {failure}", arguments.stack), 1),
    };
    let text = match arguments.output {
        Output::Text => finding::text(&findings),
        Output::Json => finding::json(&findings),
    };
    answer(&text, findings.iter().all(|finding| finding.state != CheckState::Wrong))
}

async fn look(config: &SdkConfig, arguments: &Arguments) -> Result<Vec<Check>, Failure> {
    let now = clock::system()();
    let (stack, mut findings) = stack::read(config, &arguments.stack).await?;
    if arguments.before_delete {
        return Ok(leaving::look(config, &stack).await);
    }
    findings.extend(hearing::look(config, &stack, now.millis()).await);
    findings.extend(queues::look(config, &stack, now).await);
    findings.extend(roles::look(config, &stack).await);
    findings.extend(mirror::look(config, &stack, now).await);
    findings.push(region::look(config, &stack).await);
    findings.extend(assumptions::look(config).await);
    findings.extend(pull_through::look(config, &stack).await);
    Ok(findings)
}
