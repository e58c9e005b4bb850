//! One file's analysis: the sources it draws on, and what was found so far.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::finding::{Along, Built, FileScan, Finding, Head, Kept, Kustomization, Level, Place, Problem, Selects};
use crate::resolve::{Resolved, resolve, shown};
use crate::traced::{Origin, Traced};
use crate::yaml::{Node, Tree, Written as _, read};

/// Other files that belong to a scanned one: a compose file's `.env`, a Terraform module's `variables.tf`.
///
/// Paths are relative to the scan's working directory, with `/`. A missing or unreadable file is `None`.
pub trait Neighbours {
    /// The text of a file.
    fn read(&self, path: &str) -> Option<String>;
    /// The paths of the files of a directory.
    fn list(&self, directory: &str) -> Vec<String>;
}

/// No other files: each text stands alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNeighbours;

impl Neighbours for NoNeighbours {
    fn read(&self, _: &str) -> Option<String> {
        None
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Files held in memory, by path.
impl Neighbours for BTreeMap<String, String> {
    fn read(&self, path: &str) -> Option<String> {
        self.get(path).cloned()
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.keys().filter(|path| parent(path) == directory).cloned().collect()
    }
}

/// What a text in another file's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Embedded {
    /// YAML or JSON.
    Document,
    /// A shell script, or a unit of systemd.
    Script,
    /// A Dockerfile.
    Dockerfile,
}

impl Embedded {
    /// A name that a file of it would have.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Document => "embedded.yaml",
            Self::Script => "embedded.sh",
            Self::Dockerfile => "Dockerfile",
        }
    }
}

/// What to do with a text that is no image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// The format allows nothing else there: report it.
    Report,
    /// The place was found by its looks only: it is something else.
    Ignore,
}

/// How many characters a message has at most: it may quote what the file says.
const MESSAGE: usize = 400;
/// How many bytes of neighbours are looked at for one file: one that names the same neighbour thousands of times is no work
/// of a person.
const NEIGHBOURS: usize = 16 << 20;
/// How many texts in one file's text are read.
const EMBEDDED: usize = 10_000;

/// Where a file begins.
const START: Origin = Origin { source: 0, offset: 0 };

/// What one file's analysis has and gives.
pub(crate) struct Analysis<'a> {
    pub(crate) neighbours: &'a dyn Neighbours,
    sources: Vec<Source>,
    findings: Vec<Finding>,
    problems: Vec<Problem>,
    built: Vec<Built>,
    kustomization: Option<Kustomization>,
    /// Texts in this file's text that are still to be read.
    waiting: Vec<(Traced, Embedded)>,
    /// Neighbours that were read, each once.
    texts: HashMap<String, Option<Traced>>,
    trees: HashMap<String, Option<Rc<Tree>>>,
    /// How many bytes of neighbours may still be looked at.
    left: usize,
    /// What is found is only likely to be an image, or to be pulled: it is found by its looks.
    likely: bool,
    /// What is found is text in another file's text.
    embedded: bool,
}

struct Source {
    path: String,
    lines: Lines,
}

impl<'a> Analysis<'a> {
    /// An analysis of the file at `path`, and its text.
    pub(crate) fn new(path: &str, text: &str, neighbours: &'a dyn Neighbours) -> (Self, Traced) {
        let mut analysis = Self {
            neighbours,
            sources: Vec::new(),
            findings: Vec::new(),
            problems: Vec::new(),
            built: Vec::new(),
            kustomization: None,
            waiting: Vec::new(),
            texts: HashMap::new(),
            trees: HashMap::new(),
            left: NEIGHBOURS,
            likely: false,
            embedded: false,
        };
        let text = analysis.add_source(path, text);
        (analysis, text)
    }

    /// Path of the scanned file.
    pub(crate) fn path(&self) -> &str {
        &self.sources[0].path
    }

    /// Adds a source that findings may come from.
    pub(crate) fn add_source(&mut self, path: &str, text: &str) -> Traced {
        let source = self.sources.len();
        self.sources.push(Source { path: path.to_owned(), lines: Lines::of(text) });
        Traced::written(text, Origin { source, offset: 0 })
    }

    /// The text of the file that `relative` names, seen from the scanned file's directory, as a further source.
    pub(crate) fn neighbour(&mut self, relative: &str) -> Option<Traced> {
        let path = beside(self.path(), relative)?;
        self.neighbour_at(&path)
    }

    /// The text of another file, by its path.
    pub(crate) fn neighbour_at(&mut self, path: &str) -> Option<Traced> {
        if !self.texts.contains_key(path) {
            let text = self.neighbours.read(path).map(|text| self.add_source(path, &text));
            self.texts.insert(path.to_owned(), text);
        }
        let text = self.texts.get(path).cloned().flatten()?;
        // Whoever asks looks at all of it.
        self.spend(text.as_str().len()).then_some(text)
    }

    /// The documents of the file that `relative` names, seen from the scanned file's directory.
    pub(crate) fn neighbour_tree(&mut self, relative: &str) -> Option<Rc<Tree>> {
        let path = beside(self.path(), relative)?;
        self.tree_at(&path)
    }

    /// The documents of another file, by its path.
    pub(crate) fn tree_at(&mut self, path: &str) -> Option<Rc<Tree>> {
        if !self.trees.contains_key(path) {
            let tree = self.neighbour_at(path).map(|text| Rc::new(read(text).0));
            self.trees.insert(path.to_owned(), tree);
        }
        self.trees.get(path).cloned().flatten()
    }

    fn spend(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                if self.left > 0 {
                    self.left = 0;
                    self.problem_at(START, "its neighbours are too large or too many: not all of them were looked at".to_owned());
                }
                false
            }
        }
    }

    /// Does something of which all that is found is only likely: it is found by its looks.
    pub(crate) fn likely<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.likely, true);
        let result = action(self);
        self.likely = before;
        result
    }

    /// Does something with a text in this file's text: a script, or another format's document.
    pub(crate) fn embedded<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.embedded, true);
        let result = self.likely(action);
        self.embedded = before;
        result
    }

    /// Records what this file deploys, and whose images it replaces.
    pub(crate) fn kustomizes(&mut self, resources: &[&str], names: Vec<String>) {
        let path = self.path().to_owned();
        let resources = resources.iter().filter(|path| !path.contains("://")).filter_map(|resource| beside(&path, resource)).collect();
        self.kustomization = Some(Kustomization { path, resources, names });
    }

    /// Keeps a text in this file's text for its own format, when this one is done.
    pub(crate) fn embed(&mut self, text: Traced, kind: Embedded) {
        if self.waiting.len() < EMBEDDED {
            self.waiting.push((text, kind));
        }
    }

    /// The texts that were kept so far.
    pub(crate) fn take_embedded(&mut self) -> Vec<(Traced, Embedded)> {
        std::mem::take(&mut self.waiting)
    }

    /// Records the name of an image that this file builds.
    pub(crate) fn built(&mut self, name: &Traced, kept: Kept) {
        if name.unknowns().next().is_none() && !name.as_str().trim().is_empty() {
            self.built.push(Built { name: shown(name).trim().to_owned(), kept });
        }
    }

    /// Records a reference: as written, and with its variables' values in.
    pub(crate) fn found(&mut self, place: Place, written: &Traced, value: &Traced, otherwise: Otherwise) -> Option<&mut Finding> {
        let value = value.trimmed();
        let origin = written.origin(0).or_else(|| value.origin(0)).unwrap_or(START);
        let resolved = match resolve(&value) {
            Ok(resolved) => resolved,
            Err(message) => {
                if otherwise == Otherwise::Report && !self.likely {
                    // What another file gives a variable is not repeated unless it is an image: it may be a secret.
                    let message = if value.sources().any(|source| source != origin.source) {
                        format!("`{}` is no image reference with the values that other files give", as_written(written))
                    } else {
                        message
                    };
                    self.problem_at(origin, message);
                }
                return None;
            }
        };
        let (file, line, column) = self.position(origin);
        let head = self.head(&value, &resolved);
        self.findings.push(Finding {
            file,
            line,
            column,
            place: if self.embedded { Place::Embedded } else { place },
            written: as_written(written),
            reference: resolved.reference,
            registry: resolved.registry,
            official: resolved.official,
            pinned: resolved.pinned,
            certain: resolved.certain && !self.likely,
            variables: resolved.variables,
            services: Vec::new(),
            head,
            along: Along::Nothing,
            selects: None,
            parsed: resolved.parsed,
        });
        self.findings.last_mut()
    }

    /// Where the registry's part of a Docker Hub reference is written.
    fn head(&self, value: &Traced, resolved: &Resolved) -> Option<Head> {
        let (host, repository, bare) = resolved.head.clone()?;
        let place = |range| value.written_at(range).map(|(source, range)| (self.sources[source].path.clone(), range));
        let before = || place(repository..repository).map(|(file, range)| (file, range.start));
        let head = if host.is_empty() {
            Head { host: None, repository: Some(before()?), bare }
        } else {
            Head { host: Some(place(host)?), repository: if bare { Some(before()?) } else { None }, bare }
        };
        Some(head)
    }

    /// The name by which an entry of a kustomization finds its image in the manifests.
    pub(crate) fn selects(&self, name: &Traced, replaced: bool) -> Option<Selects> {
        let head = resolve(name).ok().and_then(|resolved| self.head(name, &resolved))?;
        Some(Selects { name: name.as_str().to_owned(), head, replaced })
    }

    /// The file and the byte of a place.
    pub(crate) fn place_of(&self, origin: Origin) -> (String, usize) {
        (self.sources[origin.source].path.clone(), origin.offset)
    }

    /// Records what keeps the file from being read in full.
    pub(crate) fn problem(&mut self, text: &Traced, offset: usize, message: impl Into<String>) {
        let origin = text.origin(offset).unwrap_or(START);
        self.problem_at(origin, message.into());
    }

    /// Records what is wrong with a node.
    pub(crate) fn problem_at_node(&mut self, node: Node<'_>, message: String) {
        let origin = node.origin();
        self.problem_at(origin.unwrap_or(START), message);
    }

    /// Records that the file cannot be read, so that images in it may be missed.
    pub(crate) fn unreadable(&mut self, text: &Traced, offset: usize, message: String) {
        self.problem(text, offset, message);
        if let Some(problem) = self.problems.last_mut() {
            problem.level = Level::Unreadable;
        }
    }

    fn problem_at(&mut self, origin: Origin, message: String) {
        let (file, line, _) = self.position(origin);
        self.problems.push(Problem { file, line, message: shortened(message), level: Level::Warning });
    }

    /// Everything found, in the order of the file, each place once.
    pub(crate) fn finish(mut self) -> FileScan {
        self.findings
            .sort_by(|a, b| (&a.file, a.line, a.column, &a.reference, a.place).cmp(&(&b.file, b.line, b.column, &b.reference, b.place)));
        self.findings.dedup_by(|later, first| {
            let same =
                (&later.file, later.line, later.column, &later.reference) == (&first.file, first.line, first.column, &first.reference);
            if same {
                first.services.append(&mut later.services);
            }
            same
        });
        FileScan {
            findings: self.findings,
            problems: self.problems,
            built: self.built,
            kustomization: self.kustomization,
            ..FileScan::default()
        }
    }

    /// File, line and column, the latter two from 1.
    fn position(&self, origin: Origin) -> (String, usize, usize) {
        let source = &self.sources[origin.source];
        let (line, column) = source.lines.position(origin.offset);
        (source.path.clone(), line, column)
    }
}

/// A message without the middle of what it quotes, where that is long.
fn shortened(message: String) -> String {
    let count = message.chars().count();
    if count <= MESSAGE {
        return message;
    }
    let part = |skipped: usize| message.chars().skip(skipped).take(MESSAGE / 2).collect::<String>();
    format!("{} ... {}", part(0), part(count - MESSAGE / 2))
}

/// The reference as its author wrote it.
fn as_written(text: &Traced) -> String {
    text.filled(|unknown| unknown.written.as_deref().map_or_else(|| Cow::Owned(format!("${{{}}}", unknown.name)), Cow::Borrowed))
        .trim()
        .to_owned()
}

/// Where the lines of a text begin, and the characters that take more than one byte.
struct Lines {
    starts: Vec<usize>,
    /// Offsets of continuation bytes of UTF-8: subtracted from byte columns to get characters.
    continuations: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut starts = vec![0];
        let mut continuations = Vec::new();
        for (offset, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                starts.push(offset + 1);
            } else if byte & 0xC0 == 0x80 {
                continuations.push(offset);
            }
        }
        Self { starts, continuations }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = |end: usize| self.continuations.partition_point(|&at| at < end);
        (line, offset - start - (before(offset) - before(start)) + 1)
    }
}

/// The directory part of a path.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// A path relative to another file's directory, without `.` and `..` where they can be resolved.
pub(crate) fn beside(file: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return Some(relative.to_owned());
    }
    let absolute = file.starts_with('/');
    let mut parts: Vec<&str> = parent(file).split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." && last != "." => {
                    parts.pop();
                }
                _ if absolute => return None,
                _ => parts.push(".."),
            },
            other => parts.push(other),
        }
    }
    Some(format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::of("é: x\r\nb: é y\n");
        assert_eq!(lines.position(4), (1, 4));
        assert_eq!(lines.position(7), (2, 1));
        assert_eq!(lines.position(13), (2, 6));
        assert_eq!(lines.position(15), (3, 1));
    }

    #[test]
    fn relative_paths_are_resolved() {
        for (file, relative, path) in [
            ("infra/docker-compose.yml", ".env", "infra/.env"),
            ("infra/docker-compose.yml", "../Dockerfile", "Dockerfile"),
            ("docker-compose.yml", "./a/../b", "b"),
            ("docker-compose.yml", "../b", "../b"),
            ("/abs/x/y.yml", "../z", "/abs/z"),
        ] {
            assert_eq!(beside(file, relative).as_deref(), Some(path), "{file} {relative}");
        }
    }
}
