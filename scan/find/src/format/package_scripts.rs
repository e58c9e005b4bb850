//! Commands in the manifests of task runners: `scripts` of `package.json` and `composer.json`, `cmds` of a Taskfile.

use pullsafe_syntax::template::mark;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::commands::Commands;
use super::{Format, ReadAs};
use crate::analysis::Analysis;
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "package.json, Taskfile",
    finds: "commands of `scripts`, `cmds` and `cmd`, as in scripts",
    known_by: "file name",
    order: "by its names alone, before the formats that look at content",
    named: is,
    marks: &[],
    read: ReadAs::Document { is: |name, _| is(name), scan },
};

fn is(name: &Name<'_>) -> bool {
    matches!(
        name.file.as_str(),
        "package.json" | "composer.json" | "taskfile.yml" | "taskfile.yaml" | "taskfile.dist.yml"
    )
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    let mut commands = Commands::default();
    for root in tree.documents() {
        for (_, script) in root.get("scripts").map(TracedNode::entries).unwrap_or_default() {
            commands.run_all(script);
        }
        let variables = |node: TracedNode<'_>| {
            let entries = node.get("vars").map(TracedNode::entries).unwrap_or_default();
            entries
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.text()?)))
                .collect::<Vec<_>>()
        };
        for (_, task) in root.get("tasks").map(TracedNode::entries).unwrap_or_default() {
            let known: Vec<_> = variables(root).into_iter().chain(variables(task)).collect();
            commands.job(known.clone());
            let listed = task.get("cmds").unwrap_or(task);
            for command in listed.items().into_iter().chain(task.get("cmd")) {
                let Some(text) = command.get("cmd").unwrap_or(command).text() else {
                    continue;
                };
                let marked = mark(&text, &[("{{", "}}")]);
                let value = |name: &str| {
                    known
                        .iter()
                        .rev()
                        .find(|(known, _)| known == name.trim_start_matches('.'))
                        .map(|(_, value)| value.clone())
                };
                let filled = marked.substituted(1, |unknown| value(&unknown.name).into_iter().collect()).pop();
                commands.run(&filled.unwrap_or(marked));
            }
        }
    }
    commands.finish_as(PlaceKind::ScriptCommand, analysis);
}
