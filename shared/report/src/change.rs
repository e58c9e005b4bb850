//! What to change in templates and files, with the exact lines: before and after.
//!
//! The images of a plan come first, because they were verified. A change for an image of the blocker's diagnosis that
//! no plan covers says what must be done before it.

use serde::Serialize;
use serde_json::Value;

use pullsafe::arn::{Arn, family_and_revision};
use pullsafe::reference::in_ecr_public;
use pullsafe::reference::{Reference, Registry, ecr_host};
use pullsafe::settings::MIRROR_PREFIX;
use pullsafe_diagnosis::build_facts::BaseImage;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::Subject;
use pullsafe_incident::incident::{ActState, CauseSeen, Incident};
use pullsafe_incident::plan::{ImageMove, Step};

use pullsafe_incident::line::line;

/// How many changes are shown at most.
const CHANGES: usize = 10;

/// One change that a person should make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about, in one line.
    pub what: String,
    /// Why it is safe, or what has to be done first, in a sentence.
    pub note: String,
    /// The lines, by the kind of file. The change belongs in the file that the service is deployed from.
    pub edits: Vec<LineChange>,
}

/// The lines of one kind of file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineChange {
    /// The kind of file.
    pub file: String,
    /// The lines as they are.
    pub before: Vec<String>,
    /// The lines as they should be.
    pub after: Vec<String>,
}

/// Returns the changes that an incident asks for.
pub(super) fn of(subject: &Subject, incident: &Incident) -> Vec<Change> {
    let mut changes = planned(subject, incident);
    for change in incident.blocker().into_iter().flat_map(|blocker| diagnosed(subject, blocker)) {
        let known = changes
            .iter()
            .flat_map(|change| &change.edits)
            .any(|edit| change.edits.iter().any(|new| new.before == edit.before));
        if !known {
            changes.push(change);
        }
    }
    changes.truncate(CHANGES);
    changes
}

/// Returns the changes for the images of the plan, unless the plan was given up or refused.
fn planned(subject: &Subject, incident: &Incident) -> Vec<Change> {
    let Some(act) = incident.act.as_ref().filter(|act| !matches!(act.state, ActState::Abandoned | ActState::Refused))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for step in &act.plan.steps {
        match step {
            Step::MoveService { from, request, moves, .. } => {
                changes.extend(moves.iter().map(|image| moved(subject, from, request, image)))
            }
            Step::AskMirror { source, target, .. } => {
                let note = format!("Once the mirror holds it. To copy it by hand: pullsafe copy {source} {target}");
                changes.push(image_change(subject, &line(&familiar(source)), &line(&target.to_string()), line(&note)));
            }
            Step::TagService { .. }
            | Step::UntagService { .. }
            | Step::SetScaling { .. }
            | Step::SetDesiredCount { .. }
            | Step::ForceNewDeployment { .. }
            | Step::RestoreImage { .. } => {}
        }
    }
    changes
}

fn moved(subject: &Subject, from: &str, request: &Value, image: &ImageMove) -> Change {
    let mut change = image_change(
        subject,
        &line(&image.from),
        &line(&image.to),
        format!("Both names stand for {}; that was verified before the move.", image.digest),
    );
    let containers = request["containerDefinitions"].as_array().into_iter().flatten();
    let names: Vec<&str> = containers
        .filter(|container| container["image"] == image.to.as_str())
        .filter_map(|container| container["name"].as_str())
        .collect();
    let family = family_and_revision(from).map_or(from, |(family, _)| family);
    if !names.is_empty() {
        change.what = line(&format!("Container {} of task definition {family}", names.join(", ")));
    }
    change
}

/// Returns the changes that follow from a blocker's diagnosis alone.
fn diagnosed(subject: &Subject, blocker: &CauseSeen) -> Vec<Change> {
    let diagnosis = &blocker.diagnosis;
    let bases = diagnosis.build.iter().filter(|build| !build.of_environment).flat_map(|build| &build.bases);
    if diagnosis.docker_hub_quota() {
        let bases: Vec<Change> = bases.filter_map(|base| base_moved(subject, base)).collect();
        let image = diagnosis.image.as_deref().filter(|_| bases.is_empty());
        let moved = image.and_then(|written| {
            let (target, note) = elsewhere(subject, written)?;
            Some(image_change(subject, &line(written), &line(&target), note))
        });
        return bases.into_iter().chain(moved).collect();
    }
    let Some(written) = diagnosis.image.as_deref() else {
        return Vec::new();
    };
    let Ok(image) = written.parse::<Reference>() else {
        return Vec::new();
    };
    let is_missing = matches!(subject, Subject::Service(_))
        && diagnosis.cause == Cause::ImageNotFound
        && image.kind() == Registry::EcrPrivate;
    if is_missing {
        gate(written, &image).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// Changes the `FROM` line of a build's base image, and keeps its flags and its stage.
fn base_moved(subject: &Subject, base: &BaseImage) -> Option<Change> {
    let (target, note) = elsewhere(subject, &base.image)?;
    let edit = LineChange {
        file: "Dockerfile".to_owned(),
        before: vec![line(&base.line(&base.image))],
        after: vec![line(&base.line(&target))],
    };
    Some(Change {
        what: "A base image of the build".to_owned(),
        note,
        edits: vec![edit],
    })
}

/// Returns where else an image of Docker Hub can be pulled from, and what has to be done first.
fn elsewhere(subject: &Subject, written: &str) -> Option<(String, String)> {
    let image: Reference = written.parse().ok().filter(Reference::is_docker_hub)?;
    if let Some(public) = in_ecr_public(&image) {
        let note =
            "Docker publishes the same official images there. A mirror of your own is the safer place for production.";
        return Some((public.to_string(), note.to_owned()));
    }
    let registry = own_registry(subject)?;
    let prefix = MIRROR_PREFIX.default.unwrap_or_default();
    let target = image.moved_to(&registry, &format!("{prefix}/{}", image.repository())).ok()?;
    let note = format!("Copy it first, from an address that Docker Hub does not limit: pullsafe copy {image} {target}");
    Some((target.to_string(), line(&note)))
}

/// Makes a stack wait for its image instead of starting a service without it.
fn gate(written: &str, image: &Reference) -> Option<Change> {
    let tag = image.tag_or_latest()?;
    Some(Change {
        what: "Let the stack wait for the image".to_owned(),
        note: "In the import, put the name of pullsafe's own stack, which exports the gate.".to_owned(),
        edits: vec![LineChange {
            file: "CloudFormation or SAM template".to_owned(),
            before: vec![format!("Image: {}", line(written))],
            after: vec![
                "Image: !GetAtt ServiceImage.ImageUri".to_owned(),
                "# and among the resources:".to_owned(),
                "ServiceImage:".to_owned(),
                "  Type: Custom::PullsafeImage".to_owned(),
                "  Properties:".to_owned(),
                "    ServiceToken: !ImportValue pullsafe-ImageGate".to_owned(),
                format!("    RepositoryName: {}", line(image.repository())),
                format!("    ImageTag: \"{}\"", line(tag)),
            ],
        }],
    })
}

fn image_change(subject: &Subject, before: &str, after: &str, note: String) -> Change {
    let edit = |file: &str, head: &str, tail: &str| LineChange {
        file: file.to_owned(),
        before: vec![format!("{head}{before}{tail}")],
        after: vec![format!("{head}{after}{tail}")],
    };
    let (what, edits) = match subject {
        Subject::Project { .. } => (
            "The base image of the build",
            vec![edit("Dockerfile", "FROM ", ""), edit("compose file, or image of the build project", "image: ", "")],
        ),
        Subject::Service(_) | Subject::Family { .. } => (
            "The image of the task definition",
            vec![
                edit("ECS task definition (JSON), or Terraform's jsonencode", "\"image\": \"", "\""),
                edit("CloudFormation or SAM template", "Image: ", ""),
                edit("compose file", "image: ", ""),
                edit("Dockerfile, where it is a base image", "FROM ", ""),
            ],
        ),
    };
    Change { what: what.to_owned(), note, edits }
}

/// Returns the name of a Docker Hub image as people write it.
fn familiar(image: &Reference) -> String {
    let text = image.to_string();
    let short = text.strip_prefix("docker.io/").unwrap_or(&text);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}

/// Returns the account's own registry, which holds the mirror unless the stack says otherwise.
fn own_registry(subject: &Subject) -> Option<String> {
    let arn = match subject {
        Subject::Service(service) => service.arn(),
        Subject::Family { cluster_arn, .. } => cluster_arn.clone(),
        // The scope is an ARN up to the account.
        Subject::Project { scope, .. } => format!("{scope}:"),
    };
    let arn = Arn::parse(&arn)?;
    let suffix = if arn.partition == "aws-cn" { ".cn" } else { "" };
    let host = format!("{}.dkr.ecr.{}.amazonaws.com{suffix}", arn.account, arn.region);
    ecr_host(&host).is_some().then_some(host)
}
