//! Development containers: `devcontainer.json`, with its comments.

use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{self, Outside};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Development containers",
    finds: "`image`; `build.args` that decide a `FROM`",
    known_by: "`devcontainer.json`, with its comments",
    order: "by its name alone, before the formats that look at content",
    named: |name| matches!(name.file.as_str(), "devcontainer.json" | ".devcontainer.json"),
    marks: &[],
    read: ReadAs::Document { is: |name, _| is(name), scan },
};

fn is(name: &Name<'_>) -> bool {
    (FORMAT.named)(name) || name.is_below(".devcontainer") && name.has_extension(&["json"])
}

fn scan(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for root in tree.documents() {
        if let Some(written) = root.get("image").and_then(TracedNode::text) {
            analysis.found(PlaceKind::Devcontainer, &written, &mark_templates(&written), Otherwise::Report);
        }
        let Some(build) = root.get("build") else { continue };
        let arguments = build.get("args").map(TracedNode::entries).unwrap_or_default();
        let arguments = arguments
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), mark_templates(&value.text()?))))
            .collect();
        let path = build
            .get("dockerfile")
            .or_else(|| build.get("dockerFile"))
            .and_then(TracedNode::scalar)
            .unwrap_or("Dockerfile");
        if let Some(dockerfile) = crate::dockerfile::named(path, analysis) {
            let outside = Outside { arguments, ..Outside::default() };
            dockerfile::scan_arguments(&dockerfile, &outside, PlaceKind::Devcontainer, analysis);
        }
    }
}
