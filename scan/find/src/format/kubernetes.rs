//! Kubernetes manifests, kustomizations, and the templates of Helm charts as far as they name images plainly.

use std::collections::{HashMap, HashSet};

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::reference::is_plausible;
use pullsafe_syntax::template::{mark, mark_templates};
use pullsafe_syntax::traced::{HOLE, Traced, join};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _, read};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::format::helm;

pub(super) const FORMAT: Format = Format {
    name: "Kubernetes, Argo, Tekton",
    finds: "images of containers in any kind; other `image` fields with a tag, a digest or a registry; names and tags \
        that a kustomization \
            puts in, and its patches, JSON 6902 ones too; parameters of Argo and Tekton with their defaults; chart \
            templates where they name \
            an image plainly or by a `default`; manifests in a ConfigMap, marked as such",
    known_by: "`apiVersion` and `kind`; `spec` with `containers`; a list of JSON patches of images",
    order: "after Skaffold and CloudFormation; before the formats that are lists of anything",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |name, tree| {
            name.file.starts_with("kustomization.")
                || tree.documents().any(|root| looks_like(root) || is_json_patch(root))
        },
        scan,
    },
};

/// Whether a document is a manifest.
fn looks_like(root: TracedNode<'_>) -> bool {
    let has = |key: &str| root.get(key).is_some_and(|value| value.scalar().is_some());
    has("apiVersion") && has("kind") || is_kustomization(root) || is_pod(root)
}

/// Whether a document is a pod that leaves out what it is, as Jenkins and runners of pods take it.
fn is_pod(root: TracedNode<'_>) -> bool {
    let containers = root.at(&["spec", "containers"]).map(TracedNode::items).unwrap_or_default();
    containers.iter().any(|container| {
        container.get("name").is_some() && container.get("image").is_some_and(|image| image.scalar().is_some())
    })
}

/// Whether a document is a JSON 6902 patch of images.
fn is_json_patch(root: TracedNode<'_>) -> bool {
    root.items().iter().any(replaces_image)
}

fn replaces_image(operation: &TracedNode<'_>) -> bool {
    operation.get("op").is_some()
        && operation
            .get("path")
            .and_then(TracedNode::scalar)
            .is_some_and(|path| path.contains("ontainers/") && path.ends_with("/image"))
}

fn is_kustomization(root: TracedNode<'_>) -> bool {
    root.get("images").is_some_and(|images| {
        images.items().iter().any(|image| {
            image.get("name").is_some() && (image.get("newTag").is_some() || image.get("newName").is_some())
        })
    })
}

/// Records the images of every container in the file, in resources of any kind.
fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for root in tree.documents() {
        if is_kustomization(root) {
            kustomization(root, analysis);
        }
        let named = file_name(analysis.path()).starts_with("kustomization.");
        if named || root.get("kind").and_then(TracedNode::scalar) == Some("Kustomization") || is_kustomization(root) {
            deployed(root, analysis);
        }
    }
    // Flux, Argo CD and k3s carry a chart's values in a resource.
    let carries_values = |root: TracedNode<'_>| {
        matches!(root.get("kind").and_then(TracedNode::scalar), Some("HelmRelease" | "Application" | "HelmChart"))
    };
    if tree.documents().any(carries_values) {
        helm::scan(tree, false, analysis);
    }
    for operation in tree.documents().flat_map(TracedNode::items).filter(replaces_image) {
        image(operation.get("value"), true, &HashMap::new(), analysis);
    }
    let parameters = parameters(tree);
    // What a resource says about itself, and what a configuration holds for others, is pulled by nobody.
    let mut passive = HashSet::new();
    for node in tree.mappings() {
        let kind = node.get("kind").and_then(TracedNode::scalar).unwrap_or_default();
        if kind == "ConfigMap" {
            let texts = node
                .get("data")
                .map(TracedNode::entries)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(_, value)| value.text());
            texts
                .filter(|text| text.as_str().contains("image"))
                .for_each(|text| analysis.embed(text, Embedded::Document));
        }
        let keys: &[&str] = if matches!(kind, "ConfigMap" | "Secret") {
            &["data", "stringData"]
        } else {
            &["annotations", "labels"]
        };
        passive.extend(keys.iter().filter_map(|key| node.get(key)).map(TracedNode::id));
    }
    for node in tree.mappings().filter(|node| !passive.contains(&node.id())) {
        for (key, value) in node.own_entries() {
            match key {
                "containers" | "initContainers" | "ephemeralContainers" | "sidecars" | "steps" => {
                    for container in value.items().into_iter().filter(|container| !is_never_pulled(*container)) {
                        image(container.get("image"), true, &parameters, analysis);
                    }
                }
                // Custom resources name images in many places; only what can be nothing else counts there.
                "image" | "imageName" if !is_never_pulled(node) => image(Some(value), false, &parameters, analysis),
                // The one container of a template of Argo Workflows, and the container that Tekton's steps are made of.
                "container" | "script" | "stepTemplate" | "containerTemplate" => {
                    image(value.get("image"), true, &parameters, analysis)
                }
                // Tekton's images of steps and results may be a parameter's default that nothing else names.
                "volumes" => value
                    .items()
                    .into_iter()
                    .for_each(|volume| image(volume.at(&["image", "reference"]), true, &parameters, analysis)),
                _ => {}
            }
        }
    }
}

fn is_never_pulled(container: TracedNode<'_>) -> bool {
    container.get("imagePullPolicy").and_then(TracedNode::scalar) == Some("Never")
}

/// The values and defaults of the parameters of Argo Workflows and of Tekton.
fn parameters(tree: &TracedTree) -> HashMap<&str, Traced> {
    let mut values = HashMap::new();
    for node in tree.mappings() {
        let lists = ["params", "parameters"].into_iter().filter_map(|key| node.get(key));
        for parameter in lists.flat_map(TracedNode::items) {
            let value = parameter.get("value").or_else(|| parameter.get("default")).and_then(TracedNode::text);
            if let (Some(name), Some(value)) = (parameter.get("name").and_then(TracedNode::scalar), value) {
                values.entry(name).or_insert(value);
            }
        }
    }
    values
}

/// The text with the values of `$(params.name)`, `{{inputs.parameters.name}}` and `{{workflow.parameters.name}}` in.
fn with_parameters(text: &Traced, parameters: &HashMap<&str, Traced>) -> Traced {
    if parameters.is_empty() && !text.as_str().contains("$(") {
        return text.clone();
    }
    let marked = mark(text, &[("$(", ")"), ("{{", "}}")]);
    let value = |name: &str| {
        let name = name.rsplit_once("params.").or_else(|| name.rsplit_once("parameters.")).map(|(_, name)| name)?;
        // A parameter of a parameter is not followed.
        parameters
            .get(name)
            .filter(|value| !value.as_str().contains("params.") && !value.as_str().contains("parameters."))
            .cloned()
    };
    marked.substituted(1, |unknown| value(&unknown.name).into_iter().collect()).pop().unwrap_or(marked)
}

fn image(node: Option<TracedNode<'_>>, sure: bool, parameters: &HashMap<&str, Traced>, analysis: &mut Analysis<'_>) {
    let Some(written) = node.and_then(TracedNode::text) else {
        return;
    };
    let value = mark_templates(&with_parameters(&written, parameters));
    let text = value.as_str();
    // What a template decides altogether is found in the values that it takes.
    let repository = text.rsplit_once(':').map_or(text, |(repository, _)| repository);
    if repository.replace(HOLE, "").trim_matches(['/', ':', '@', '-', '.']).is_empty() {
        return;
    }
    if sure || is_plausible(text) {
        let otherwise = if sure && !text.contains(HOLE) { Otherwise::Report } else { Otherwise::Ignore };
        analysis.found(PlaceKind::Kubernetes, &written, &value, otherwise);
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Records which files a kustomization deploys.
fn deployed(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let listed = ["resources", "bases"].into_iter().filter_map(|key| root.get(key)).flat_map(TracedNode::items);
    let resources: Vec<&str> = listed.filter_map(TracedNode::scalar).collect();
    let images = root.get("images").map(TracedNode::items).unwrap_or_default();
    let names = images.iter().filter_map(|image| image.get("name")?.scalar()).map(str::to_owned).collect();
    analysis.kustomizes(&resources, names);
}

/// `images:` of a kustomization, each with its tag or digest, and the patches that are written in it.
fn kustomization(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    for image in root.get("images").map(TracedNode::items).unwrap_or_default() {
        let part = |key: &str| image.get(key).and_then(TracedNode::text);
        let Some(named) = part("name") else { continue };
        let name = part("newName").unwrap_or_else(|| named.clone());
        let mut value = name.clone();
        for (mark, key) in [(":", "newTag"), ("@", "digest")] {
            if let Some(part) = part(key) {
                value = join(&[value, part], mark);
            }
        }
        let is_changed = part("newName").is_some() || value.as_str() != name.as_str();
        let selects = analysis.selects(&named, part("newName").is_some());
        if is_changed && let Some(finding) = analysis.found(PlaceKind::Kubernetes, &name, &value, Otherwise::Ignore) {
            finding.selects = selects;
        }
    }
    let patches = root
        .get("patches")
        .map(TracedNode::items)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|patch| patch.get("patch"));
    let merged = root.get("patchesStrategicMerge").map(TracedNode::items).unwrap_or_default();
    let replaced = root
        .get("patchesJson6902")
        .map(TracedNode::items)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|patch| patch.get("patch"));
    for text in patches
        .chain(merged)
        .chain(replaced)
        .filter_map(TracedNode::text)
        .filter(|text| text.as_str().contains("image"))
    {
        let (tree, _) = read(text);
        if tree.documents().any(|root| root.get("kind").is_some() && !is_kustomization(root)) {
            scan(&tree, analysis);
        }
        for operation in tree.documents().flat_map(TracedNode::items).filter(replaces_image) {
            image(operation.get("value"), true, &HashMap::new(), analysis);
        }
    }
}
