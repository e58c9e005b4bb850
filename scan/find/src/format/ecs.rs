//! Task definitions of Amazon ECS as JSON, and what has the same container definitions: Elastic Beanstalk's
//! `Dockerrun.aws.json`, `file("containers.json")` of Terraform, `imagedefinitions.json` of CodePipeline. And the
//! manifests of AWS Copilot.

use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;

pub(super) const FORMAT: Format = Format {
    name: "ECS task definitions",
    finds: "`containerDefinitions[].image`, as registered or as described, one or many, in either spelling; lists of \
        container definitions; \
            `Dockerrun.aws.json`; `imagedefinitions.json`; manifests of AWS Copilot",
    known_by: "content",
    order: "after Kubernetes, whose lists may look like container definitions",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |_, tree| looks_like(tree) || tree.documents().any(is_copilot),
        scan: scan_all,
    },
};

fn scan_all(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    if looks_like(tree) {
        scan(tree, analysis);
    } else {
        tree.documents().for_each(|root| scan_copilot(root, analysis));
    }
}

/// Whether a file has task definitions, or lists of container definitions.
pub(crate) fn looks_like(tree: &TracedTree) -> bool {
    !containers(tree).is_empty() || tree.documents().any(|root| beanstalk(root).is_some())
}

/// Records the images of the container definitions.
fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for written in images(tree) {
        let value = mark_templates(&written);
        // CodePipeline's blue/green deployment puts `<IMAGE1_NAME>` in.
        if !value.as_str().starts_with('<') {
            analysis.found(PlaceKind::EcsTaskDefinition, &written, &value, Otherwise::Report);
        }
    }
}

/// Whether a document is a manifest of AWS Copilot, which makes a task definition of it.
fn is_copilot(root: TracedNode<'_>) -> bool {
    let kinds = [
        "Load Balanced Web Service",
        "Backend Service",
        "Worker Service",
        "Request-Driven Web Service",
        "Scheduled Job",
    ];
    root.get("name").is_some()
        && root.get("type").and_then(TracedNode::scalar).is_some_and(|kind| kinds.contains(&kind))
}

/// Records the images of a manifest of AWS Copilot, for all its environments.
fn scan_copilot(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let environments = root
        .get("environments")
        .map(TracedNode::entries)
        .unwrap_or_default()
        .into_iter()
        .map(|(_, environment)| environment);
    for manifest in std::iter::once(root).chain(environments) {
        let sidecars = manifest.get("sidecars").map(TracedNode::entries).unwrap_or_default();
        let sidecars = sidecars.into_iter().filter_map(|(_, sidecar)| sidecar.get("image"));
        let own = [["image", "location"], ["logging", "image"]].into_iter().filter_map(|path| manifest.at(&path));
        for written in own.chain(sidecars).filter_map(|image| image.get("location").unwrap_or(image).text()) {
            analysis.found(PlaceKind::EcsTaskDefinition, &written, &mark_templates(&written), Otherwise::Ignore);
        }
    }
}

/// The images of the container definitions, as written.
pub(crate) fn images(tree: &TracedTree) -> Vec<Traced> {
    let images = containers(tree)
        .into_iter()
        .filter_map(|container| key(container, "image").or_else(|| container.get("imageUri")));
    images.chain(tree.documents().filter_map(beanstalk)).filter_map(TracedNode::text).collect()
}

/// The image of a `Dockerrun.aws.json` of the first version.
fn beanstalk(root: TracedNode<'_>) -> Option<TracedNode<'_>> {
    root.get("AWSEBDockerrunVersion").and_then(|_| root.at(&["Image", "Name"]))
}

/// Container definitions wherever they are: in a task definition alone, in a list or wrapped; or a document that is a
/// list of them.
fn containers(tree: &TracedTree) -> Vec<TracedNode<'_>> {
    let mut containers: Vec<_> = tree
        .mappings()
        .filter_map(|node| key(node, "containerDefinitions"))
        .filter(|list| list.is_sequence())
        .flat_map(TracedNode::items)
        .collect();
    for listed in tree.documents().map(TracedNode::items) {
        let all_named = listed.iter().all(|item| {
            item.get("name").is_some_and(|name| name.scalar().is_some())
                && ["image", "imageUri"].iter().any(|key| item.get(key).is_some_and(|image| image.scalar().is_some()))
        });
        if all_named {
            containers.extend(listed);
        }
    }
    containers
}

/// A key as the AWS CLI writes it (`image`), or as CloudFormation does (`Image`).
fn key<'t>(node: TracedNode<'t>, name: &str) -> Option<TracedNode<'t>> {
    let capital =
        |key: &str| key.get(1..) == name.get(1..) && key.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
    let found = node.own_entries().find(|(key, _)| *key == name || capital(key) && key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}
