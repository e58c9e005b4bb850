//! CodeBuild's buildspecs: what their commands pull, and the images of a batch build's environments.

use pullsafe_syntax::reference::looks_like_reference;
use pullsafe_syntax::shell::{Build, Done, Shell};
use pullsafe_syntax::yaml::{Node, Written as _};

use super::{Format, Read};
use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{self, Outside};
use crate::finding::{Kept, Place};

pub(super) const FORMAT: Format = Format {
    name: "CodeBuild buildspec",
    finds: "`docker pull`, `run`, `create` in commands (also podman, nerdctl, finch), through variables, loops, \
        `$(...)` and `sh -c`; build \
            arguments that decide a `FROM`; BuildKit's image of `buildx create`; images of batch builds",
    known_by: "`version` and `phases`",
    order: "after the documents with marks of their own",
    named: |name| name.is_document(),
    marks: &[],
    read: Read::Document {
        is: |_, tree| tree.documents().any(looks_like),
        scan: |tree, analysis| tree.documents().for_each(|root| scan(root, analysis)),
    },
};

const LEVELS: [&str; 4] = ["", "../", "../../", "../../../"];

/// Whether a document is a buildspec.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
    let phases = ["install", "pre_build", "build", "post_build"];
    root.get("version").is_some()
        && (root.get("phases").is_some_and(|node| phases.iter().any(|phase| node.get(phase).is_some()))
            || root.get("batch").is_some())
}

/// Records what the commands pull.
pub(crate) fn scan(root: Node<'_>, analysis: &mut Analysis<'_>) {
    let mut shell = Shell::default();
    for (name, value) in root.at(&["env", "variables"]).map(Node::entries).unwrap_or_default() {
        if let Some(value) = value.text() {
            shell.variables.insert(name.to_owned(), value);
        }
    }
    let phases = root.get("phases");
    for phase in ["install", "pre_build", "build", "post_build"] {
        for list in ["commands", "finally"] {
            let commands = phases.and_then(|phases| phases.at(&[phase, list]));
            let Some(commands) = commands else { continue };
            for command in commands.items().into_iter().chain([commands]).filter_map(Node::text) {
                shell.run(&command);
            }
        }
    }
    let Done { pulls, builds, names, .. } = shell.finish();
    for pull in pulls {
        analysis.found_where(pull.likely, Place::BuildspecCommand, &pull.written, &pull.value);
    }
    for build in builds {
        scan_build(build, Place::BuildspecCommand, analysis);
    }
    for (name, is_context) in names {
        analysis.built(&name, if is_context { Kept::AsContext } else { Kept::Locally });
    }
    let listed = ["build-list", "build-graph"]
        .iter()
        .flat_map(|kind| root.at(&["batch", kind]).map(Node::items).unwrap_or_default());
    let matrix = ["static", "dynamic"].iter().filter_map(|kind| root.at(&["batch", "build-matrix", kind]));
    for image in listed.chain(matrix).filter_map(|build| build.at(&["env", "image"])) {
        for image in image.items().into_iter().chain([image]).filter_map(Node::text) {
            if !image.as_str().starts_with("aws/codebuild/") {
                analysis.found(Place::CodeBuildEnvironment, &image, &image, Otherwise::Ignore);
            }
        }
    }
}

/// Records the images of the Dockerfile's `FROM` lines that a build's arguments decide.
pub(crate) fn scan_build(build: Build, place: Place, analysis: &mut Analysis<'_>) {
    // The commands run at the top of the source, which is the buildspec's directory or one above it.
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
    // Without the Dockerfile, only an argument's name says whether it is an image.
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
