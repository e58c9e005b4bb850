//! Kubernetes manifests, kustomizations, and the templates of Helm charts as far as they name images plainly.

use std::collections::HashSet;

use crate::analysis::{Analysis, Otherwise};
use crate::finding::Place;
use crate::format::helm;
use crate::format::template::mark_templates;
use crate::traced::{HOLE, Traced, join};
use crate::yaml::{Node, Tree, Written as _};

/// Whether a document is a manifest.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
    let has = |key: &str| root.get(key).is_some_and(|value| value.scalar().is_some());
    has("apiVersion") && has("kind") || is_kustomization(root)
}

fn is_kustomization(root: Node<'_>) -> bool {
    root.get("images").is_some_and(|images| {
        images.items().iter().any(|image| image.get("name").is_some() && (image.get("newTag").is_some() || image.get("newName").is_some()))
    })
}

/// Records the images of every container in the file, in resources of any kind.
pub(crate) fn scan(tree: &Tree, analysis: &mut Analysis<'_>) {
    for root in tree.documents().filter(|root| is_kustomization(*root)) {
        kustomization(root, analysis);
    }
    // Flux, Argo CD and k3s carry a chart's values in a resource.
    let carries_values =
        |root: Node<'_>| matches!(root.get("kind").and_then(Node::scalar), Some("HelmRelease" | "Application" | "HelmChart"));
    if tree.documents().any(carries_values) {
        helm::scan(tree, false, analysis);
    }
    // What a resource says about itself, and what a configuration holds for others, is pulled by nobody.
    let mut passive = HashSet::new();
    for node in tree.mappings() {
        let kind = node.get("kind").and_then(Node::scalar).unwrap_or_default();
        let keys: &[&str] = if matches!(kind, "ConfigMap" | "Secret") { &["data", "stringData"] } else { &["annotations", "labels"] };
        passive.extend(keys.iter().filter_map(|key| node.get(key)).map(Node::id));
    }
    for node in tree.mappings().filter(|node| !passive.contains(&node.id())) {
        for (key, value) in node.own_entries() {
            match key {
                "containers" | "initContainers" | "ephemeralContainers" | "sidecars" | "steps" => {
                    for container in value.items() {
                        image(container.get("image"), true, analysis);
                    }
                }
                // Custom resources name images in many places; only what can be nothing else counts there.
                "image" => image(Some(value), false, analysis),
                "imageName" => image(Some(value), false, analysis),
                // The one container of a template of Argo Workflows.
                "container" | "script" => image(value.get("image"), true, analysis),
                "volumes" => value.items().into_iter().for_each(|volume| image(volume.at(&["image", "reference"]), true, analysis)),
                _ => {}
            }
        }
    }
}

fn image(node: Option<Node<'_>>, sure: bool, analysis: &mut Analysis<'_>) {
    let Some(written) = node.and_then(Node::text) else { return };
    let value = mark_templates(&written);
    let text = value.as_str();
    // What a template decides altogether is found in the values that it takes.
    let repository = text.rsplit_once(':').map_or(text, |(repository, _)| repository);
    if repository.replace(HOLE, "").trim_matches(['/', ':', '@', '-', '.']).is_empty() {
        return;
    }
    if sure || is_plausible(text) {
        let otherwise = if sure && !text.contains(HOLE) { Otherwise::Report } else { Otherwise::Ignore };
        analysis.found(Place::Kubernetes, &written, &value, otherwise);
    }
}

/// Whether a text is more likely an image than a word: it has a tag, a digest or a registry.
pub(crate) fn looks_like_reference(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or(text);
    last.contains(':') || text.contains('@') || text.split_once('/').is_some_and(|(host, _)| host.contains('.'))
}

/// Whether a text under a key `image` is more likely an image than a word or a picture, where images are to be expected.
pub(crate) fn is_plausible(text: &str) -> bool {
    let picture = ["png", "jpg", "jpeg", "svg", "gif", "ico", "webp"]
        .iter()
        .any(|extension| text.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension)));
    !picture && !text.starts_with(['/', '.']) && (looks_like_reference(text) || text.contains('/'))
}

/// `images:` of a kustomization, each with its tag or digest, and the patches that are written in it.
fn kustomization(root: Node<'_>, analysis: &mut Analysis<'_>) {
    for image in root.get("images").map(Node::items).unwrap_or_default() {
        let part = |key: &str| image.get(key).and_then(Node::text);
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
        if is_changed && let Some(finding) = analysis.found(Place::Kubernetes, &name, &value, Otherwise::Ignore) {
            finding.selects = selects;
        }
    }
    let patches = root.get("patches").map(Node::items).unwrap_or_default().into_iter().filter_map(|patch| patch.get("patch"));
    let merged = root.get("patchesStrategicMerge").map(Node::items).unwrap_or_default();
    let replaced = root.get("patchesJson6902").map(Node::items).unwrap_or_default().into_iter().filter_map(|patch| patch.get("patch"));
    for text in patches.chain(merged).chain(replaced).filter_map(Node::text).filter(|text| text.as_str().contains("image")) {
        let (tree, _) = Tree::read(text);
        if tree.documents().any(|root| root.get("kind").is_some() && !is_kustomization(root)) {
            scan(&tree, analysis);
        }
        let replaces = |operation: &Node<'_>| {
            operation.get("path").and_then(Node::scalar).is_some_and(|path| path.contains("ontainers/") && path.ends_with("/image"))
        };
        for operation in tree.documents().flat_map(Node::items).filter(replaces) {
            image(operation.get("value"), true, analysis);
        }
    }
}

/// A reference from a repository and a tag that are written apart.
pub(crate) fn assembled(registry: Option<Traced>, repository: Traced, tag: Option<Traced>, digest: Option<Traced>) -> Traced {
    let mut value = match registry {
        Some(registry) => join(&[registry, repository], "/"),
        None => repository,
    };
    if let Some(tag) = tag {
        value = join(&[value, tag], ":");
    }
    if let Some(digest) = digest {
        value = join(&[value, digest], "@");
    }
    value
}
