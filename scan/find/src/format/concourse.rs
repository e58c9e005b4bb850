//! Pipelines and tasks of Concourse: resources of registries, resource types, and the images of tasks.

use std::collections::HashSet;

use pullsafe_syntax::reference::assembled;
use pullsafe_syntax::template::mark;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::{BuiltFor, PlaceKind};

pub(super) const FORMAT: Format = Format {
    name: "Concourse",
    finds: "`image_resource`, `resources` and `resource_types` of type `registry-image` and `docker-image`; a \
        resource that is only put is \
            no pull",
    known_by: "content: a task's or a resource's image",
    order: "after the documents with marks of their own, before Ansible, which is a list of anything",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is: |_, tree| tree.mappings().any(is_source), scan },
};

const TYPES: [&str; 2] = ["registry-image", "docker-image"];

fn is_source(node: TracedNode<'_>) -> bool {
    let kind = node.get("type").and_then(TracedNode::scalar).unwrap_or_default();
    TYPES.iter().any(|known| kind.starts_with(known)) && node.at(&["source", "repository"]).is_some()
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    let mut got = HashSet::new();
    let mut put = HashSet::new();
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            let name = node.get("resource").and_then(TracedNode::scalar).or(value.scalar()).unwrap_or_default();
            match key {
                "get" | "image" => drop(got.insert(name)),
                "put" => drop(put.insert(name)),
                _ => {}
            }
        }
    }
    for node in tree.mappings().filter(|node| is_source(*node)) {
        let source = node.get("source");
        let part = |key: &str| {
            source
                .and_then(|source| source.get(key))
                .and_then(TracedNode::text)
                .map(|text| mark(&text, &[("((", "))"), ("{{", "}}")]))
        };
        let Some(repository) = part("repository") else { continue };
        let last = repository.as_str().rsplit('/').next().unwrap_or_default();
        let tag = part("tag").filter(|_| !last.contains([':', '@']));
        let value = assembled(None, repository.clone(), tag, part("digest"));
        let name = node.get("name").and_then(TracedNode::scalar).unwrap_or_default();
        if put.contains(name) && !got.contains(name) {
            analysis.built(&value, BuiltFor::Locally);
            continue;
        }
        analysis.found(PlaceKind::Concourse, &repository, &value, Otherwise::Ignore);
    }
}
