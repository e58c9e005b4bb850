//! `pullsafe`: the same capabilities as the functions, from a terminal or a CI job.
//!
//! Wiring only: each subcommand is one file, with its arguments and a `run` that returns the exit status. Each is also
//! a feature of the package: with `scan` alone no SDK is built.
//! Exit status: 0 = done or nothing to do; 1 = the answer is no, or part failed; 2 = wrong usage or input.

#[cfg(feature = "aws")]
mod account;
#[cfg(feature = "answer")]
mod answer;
#[cfg(feature = "aws")]
mod arguments;
#[cfg(feature = "audit")]
mod audit;
#[cfg(feature = "copy")]
mod copy;
#[cfg(feature = "diagnose")]
mod diagnose;
#[cfg(feature = "doctor")]
mod doctor;
#[cfg(feature = "drill")]
mod drill;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "aws")]
mod memory;
#[cfg(feature = "mirror")]
mod mirror;
#[cfg(feature = "aws")]
mod progress;
#[cfg(feature = "protect")]
mod protect;
#[cfg(feature = "aws")]
mod registry;
#[cfg(feature = "report")]
mod report;
#[cfg(feature = "scan")]
mod scan;
#[cfg(any(feature = "drill", feature = "protect", feature = "verify"))]
mod service;
mod terminal;
#[cfg(feature = "verify")]
mod verify;
#[cfg(feature = "wait")]
mod wait;
#[cfg(feature = "waiting")]
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
    #[cfg(feature = "diagnose")]
    Diagnose(diagnose::Arguments),
    #[cfg(feature = "copy")]
    Copy(copy::Arguments),
    #[cfg(feature = "mirror")]
    Mirror(mirror::Arguments),
    #[cfg(feature = "scan")]
    Scan(scan::Arguments),
    #[cfg(feature = "verify")]
    Verify(verify::Arguments),
    #[cfg(feature = "protect")]
    Protect(protect::Arguments),
    #[cfg(feature = "wait")]
    Wait(wait::Arguments),
    #[cfg(feature = "waiting")]
    Waiting(waiting::Arguments),
    #[cfg(feature = "audit")]
    Audit(audit::Arguments),
    #[cfg(feature = "report")]
    Report(report::Arguments),
    #[cfg(feature = "answer")]
    Approve(answer::Approve),
    #[cfg(feature = "answer")]
    Decline(answer::Decline),
    #[cfg(feature = "doctor")]
    Doctor(doctor::Arguments),
    #[cfg(feature = "drill")]
    Drill(drill::Arguments),
    #[cfg(feature = "mcp")]
    Mcp(mcp::Arguments),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "diagnose")]
        Command::Diagnose(arguments) => diagnose::run(&arguments),
        #[cfg(feature = "copy")]
        Command::Copy(arguments) => copy::run(&arguments),
        #[cfg(feature = "mirror")]
        Command::Mirror(arguments) => mirror::run(&arguments),
        #[cfg(feature = "scan")]
        Command::Scan(arguments) => scan::run(&arguments),
        #[cfg(feature = "verify")]
        Command::Verify(arguments) => verify::run(&arguments),
        #[cfg(feature = "protect")]
        Command::Protect(arguments) => protect::run(&arguments),
        #[cfg(feature = "wait")]
        Command::Wait(arguments) => wait::run(&arguments),
        #[cfg(feature = "waiting")]
        Command::Waiting(arguments) => waiting::run(&arguments),
        #[cfg(feature = "audit")]
        Command::Audit(arguments) => audit::run(&arguments),
        #[cfg(feature = "report")]
        Command::Report(arguments) => report::run(&arguments),
        #[cfg(feature = "answer")]
        Command::Approve(arguments) => answer::approve(&arguments),
        #[cfg(feature = "answer")]
        Command::Decline(arguments) => answer::decline(&arguments),
        #[cfg(feature = "doctor")]
        Command::Doctor(arguments) => doctor::run(&arguments),
        #[cfg(feature = "drill")]
        Command::Drill(arguments) => drill::run(&arguments),
        #[cfg(feature = "mcp")]
        Command::Mcp(arguments) => mcp::run(arguments),
    }
}
