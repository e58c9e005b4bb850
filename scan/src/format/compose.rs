//! Compose files: the images of services, and what their inline Dockerfiles pull.
//!
//! A service that is built pulls only what its Dockerfile pulls: its `image` names the result, for this service and for
//! any other that uses the same name. `pull_policy` can say otherwise. Variables get their values from the `.env` file
//! beside the compose file and from defaults, as `docker compose` gives them; the environment is not looked at.

use std::collections::{HashMap, HashSet};

use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{self, Outside};
use crate::finding::Place;
use crate::traced::Traced;
use crate::variables::{Dialect, expand, name_length};
use crate::yaml::Node;

/// Whether a document is a compose file.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
    root.get("jobs").is_none()
        && root.get("services").is_some_and(|services| {
            services.entries().iter().any(|(_, service)| ["image", "build", "extends"].iter().any(|key| service.get(key).is_some()))
        })
}

/// Records what the services of a compose file pull.
pub(crate) fn scan(root: Node<'_>, analysis: &mut Analysis<'_>) {
    let environment = analysis.neighbour(".env").map(|text| read_environment(&text)).unwrap_or_default();
    let fill = |text: &Traced| expand(text, Dialect::Compose, &|name| environment.get(name).cloned());
    let services = root.get("services").map(Node::entries).unwrap_or_default();
    let built: HashSet<String> = services
        .iter()
        .filter(|(_, service)| is_built(*service))
        .filter_map(|(_, service)| service.get("image")?.text())
        .map(|image| fill(&image).as_str().to_owned())
        .collect();
    for (name, service) in &services {
        if let Some(build) = service.get("build") {
            scan_build(build, &fill, analysis);
        }
        let Some(image) = service.get("image") else { continue };
        let Some(written) = image.text() else {
            if image.is_mapping() || image.is_sequence() {
                analysis.problem_at_node(image, format!("service `{name}`: `image` is not a text"));
            }
            continue;
        };
        let value = fill(&written);
        let policy = service.get("pull_policy").and_then(Node::scalar).unwrap_or_default();
        let pulls = match policy {
            "never" | "build" => false,
            "" => !is_built(*service) && !built.contains(value.as_str()),
            _ => true,
        };
        if pulls && let Some(finding) = analysis.found(Place::ComposeImage, &written, &value, Otherwise::Report) {
            finding.services.push((*name).to_owned());
        }
    }
}

fn is_built(service: Node<'_>) -> bool {
    service.get("build").is_some_and(|build| build.scalar().is_some() || build.is_mapping())
}

fn scan_build(build: Node<'_>, fill: &dyn Fn(&Traced) -> Traced, analysis: &mut Analysis<'_>) {
    let mut outside = Outside::default();
    for (name, source) in pairs(build.get("additional_contexts")) {
        let source = fill(&source);
        if let Some(image) = source.as_str().strip_prefix("docker-image://") {
            let start = source.as_str().len() - image.len();
            let image = source.slice(start..source.as_str().len());
            analysis.found(Place::ComposeBuildContext, &image, &image, Otherwise::Report);
        }
        outside.contexts.push(name);
    }
    for (name, value) in pairs(build.get("args")) {
        outside.arguments.insert(name, fill(&value));
    }
    if let Some(inline) = build.get("dockerfile_inline").and_then(Node::text) {
        dockerfile::scan(&fill(&inline), &outside, analysis);
        return;
    }
    if !outside.arguments.is_empty() {
        scan_context(build, &outside, fill, analysis);
    }
}

/// Reads the Dockerfile of a build with this file's arguments in it, and keeps what the arguments decide.
fn scan_context(build: Node<'_>, outside: &Outside, fill: &dyn Fn(&Traced) -> Traced, analysis: &mut Analysis<'_>) {
    let part = |key: &str| build.get(key).and_then(Node::text).map(|text| fill(&text).as_str().to_owned());
    let context = part("context").unwrap_or_else(|| ".".to_owned());
    if context.contains("://") {
        return;
    }
    let dockerfile = part("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned());
    let Some(text) = analysis.neighbour(&format!("{context}/{dockerfile}")) else { return };
    dockerfile::scan_arguments(&text, outside, analysis);
}

/// `NAME: value` or `- NAME=value`.
fn pairs(node: Option<Node<'_>>) -> Vec<(String, Traced)> {
    let Some(node) = node else { return Vec::new() };
    let mut pairs: Vec<_> = node.entries().into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.text()?))).collect();
    for item in node.items() {
        let Some(text) = item.text() else { continue };
        let Some((name, _)) = text.as_str().split_once('=') else { continue };
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
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.find(quote)).map(|end| value.slice(1..1 + end));
    if let Some(literal) = inside('\'') {
        return literal;
    }
    let plain = inside('"').unwrap_or_else(|| {
        let end = text.find(" #").unwrap_or(text.len());
        value.slice(0..if text.starts_with('#') { 0 } else { end }).trimmed()
    });
    expand(&plain, Dialect::Docker, &|name| earlier.get(name).cloned())
}
