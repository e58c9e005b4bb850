//! Build specifications of CodeBuild: what their commands pull, and the images of a batch build's environments.

use pullsafe_syntax::reference::looks_like_reference;
use pullsafe_syntax::shell::{DockerBuild, ScriptResult, Shell};
use pullsafe_syntax::yaml::{TracedNode, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{self, Outside};
use crate::finding::{BuiltFor, PlaceKind};

pub(super) const FORMAT: Format = Format {
    name: "CodeBuild buildspec",
    finds: "`docker pull`, `run`, `create` in commands (also podman, nerdctl, finch), through variables, loops, \
        `$(...)` and `sh -c`; build \
            arguments that decide a `FROM`; BuildKit's image of `buildx create`; images of batch builds",
    known_by: "`version` and `phases`",
    order: "after the documents with marks of their own",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |_, tree| tree.documents().any(looks_like),
        scan: |tree, analysis| tree.documents().for_each(|root| scan(root, analysis)),
    },
};

const LEVELS: [&str; 4] = ["", "../", "../../", "../../../"];

/// Whether a document is a build specification.
pub(crate) fn looks_like(root: TracedNode<'_>) -> bool {
    let phases = ["install", "pre_build", "build", "post_build"];
    root.get("version").is_some()
        && (root.get("phases").is_some_and(|node| phases.iter().any(|phase| node.get(phase).is_some()))
            || root.get("batch").is_some())
}

/// Records what the commands pull.
pub(crate) fn scan(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let mut shell = Shell::default();
    for (name, value) in root.at(&["env", "variables"]).map(TracedNode::entries).unwrap_or_default() {
        if let Some(value) = value.text() {
            shell.variables.insert(name.to_owned(), value);
        }
    }
    let phases = root.get("phases");
    for phase in ["install", "pre_build", "build", "post_build"] {
        for list in ["commands", "finally"] {
            let commands = phases.and_then(|phases| phases.at(&[phase, list]));
            let Some(commands) = commands else { continue };
            for command in commands.items().into_iter().chain([commands]).filter_map(TracedNode::text) {
                shell.run(&command);
            }
        }
    }
    let ScriptResult { pulls, builds, names, .. } = shell.finish();
    for pull in pulls {
        analysis.found_where(pull.likely, PlaceKind::BuildspecCommand, &pull.written, &pull.value);
    }
    for build in builds {
        scan_build(build, PlaceKind::BuildspecCommand, analysis);
    }
    for (name, is_context) in names {
        analysis.built(&name, if is_context { BuiltFor::AsContext } else { BuiltFor::Locally });
    }
    let listed = ["build-list", "build-graph"]
        .iter()
        .flat_map(|kind| root.at(&["batch", kind]).map(TracedNode::items).unwrap_or_default());
    let matrix = ["static", "dynamic"].iter().filter_map(|kind| root.at(&["batch", "build-matrix", kind]));
    for image in listed.chain(matrix).filter_map(|build| build.at(&["env", "image"])) {
        for image in image.items().into_iter().chain([image]).filter_map(TracedNode::text) {
            if !image.as_str().starts_with("aws/codebuild/") {
                analysis.found(PlaceKind::CodeBuildEnvironment, &image, &image, Otherwise::Ignore);
            }
        }
    }
}

/// Records what a build pulls because of its arguments: the Dockerfile's `FROM` lines that they decide.
pub(crate) fn scan_build(build: DockerBuild, place: PlaceKind, analysis: &mut Analysis<'_>) {
    // The commands run at the top of the source, which is the specification's directory or above it.
    let paths = build
        .dockerfile
        .iter()
        .flat_map(|path| LEVELS.map(|above| format!("{above}{path}")))
        .collect::<Vec<_>>();
    if let Some(dockerfile) = paths.iter().find_map(|path| crate::dockerfile::named(path, analysis)) {
        let outside = Outside { arguments: build.arguments, contexts: Vec::new() };
        dockerfile::scan_arguments(&dockerfile, &outside, place, analysis);
        return;
    }
    // Without the Dockerfile only the argument's name tells.
    for (_, value) in build
        .arguments
        .iter()
        .filter(|(name, value)| is_image_argument(name) && looks_like_reference(value.as_str()))
    {
        analysis.found(place, value, value, Otherwise::Ignore);
    }
}

fn is_image_argument(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["IMAGE", "BASE", "FROM"].iter().any(|word| name.contains(word))
}
