//! `pullsafe mirror`: does what the mirror function does, from a terminal, and to any registry.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mirror::aws::inventory::EcsInventory;
use mirror::aws::table::MirrorTable;
use mirror::decide::plan::prune::PrunePlan;
use mirror::decide::plan::text;
use mirror::decide::plan::{CopyDecision, Memory, MirrorPlan, PlannedImage, plan};
use mirror::decide::{LARGEST_CONFIG, MirrorConfig, Want};
use mirror::look::{Around, Pruner, Survey, survey};
use pullsafe::clock;
use pullsafe::foreign;
use pullsafe::reference::ecr_host;
use pullsafe_aws::ecr::{EcrNative, EcrRegions};
use pullsafe_registry::{Artifacts, Client, Copier, CopyOptions, CopyReport, CopyRequest, RegistryError};
use serde_json::{Value, json};

use crate::account;
use crate::progress::{Meter, size};
use crate::registry;
use crate::terminal::{Output, answer, stop};

/// For how long a run from a terminal leases the mirror's memory; the lease is given back when the run ends.
const LEASE_SECONDS: i64 = 3600;

/// Mirror what a configuration selects: look, plan, copy.
///
/// Looking costs no pulls. Credentials come from Docker's configuration and its helpers; for ECR also from AWS.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to mirror and where to (YAML); `-` reads standard input
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The DynamoDB table of a pullsafe stack, which remembers what was unwanted before: nothing is pruned without it
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exits with 0 if the mirror has everything that is wanted, or would have it after the plan; 1 if not; 2 if the
/// configuration is wrong.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match read(&arguments.config) {
        Ok(config) => config,
        Err(message) => return stop(&message, 2),
    };
    let client = match registry::client() {
        Ok(client) => client,
        Err(message) => return stop(&message, 2),
    };
    let runtime = match registry::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    match runtime.block_on(Box::pin(mirror(arguments, &config, client))) {
        Ok(code) => code,
        Err(message) => stop(&message, 1),
    }
}

/// Reads the configuration, or returns every fault in it with file, line, column and key.
fn read(path: &Path) -> Result<MirrorConfig, String> {
    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let text = if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    if text.len() > LARGEST_CONFIG {
        return Err(format!("{name}: it has {} bytes, more than {LARGEST_CONFIG}", text.len()));
    }
    MirrorConfig::parse(&text).map_err(|faults| {
        let lines = faults.iter().map(|fault| {
            let key = if fault.key.is_empty() { String::new() } else { format!("`{}` ", fault.key) };
            format!("{name}:{}:{}: {key}{}", fault.at.line, fault.at.column, fault.problem)
        });
        lines.collect::<Vec<_>>().join("\n       ")
    })
}

async fn mirror(arguments: &Arguments, config: &MirrorConfig, client: Client) -> Result<ExitCode, String> {
    let clock = clock::system();
    let uses_aws = config.discover_ecs
        || config.prune.is_some()
        || ecr_host(&config.registry).is_some()
        || arguments.table.is_some();
    // If AWS is not involved, no AWS credentials are needed.
    let aws = if uses_aws {
        account::config().await?
    } else {
        aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build()
    };
    let (ecr, ecs) = (EcrRegions::new(aws.clone()), EcsInventory::of(&aws));
    let mut copier = Copier::new(client);
    if ecr_host(&config.registry).is_some() {
        copier = copier.with_native(Arc::new(EcrNative::new(ecr.clone())));
    }
    let around = Around { client: copier.client(), ecr: &ecr, ecs: &ecs };
    let now = clock();
    let table = arguments.table.as_deref().map(|name| MirrorTable::new(&aws, name));
    let owner = format!("pullsafe mirror {}", std::process::id());
    let memory = match &table {
        // A plan alone changes nothing and needs no lease. Without the memory it is the same, except that it repeats
        // copies that were requested already.
        Some(table) if !arguments.dry_run => {
            table
                .take_memory(&owner, now, LEASE_SECONDS)
                .await
                .map_err(|failure| failure.to_string())?
                .ok_or("another run is planning or pruning this mirror; try again when it is done")?
                .memory
        }
        Some(_) | None => Memory::default(),
    };
    let mut found = survey(config, around, now).await;
    // Copies that were requested elsewhere are made here too: whoever runs this from a terminal waits for them.
    let mut planned = plan(
        std::mem::take(&mut found.seen),
        found.budget,
        &Memory { asked: Default::default(), ..memory.clone() },
        now,
    );
    planned.warnings = std::mem::take(&mut found.warnings);
    let wants: Vec<Want> = planned.items.iter().map(|item| item.want.clone()).collect();
    let pruner = table.as_ref().filter(|_| config.prune.is_some());
    let pruner = pruner.map(|table| Pruner { config, around, table, wants: &wants, survey: &found });
    if config.prune.is_some() && table.is_none() {
        planned
            .warnings
            .push("nothing is pruned without --table, which remembers what was unwanted before".to_owned());
    }
    if arguments.dry_run {
        let prune = match &pruner {
            Some(pruner) => Some(pruner.plan(&memory, now).await),
            None => None,
        };
        return Ok(show_plan(arguments.output, &planned, prune.as_ref(), now));
    }
    let results = copy(arguments.output, config, &copier, &ecr, &planned).await;
    let mut remembered = planned.remember(&memory, &[], now);
    let mut gone = 0;
    if let Some(pruner) = &pruner {
        let pruned = pruner.run(&memory, now).await;
        (remembered.unwanted, gone) = (pruned.remembered, pruned.gone);
    }
    if let Some(table) = &table {
        table.keep_memory(&owner, &remembered).await.map_err(|failure| failure.to_string())?;
    }
    Ok(report(arguments.output, &planned, &results, gone, &found))
}

fn show_plan(
    output: Output,
    planned: &MirrorPlan,
    prune: Option<&PrunePlan>,
    now: pullsafe::timestamp::Timestamp,
) -> ExitCode {
    let shown = match output {
        Output::Text => foreign::terminal(&text::text(planned, prune, now)).into_owned(),
        Output::Json => format!("{:#}\n", text::json(planned, prune)),
    };
    answer(&shown, planned.is_complete())
}

/// An image of the plan, and the result of its copy.
type ImageOutcome<'a> = (&'a PlannedImage, Result<CopyReport, RegistryError>);

async fn copy<'a>(
    output: Output,
    config: &MirrorConfig,
    copier: &Copier,
    ecr: &EcrRegions,
    planned: &'a MirrorPlan,
) -> Vec<ImageOutcome<'a>> {
    let items: Vec<&PlannedImage> = planned.copies().collect();
    if items.is_empty() {
        return Vec::new();
    }
    if output == Output::Text {
        eprintln!("{} images to copy", items.len());
    }
    let mut done: Vec<ImageOutcome<'a>> = Vec::new();
    let mut ready = Vec::new();
    for item in items {
        match ensure_repository(config, ecr, item).await {
            Ok(()) => ready.push(item),
            Err(error) => done.push((item, Err(error))),
        }
    }
    let artifacts = Artifacts { referrers: config.referrers, ..Artifacts::default() };
    let requests: Vec<CopyRequest> = ready
        .iter()
        .map(|item| {
            let request =
                CopyRequest::new(item.want.source.clone(), item.want.target.clone(), copier.client().endpoints());
            CopyRequest { platforms: item.want.platforms.clone(), artifacts, ..request }
        })
        .collect();
    let meter = Meter::new(requests.len());
    let options = CopyOptions {
        describe: false,
        progress: Some(meter.progress()),
        ..CopyOptions::default()
    };
    let results = copier.copy_all(&requests, &options).await;
    meter.end();
    done.extend(ready.into_iter().zip(results));
    done
}

/// Creates the repository in ECR, which does not create one at a push; other registries do.
async fn ensure_repository(config: &MirrorConfig, ecr: &EcrRegions, item: &PlannedImage) -> Result<(), RegistryError> {
    let Some(host) = ecr_host(item.want.target.registry()) else {
        return Ok(());
    };
    let (ecr, account, repository) = (ecr.get(host.region), Some(host.account), item.want.target.repository());
    let failed = |error: pullsafe_aws::ecr::EcrError| RegistryError::Invalid(error.to_string());
    if !ecr.repository_exists(account, repository).await.map_err(failed)? {
        ecr.create_repository(account, repository, &config.repositories).await.map_err(failed)?;
    }
    Ok(())
}

fn report(output: Output, planned: &MirrorPlan, results: &[ImageOutcome<'_>], pruned: u64, found: &Survey) -> ExitCode {
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    let shown = match output {
        Output::Text => report_text(planned, results, pruned),
        Output::Json => format!("{:#}\n", report_json(planned, results, pruned, found)),
    };
    answer(&shown, failed == 0 && planned.is_complete())
}

fn report_text(planned: &MirrorPlan, results: &[ImageOutcome<'_>], pruned: u64) -> String {
    let mut lines: Vec<String> = planned.warnings.iter().map(|warning| format!("note: {warning}")).collect();
    for (item, result) in results {
        lines.push(match result {
            Ok(report) if report.up_to_date => format!("{} is up to date", item.want.target),
            Ok(report) => format!(
                "{} is {}: {} in {} blobs sent, {} there already, {} mounted",
                item.want.target,
                report.digest,
                size(report.bytes_copied),
                report.blobs_copied,
                report.blobs_skipped,
                report.blobs_mounted
            ),
            Err(error) => format!("{} FAILED: {error}", item.want.target),
        });
    }
    for item in planned
        .items
        .iter()
        .filter(|item| !matches!(item.action, CopyDecision::Copy | CopyDecision::Current))
    {
        lines.push(format!("{}: {}", item.want.target, words(item)));
    }
    let copied = results.iter().filter(|(_, result)| result.is_ok()).count();
    let prune = if pruned > 0 { format!(", {pruned} deleted") } else { String::new() };
    lines.push(format!(
        "{copied} copied with {} pulls of Docker Hub, {} were current, {} failed, {} next time{prune}",
        pulls(results),
        planned.count(&CopyDecision::Current),
        results.len() - copied,
        planned.count(&CopyDecision::Later)
    ));
    lines.join("\n") + "\n"
}

/// How many pulls of Docker Hub's quota the run has spent, which is what a plan predicts. A manifest from another
/// registry does not count.
fn pulls(results: &[ImageOutcome<'_>]) -> u64 {
    let of_hub = results.iter().filter(|(item, _)| item.want.source.is_docker_hub());
    of_hub
        .filter_map(|(_, result)| result.as_ref().ok())
        .map(|report| report.source_manifest_gets)
        .sum()
}

fn words(item: &PlannedImage) -> String {
    match &item.action {
        CopyDecision::Later => "next time, because Docker Hub's quota does not suffice".to_owned(),
        CopyDecision::Blocked => {
            "blocked: the tag has moved at the source, and cannot be changed in the mirror".to_owned()
        }
        CopyDecision::Absent => format!("{} does not exist", item.want.source),
        CopyDecision::Unknown(why) => format!("not known: {why}"),
        CopyDecision::Copy | CopyDecision::Asked | CopyDecision::Current => String::new(),
    }
}

fn report_json(planned: &MirrorPlan, results: &[ImageOutcome<'_>], pruned: u64, found: &Survey) -> Value {
    let images = planned.items.iter().map(|item| {
        let result = results.iter().find(|(copied, _)| std::ptr::eq(*copied, item)).map(|(_, result)| result);
        json!({
            "source": item.want.source,
            "target": item.want.target,
            "action": item.action.as_str(),
            "report": result.and_then(|result| result.as_ref().ok()),
            "error": result.and_then(|result| result.as_ref().err()).map(ToString::to_string),
        })
    });
    json!({
        "images": images.collect::<Vec<_>>(),
        "quota": planned.budget,
        "pulls": pulls(results),
        "pruned": pruned,
        "warnings": planned.warnings,
        "not_looked_at": found.unknown_use,
    })
}
