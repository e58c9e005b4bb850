//! Recognises a file's format, by its name and by its content.

use pullsafe_syntax::template;
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{self, TracedTree};

use crate::analysis::Analysis;
use crate::finding::{FileScan, Finding, Problem};
use crate::format::{FORMATS, Format, ReadAs, is_unread, unread};
pub use crate::format::{order as formats_order, table as formats_table};
use crate::name::Name;
use crate::nearby::Nearby;
use crate::neighbours::Neighbours;

/// How much of a file to read, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAmount {
    /// All of it: its name is one that a format uses.
    Whole,
    /// Its first bytes: the name does not tell, so the content decides whether more is read.
    Begin,
    /// Nothing: the name says that it is of no format.
    No,
}

/// How much of the file at this path to read.
pub fn candidate(path: &str) -> ReadAmount {
    let name = Name::of(path);
    if name.is_document() || FORMATS.iter().any(|format| (format.named)(&name)) || is_unread(&name) {
        ReadAmount::Whole
    } else if name.is_other() {
        ReadAmount::No
    } else {
        ReadAmount::Begin
    }
}

/// Whether the beginning of a file without a known name is that of a format.
pub fn sniff(begin: &str) -> bool {
    FORMATS.iter().any(|format| matches!(format.read, ReadAs::Text { begins, .. } if begins(begin)))
        || is_document(begin)
}

/// Finds what one file pulls. Only the file's name, its content and its neighbours decide.
pub fn scan_text(path: &str, text: &str, neighbours: &dyn Neighbours) -> (Vec<Finding>, Vec<Problem>) {
    let scan = scan_file(path, text, &Nearby::of(neighbours));
    (scan.findings, scan.problems)
}

/// Like [`scan_text`], with everything that the file tells: also what it builds and deploys.
pub fn scan_file(path: &str, text: &str, nearby: &Nearby<'_>) -> FileScan {
    let name = Name::of(path);
    let has_marks = |format: &Format| format.marks.is_empty() || format.marks.iter().any(|mark| text.contains(mark));
    let mut named = FORMATS
        .iter()
        .filter(|format| matches!(format.read, ReadAs::Text { .. }) && (format.named)(&name))
        .peekable();
    let says_nothing = named.peek().is_none() && !name.is_document();
    let begins = |format: &&&Format| says_nothing && matches!(format.read, ReadAs::Text { begins, .. } if begins(text));
    let format = named.find(|format| has_marks(format)).or_else(|| FORMATS.iter().find(begins));
    let mut scan = FileScan::default();
    if let Some(Format { name: format, read: ReadAs::Text { scan: read, .. }, .. }) = format {
        let (mut analysis, traced) = Analysis::new(path, text, nearby);
        read(&traced, &mut analysis);
        embedded(&mut analysis);
        scan = analysis.finish();
        scan.format = Some(format);
    } else if (name.is_document() || says_nothing && is_document(text))
        && (may_name_images(text) || name.file.starts_with("kustomization."))
    {
        let (mut analysis, traced) = Analysis::new(path, text, nearby);
        let format = document(&name, &traced, &mut analysis);
        embedded(&mut analysis);
        scan = analysis.finish();
        scan.format = format;
    }
    if scan.format.is_none() {
        scan.unread = unread(&name, text);
    }
    scan
}

fn is_document(begin: &str) -> bool {
    let mark = |word: &str| begin.starts_with(word) || begin.contains(&format!("\n{word}"));
    ["services:", "apiVersion:", "AWSTemplateFormatVersion:", "Resources:"]
        .iter()
        .any(|word| mark(word))
        || begin.trim_start().starts_with(['{', '['])
            && ["ontainerDefinitions", "AWSTemplateFormatVersion"].iter().any(|word| begin.contains(word))
}

/// Whether a document has one of the words that every document with an image has.
fn may_name_images(text: &str) -> bool {
    [
        "image",
        "Image",
        "docker",
        "build",
        "repository",
        "FROM",
        "container",
        "crane",
        "skopeo",
        "steps",
        "services",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Reads YAML or JSON, and returns the name of the format that it was.
fn document(name: &Name<'_>, text: &Traced, analysis: &mut Analysis<'_>) -> Option<&'static str> {
    let json = name.has_extension(&["jsonc"]) || name.file.contains("devcontainer");
    let plain = match text.origin(0).filter(|_| json) {
        Some(origin) => Traced::written(&template::without_comments(text.as_str()), origin),
        None => text.clone(),
    };
    let (tree, broken) = yaml::read(plain);
    let Some(broken) = broken else {
        return documents(name, &tree, analysis);
    };
    // A chart's template is YAML only once it is rendered. The same is true of a task definition with `${cpu}` in it.
    let mut format = None;
    let is_template = ["{{", "{%", "${", "%{", "[["].iter().any(|mark| text.as_str().contains(mark));
    if is_template {
        let (tree, still_broken) = yaml::read(template::without_control(text));
        format = documents(name, &tree, analysis);
        if still_broken.is_none() || name.is_below("templates") {
            return format;
        }
    } else {
        format = format.or(documents(name, &tree, analysis));
    }
    if format.is_some() || is_ours(name, text.as_str()) {
        analysis.unreadable(text, broken.offset, format!("not readable as YAML or JSON: {}", broken.message));
    }
    format
}

/// How many levels of embedded texts are read.
const DEPTH: usize = 3;

/// Reads the file's embedded texts: manifests in a ConfigMap, scripts in user data.
fn embedded(analysis: &mut Analysis<'_>) {
    for _ in 0..DEPTH {
        for (text, kind) in analysis.take_embedded() {
            let name = Name::of(kind.file_name());
            analysis.embedded(|analysis| {
                match FORMATS.iter().find(|format| matches!(format.read, ReadAs::Text { .. }) && (format.named)(&name))
                {
                    Some(Format { read: ReadAs::Text { scan, .. }, .. }) => scan(&text, analysis),
                    Some(_) | None => {
                        let (tree, _) = yaml::read(text);
                        documents(&name, &tree, analysis);
                    }
                }
            });
        }
    }
}

/// Whether a file that cannot be read probably has one of the formats here: only then is it reported.
fn is_ours(name: &Name<'_>, text: &str) -> bool {
    ["compose", "buildspec", "task", "template", "deployment", "devcontainer"]
        .iter()
        .any(|word| name.file.contains(word))
        || FORMATS
            .iter()
            .any(|format| matches!(format.read, ReadAs::Document { .. }) && !name.is_document() && (format.named)(name))
        || [".github/workflows", ".buildkite", ".circleci", ".gitlab"]
            .iter()
            .any(|directory| name.is_below(directory))
        || name.file.contains("gitlab-ci")
        || [
            "containerDefinitions",
            "ContainerDefinitions",
            "AWSTemplateFormatVersion",
            "apiVersion:",
            "services:",
        ]
        .iter()
        .any(|word| text.contains(word))
}

fn documents(name: &Name<'_>, tree: &TracedTree, analysis: &mut Analysis<'_>) -> Option<&'static str> {
    FORMATS.iter().find_map(|format| match format.read {
        ReadAs::Document { is, scan } if is(name, tree) => {
            scan(tree, analysis);
            Some(format.name)
        }
        ReadAs::Document { .. } | ReadAs::Text { .. } => None,
    })
}
