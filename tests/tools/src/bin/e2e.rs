//! `cargo e2e`: deploys the real template with the real functions into an emulated AWS, and plays the cases on it.
//!
//! `--dev` runs the functions' dev build, which is faster to make; `--gate` and `--mirror`
//! play the gate or the mirror's schedule alone. The last line of the output is the count.

use std::process::ExitCode;

use ::tools::e2e::emulator::{ACCOUNT, Emulator, REGION};
use ::tools::e2e::hub::Hub;
use ::tools::e2e::package::{Profile, build, pack};
use ::tools::e2e::report::StepReport;
use ::tools::e2e::scaling::PlayedScaling;
use ::tools::e2e::scenarios::{case_a, case_d, every_way_in, gate, mirror, widget};
use ::tools::e2e::stack::EmulatedStack;
use ::tools::e2e::{Result, tools};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| !["--dev", "--gate", "--mirror"].contains(&argument.as_str())) {
        eprintln!("usage: cargo e2e [--dev] [--gate] [--mirror]");
        return ExitCode::from(2);
    }
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let profile = if given("--dev") { Profile::Dev } else { Profile::Release };
    let only = Only { gate: given("--gate"), mirror: given("--mirror") };
    let mut report = StepReport::default();
    tokio::select! {
        // A step that failed has been printed and counted; what follows it cannot be tried.
        _ = run(profile, only, &mut report) => {}
        // Everything that was started is dropped with `run`, and ends.
        () = interrupted() => {
            eprintln!("interrupted");
            return ExitCode::FAILURE;
        }
    }
    if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Waits for Ctrl-C, or for the signal with which CI ends a job.
async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// What is to be played where not everything is.
#[derive(Debug, Clone, Copy)]
struct Only {
    gate: bool,
    mirror: bool,
}

async fn run(profile: Profile, only: Only, report: &mut StepReport) -> Result<()> {
    report.heading("Tools, in .e2e/");
    let emulator = report.step("the emulated AWS is installed", tools::emulator())?;
    let registry = tools::docker_registry();
    match &registry {
        Ok(_) => report.note("Docker Hub is Debian's docker-registry"),
        Err(failure) => report.note(&format!(
            "Docker Hub is played in this process, for docker-registry cannot be had: {}",
            failure.0.trim()
        )),
    }

    report.heading("The functions");
    let binaries = report.step("they are built", build(profile))?;
    let packed = report.step("they are packed", pack(&binaries, profile))?;
    for function in &packed {
        report.note(&format!("{}.zip: {} bytes", function.name, function.bytes));
    }

    report.heading("The stack");
    let hub = match &registry {
        Ok(program) => Hub::start(program).await,
        Err(_) => Ok(Hub::in_process()),
    };
    let hub = report.step("Docker Hub answers", hub)?;
    let scaling = report.step("Application Auto Scaling answers", PlayedScaling::start(case_d::SCALED, 1, 4).await)?;
    let emulator = report.step("the rest of the emulated AWS answers", Emulator::start(&emulator, &scaling).await)?;
    let registry = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");
    let endpoints = format!("docker.io={},{registry}={}", hub.endpoint(), emulator.endpoint());
    let parameters = [
        ("Mode", "act"),
        ("PauseAfterMinutes", "0"),
        ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
        // The scenarios sweep when they want to.
        ("SweepMinutes", "60"),
        ("RegistryEndpoints", &endpoints),
        ("AllowLocalResponseUrl", "true"),
        ("MirrorConfigParameter", mirror::PARAMETER),
    ];
    let stack = report.step(
        "the template is deployed by change set",
        EmulatedStack::deploy(emulator, &packed, &parameters).await,
    )?;

    // Each is played whatever became of the one before it; every failure is in the report.
    if only.gate || only.mirror {
        if only.mirror {
            mirror::play(&stack, &hub, report).await.ok();
        }
        if only.gate {
            gate::play(&stack, report).await.ok();
        }
        return Ok(());
    }
    every_way_in(&stack, report).await.ok();
    case_a::play(&stack, &hub, report).await.ok();
    widget::play(&stack, report).await.ok();
    case_d::play(&stack, &scaling, report).await.ok();
    mirror::play(&stack, &hub, report).await.ok();
    gate::play(&stack, report).await.ok();
    Ok(())
}
