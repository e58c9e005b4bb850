//! Compose files: the images of services, and what their inline Dockerfiles pull.
//!
//! A service that is built pulls only what its Dockerfile pulls: its `image` names the result, for this service and for
//! any other that uses the same name. `pull_policy` can say otherwise. Variables get their values from the `.env` file
//! beside the compose file and from defaults, as `docker compose` gives them; the environment is not looked at.

use std::collections::{HashMap, HashSet};

use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::variables::{Dialect, expand, name_length};
use pullsafe_syntax::yaml::{TracedNode, WrittenAt as _, read};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise, beside};
use crate::dockerfile::{self, Outside};
use crate::finding::{BuiltFor, PlaceKind};
use crate::neighbours::parent;

pub(super) const FORMAT: Format = Format {
    name: "Compose",
    finds: "`image` of services, with `.env` and defaults; volumes of type `image`; `dockerfile_inline`; \
        `docker-image://` contexts; \
            `build.args` that decide a `FROM`; anchors and merge keys; files of `extends` and `include`",
    known_by: "`services:` with `image`, `build` or `extends`; services at the top (the first version) in a file with \
        `compose` in its name",
    order: "before Kubernetes and Helm, which have no `services` of this form",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |name, tree| {
            tree.documents().any(looks_like) || name.file.contains("compose") && tree.documents().any(is_version_1)
        },
        scan: |tree, analysis| tree.documents().for_each(|root| scan(root, analysis)),
    },
};

/// How many services one after the other may extend each other.
const EXTENDS: usize = 16;
/// How far above a Dockerfile the compose file that builds it is looked for, and how many of each directory are read.
const LEVELS: usize = 4;
const FILES: usize = 16;

/// Whether a document is a compose file.
fn looks_like(root: TracedNode<'_>) -> bool {
    root.get("jobs").is_none()
        && root.get("services").is_some_and(|services| {
            services
                .entries()
                .iter()
                .any(|(_, service)| ["image", "build", "extends"].iter().any(|key| service.get(key).is_some()))
        })
}

/// Whether a document is a compose file of the first version, which has its services at the top: a file has to be named
/// like one.
fn is_version_1(root: TracedNode<'_>) -> bool {
    let entries = root.entries();
    !entries.is_empty()
        && entries
            .iter()
            .all(|(_, service)| ["image", "build", "extends"].iter().any(|key| service.get(key).is_some()))
}

/// Records what the services of a compose file pull.
fn scan(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let Some(services) = root.get("services").or_else(|| Some(root).filter(|root| is_version_1(*root))) else {
        return;
    };
    let environment = beside(analysis.path(), ".env")
        .and_then(|path| analysis.made_of(&path, |text| Environment(read_environment(&text))));
    let known = |name: &str| environment.as_ref()?.value.0.get(name).cloned();
    let fill = |text: &Traced| expand(text, Dialect::Compose, &known);
    let services = services.entries();
    let mut bases = Extendable {
        here: services.iter().copied().collect(),
        elsewhere: HashMap::new(),
    };
    let is_built: HashMap<&str, bool> = services
        .iter()
        .map(|(name, service)| (*name, is_built(*service, &mut bases, analysis, 0)))
        .collect();
    let built: HashSet<String> = services
        .iter()
        // What is pulled all the same is there for nobody else.
        .filter(|(name, service)| is_built[name] && matches!(policy(*service), "" | "build" | "never"))
        .filter_map(|(_, service)| service.get("image")?.text())
        .map(|image| fill(&image).as_str().to_owned())
        .collect();
    for name in &built {
        analysis.built(&Traced::computed(name), BuiltFor::Locally);
    }
    for (name, service) in &services {
        if let Some(build) = service.get("build") {
            scan_build(build, &fill, analysis);
        }
        scan_volumes(service.get("volumes"), &fill, analysis);
        // An override file takes a value away with `!reset`.
        let Some(image) = service.get("image").filter(|image| image.tag() != Some("reset")) else {
            continue;
        };
        let Some(written) = image.text() else {
            if image.is_mapping() || image.is_sequence() {
                analysis.problem_at_node(image, format!("service `{name}`: `image` is not a text"));
            }
            continue;
        };
        let value = fill(&written);
        let pulls = match policy(*service) {
            "never" | "build" => false,
            "" => !is_built[name] && !built.contains(value.as_str()),
            _ => true,
        };
        if pulls && let Some(finding) = analysis.found(PlaceKind::ComposeImage, &written, &value, Otherwise::Report) {
            finding.services.push((*name).to_owned());
        }
    }
}

fn policy(service: TracedNode<'_>) -> &str {
    service.get("pull_policy").and_then(TracedNode::scalar).unwrap_or_default()
}

/// Whether a service is built, by itself or by what it extends, here or in another file.
fn is_built<'t>(
    service: TracedNode<'t>,
    bases: &mut Extendable<'t>,
    analysis: &mut Analysis<'_>,
    depth: usize,
) -> bool {
    if let Some(build) = service.get("build") {
        return build.tag() != Some("reset") && (build.scalar().is_some() || build.is_mapping());
    }
    let Some(extends) = service.get("extends").filter(|_| depth < EXTENDS) else {
        return false;
    };
    let Some(base) = extends.scalar().or_else(|| extends.get("service")?.scalar()) else {
        return false;
    };
    match extends.get("file").and_then(TracedNode::scalar) {
        None => bases.here.get(base).copied().is_some_and(|base| is_built(base, bases, analysis, depth + 1)),
        Some(file) => *bases.elsewhere.entry((file, base)).or_insert_with(|| {
            let tree = analysis.neighbour_tree(file);
            tree.is_some_and(|tree| {
                tree.value
                    .documents()
                    .find_map(|root| root.at(&["services", base]))
                    .is_some_and(|base| base.get("build").is_some())
            })
        }),
    }
}

/// What services may extend: those of the same file, and whether those of other files are built.
struct Extendable<'t> {
    here: HashMap<&'t str, TracedNode<'t>>,
    elsewhere: HashMap<(&'t str, &'t str), bool>,
}

/// A volume of type `image` is pulled like the service's own.
fn scan_volumes(volumes: Option<TracedNode<'_>>, fill: &dyn Fn(&Traced) -> Traced, analysis: &mut Analysis<'_>) {
    for volume in volumes.map(TracedNode::items).unwrap_or_default() {
        if volume.get("type").and_then(TracedNode::scalar) == Some("image")
            && let Some(written) = volume.get("source").and_then(TracedNode::text)
        {
            analysis.found(PlaceKind::ComposeVolume, &written, &fill(&written), Otherwise::Report);
        }
    }
}

/// The names of the contexts that compose files near the scanned Dockerfile give to its build: `FROM name` is then no
/// image.
pub(crate) fn contexts_of_dockerfile(analysis: &mut Analysis<'_>) -> Vec<String> {
    let dockerfile = analysis.path().to_owned();
    let mut names = Vec::new();
    let mut directory = parent(&dockerfile);
    for _ in 0..LEVELS {
        let files = analysis.made_of_list(directory, |mut paths| {
            paths.retain(|path| is_compose_file(path));
            paths.truncate(FILES);
            ComposeFiles(paths)
        });
        for path in files.iter().flat_map(|files| &files.0) {
            if let Some(contexts) = analysis.made_of(path, |text| Contexts::of(path, text)) {
                names.extend(contexts.value.0.get(&dockerfile).into_iter().flatten().cloned());
            }
        }
        if directory.is_empty() || directory.ends_with("..") {
            break;
        }
        directory = parent(directory);
    }
    names
}

/// What a `.env` file sets.
struct Environment(HashMap<String, Traced>);

/// The compose files of a directory.
struct ComposeFiles(Vec<String>);

fn is_compose_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains("compose") && (name.ends_with(".yml") || name.ends_with(".yaml"))
}

/// The names of the contexts that a compose file gives to builds, by the path of the Dockerfile.
struct Contexts(HashMap<String, Vec<String>>);

impl Contexts {
    fn of(path: &str, text: Traced) -> Self {
        let (tree, _) = read(text);
        let mut contexts: HashMap<String, Vec<String>> = HashMap::new();
        for (_, service) in tree.documents().filter_map(|root| root.get("services")).flat_map(TracedNode::entries) {
            let Some(build) = service.get("build") else { continue };
            let part = |key: &str| build.get(key).and_then(TracedNode::scalar);
            let context = part("context").unwrap_or(".");
            if let Some(built) = beside(path, &format!("{context}/{}", part("dockerfile").unwrap_or("Dockerfile"))) {
                contexts
                    .entry(built)
                    .or_default()
                    .extend(pairs(build.get("additional_contexts")).into_iter().map(|(name, _)| name));
            }
        }
        Self(contexts)
    }
}

fn scan_build(build: TracedNode<'_>, fill: &dyn Fn(&Traced) -> Traced, analysis: &mut Analysis<'_>) {
    let mut outside = Outside::default();
    for (name, source) in pairs(build.get("additional_contexts")) {
        let source = fill(&source);
        if let Some(image) = source.as_str().strip_prefix("docker-image://") {
            let start = source.as_str().len() - image.len();
            let image = source.slice(start..source.as_str().len());
            analysis.found(PlaceKind::ComposeBuildContext, &image, &image, Otherwise::Report);
        }
        outside.contexts.push(name);
    }
    for (name, value) in pairs(build.get("args")) {
        outside.arguments.insert(name, fill(&value));
    }
    if let Some(inline) = build.get("dockerfile_inline").and_then(TracedNode::text) {
        dockerfile::scan(&fill(&inline), &outside, analysis);
        return;
    }
    if !outside.arguments.is_empty() {
        scan_context(build, &outside, fill, analysis);
    }
}

/// Reads the Dockerfile of a build with this file's arguments in it, and keeps what the arguments decide.
fn scan_context(
    build: TracedNode<'_>,
    outside: &Outside,
    fill: &dyn Fn(&Traced) -> Traced,
    analysis: &mut Analysis<'_>,
) {
    let part = |key: &str| build.get(key).and_then(TracedNode::text).map(|text| fill(&text).as_str().to_owned());
    let context = part("context").unwrap_or_else(|| ".".to_owned());
    if context.contains("://") {
        return;
    }
    let dockerfile = part("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned());
    let Some(dockerfile) = crate::dockerfile::named(&format!("{context}/{dockerfile}"), analysis) else {
        return;
    };
    dockerfile::scan_arguments(&dockerfile, outside, PlaceKind::ComposeBuildContext, analysis);
}

/// `NAME: value` or `- NAME=value`.
fn pairs(node: Option<TracedNode<'_>>) -> Vec<(String, Traced)> {
    let Some(node) = node else { return Vec::new() };
    let mut pairs: Vec<_> = node
        .entries()
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.text()?)))
        .collect();
    for item in node.items() {
        let Some(text) = item.text() else { continue };
        let Some((name, _)) = text.as_str().split_once('=') else {
            continue;
        };
        pairs.push((name.to_owned(), text.slice(name.len() + 1..text.as_str().len())));
    }
    pairs
}

/// `NAME=value` lines of a `.env` file: quotes, `export`, comments, and earlier names in later values.
pub(crate) fn read_environment(text: &Traced) -> HashMap<String, Traced> {
    let mut values: HashMap<String, Traced> = HashMap::new();
    let mut start = 0;
    for line in text.as_str().split_inclusive('\n') {
        let line_start = start;
        start += line.len();
        let entry = text.slice(line_start..line_start + line.trim_end().len()).trimmed();
        let exported = entry.as_str().strip_prefix("export ").map_or(0, |_| "export ".len());
        let entry = entry.slice(exported..entry.as_str().len()).trimmed();
        let length = name_length(entry.as_str());
        if length == 0 || !entry.as_str()[length..].trim_start().starts_with(['=', ':']) {
            continue;
        }
        let after = &entry.as_str()[length..];
        let value_start = length + (after.len() - after.trim_start().len()) + 1;
        let value = environment_value(&entry.slice(value_start..entry.as_str().len()).trimmed(), &values);
        values.insert(entry.as_str()[..length].to_owned(), value);
    }
    values
}

fn environment_value(value: &Traced, earlier: &HashMap<String, Traced>) -> Traced {
    let text = value.as_str();
    let inside =
        |quote: char| text.strip_prefix(quote).and_then(|rest| rest.find(quote)).map(|end| value.slice(1..1 + end));
    if let Some(literal) = inside('\'') {
        return literal;
    }
    let plain = inside('"').unwrap_or_else(|| {
        let end = text.find(" #").unwrap_or(text.len());
        value.slice(0..if text.starts_with('#') { 0 } else { end }).trimmed()
    });
    expand(&plain, Dialect::Docker, &|name| earlier.get(name).cloned())
}
