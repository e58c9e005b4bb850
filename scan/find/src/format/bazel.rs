//! Bazel: images that rules pull (`oci.pull`, `oci_pull`, `container_pull` and the like).

use pullsafe_syntax::reference::assembled;
use pullsafe_syntax::source::{Language, SourceTokens};
use pullsafe_syntax::traced::Traced;

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Bazel",
    finds: "`image`, or `registry` and `repository`, with `tag` and `digest`, of calls that end in `pull`",
    known_by: "`MODULE.bazel`, `WORKSPACE*`, `BUILD*`, `*.bzl`",
    order: "by its names alone",
    named,
    marks: &["pull"],
    read: ReadAs::Text { begins: never, scan },
};

fn named(name: &Name<'_>) -> bool {
    matches!(name.file.as_str(), "workspace" | "build" | "module.bazel")
        || name.has_extension(&["bazel", "bzl", "bzlmod"])
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let source = SourceTokens::read(text, Language::Python);
    for index in 0..source.count() {
        let Some(word) = source.word(index).filter(|word| *word == "pull" || word.ends_with("_pull")) else {
            continue;
        };
        let Some(open) = source
            .call(index)
            .filter(|_| !word.starts_with("new_") && source.word(index.wrapping_sub(1)) != Some("def"))
        else {
            continue;
        };
        let part = |name: &str| source.named(open, name).and_then(|start| source.value(start));
        let parts = match (part("image"), part("repository")) {
            (Some(image), _) => (None, image),
            (None, Some(repository)) => (part("registry"), repository),
            (None, None) => continue,
        };
        let registry = parts.0.map(|registry| {
            let start = registry.as_str().find("://").map_or(0, |at| at + "://".len());
            // It is a host and nothing else, so that a move is more than another text in its place.
            Traced::computed(&registry.as_str()[start..])
        });
        let last = parts.1.as_str().rsplit('/').next().unwrap_or_default();
        let tag = part("tag").filter(|_| !last.contains([':', '@']));
        let digest = part("digest").filter(|_| !last.contains('@'));
        let value = assembled(registry, parts.1.clone(), tag, digest);
        analysis.found(PlaceKind::Bazel, &parts.1, &value, Otherwise::Ignore);
    }
}
