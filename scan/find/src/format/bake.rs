//! Bake files of BuildKit: what contexts and arguments make a build pull, and the names that it gives.

use std::collections::HashMap;

use pullsafe_syntax::source::{Language, SourceTokens};
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{self, Outside};
use crate::finding::{BuiltFor, PlaceKind};
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Bake files",
    finds: "`docker-image://` contexts; `args` that decide a `FROM`; `dockerfile-inline`; named contexts and tags are \
        no pulls elsewhere",
    known_by: "`docker-bake*.hcl`, `docker-bake*.json`",
    order: "before Nomad, which has `.hcl` files, too",
    named: |name| is_bake(name) && name.has_extension(&["hcl"]),
    marks: &[],
    read: ReadAs::Text { begins: never, scan },
};

pub(super) const JSON: Format = Format {
    name: "Bake files",
    finds: "",
    known_by: "",
    order: "by its name alone, before the formats that look at content",
    named: |name| is_bake(name) && name.has_extension(&["json"]),
    marks: &[],
    read: ReadAs::Document {
        is: |name, _| is_bake(name) && name.has_extension(&["json"]),
        scan: scan_json,
    },
};

fn is_bake(name: &Name<'_>) -> bool {
    name.file.contains("docker-bake") || name.file.starts_with("bake.") || name.file.ends_with(".bake.hcl")
}

/// One target of a bake file.
#[derive(Default)]
struct BakeTarget {
    contexts: Vec<(String, Traced)>,
    arguments: HashMap<String, Traced>,
    tags: Vec<Traced>,
    context: Option<String>,
    dockerfile: Option<String>,
    inline: Option<Traced>,
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let source = SourceTokens::read(text, Language::Hcl);
    for index in 0..source.count() {
        if source.word(index) != Some("target") || source.literal(index + 1).is_none() {
            continue;
        }
        let Some(close) = source.close(index + 2) else { continue };
        let mut target = BakeTarget::default();
        let mut at = index + 3;
        while at < close {
            let Some((key, value)) = source.named_at(at) else {
                at += 1;
                continue;
            };
            let key = key.to_owned();
            let end = source.close(value);
            let pairs = || {
                (value + 1..end.unwrap_or(value))
                    .filter_map(|at| source.named_at(at))
                    .map(|(name, value)| (name.to_owned(), source.value(value)))
            };
            match key.as_str() {
                "contexts" => target.contexts.extend(pairs().filter_map(|(name, value)| Some((name, value?)))),
                "args" => target.arguments.extend(pairs().filter_map(|(name, value)| Some((name, value?)))),
                "tags" => target.tags.extend(
                    (value + 1..end.unwrap_or(value))
                        .filter(|&at| source.literal(at).is_some())
                        .filter_map(|at| source.value(at)),
                ),
                "context" => target.context = source.value(value).map(|text| text.as_str().to_owned()),
                "dockerfile" => target.dockerfile = source.value(value).map(|text| text.as_str().to_owned()),
                "dockerfile-inline" => target.inline = source.value(value),
                _ => {}
            }
            at = end.unwrap_or(value) + 1;
        }
        record(target, analysis);
    }
}

fn scan_json(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for (_, node) in tree.documents().filter_map(|root| root.get("target")).flat_map(TracedNode::entries) {
        let pairs = |key: &str| {
            let entries = node.get(key).map(TracedNode::entries).unwrap_or_default();
            entries
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value.text()?)))
                .collect::<Vec<_>>()
        };
        let text = |key: &str| node.get(key).and_then(TracedNode::scalar).map(str::to_owned);
        let target = BakeTarget {
            contexts: pairs("contexts"),
            arguments: pairs("args").into_iter().collect(),
            tags: node
                .get("tags")
                .map(TracedNode::items)
                .unwrap_or_default()
                .into_iter()
                .filter_map(TracedNode::text)
                .collect(),
            context: text("context"),
            dockerfile: text("dockerfile"),
            inline: node.get("dockerfile-inline").and_then(TracedNode::text),
        };
        record(target, analysis);
    }
}

fn record(target: BakeTarget, analysis: &mut Analysis<'_>) {
    let mut outside = Outside { arguments: target.arguments, ..Outside::default() };
    for (name, value) in target.contexts {
        if let Some(image) = value.as_str().strip_prefix("docker-image://") {
            let image = value.slice(value.as_str().len() - image.len()..value.as_str().len());
            analysis.found(PlaceKind::Bake, &image, &image, Otherwise::Report);
        }
        analysis.built(&Traced::computed(&name), BuiltFor::AsContext);
        outside.contexts.push(name);
    }
    target.tags.iter().for_each(|tag| analysis.built(tag, BuiltFor::Locally));
    if let Some(inline) = target.inline {
        dockerfile::scan(&inline, &outside, analysis);
        return;
    }
    let context = target.context.unwrap_or_else(|| ".".to_owned());
    let dockerfile = target.dockerfile.unwrap_or_else(|| "Dockerfile".to_owned());
    if outside.arguments.is_empty() || context.contains("://") {
        return;
    }
    if let Some(dockerfile) = crate::dockerfile::named(&format!("{context}/{dockerfile}"), analysis) {
        dockerfile::scan_arguments(&dockerfile, &outside, PlaceKind::Bake, analysis);
    }
}
