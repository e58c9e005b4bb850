//! GitLab CI: `image` and `services`, at the top, under `default`, and of jobs, templates (`.name`) included; and scripts.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::analysis::{Analysis, Otherwise};
use crate::finding::Place;
use crate::format::commands::Commands;
use crate::format::template::mark;
use crate::traced::{Traced, Unknown};
use crate::variables::{Dialect, expand};
use crate::yaml::{Node, Tree, Written as _};

/// How many rows of a matrix, and how many jobs of a template, are followed.
const LIMIT: usize = 64;
/// How many variables are looked up for one image: variables name each other again and again.
const LOOKUPS: usize = 10_000;

/// Keys at the top that are no jobs.
const GLOBAL: [&str; 10] =
    ["default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script", "after_script"];

/// Whether a document is a GitLab CI file, by its content: a job with a script and what else only a job has.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
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
pub(crate) fn scan(tree: &Tree, analysis: &mut Analysis<'_>) {
    let inputs = tree.documents().find_map(|root| root.at(&["spec", "inputs"])).map(Node::entries).unwrap_or_default();
    let inputs = inputs.into_iter().map(|(name, input)| (name.to_owned(), input.get("default").and_then(Node::text))).collect();
    let mut commands = Commands::default();
    for root in tree.documents().filter(|root| root.get("spec").is_none()) {
        let file = File { inputs: &inputs, global: variables(root.get("variables")), extended: extended(root) };
        let scope = Scope { file: &file, job: HashMap::new(), matrix: Vec::new() };
        scope.places(root, analysis);
        scope.scripts(root, &mut commands);
        for (name, job) in jobs(root) {
            // What a template leaves open is decided by the jobs that extend it.
            let mut users = if name.starts_with('.') { file.heirs(name) } else { Vec::new() };
            if users.is_empty() {
                users.push(job);
            }
            for user in users {
                let matrix = user.at(&["parallel", "matrix"]).map(Node::items).unwrap_or_default();
                let mut values = variables(job.get("variables"));
                values.extend(variables(user.get("variables")));
                let scope = Scope { file: &file, job: values, matrix };
                scope.places(job, analysis);
                scope.scripts(job, &mut commands);
            }
        }
    }
    commands.finish(analysis);
}

/// A document and what holds for all of its jobs.
struct File<'s, 't> {
    inputs: &'s HashMap<String, Option<Traced>>,
    global: HashMap<String, Traced>,
    /// The jobs that name a template in their `extends`.
    extended: HashMap<&'t str, Vec<(&'t str, Node<'t>)>>,
}

fn jobs(root: Node<'_>) -> impl Iterator<Item = (&str, Node<'_>)> {
    root.entries().into_iter().filter(|(name, job)| (*name == "default" || !GLOBAL.contains(name)) && job.is_mapping())
}

fn extended(root: Node<'_>) -> HashMap<&str, Vec<(&str, Node<'_>)>> {
    let mut extended: HashMap<&str, Vec<(&str, Node<'_>)>> = HashMap::new();
    for (name, job) in jobs(root) {
        let Some(extends) = job.get("extends") else { continue };
        for base in extends.items().into_iter().chain([extends]).filter_map(Node::scalar) {
            extended.entry(base).or_default().push((name, job));
        }
    }
    extended
}

impl<'t> File<'_, 't> {
    /// The jobs that a template's image and services are for: those that extend it, through other templates too.
    fn heirs(&self, template: &str) -> Vec<Node<'t>> {
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

struct Scope<'s, 't> {
    file: &'s File<'s, 't>,
    job: HashMap<String, Traced>,
    matrix: Vec<Node<'t>>,
}

impl Scope<'_, '_> {
    fn places(&self, node: Node<'_>, analysis: &mut Analysis<'_>) {
        if let Some(image) = node.get("image") {
            self.image(Place::GitlabImage, image.get("name").unwrap_or(image), analysis);
        }
        // `!reference [.job, services]` repeats what another job says.
        for service in node.get("services").filter(|services| services.tag().is_none()).map(Node::items).unwrap_or_default() {
            self.image(Place::GitlabService, service.get("name").unwrap_or(service), analysis);
        }
    }

    fn scripts(&self, node: Node<'_>, commands: &mut Commands) {
        let variables: HashMap<_, _> =
            self.file.global.iter().chain(&self.job).map(|(name, value)| (name.clone(), value.clone())).collect();
        let left = Cell::new(LOOKUPS);
        let filled = |(name, value): (String, Traced)| (name, self.fill(&value, &HashMap::new(), 0, &left));
        commands.job(variables.into_iter().map(filled));
        for script in ["before_script", "script", "after_script"].into_iter().filter_map(|key| node.get(key)) {
            commands.run_all(script);
        }
    }

    fn image(&self, place: Place, node: Node<'_>, analysis: &mut Analysis<'_>) {
        // `!reference [.job, image]` repeats what another job says.
        if node.tag().is_some() {
            return;
        }
        let Some(written) = node.text() else { return };
        for value in self.expand(&written) {
            if !value.is_empty() {
                analysis.found(place, &written, &value, Otherwise::Report);
            }
        }
    }

    /// The values of a text: one for each row of a matrix that it depends on.
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

    /// The text with the defaults of its `$[[ inputs.name ]]` in.
    fn with_inputs(&self, text: &Traced) -> Traced {
        let marked = mark(text, &[("$[[", "]]")]);
        let default = |unknown: &Unknown| {
            let name = unknown.name.split('|').next().unwrap_or_default().trim();
            name.strip_prefix("inputs.").and_then(|name| self.file.inputs.get(name).cloned().flatten()).into_iter().collect()
        };
        marked.substituted(1, default).pop().unwrap_or(marked)
    }

    fn rows(&self) -> Vec<HashMap<String, Traced>> {
        let mut all = Vec::new();
        for row in &self.matrix {
            let mut rows = vec![HashMap::new()];
            for (name, value) in row.entries() {
                let choices: Vec<Traced> = value.items().into_iter().chain([value]).filter_map(Node::text).collect();
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

fn variables(node: Option<Node<'_>>) -> HashMap<String, Traced> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.get("value").unwrap_or(value).text()?))).collect()
}

/// What GitLab itself sets, as far as it tells the registry.
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
    Some(Traced::unknown(Unknown { name: name.to_owned(), written: None, assumed: Some(assumed), empty_if_unset: false }))
}
