//! Finds which images files pull, and what the mirror has of them: base images of Dockerfiles, and everything else that
//! names an image of Docker Hub or the copy of one. It only reads, and a look is not a pull.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use pullsafe::foreign::log_line;
use pullsafe::lookup::Lookup;
use pullsafe::naming::docker_hub_source;
use pullsafe::reference::Reference;
use pullsafe::settings::MirrorLocation;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_find::walk::Scanned;
use pullsafe_incident::outlook::{NextLaunch, Outlook, OutlookCause, OutlookFinding};
use pullsafe_inspect::looks::{Account, Looker};
use pullsafe_inspect::{ImageSeen, Needs, WantedImage};
use pullsafe_registry::Client;

/// How many images are looked at concurrently.
const AT_ONCE: usize = 20;

/// What was found in files.
#[derive(Debug, Default)]
pub(super) struct FilesFound {
    /// One for each file with an image that has a problem.
    pub(super) outlooks: Vec<Outlook>,
    /// What could not be read or looked up.
    pub(super) unknown: Vec<String>,
    /// Images whose name depends on a variable without a value.
    pub(super) left_out: Vec<String>,
}

/// An image of Docker Hub, or its copy, as files name it.
#[derive(Debug)]
struct Pulled {
    written: Reference,
    /// The image's name at Docker Hub.
    source: Reference,
    /// For each file, the lines that name the image.
    lines: BTreeMap<String, BTreeSet<usize>>,
}

/// Looks up every image of Docker Hub that the files name, and its copy.
pub(super) async fn look(
    config: &SdkConfig,
    client: Client,
    scanned: &Scanned,
    mirror: &MirrorLocation,
    now: Timestamp,
) -> FilesFound {
    let mut found = FilesFound {
        unknown: scanned.problems.iter().map(|problem| log_line(&problem.to_string())).collect(),
        ..FilesFound::default()
    };
    let pulled = pulled(scanned, mirror, &mut found.left_out);
    let account = Account::new(config, EcrRegions::new(config.clone()));
    let looker = Looker {
        account: Some(&account),
        registry: &client,
        anywhere: false,
        mirror: Some(mirror),
        end: None,
    };
    let mut files: BTreeMap<&String, Vec<OutlookFinding>> = BTreeMap::new();
    for some in pulled.chunks(AT_ONCE) {
        let seen = looker.look(&Needs::of_images(some.iter().map(wanted).collect(), None), BTreeMap::new()).await;
        for image in some {
            let Some(seen) = seen.images.get(&image.source.to_string()) else {
                continue;
            };
            match judge(image, seen) {
                Ok(None) => {}
                Ok(Some(trouble)) => {
                    for (file, lines) in &image.lines {
                        let finding = OutlookFinding {
                            container: named(lines),
                            image: image.written.to_string(),
                            trouble: trouble.clone(),
                        };
                        files.entry(file).or_default().push(finding);
                    }
                }
                Err(why) => found.unknown.push(format!("{}: {why}", image.written)),
            }
        }
    }
    found.outlooks.extend(files.into_iter().map(|(file, findings)| {
        let mut outlook = Outlook {
            subject: log_line(file),
            next: NextLaunch::OfFile,
            at: now,
            findings,
            unknown: Vec::new(),
        };
        outlook.rank();
        outlook
    }));
    found
}

/// Collects the images of Docker Hub that are named in full, each once. A name with a variable that has no value goes
/// to `left_out`.
fn pulled(scanned: &Scanned, mirror: &MirrorLocation, left_out: &mut Vec<String>) -> Vec<Pulled> {
    let mut pulled: BTreeMap<String, Pulled> = BTreeMap::new();
    for finding in &scanned.findings {
        let Some(written) = finding.parsed().filter(|_| finding.certain) else {
            if !finding.variables.is_empty() && (finding.registry.is_none() || finding.is_docker_hub()) {
                let (file, line, reference) = (&finding.file, finding.line, &finding.reference);
                let variables = finding.variables.join(", ");
                left_out.push(log_line(&format!("{file}:{line}: {reference}: {variables} has no value here")));
            }
            continue;
        };
        let source = if written.is_docker_hub() {
            Some(written.clone())
        } else {
            docker_hub_source(mirror, written)
        };
        let Some(source) = source else { continue };
        let image = pulled.entry(written.to_string()).or_insert_with(|| Pulled {
            written: written.clone(),
            source,
            lines: BTreeMap::new(),
        });
        image.lines.entry(finding.file.clone()).or_default().insert(finding.line);
    }
    pulled.into_values().collect()
}

fn wanted(image: &Pulled) -> WantedImage {
    WantedImage {
        containers: Vec::new(),
        written: image.source.to_string(),
        reference: Some(image.source.clone()),
        pinned: None,
        has_credentials: false,
    }
}

/// Returns what is wrong with an image and its copy, or why that is not known.
fn judge(image: &Pulled, seen: &ImageSeen) -> Result<Option<OutlookCause>, String> {
    let from_docker_hub = image.written.is_docker_hub();
    let copy = seen.mirror.as_ref().map(|(_, copy)| copy);
    match (&seen.found, copy) {
        (Lookup::Absent, _) if from_docker_hub => Ok(Some(OutlookCause::Gone { digest: None })),
        (_, Some(Lookup::Absent)) if from_docker_hub => Ok(Some(OutlookCause::NoCopy)),
        (_, Some(Lookup::Absent)) => Ok(Some(OutlookCause::Gone { digest: None })),
        (_, Some(Lookup::Unknown(why))) => Err(format!("the mirror could not be asked: {why}")),
        (Lookup::Unknown(why), _) => Err(format!("Docker Hub did not say what it means: {why}")),
        (Lookup::Found(hub), Some(Lookup::Found(copy))) if hub.digest != copy.digest => {
            Ok(Some(OutlookCause::CopyBehind { copy: copy.digest.clone(), hub: hub.digest.clone() }))
        }
        // The files pull the copy, and it is there.
        (Lookup::Found(_) | Lookup::Absent, Some(Lookup::Found(_)) | None) => Ok(None),
    }
}

fn named(lines: &BTreeSet<usize>) -> String {
    let numbers: Vec<String> = lines.iter().map(ToString::to_string).collect();
    format!("line{} {}", if numbers.len() == 1 { "" } else { "s" }, numbers.join(", "))
}
