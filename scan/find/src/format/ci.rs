//! Files of other CI systems: CircleCI, Bitbucket Pipelines, Drone, Woodpecker, Azure Pipelines and the like.

use std::collections::HashSet;

use pullsafe_syntax::template::{mark, mark_templates};
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::format::commands::Commands;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "CircleCI, Bitbucket, Drone, Woodpecker, Azure Pipelines, AppVeyor, Semaphore, Cirrus, Travis",
    finds: "`image`, `container`; defaults of CircleCI's parameters; `pipe: docker://`; commands of scripts",
    known_by: "file name; of Drone and Woodpecker content",
    order: "by its path alone, before the formats that look at content",
    named: is_path,
    marks: &[],
    read: ReadAs::Document {
        is: |name, _| is_path(name),
        scan: |tree, analysis| tree.documents().for_each(|root| scan(root, analysis)),
    },
};

pub(super) const BY_CONTENT: Format = Format {
    name: "CircleCI, Bitbucket, Drone, Woodpecker, Azure Pipelines, AppVeyor, Semaphore, Cirrus, Travis",
    finds: "",
    known_by: "",
    order: "a pipeline of Drone or Woodpecker elsewhere: steps with images are common, so that it comes after all \
        others",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |_, tree| tree.documents().any(is_pipeline),
        scan: |tree, analysis| {
            analysis.likely(|analysis| {
                tree.documents().filter(|root| is_pipeline(*root)).for_each(|root| scan(root, analysis))
            });
        },
    },
};

/// Whether a document is a pipeline whose steps are containers.
fn is_pipeline(root: TracedNode<'_>) -> bool {
    let is_step = |step: &TracedNode<'_>| {
        step.get("image").is_some() && (step.get("commands").is_some() || step.get("settings").is_some())
    };
    root.get("steps")
        .is_some_and(|steps| steps.items().iter().any(is_step) || steps.entries().iter().any(|(_, step)| is_step(step)))
}

/// Whether a path is a file of one of them.
fn is_path(name: &Name<'_>) -> bool {
    let file = name.file.as_str();
    name.is_yaml()
        && (name.is_below(".circleci")
            || name.is_below(".woodpecker")
            || name.is_below(".semaphore")
            || name.is_below(".azure-pipelines")
            || name.is_below(".drone")
            || name.is_below(".azure")
            || file.contains("azure-pipeline")
            || file.starts_with(".drone")
            || file.starts_with(".woodpecker")
            || matches!(
                file,
                "bitbucket-pipelines.yml"
                    | ".travis.yml"
                    | "appveyor.yml"
                    | ".appveyor.yml"
                    | ".cirrus.yml"
                    | ".drone.yaml"
            ))
}

/// Records the images of jobs and their services, and what their scripts pull.
fn scan(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    // Azure's jobs name containers that `resources` declare.
    let declared = root.at(&["resources", "containers"]).map(TracedNode::items).unwrap_or_default();
    let declared: HashSet<&str> =
        declared.iter().filter_map(|container| container.get("container")?.scalar()).collect();
    // A template's are declared by who includes it.
    let is_template = root.get("parameters").is_some_and(|parameters| parameters.is_sequence());
    let mut scripts = Commands::default();
    let mut waiting = vec![(root, None)];
    // An alias may lead back to where it stands.
    let mut seen = HashSet::new();
    while let Some((node, parameters)) = waiting.pop() {
        if !seen.insert(node.id()) {
            continue;
        }
        let parameters = node.get("parameters").or(parameters);
        for (key, value) in node.own_entries() {
            match key {
                "container"
                    if value
                        .scalar()
                        .is_some_and(|name| declared.contains(name) || is_template && !name.contains([':', '/'])) => {}
                "pipe" => {
                    if let Some(image) = value.text().filter(|pipe| pipe.as_str().starts_with("docker://")) {
                        let image = image.slice("docker://".len()..image.as_str().len());
                        analysis.found(PlaceKind::CiImage, &image, &image, Otherwise::Ignore);
                    }
                }
                // A virtual machine of CircleCI, a build agent of Azure: no containers.
                "machine" | "pool" => {}
                // Of Azure's own registry only the repository is named.
                "image"
                    if node
                        .get("type")
                        .and_then(TracedNode::scalar)
                        .is_some_and(|kind| kind.eq_ignore_ascii_case("acr")) => {}
                "image" | "container" if value.scalar().is_some() || value.get("name").is_some() => {
                    let image = value.get("name").unwrap_or(value);
                    let Some(written) = image.text() else { continue };
                    let value = mark_templates(&with_parameters(&written, parameters, root.get("parameters")));
                    analysis.found(PlaceKind::CiImage, &written, &value, Otherwise::Ignore);
                }
                "run" | "script" | "commands" | "bash" | "command" | "pwsh" | "before_script" | "install"
                | "before_install" | "after_success"
                    if value.scalar().is_some() || value.is_sequence() =>
                {
                    scripts.run_all(value);
                    waiting.push((value, parameters));
                }
                _ => waiting.push((value, parameters)),
            }
        }
        waiting.extend(node.items().into_iter().map(|item| (item, parameters)));
    }
    scripts.finish(analysis);
}

/// The text with the defaults of CircleCI's `<< parameters.name >>` in.
fn with_parameters(text: &Traced, own: Option<TracedNode<'_>>, of_pipeline: Option<TracedNode<'_>>) -> Traced {
    let marked = mark(text, &[("<<", ">>")]);
    let default = |name: &str| {
        let (parameters, name) = match name.strip_prefix("pipeline.parameters.") {
            Some(name) => (of_pipeline, name),
            None => (own, name.strip_prefix("parameters.")?),
        };
        parameters?.at(&[name, "default"])?.text()
    };
    marked
        .substituted(1, |unknown| default(&unknown.name).into_iter().collect())
        .pop()
        .unwrap_or(marked)
}
