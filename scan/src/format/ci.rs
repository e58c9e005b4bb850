//! Files of other CI systems: CircleCI, Bitbucket Pipelines, Drone, Woodpecker and Azure Pipelines.

use crate::analysis::{Analysis, Otherwise};
use crate::finding::Place;
use crate::format::template::mark_templates;
use crate::yaml::Node;

/// Whether a path is a file of one of them.
pub(crate) fn is_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.ends_with(".circleci/config.yml")
        || path.contains(".woodpecker/")
        || matches!(name, "bitbucket-pipelines.yml" | ".drone.yml" | ".woodpecker.yml" | ".woodpecker.yaml" | "azure-pipelines.yml")
}

/// Records the images of jobs and their services.
pub(crate) fn scan(root: Node<'_>, analysis: &mut Analysis<'_>) {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        for (key, value) in node.own_entries() {
            match key {
                // A virtual machine of CircleCI, a build agent of Azure: no containers.
                "machine" | "pool" => {}
                "image" | "container" if value.scalar().is_some() || value.get("name").is_some() => {
                    let image = value.get("name").unwrap_or(value);
                    let Some(written) = image.text() else { continue };
                    analysis.found(Place::CiImage, &written, &mark_templates(&written), Otherwise::Ignore);
                }
                _ => waiting.push(value),
            }
        }
        waiting.extend(node.items());
    }
}
