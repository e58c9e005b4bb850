//! GitLab CI: `image` and `services` at the top, under `default`, and in jobs and templates (`.name`). Also scripts.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use pullsafe_syntax::template::mark;
use pullsafe_syntax::traced::{Traced, Unknown};
use pullsafe_syntax::variables::{Dialect, expand};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::{ChangesToo, PlaceKind};
use crate::format::commands::Commands;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "GitLab CI",
    finds: "`image`, `services`, at the top, in `default`, jobs and templates; `variables`, `parallel: matrix`, `$[[ \
        inputs ]]`; a template's \
            variables from the jobs that extend it; commands of scripts",
    known_by: "`*.gitlab-ci.yml`, `.gitlab/ci/`, content",
    order: "by its path, before the formats that look at content",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is: |name, _| is_path(name), scan },
};

pub(super) const BY_CONTENT: Format = Format {
    name: "GitLab CI",
    finds: "",
    known_by: "",
    order: "an included file: a job with a script may be many things, so that it comes last",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is: |_, tree| tree.documents().any(looks_like), scan },
};

fn is_path(name: &Name<'_>) -> bool {
    name.is_yaml()
        && (name.file.ends_with(".gitlab-ci.yml")
            || name.file.ends_with(".gitlab-ci.yaml")
            || name.is_below(".gitlab/ci")
            || name.file.starts_with("gitlab-ci"))
}

/// How many rows of a matrix are followed, and how many jobs that extend a template.
const LIMIT: usize = 64;
/// How many variables are looked up for one image: variables may use each other again and again.
const LOOKUPS: usize = 10_000;

/// Keys at the top that are not jobs.
const GLOBAL: [&str; 10] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
];

/// Whether a document is a GitLab CI file, by its content: it has a job with a script and another key of jobs.
fn looks_like(root: TracedNode<'_>) -> bool {
    root.get("apiVersion").is_none()
        && root.get("version").is_none()
        && root.entries().iter().any(|(_, job)| {
            let has = |key: &str| job.get(key).is_some();
            job.is_mapping()
                && (has("script") || has("trigger"))
                && ["stage", "image", "rules", "only", "extends"].iter().any(|key| has(key))
        })
}

/// Records the images of a GitLab CI file. A first document may declare the inputs of a second one.
fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    let inputs = tree
        .documents()
        .find_map(|root| root.at(&["spec", "inputs"]))
        .map(TracedNode::entries)
        .unwrap_or_default();
    let inputs = inputs
        .into_iter()
        .map(|(name, input)| (name.to_owned(), input.get("default").and_then(TracedNode::text)))
        .collect();
    let mut commands = Commands::default();
    for root in tree.documents().filter(|root| root.get("spec").is_none()) {
        let file = GitlabFile {
            inputs: &inputs,
            global: variables(root.get("variables")),
            extended: extended(root),
        };
        let scope = GitlabScope { file: &file, job: HashMap::new(), matrix: Vec::new() };
        scope.places(root, analysis);
        scope.scripts(root, &mut commands);
        for (name, job) in jobs(root) {
            // The jobs that extend a template decide what it leaves open.
            let mut users = if name.starts_with('.') { file.heirs(name) } else { Vec::new() };
            if users.is_empty() {
                users.push(job);
            }
            for user in users {
                let matrix = user.at(&["parallel", "matrix"]).map(TracedNode::items).unwrap_or_default();
                let mut values = variables(job.get("variables"));
                values.extend(variables(user.get("variables")));
                let scope = GitlabScope { file: &file, job: values, matrix };
                scope.places(job, analysis);
                scope.scripts(job, &mut commands);
            }
        }
    }
    commands.finish(analysis);
}

/// What applies to all jobs of a document.
struct GitlabFile<'s, 't> {
    inputs: &'s HashMap<String, Option<Traced>>,
    global: HashMap<String, Traced>,
    /// For each template, the jobs that name it in their `extends`.
    extended: HashMap<&'t str, Vec<(&'t str, TracedNode<'t>)>>,
}

fn jobs(root: TracedNode<'_>) -> impl Iterator<Item = (&str, TracedNode<'_>)> {
    root.entries()
        .into_iter()
        .filter(|(name, job)| (*name == "default" || !GLOBAL.contains(name)) && job.is_mapping())
}

fn extended(root: TracedNode<'_>) -> HashMap<&str, Vec<(&str, TracedNode<'_>)>> {
    let mut extended: HashMap<&str, Vec<(&str, TracedNode<'_>)>> = HashMap::new();
    for (name, job) in jobs(root) {
        let Some(extends) = job.get("extends") else { continue };
        for base in extends.items().into_iter().chain([extends]).filter_map(TracedNode::scalar) {
            extended.entry(base).or_default().push((name, job));
        }
    }
    extended
}

impl<'t> GitlabFile<'_, 't> {
    /// The jobs that use a template's image and services: those that extend it, also through other templates.
    fn heirs(&self, template: &str) -> Vec<TracedNode<'t>> {
        let mut seen = HashSet::from([template]);
        let mut waiting = vec![template];
        let mut heirs = Vec::new();
        while let Some(base) = waiting.pop() {
            for &(name, job) in self.extended.get(base).into_iter().flatten() {
                if heirs.len() < LIMIT && seen.insert(name) {
                    waiting.push(name);
                    heirs.push(job);
                }
            }
        }
        heirs
    }
}

struct GitlabScope<'s, 't> {
    file: &'s GitlabFile<'s, 't>,
    job: HashMap<String, Traced>,
    matrix: Vec<TracedNode<'t>>,
}

impl GitlabScope<'_, '_> {
    fn places(&self, node: TracedNode<'_>, analysis: &mut Analysis<'_>) {
        if let Some(image) = node.get("image") {
            self.image(PlaceKind::GitlabImage, image.get("name").unwrap_or(image), analysis);
        }
        // `!reference [.job, services]` repeats services of another job.
        for service in node
            .get("services")
            .filter(|services| services.tag().is_none())
            .map(TracedNode::items)
            .unwrap_or_default()
        {
            self.service(service, analysis);
        }
    }

    fn scripts(&self, node: TracedNode<'_>, commands: &mut Commands) {
        let variables: HashMap<_, _> = self
            .file
            .global
            .iter()
            .chain(&self.job)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let left = Cell::new(LOOKUPS);
        let filled = |(name, value): (String, Traced)| (name, self.fill(&value, &HashMap::new(), 0, &left));
        commands.job(variables.into_iter().map(filled));
        for script in ["before_script", "script", "after_script"].into_iter().filter_map(|key| node.get(key)) {
            commands.run_all(script);
        }
    }

    fn image(&self, place: PlaceKind, node: TracedNode<'_>, analysis: &mut Analysis<'_>) {
        for (written, value) in self.values(node) {
            analysis.found(place, &written, &value, Otherwise::Report);
        }
    }

    /// Records a service. Jobs reach it by a host name made from its image's name. When the image moves, it must keep
    /// the old host name.
    fn service(&self, service: TracedNode<'_>, analysis: &mut Analysis<'_>) {
        let values = self.values(service.get("name").unwrap_or(service));
        let many = values.len() > 1;
        for (written, value) in values {
            let along = if many {
                ChangesToo::Stays(ALIAS)
            } else {
                alias(service, value.as_str(), analysis)
            };
            if let Some(finding) = analysis.found(PlaceKind::GitlabService, &written, &value, Otherwise::Report) {
                finding.along = along;
            }
        }
    }

    /// The values of a node, each as it is written and with its variables' values.
    fn values(&self, node: TracedNode<'_>) -> Vec<(Traced, Traced)> {
        // `!reference [.job, image]` repeats the image of another job.
        let Some(written) = node.text().filter(|_| node.tag().is_none()) else {
            return Vec::new();
        };
        let values = self.expand(&written).into_iter().filter(|value| !value.is_empty());
        values.map(|value| (written.clone(), value)).collect()
    }

    /// The values of a text: one for each row of the matrix that makes a difference.
    fn expand(&self, text: &Traced) -> Vec<Traced> {
        let text = &self.with_inputs(text);
        let left = Cell::new(LOOKUPS);
        let once = |row: &HashMap<String, Traced>| self.fill(text, row, 0, &left);
        let mut values: Vec<Traced> = Vec::new();
        for row in self.rows() {
            let value = once(&row);
            if !values.iter().any(|seen| seen == &value) {
                values.push(value);
            }
        }
        if values.is_empty() { vec![once(&HashMap::new())] } else { values }
    }

    /// The text with each `$[[ inputs.name ]]` replaced by the input's default.
    fn with_inputs(&self, text: &Traced) -> Traced {
        let marked = mark(text, &[("$[[", "]]")]);
        let default = |unknown: &Unknown| {
            let name = unknown.name.split('|').next().unwrap_or_default().trim();
            name.strip_prefix("inputs.")
                .and_then(|name| self.file.inputs.get(name).cloned().flatten())
                .into_iter()
                .collect()
        };
        marked.substituted(1, default).pop().unwrap_or(marked)
    }

    fn rows(&self) -> Vec<HashMap<String, Traced>> {
        let mut all = Vec::new();
        for row in &self.matrix {
            let mut rows = vec![HashMap::new()];
            for (name, value) in row.entries() {
                let choices: Vec<Traced> =
                    value.items().into_iter().chain([value]).filter_map(TracedNode::text).collect();
                rows = rows
                    .iter()
                    .flat_map(|row| choices.iter().map(move |choice| (row, choice)))
                    .take(LIMIT)
                    .map(|(row, choice)| {
                        let mut longer: HashMap<String, Traced> = row.clone();
                        longer.insert(name.to_owned(), choice.clone());
                        longer
                    })
                    .collect();
            }
            all.extend(rows);
            all.truncate(LIMIT);
        }
        all
    }

    fn fill(&self, text: &Traced, row: &HashMap<String, Traced>, depth: usize, left: &Cell<usize>) -> Traced {
        expand(text, Dialect::Gitlab, &|name| {
            let value = row.get(name).or_else(|| self.job.get(name)).or_else(|| self.file.global.get(name));
            match value {
                Some(value) if depth < 8 && left.get() > 0 => {
                    left.set(left.get() - 1);
                    Some(self.fill(value, row, depth + 1, left))
                }
                Some(value) => Some(value.clone()),
                None => predefined(name),
            }
        })
    }
}

const ALIAS: &str = "jobs reach this service by a name that is made of the image's: give it an `alias` first";

/// The texts to insert so that the service's present host name becomes its `alias`.
fn alias(service: TracedNode<'_>, image: &str, analysis: &Analysis<'_>) -> ChangesToo {
    if service.get("alias").is_some() {
        return ChangesToo::Nothing;
    }
    let whole = service.source();
    let text = whole.as_str();
    let scalar = service.get("name").unwrap_or(service);
    let span = scalar.span();
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
    let line_end = if text[..line_end].ends_with('\r') { line_end - 1 } else { line_end };
    let before = &text[line_start..span.start];
    let names = host_names(image);
    // An anchor, a tag or a text of several lines is left to its author.
    if text[span.clone()].starts_with(['&', '!', '|', '>'])
        || text[span.clone()].contains('\n')
        || names.contains(pullsafe_syntax::traced::HOLE)
    {
        return ChangesToo::Stays(ALIAS);
    }
    let place = |at: usize| whole.origin(at).map(|origin| analysis.place_of(origin));
    let texts = if service.is_mapping() {
        if text[service.span()].starts_with('{') {
            vec![(place(span.end), format!(", alias: {names}"))]
        } else {
            let Some(column) = before.rfind("name").filter(|_| before.trim_end().ends_with(':')) else {
                return ChangesToo::Stays(ALIAS);
            };
            vec![(end_of_line(text, line_end, &place), format!("\n{}alias: {names}", " ".repeat(column)))]
        }
    } else if before.trim_start().chars().all(|character| matches!(character, '-' | ' '))
        && before.trim_end().ends_with('-')
    {
        let column = span.start - line_start;
        vec![
            (place(span.start), "name: ".to_owned()),
            (end_of_line(text, line_end, &place), format!("\n{}alias: {names}", " ".repeat(column))),
        ]
    } else {
        vec![(place(span.start), "{name: ".to_owned()), (place(span.end), format!(", alias: {names}}}"))]
    };
    let texts: Option<Vec<_>> =
        texts.into_iter().map(|(place, text)| place.map(|(file, at)| (file, at, text))).collect();
    texts.map_or(ChangesToo::Stays(ALIAS), ChangesToo::Texts)
}

/// The place after the last byte of a line.
fn end_of_line(text: &str, end: usize, place: &dyn Fn(usize) -> Option<(String, usize)>) -> Option<(String, usize)> {
    let before = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    place(before).map(|(file, at)| (file, at + end - before))
}

/// The host names that GitLab makes from an image: without its tag, with `__` for a slash and with `-` for a slash.
fn host_names(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = name[last..].find(':').map_or(name, |colon| &name[..last + colon]);
    if name.contains('/') {
        format!("\"{},{}\"", name.replace('/', "__"), name.replace('/', "-"))
    } else {
        name.to_owned()
    }
}

fn variables(node: Option<TracedNode<'_>>) -> HashMap<String, Traced> {
    let entries = node.map(TracedNode::entries).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.get("value").unwrap_or(value).text()?)))
        .collect()
}

/// A variable that GitLab itself sets, as an unknown with a value of the same form that tells the registry.
fn predefined(name: &str) -> Option<Traced> {
    let assumed = match name {
        "CI_REGISTRY" | "CI_TEMPLATE_REGISTRY_HOST" => "registry.gitlab.com",
        "CI_REGISTRY_IMAGE" => "registry.gitlab.com/group/project",
        "CI_DEPENDENCY_PROXY_SERVER" => "gitlab.com:443",
        "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX" | "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX" => {
            "gitlab.com:443/group/dependency_proxy/containers"
        }
        "CI_COMMIT_SHA" | "CI_COMMIT_SHORT_SHA" | "CI_COMMIT_REF_SLUG" | "CI_PIPELINE_ID" | "CI_PIPELINE_IID" => "0",
        "CI_PROJECT_PATH" | "CI_PROJECT_NAMESPACE" | "CI_PROJECT_NAME" => "project",
        _ => return None,
    };
    Some(Traced::unknown(Unknown {
        name: name.to_owned(),
        written: None,
        assumed: Some(assumed),
        empty_if_unset: false,
    }))
}
