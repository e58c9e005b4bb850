//! `pullsafe copy`: copies one image from one registry to another, byte for byte.

use std::process::ExitCode;

use clap::Args;
use pullsafe::manifest::Platform;
use pullsafe::reference::Reference;
use pullsafe_registry::{Artifacts, CopyOptions, CopyReport, CopyRequest};
use serde_json::json;

use crate::arguments::{platform, reference};
use crate::progress::{Meter, size};
use crate::terminal::{Output, answer, stop};
use crate::{memory, registry};

/// Copy one image from one registry to another, byte for byte, sending only what is missing.
///
/// Loopback registries are spoken to by plain http. Credentials come from Docker's configuration and its helpers; for
/// an ECR registry that it does not know, from AWS. An official image of Docker Hub comes from registries that do not
/// count pulls, where they have exactly what Docker Hub's tag means.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The image to copy; a short name is one of Docker Hub
    #[arg(value_name = "SRC", value_parser = reference)]
    source: Reference,
    /// Where it goes
    #[arg(value_name = "DST", value_parser = reference)]
    target: Reference,
    /// Only this platform, such as linux/arm64; all of them without it. One platform gives that platform's own
    /// manifest, several give an index of these, whose digest is another than the source's
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    platforms: Vec<Platform>,
    /// Also what refers to the image (signatures, attestations, SBOMs by OCI 1.1)
    #[arg(long)]
    referrers: bool,
    /// Also the signatures and attestations that cosign stores under tags
    #[arg(long)]
    cosign_tags: bool,
    /// For people, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exits with 0 if the target now has the image, 1 if it could not be copied, 2 if the configuration cannot be read.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let copier = match registry::copier(&[&arguments.target]) {
        Ok(copier) => copier,
        Err(message) => return stop(&message, 2),
    };
    let runtime = match registry::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    let mut request = CopyRequest::new(arguments.source.clone(), arguments.target.clone(), copier.client().endpoints());
    request.platforms.clone_from(&arguments.platforms);
    request.artifacts = Artifacts {
        referrers: arguments.referrers,
        cosign_tags: arguments.cosign_tags,
    };
    let meter = Meter::new(1);
    let options = CopyOptions {
        describe: false,
        progress: Some(meter.progress()),
        ..CopyOptions::default()
    };
    memory::recall(&copier);
    let results = runtime.block_on(copier.copy_all(std::slice::from_ref(&request), &options));
    meter.end();
    if results.iter().flatten().any(|report| !report.up_to_date) {
        memory::keep(&copier);
    }
    match results.into_iter().next() {
        Some(Ok(report)) => print(&report, arguments),
        Some(Err(error)) => stop(&error.to_string(), 1),
        None => stop("there is nothing to copy", 1),
    }
}

fn print(report: &CopyReport, arguments: &Arguments) -> ExitCode {
    let line = match arguments.output {
        Output::Text => text(report, arguments),
        Output::Json => json!({
            "digest": report.digest,
            "bytes_copied": report.bytes_copied,
            "blobs_copied": report.blobs_copied,
            "blobs_skipped": report.blobs_skipped,
            "blobs_mounted": report.blobs_mounted,
            "source_manifest_gets": report.source_manifest_gets,
            "up_to_date": report.up_to_date,
        })
        .to_string(),
    };
    answer(&format!("{line}\n"), true)
}

fn text(report: &CopyReport, arguments: &Arguments) -> String {
    let mut text = if report.up_to_date {
        format!("{} is up to date: {}", arguments.target, report.digest)
    } else {
        format!(
            "{} is {}: {} in {} blobs sent, {} there already, {} mounted",
            arguments.target,
            report.digest,
            size(report.bytes_copied),
            report.blobs_copied,
            report.blobs_skipped,
            report.blobs_mounted
        )
    };
    if report.foreign_layers > 0 {
        text.push_str(&format!(
            "\n{} foreign layers are in no registry: whoever pulls the image downloads them from their own addresses",
            report.foreign_layers
        ));
    }
    if report.artifacts_copied > 0 {
        text.push_str(&format!("\n{} artifacts that belong to it were copied too", report.artifacts_copied));
    }
    if arguments.platforms.len() > 1 {
        text.push_str(
            "\nan index of chosen platforms is written anew where the source has more: then its digest is another",
        );
    }
    text
}
