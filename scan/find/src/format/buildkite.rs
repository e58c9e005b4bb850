//! Pipelines of Buildkite: the images of plugins and steps, and the commands of steps.

use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::variables::{Dialect, expand};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::commands::Commands;
use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Buildkite",
    finds: "`image` of plugins (`docker#...`), steps, pods and agents; commands of steps",
    known_by: "`.buildkite/`, `buildkite*.yml`",
    order: "by its path alone, before the formats that look at content",
    named: is,
    marks: &[],
    read: ReadAs::Document {
        is: |name, tree| is(name) && tree.documents().any(has_steps),
        scan,
    },
};

fn is(name: &Name<'_>) -> bool {
    name.is_document()
        && (name.is_below(".buildkite") || name.file.starts_with("buildkite") || name.file.ends_with("buildkite.yml"))
}

fn has_steps(root: TracedNode<'_>) -> bool {
    root.is_sequence() || root.get("steps").is_some()
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    let mut commands = Commands::default();
    let environment: Vec<_> = tree
        .documents()
        .filter_map(|root| root.get("env"))
        .flat_map(TracedNode::entries)
        .filter_map(|(name, value)| Some((name.to_owned(), value.text()?)))
        .collect();
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            match key {
                // A virtual machine's image has no tag and no slash.
                "image" | "image-name" => {
                    let Some(written) = value.text() else { continue };
                    let value = expand(&written, Dialect::Compose, &|name| {
                        environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
                    });
                    let starts_unknown = value.unknowns().any(|(at, _)| at == 0);
                    if !starts_unknown && !value.as_str().starts_with("ami-") && !value.as_str().starts_with("family/")
                    {
                        analysis.found(PlaceKind::CiImage, &written, &mark_templates(&value), Otherwise::Ignore);
                    }
                }
                "command" | "commands" if node.get("image").is_none() || value.scalar().is_some() => {
                    commands.job(environment.clone());
                    commands.run_all(value);
                }
                _ => {}
            }
        }
    }
    commands.finish(analysis);
}
