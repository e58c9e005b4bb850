//! The subjects of a verification: a task definition of a file or of ECS, or the images that other files name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pullsafe::foreign::log_line;
use pullsafe::reference::Reference;
use pullsafe::settings::MirrorLocation;
use pullsafe_aws::SdkConfig;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_find::finding::Finding as Found;
use pullsafe_find::walk::{self, Options};
use pullsafe_inspect::{LaunchPlatform, Needs, WantedImage};
use serde_json::{Value, json};

use super::Arguments;
use super::pseudo::{self, Pseudo};
use crate::service::{EcsClient, named};

/// The largest file that is read as a task definition: 1 MiB; ECS takes 64 KB.
const LARGEST: u64 = 1024 * 1024;

/// One thing that is verified.
pub(super) struct VerifiedThing {
    /// Its name for a person.
    pub(super) name: String,
    pub(super) needs: Needs,
    /// Where files name an image, by its name as written: file, line and column.
    pub(super) places: BTreeMap<String, Vec<(String, usize, usize)>>,
    /// How many tasks it starts, if it says so.
    pub(super) tasks: Option<u64>,
    /// What could not be looked at, and why.
    pub(super) left_out: Vec<String>,
}

/// Returns everything that the arguments name.
///
/// # Errors
/// An argument names nothing that can be verified, with the reason.
pub(super) async fn all(
    arguments: &Arguments,
    config: Option<&SdkConfig>,
    no_credentials: Option<&str>,
) -> Result<Vec<VerifiedThing>, String> {
    let ecs = config.map(EcsClient::new);
    let (mut subjects, mut paths) = (Vec::new(), Vec::new());
    for target in &arguments.targets {
        let path = Path::new(target);
        if path.exists() {
            match definition_of(path)? {
                Some(definition) => {
                    subjects.push(of_definition(target.clone(), &definition, LaunchPlatform::of(&definition), None))
                }
                None => paths.push(path.to_owned()),
            }
            continue;
        }
        let ecs = match (&ecs, no_credentials) {
            (Some(ecs), _) => ecs,
            (None, why) => {
                return Err(format!(
                    "{target}: there is no such file, and ECS cannot be asked for it: {}",
                    why.unwrap_or_default()
                ));
            }
        };
        subjects.push(match named(target).filter(|_| !target.contains(":task-definition/")) {
            Some((cluster, service)) => of_service(ecs, target, &cluster, &service).await?,
            None => {
                let definition =
                    registered(ecs, target).await.map_err(|why| format!("{target}: there is no such file; {why}"))?;
                of_definition(target.clone(), &definition, LaunchPlatform::of(&definition), None)
            }
        });
    }
    if !paths.is_empty() {
        subjects.push(of_files(&paths, arguments, config).await?);
    }
    Ok(subjects)
}

/// Splits the mirror's registry and prefix.
pub(super) fn mirror(text: &str) -> Result<MirrorLocation, String> {
    let (registry, prefix) = text.trim_end_matches('/').split_once('/').unwrap_or((text, ""));
    let mirror = MirrorLocation { registry: registry.to_owned(), prefix: prefix.to_owned() };
    let example = "docker.io/library/redis:7"
        .parse::<pullsafe::reference::Reference>()
        .map_err(|error| error.to_string())?;
    let name = pullsafe::naming::mirrored_name(&mirror.prefix, &example);
    example
        .moved_to(&mirror.registry, &name)
        .map(|_| mirror)
        .map_err(|error| format!("--mirror {text}: {error}"))
}

async fn registered(ecs: &EcsClient, name: &str) -> Result<TaskDefinition, String> {
    TaskDefinition::from_json(&ecs.task_definition(name).await?)
        .ok_or_else(|| format!("ECS answers nothing that is a task definition for {name}"))
}

async fn of_service(ecs: &EcsClient, target: &str, cluster: &str, name: &str) -> Result<VerifiedThing, String> {
    let service = ecs.service(cluster, name).await?;
    let definition = registered(ecs, service["taskDefinition"].as_str().unwrap_or_default()).await?;
    let providers = service["capacityProviderStrategy"].as_array().cloned().unwrap_or_default();
    let on_fargate =
        |provider: &Value| provider["capacityProvider"].as_str().is_some_and(|name| name.starts_with("FARGATE"));
    let fargate = service["launchType"] == "FARGATE" || !providers.is_empty() && providers.iter().all(on_fargate);
    let launch = if fargate { LaunchPlatform::Fargate } else { LaunchPlatform::Instances };
    Ok(of_definition(target.to_owned(), &definition, launch, service["desiredCount"].as_u64()))
}

fn of_definition(
    name: String,
    definition: &TaskDefinition,
    launch: LaunchPlatform,
    tasks: Option<u64>,
) -> VerifiedThing {
    let needs = Needs::of(definition, launch, &BTreeMap::new());
    VerifiedThing {
        name,
        needs,
        places: BTreeMap::new(),
        tasks,
        left_out: Vec::new(),
    }
}

/// Reads a file that is a task definition, in the form of a request or of an answer; `None` if it is something else.
fn definition_of(path: &Path) -> Result<Option<TaskDefinition>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !metadata.is_file() || metadata.len() > LARGEST || path.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // A file that is not JSON is reported by the scan.
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return Ok(None);
    };
    let inner = value.get("taskDefinition").filter(|inner| inner.is_object()).unwrap_or(&value);
    let is_definition = inner["containerDefinitions"].as_array().is_some_and(|containers| !containers.is_empty());
    // A definition with a pipeline's placeholders is left to the scan, which knows them.
    let filled_in =
        |container: &Value| container["image"].as_str().is_some_and(|image| !image.contains(['$', '<', '{']));
    let whole = is_definition
        && inner["containerDefinitions"].as_array().is_some_and(|containers| containers.iter().all(filled_in));
    Ok(if whole {
        TaskDefinition::from_json(&json!({ "taskDefinition": inner }))
    } else {
        None
    })
}

/// Collects the images that files name in full, or whose names CloudFormation completes.
async fn of_files(
    paths: &[PathBuf],
    arguments: &Arguments,
    config: Option<&SdkConfig>,
) -> Result<VerifiedThing, String> {
    let scanned = walk::scan(paths, Options::default()).map_err(|error| log_line(&error.to_string()))?;
    let mut left_out: Vec<String> = scanned.problems.iter().map(|problem| log_line(&problem.to_string())).collect();
    let mut places: BTreeMap<String, Vec<(String, usize, usize)>> = BTreeMap::new();
    let mut images = Vec::new();
    let pseudo = match config.filter(|_| scanned.findings.iter().any(pseudo::is_open)) {
        Some(config) => Some(Pseudo::of(config).await),
        None => None,
    };
    for finding in &scanned.findings {
        let (reference, why) = match finding.parsed().filter(|_| finding.certain) {
            Some(reference) => (Some(reference.clone()), String::new()),
            None => filled(finding, pseudo.as_ref()),
        };
        let Some(reference) = reference else {
            left_out.push(log_line(&format!("{}:{}: {}: {why}", finding.file, finding.line, finding.reference)));
            continue;
        };
        let written = reference.to_string();
        let known = places.entry(written.clone()).or_default();
        if known.is_empty() {
            images.push(WantedImage {
                containers: Vec::new(),
                written,
                reference: Some(reference),
                pinned: None,
                has_credentials: false,
            });
        }
        known.push((finding.file.clone(), finding.line, finding.column));
    }
    let name = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let platform = arguments.platform.as_ref().map(ToString::to_string);
    Ok(VerifiedThing {
        name,
        needs: Needs::of_images(images, platform),
        places,
        tasks: None,
        left_out,
    })
}

/// Returns an image whose name CloudFormation completes, or why it is left out.
fn filled(finding: &Found, pseudo: Option<&Pseudo>) -> (Option<Reference>, String) {
    if !pseudo::is_open(finding) || !finding.variables.is_empty() {
        return (
            None,
            match finding.variables.is_empty() {
                true => "it may be no pull".to_owned(),
                false => format!("{} has no value here", finding.variables.join(", ")),
            },
        );
    }
    let Some(pseudo) = pseudo else {
        return (None, "its account and region are not known without AWS credentials".to_owned());
    };
    let text = pseudo.fill(&finding.reference);
    match (text.contains("${"), text.parse()) {
        (false, Ok(reference)) => (Some(reference), String::new()),
        (true, _) => (None, pseudo.why_not.clone().unwrap_or_else(|| "it is filled in at the deployment".to_owned())),
        (false, Err(error)) => (None, error.to_string()),
    }
}
