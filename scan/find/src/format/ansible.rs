//! Ansible: modules that run and pull containers, with the variables of the play, the role and the group; Molecule's
//! platforms.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::reference::assembled;
use pullsafe_syntax::template::mark;
use pullsafe_syntax::traced::{Traced, Unknown};
use pullsafe_syntax::variables::{Dialect, expand};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _, read};

use super::commands::Commands;
use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise, beside};
use crate::finding::{BuiltFor, PlaceKind};
use crate::name::Name;
use crate::nearby::Made;

pub(super) const FORMAT: Format = Format {
    name: "Ansible, Molecule",
    finds: "`docker_container`, `docker_image`, `docker_swarm_service`, `podman_container` and their like under any \
        collection; `definition` \
            of compose and Kubernetes modules; commands of `shell` and `command`; `{{ name }}` from the play, \
            `defaults` and `vars` of the \
            role, `group_vars/all`; `platforms` of Molecule",
    known_by: "a list of tasks or plays; `molecule.yml`",
    order: "after the lists that are others' (task definitions, patches)",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is, scan },
};

/// How deep variables in variables are followed, and how often.
const DEPTH: usize = 8;
const LOOKUPS: usize = 20_000;

fn is(name: &Name<'_>, tree: &TracedTree) -> bool {
    if name.file == "molecule.yml" || name.file == "molecule.yaml" {
        return true;
    }
    let is_task = |item: &TracedNode<'_>| {
        [
            "hosts",
            "tasks",
            "roles",
            "block",
            "import_playbook",
            "include_role",
            "import_tasks",
            "include_tasks",
        ]
        .iter()
        .any(|key| item.get(key).is_some())
            || item.own_entries().any(|(key, _)| module(key).is_some())
    };
    name.is_yaml() && tree.documents().any(|root| root.items().iter().any(is_task))
}

/// What a module takes.
#[derive(Clone, Copy)]
enum ModuleTakes {
    /// The image under `image`.
    Image,
    /// The image under `name`, unless it is built, loaded or pushed.
    Name,
    /// A compose file or a manifest under `definition`.
    Definition,
    /// A command.
    Command,
}

/// The module that a task's key names, in whatever collection.
fn module(key: &str) -> Option<ModuleTakes> {
    Some(match key.rsplit('.').next().unwrap_or(key) {
        "docker_container"
        | "docker_swarm_service"
        | "podman_container"
        | "docker_container_exec"
        | "ecs_taskdefinition"
        | "podman_pod" => ModuleTakes::Image,
        "docker_image" | "docker_image_pull" | "podman_image" => ModuleTakes::Name,
        "docker_compose" | "docker_compose_v2" | "k8s" | "docker_stack" | "kubernetes" => ModuleTakes::Definition,
        "shell" | "command" | "raw" => ModuleTakes::Command,
        _ => return None,
    })
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    let variables = AnsibleVariables::of(tree, analysis);
    let mut commands = Commands::default();
    for root in tree.documents() {
        for platform in root.get("platforms").map(TracedNode::items).unwrap_or_default() {
            let built = platform.get("dockerfile").is_some();
            if let Some(image) = platform.get("image").and_then(TracedNode::text).filter(|_| !built) {
                let value = expand(&image, Dialect::Compose, &|_| None);
                analysis.found(PlaceKind::Ansible, &image, &variables.fill(&value, 0), Otherwise::Ignore);
            }
        }
    }
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            let Some(takes) = module(key) else { continue };
            let arguments = if value.is_mapping() { Some(value) } else { node.get("args") };
            match takes {
                ModuleTakes::Image => {
                    let absent =
                        part(value, "state").is_some_and(|state| matches!(state.as_str(), "absent" | "stopped"));
                    let never = part(value, "pull").is_some_and(|pull| pull.as_str() == "never");
                    if let Some(image) = part(value, "image").filter(|_| !absent && !never) {
                        found(&variables, node, image, analysis);
                    }
                    for container in value.get("containers").map(TracedNode::items).unwrap_or_default() {
                        if let Some(image) = container.get("image").and_then(TracedNode::text) {
                            found(&variables, node, image, analysis);
                        }
                    }
                }
                ModuleTakes::Name => {
                    let Some(name) = part(value, "name") else { continue };
                    let source = part(value, "source").map(|source| source.as_str().to_owned()).unwrap_or_default();
                    let tag = part(value, "tag")
                        .filter(|_| !name.as_str().rsplit('/').next().unwrap_or_default().contains(':'));
                    let full = assembled(None, name, tag, None);
                    let made = matches!(source.as_str(), "build" | "load" | "local")
                        || value.get("build").is_some()
                        || part(value, "path").is_some();
                    let absent = part(value, "state").is_some_and(|state| state.as_str() == "absent");
                    if made {
                        in_turn(&variables, node, &full)
                            .iter()
                            .for_each(|name| analysis.built(name, BuiltFor::Locally));
                    } else if !absent {
                        found(&variables, node, full, analysis);
                    }
                }
                ModuleTakes::Definition => {
                    if let Some(text) =
                        arguments.and_then(|arguments| arguments.get("definition")).and_then(TracedNode::text)
                    {
                        analysis.embed(text, Embedded::Document);
                        continue;
                    }
                    let services = value.at(&["definition", "services"]).map(TracedNode::entries).unwrap_or_default();
                    for (_, service) in services.into_iter().filter(|(_, service)| service.get("build").is_none()) {
                        if let Some(image) = service.get("image").and_then(TracedNode::text) {
                            found(&variables, node, image, analysis);
                        }
                    }
                    let pods = [["spec", "template"], ["spec", "jobTemplate"]]
                        .into_iter()
                        .filter_map(|path| value.get("definition")?.at(&path));
                    for pod in pods.chain(value.get("definition")) {
                        for container in pod.at(&["spec", "containers"]).map(TracedNode::items).unwrap_or_default() {
                            if let Some(image) = container.get("image").and_then(TracedNode::text) {
                                found(&variables, node, image, analysis);
                            }
                        }
                    }
                }
                ModuleTakes::Command => {
                    let script = value.text().or_else(|| value.get("cmd")?.text());
                    if let Some(script) = script {
                        commands.run(&variables.fill(&script, 0));
                    }
                }
            }
        }
    }
    commands.finish_as(PlaceKind::Ansible, analysis);
}

/// An argument of a module: of a mapping, or of a line `name=value name=value`.
fn part(value: TracedNode<'_>, name: &str) -> Option<Traced> {
    if let Some(part) = value.get(name) {
        return part.text();
    }
    let line = value.text()?;
    let mut at = 0;
    for word in line.as_str().split(' ') {
        let start = at;
        at += word.len() + 1;
        if let Some(text) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(line.slice(start + word.len() - text.len()..start + word.len()));
        }
    }
    None
}

/// An image, once for each item of the task's loop.
fn found(variables: &AnsibleVariables, task: TracedNode<'_>, written: Traced, analysis: &mut Analysis<'_>) {
    for value in in_turn(variables, task, &written) {
        // A variable alone that nothing sets is not worth a line: roles are made of them.
        if value.as_str() != pullsafe_syntax::traced::HOLE {
            analysis.found(PlaceKind::Ansible, &written, &value, Otherwise::Ignore);
        }
    }
}

/// What a text is with its variables in, for each item of the task's loop.
fn in_turn(variables: &AnsibleVariables, task: TracedNode<'_>, written: &Traced) -> Vec<Traced> {
    let value = variables.fill(written, 0);
    let items = ["loop", "with_items"]
        .iter()
        .find_map(|key| task.get(key))
        .map(TracedNode::items)
        .unwrap_or_default();
    value.substituted(64, |unknown| {
        let Some(path) = unknown.name.strip_prefix("item") else {
            return Vec::new();
        };
        let path: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
        items.iter().filter_map(|item| item.at(&path)?.text()).collect()
    })
}

struct AnsibleVariables {
    /// Those of the file.
    own: Given,
    /// Those of the files that belong to it, the first wins.
    beside: Vec<Arc<Made<Given>>>,
    left: Cell<usize>,
}

/// What names stand for in one file.
#[derive(Default)]
struct Given(HashMap<String, Traced>);

impl AnsibleVariables {
    /// The variables that hold for a file: those in it, its role's, its play's neighbours'.
    fn of(tree: &TracedTree, analysis: &mut Analysis<'_>) -> Self {
        let mut own = Given::default();
        for node in tree.mappings() {
            ["vars", "set_fact", "ansible.builtin.set_fact"]
                .iter()
                .filter_map(|key| node.get(key))
                .for_each(|vars| own.take(vars));
        }
        let paths = BESIDE.iter().filter_map(|path| beside(analysis.path(), path)).collect::<Vec<_>>();
        let beside = paths.iter().filter_map(|path| analysis.made_of(path, Given::of)).collect();
        Self { own, beside, left: Cell::new(LOOKUPS) }
    }

    /// The text with the values of its `{{ name }}` in, or else their defaults.
    fn fill(&self, text: &Traced, depth: usize) -> Traced {
        if !text.as_str().contains("{{") {
            return text.clone();
        }
        let marked = mark(text, &[("{{", "}}")]);
        let value = |unknown: &Unknown| {
            let name = unknown.name.split(['|', ' ']).next().unwrap_or_default().trim();
            let left = self.left.get().saturating_sub(1);
            self.left.set(left);
            let given =
                || self.own.0.get(name).or_else(|| self.beside.iter().find_map(|given| given.value.0.get(name)));
            let known = if depth < DEPTH && left > 0 { given() } else { None };
            known.map(|known| self.fill(known, depth + 1)).into_iter().collect()
        };
        marked.substituted(1, value).pop().unwrap_or(marked)
    }
}

/// Where the variables of a role, a play and a group are, seen from a file of tasks or a play.
const BESIDE: [&str; 7] = [
    "../vars/main.yml",
    "../defaults/main.yml",
    "group_vars/all.yml",
    "vars/main.yml",
    "../group_vars/all.yml",
    "group_vars/all/main.yml",
    "vars.yml",
];

impl Given {
    fn of(text: Traced) -> Self {
        let mut given = Self::default();
        read(text).0.documents().for_each(|root| given.take(root));
        given
    }

    fn take(&mut self, node: TracedNode<'_>) {
        for (name, value) in node.entries() {
            if let Some(text) = value.text() {
                self.0.entry(name.to_owned()).or_insert(text);
            }
            // `registry: {tag: x}` is `registry.tag`.
            for (inner, value) in value.entries() {
                if let Some(text) = value.text() {
                    self.0.entry(format!("{name}.{inner}")).or_insert(text);
                }
            }
        }
    }
}
