//! `pullsafe`: the same capabilities as the functions, from a terminal or a CI job.
//!
//! Wiring only: each subcommand is one file, with its arguments and a `run` that gives the exit status.
//! Exit status: 0 = done or nothing to do; 1 = the answer is no, or part failed; 2 = wrong usage or input.

mod arguments;
mod audit;
mod copy;
mod diagnose;
mod doctor;
mod memory;
mod mirror;
mod progress;
mod registry;
mod report;
mod scan;
mod terminal;
mod wait;
mod waiting;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps Amazon ECS deployments alive when a container image cannot be pulled.
#[derive(Debug, Parser)]
#[command(name = "pullsafe", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diagnose(diagnose::Arguments),
    Copy(copy::Arguments),
    Mirror(mirror::Arguments),
    Scan(scan::Arguments),
    Wait(wait::Arguments),
    Waiting(waiting::Arguments),
    Audit(audit::Arguments),
    Report(report::Arguments),
    Doctor(doctor::Arguments),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Diagnose(arguments) => diagnose::run(&arguments),
        Command::Copy(arguments) => copy::run(&arguments),
        Command::Mirror(arguments) => mirror::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Wait(arguments) => wait::run(&arguments),
        Command::Waiting(arguments) => waiting::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}
