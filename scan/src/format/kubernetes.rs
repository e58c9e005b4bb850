//! Kubernetes manifests, and the templates of Helm charts as far as they name images plainly.

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
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            match key {
                "containers" | "initContainers" | "ephemeralContainers" | "sidecars" | "steps" => {
                    for container in value.items() {
                        image(container.get("image"), true, analysis);
                    }
                }
                // Custom resources name images in many places; only what can be nothing else counts there.
                "image" => image(Some(value), false, analysis),
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

/// `images:` of a kustomization: the name that it puts in, with its tag or digest.
fn kustomization(root: Node<'_>, analysis: &mut Analysis<'_>) {
    for image in root.get("images").map(Node::items).unwrap_or_default() {
        let part = |key: &str| image.get(key).and_then(Node::text);
        // Without a new name the image is found in the manifest that has it.
        let Some(name) = part("newName") else { continue };
        let mut value = name.clone();
        for (mark, key) in [(":", "newTag"), ("@", "digest")] {
            if let Some(part) = part(key) {
                value = join(&[value, part], mark);
            }
        }
        analysis.found(Place::Kubernetes, &name, &value, Otherwise::Ignore);
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
