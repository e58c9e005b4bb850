//! Values of Helm charts: `image: {registry, repository, tag, digest}` and `image: name:tag`, under any key.

use pullsafe_syntax::reference::{assembled, is_plausible};
use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::traced::{Traced, Unknown};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Helm values",
    finds: "`image: {registry, repository, tag, digest}`, `image: name:tag` under any key that ends in `image`, \
        `imageRepository` and \
            `imageName` with `imageTag`, lists under `images`; without a tag the chart's `appVersion`; a global \
            registry decides, that of the \
            chart's own `values.yaml`, too",
    known_by: "`values*.yaml`, `*-values.yaml`, content",
    order: "after all that have a form of their own: values may have any",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |name, tree| is_path(name) || looks_like(tree),
        scan: |tree, analysis| {
            let named = is_path(&Name::of(analysis.path()));
            scan(tree, named, analysis);
        },
    },
};

/// Whether a path is a chart's values by its name.
fn is_path(name: &Name<'_>) -> bool {
    let name = name.file.as_str();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or_default();
    stem == "values"
        || stem.starts_with("values-")
        || stem.starts_with("values.")
        || stem.ends_with("-values")
        || stem.ends_with(".values")
}

/// Whether a document is values by its content: an image in parts, and no test of a chart.
fn looks_like(tree: &TracedTree) -> bool {
    // A test of a chart sets values and deploys nothing.
    let is_test = tree.mappings().any(|node| node.get("asserts").is_some());
    !is_test
        && tree.mappings().any(|node| {
            node.own_entries().any(|(key, value)| {
                is_image_key(key) && value.get("repository").is_some_and(|part| part.scalar().is_some())
            })
        })
}

/// Records the images of the values. In a file that is `named` like values, `image: busybox` needs no tag to be one.
pub(crate) fn scan(tree: &TracedTree, named: bool, analysis: &mut Analysis<'_>) {
    let global = tree
        .documents()
        .find_map(|root| root.at(&["global", "imageRegistry"]).or_else(|| root.at(&["global", "image", "registry"])))
        .and_then(TracedNode::text)
        .filter(|registry| !registry.is_empty())
        .or_else(|| chart_registry(analysis));
    for node in tree.mappings() {
        let image_like =
            node.get("repository").is_some() && ["tag", "registry", "digest"].iter().any(|key| node.get(key).is_some());
        if image_like {
            parts(node, global.as_ref(), analysis);
        }
        if let (Some(written), Some(tag)) =
            (node.get("imageRepository").or_else(|| node.get("imageName")), node.get("imageTag"))
            && let (Some(written), Some(tag)) =
                (written.text().filter(|text| !text.is_empty()), tag.text().filter(|text| !text.is_empty()))
        {
            let value = assembled(None, written.clone(), Some(tag), None);
            analysis.found(PlaceKind::HelmValues, &written, &mark_templates(&value), Otherwise::Ignore);
        }
        for (_, listed) in node.own_entries().filter(|(key, _)| *key == "images") {
            for written in listed
                .own_entries()
                .filter_map(|(_, value)| value.text())
                .filter(|text| is_plausible(text.as_str()))
            {
                analysis.found(PlaceKind::HelmValues, &written, &mark_templates(&written), Otherwise::Ignore);
            }
        }
        for (key, value) in node.own_entries().filter(|(key, _)| is_image_key(key)) {
            if value.get("repository").is_some()
                && !["tag", "registry", "digest"].iter().any(|key| value.get(key).is_some())
            {
                parts(value, global.as_ref(), analysis);
            }
            // Some charts call the repository a name.
            if value.get("repository").is_none() && value.get("tag").is_some() && value.get("name").is_some() {
                parts(value, global.as_ref(), analysis);
            }
            let Some(written) = value.text() else { continue };
            let sibling = |key: &str| {
                node.get(key).filter(|_| key != "tag" || !written.as_str().contains(':')).and_then(TracedNode::text)
            };
            let tag = sibling("tag").or_else(|| sibling("imageTag"));
            let word = named && key == "image" && !written.as_str().contains(['.', '/']);
            if word || is_plausible(written.as_str()) || tag.is_some() {
                let value = assembled(None, written.clone(), tag, None);
                analysis.found(PlaceKind::HelmValues, &written, &mark_templates(&value), Otherwise::Ignore);
            }
        }
    }
}

/// The global registry of the chart's own values, which holds for those that are laid over them.
fn chart_registry(analysis: &mut Analysis<'_>) -> Option<Traced> {
    if analysis.path().ends_with("/values.yaml") || analysis.path() == "values.yaml" {
        return None;
    }
    let tree = analysis.neighbour_tree("values.yaml")?;
    let global = tree
        .value
        .documents()
        .find_map(|root| root.at(&["global", "imageRegistry"]).or_else(|| root.at(&["global", "image", "registry"])))?;
    global.text().filter(|registry| !registry.is_empty())
}

fn parts(node: TracedNode<'_>, global: Option<&Traced>, analysis: &mut Analysis<'_>) {
    let part = |key: &str| node.get(key).and_then(TracedNode::text).filter(|text| !text.is_empty());
    let Some(repository) = part("repository").or_else(|| part("name")) else {
        return;
    };
    // A chart's `repository` of another kind is an address.
    if repository.as_str().contains("://") {
        return;
    }
    let digest = part("digest").filter(|digest| digest.as_str().starts_with("sha256:"));
    let tag = part("tag").or_else(|| if digest.is_none() { Some(app_version(analysis)) } else { None });
    let registry = global.cloned().or_else(|| part("registry"));
    let value = assembled(registry, repository.clone(), tag, digest);
    analysis.found(PlaceKind::HelmValues, &repository, &mark_templates(&value), Otherwise::Ignore);
}

/// Without a tag most charts take the version that `Chart.yaml` gives.
fn app_version(analysis: &mut Analysis<'_>) -> Traced {
    let chart = analysis
        .neighbour_tree("Chart.yaml")
        .and_then(|tree| tree.value.documents().next().and_then(|root| root.get("appVersion")?.text()));
    let name = ".Chart.AppVersion".to_owned();
    chart.unwrap_or_else(|| Traced::unknown(Unknown { name, written: None, assumed: None, empty_if_unset: false }))
}

fn is_image_key(key: &str) -> bool {
    key == "image" || key.ends_with("Image") || key.ends_with("_image") || key.ends_with("-image")
}
