//! Skaffold: builders and base images. The images that its artifacts name are built, so manifests do not pull them.

use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::{BuiltFor, ChangesToo, Finding, PlaceKind};

pub(super) const FORMAT: Format = Format {
    name: "Skaffold",
    finds: "`builder`, `runImage` and `fromImage` of artifacts, containers of `verify` and custom actions; an \
        artifact's `image` is no pull, \
            here and in manifests",
    known_by: "`apiVersion: skaffold/...`",
    order: "before Kubernetes, whose `apiVersion` and `kind` it has",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is: |_, tree| tree.documents().any(looks_like), scan },
};

fn looks_like(root: TracedNode<'_>) -> bool {
    root.get("apiVersion")
        .and_then(TracedNode::scalar)
        .is_some_and(|version| version.starts_with("skaffold/"))
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for root in tree.documents().filter(|root| looks_like(*root)) {
        let profiles = root.get("profiles").map(TracedNode::items).unwrap_or_default();
        for artifact in std::iter::once(root)
            .chain(profiles)
            .filter_map(|node| node.at(&["build", "artifacts"]))
            .flat_map(TracedNode::items)
        {
            if let Some(name) = artifact.get("image").and_then(TracedNode::text) {
                analysis.built(&name, BuiltFor::Everywhere);
            }
        }
    }
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            let image = match key {
                "builder" | "runImage" => {
                    if let Some(finding) = found(value.text(), analysis) {
                        finding.along = ChangesToo::Stays("a builder is trusted by its name");
                    }
                    None
                }
                "fromImage" => value.text(),
                "container" => value.get("image").and_then(TracedNode::text),
                "kaniko" => value.get("image").and_then(TracedNode::text),
                "containers" => {
                    for container in value.items() {
                        found(container.get("image").and_then(TracedNode::text), analysis);
                    }
                    None
                }
                _ => None,
            };
            found(image, analysis);
        }
    }
}

fn found<'f>(image: Option<Traced>, analysis: &'f mut Analysis<'_>) -> Option<&'f mut Finding> {
    let written = image?;
    analysis.found(PlaceKind::Skaffold, &written, &mark_templates(&written), Otherwise::Ignore)
}
