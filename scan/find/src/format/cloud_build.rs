//! Google Cloud Build: the images of steps, and what their arguments pull.

use std::collections::HashMap;

use pullsafe_syntax::traced::{Traced, Unknown};
use pullsafe_syntax::variables::{Dialect, expand};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::commands::Commands;
use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Google Cloud Build",
    finds: "`name` of steps, with `substitutions`; `docker pull` and `run` in `args` and `script`; what `images` and \
        earlier steps build is no \
            pull",
    known_by: "`cloudbuild*.yaml`; content: `steps` with `name` and `args`",
    order: "after the CI systems with paths of their own: others have `steps`, too",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is, scan },
};

fn is(name: &Name<'_>, tree: &TracedTree) -> bool {
    let named = name.file.contains("cloudbuild") || name.is_below("cloudbuild");
    tree.documents().any(|root| {
        root.get("apiVersion").is_none()
            && root.get("jobs").is_none()
            && root.get("steps").is_some_and(|steps| {
                let steps = steps.items();
                let like = |step: &TracedNode<'_>| {
                    step.get("name")
                        .and_then(TracedNode::scalar)
                        .is_some_and(|image| named || image.contains("cloud-builders") || image.contains("gcr.io/"))
                        && ["args", "script", "entrypoint", "id"].iter().any(|key| step.get(key).is_some())
                };
                steps.iter().any(like) || named && steps.iter().any(|step| step.get("name").is_some())
            })
    })
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for root in tree.documents() {
        let given = root.get("substitutions").map(TracedNode::entries).unwrap_or_default();
        let given: HashMap<String, Traced> =
            given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.text()?))).collect();
        let fill = |text: &Traced| {
            expand(text, Dialect::Gitlab, &|name| given.get(name).cloned().or_else(|| predefined(name)))
        };
        let mut commands = Commands::default();
        let mut steps = Vec::new();
        for image in root
            .get("images")
            .map(TracedNode::items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(TracedNode::text)
        {
            commands.made(&fill(&image));
        }
        for step in root.get("steps").map(TracedNode::items).unwrap_or_default() {
            let arguments: Vec<Traced> = step
                .get("args")
                .map(|args| if args.is_sequence() { args.items() } else { vec![args] })
                .unwrap_or_default()
                .into_iter()
                .filter_map(TracedNode::text)
                .collect();
            steps.extend(step.get("name").and_then(TracedNode::text));
            let tool = step
                .get("entrypoint")
                .and_then(TracedNode::scalar)
                .or_else(|| step.get("name")?.scalar()?.rsplit(['/']).next())
                .unwrap_or_default();
            let tool = tool.split([':', '@']).next().unwrap_or_default();
            commands.job(given.clone());
            let mut line = Traced::computed(if tool == "executor" { "true " } else { tool });
            for argument in &arguments {
                let argument = fill(argument);
                let quoted = argument.as_str().contains(char::is_whitespace);
                line.push_computed(if quoted { " '" } else { " " });
                line.push(&argument);
                line.push_computed(if quoted { "'" } else { "" });
            }
            commands.run(&line);
            if let Some(script) = step.get("script").and_then(TracedNode::text) {
                commands.run(&script);
            }
        }
        for written in steps {
            let value = fill(&written);
            // What an earlier step has built is there under its name.
            if !commands.has_made(&value) {
                analysis.found(PlaceKind::CloudBuild, &written, &value, Otherwise::Ignore);
            }
        }
        commands.finish_as(PlaceKind::CloudBuild, analysis);
    }
}

fn predefined(name: &str) -> Option<Traced> {
    let assumed = match name {
        "PROJECT_ID" | "REPO_NAME" | "LOCATION" => Some("project"),
        _ => None,
    }?;
    Some(Traced::unknown(Unknown {
        name: name.to_owned(),
        written: None,
        assumed: Some(assumed),
        empty_if_unset: false,
    }))
}
