//! The formats: each is a file with a row, and the table below says in which order they are asked.
//!
//! A new format is one file here, with a `FORMAT`, and one line in [`FORMATS`]. The table of `docs/scan.md` is made
//! from the rows.

mod ansible;
mod bake;
mod bazel;
mod buildkite;
mod buildspec;
mod ci;
mod cloud_build;
mod cloud_init;
mod cloudformation;
mod commands;
mod compose;
mod concourse;
mod devcontainer;
mod dockerfile;
mod earthfile;
mod ecs;
mod github;
mod gitlab;
mod helm;
mod infrastructure;
mod jenkins;
mod kubernetes;
mod makefile;
mod nomad;
mod package_scripts;
mod script;
mod skaffold;
mod terraform;
mod testcontainers;
mod unread;

pub(crate) use unread::{is_named as is_unread, unread};

use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::TracedTree;

use crate::analysis::Analysis;
use crate::name::Name;

/// One format.
pub(crate) struct Format {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What is found in it, for the documentation.
    pub(crate) finds: &'static str,
    /// How a file of it is known, for the documentation.
    pub(crate) known_by: &'static str,
    /// Why its row stands where it stands.
    pub(crate) order: &'static str,
    /// Whether a file of this name may be of this format: such a file is opened.
    pub(crate) named: fn(&Name<'_>) -> bool,
    /// Words without one of which a file of this format names no image. None: any file may.
    pub(crate) marks: &'static [&'static str],
    /// How it is read.
    pub(crate) read: ReadAs,
}

/// How a format is read.
pub(crate) enum ReadAs {
    /// As a text of its own, known by name, or by its first lines where the name says nothing.
    Text {
        begins: fn(&str) -> bool,
        scan: fn(&Traced, &mut Analysis<'_>),
    },
    /// As YAML or JSON, known by path or content.
    Document {
        is: fn(&Name<'_>, &TracedTree) -> bool,
        scan: fn(&TracedTree, &mut Analysis<'_>),
    },
}

/// For formats whose files always have a name.
pub(crate) fn never(_: &str) -> bool {
    false
}

/// The formats in the order in which they are asked; the first that says yes reads the file.
///
/// Three groups: texts of their own, whose names are theirs alone; YAML and JSON whose path says what they are; YAML
/// and JSON by content, from those whose marks nothing else has to those whose marks many have.
pub(crate) static FORMATS: [&Format; 33] = [
    &dockerfile::FORMAT,
    &earthfile::FORMAT,
    &terraform::FORMAT,
    &bake::FORMAT,
    &nomad::FORMAT,
    &jenkins::FORMAT,
    &bazel::FORMAT,
    &makefile::FORMAT,
    &cloud_init::FORMAT,
    &script::FORMAT,
    &infrastructure::FORMAT,
    &testcontainers::FORMAT,
    &devcontainer::FORMAT,
    &package_scripts::FORMAT,
    &ci::FORMAT,
    &buildkite::FORMAT,
    &github::FORMAT,
    &gitlab::FORMAT,
    &cloud_build::FORMAT,
    &terraform::JSON,
    &bake::JSON,
    &skaffold::FORMAT,
    &cloudformation::FORMAT,
    &compose::FORMAT,
    &kubernetes::FORMAT,
    &ecs::FORMAT,
    &buildspec::FORMAT,
    &concourse::FORMAT,
    &ansible::FORMAT,
    &helm::FORMAT,
    &ci::BY_CONTENT,
    &github::BY_CONTENT,
    &gitlab::BY_CONTENT,
];

/// The table of formats for the documentation, as Markdown.
pub fn table() -> String {
    let rows = FORMATS.iter().filter(|format| !format.finds.is_empty());
    let rows: String = rows
        .map(|format| format!("| {} | {} | {} |\n", format.name, format.finds, format.known_by))
        .collect();
    format!("| Format | Places | Known by |\n|---|---|---|\n{rows}")
}

/// The order in which formats are asked, and why, for those who add one.
pub fn order() -> String {
    FORMATS.iter().map(|format| format!("1. {}: {}\n", format.name, format.order)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::FORMATS;
    use crate::detect::scan_file;
    use crate::nearby::Nearby;
    use crate::neighbours::NoNeighbours;

    /// The formats in which an image was found in the files of a folder.
    fn found_in(folder: &Path, formats: &mut BTreeSet<&'static str>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found_in(&path, formats);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let scan = scan_file(path.to_str().unwrap(), &text, &Nearby::of(&NoNeighbours));
                formats.extend(scan.format.filter(|_| !scan.findings.is_empty()));
            }
        }
    }

    #[test]
    fn the_corpus_has_a_file_of_every_format() {
        let mut found = BTreeSet::new();
        found_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"), &mut found);
        let missing: BTreeSet<_> =
            FORMATS.iter().map(|format| format.name).filter(|name| !found.contains(name)).collect();
        assert!(missing.is_empty(), "nothing in tests/corpus is found as: {missing:?}");
    }
}
