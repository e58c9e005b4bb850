//! The analysis of one file: the sources that it takes values from, and what was found so far.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::reference::{self, ResolvedReference, resolve, shown};
use pullsafe_syntax::traced::{ByteOrigin, Traced};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _, read};

use crate::finding::{
    Built, BuiltFor, ChangesToo, FileScan, Finding, Kustomization, Level, PlaceKind, Problem, RegistryPart, Selects,
};
use crate::nearby::{Block, Made, Nearby, SourceFile};
use crate::neighbours::parent;

/// What to do with a text that is not an image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// The format allows nothing else there: report it.
    Report,
    /// The place was found by its looks only, so it is something else.
    Ignore,
}

/// How many characters a message has at most: it may quote the file.
const MESSAGE: usize = 400;
/// How many bytes of neighbours are looked at for one file. The limit is for a hostile file that names neighbours
/// thousands of times.
const NEIGHBOURS: usize = 16 << 20;
/// How many embedded texts of one file are read.
const EMBEDDED: usize = 10_000;

/// The first byte of the scanned file.
const START: ByteOrigin = ByteOrigin { source: 0, offset: 0 };

/// The state of one file's analysis.
pub(crate) struct Analysis<'a> {
    nearby: &'a Nearby<'a>,
    own: SourceFile,
    /// The sources of its neighbours; each block is stored under the number of its first source.
    blocks: BTreeMap<usize, Arc<Block>>,
    findings: Vec<Finding>,
    problems: Vec<Problem>,
    built: Vec<Built>,
    kustomization: Option<Kustomization>,
    /// Embedded texts of this file that are still to be read.
    waiting: Vec<(Traced, Embedded)>,
    /// How many bytes of neighbours may still be looked at.
    left: usize,
    /// Whether what is found now is recognised by its looks, so that it is only likely an image, or only likely pulled.
    likely: bool,
    /// Whether an embedded text is being read.
    embedded: bool,
}

impl<'a> Analysis<'a> {
    /// Begins the analysis of the file at `path`, and returns it with the file's text.
    pub(crate) fn new(path: &str, text: &str, nearby: &'a Nearby<'a>) -> (Self, Traced) {
        let analysis = Self {
            nearby,
            own: SourceFile::of(path, text),
            blocks: BTreeMap::new(),
            findings: Vec::new(),
            problems: Vec::new(),
            built: Vec::new(),
            kustomization: None,
            waiting: Vec::new(),
            left: NEIGHBOURS,
            likely: false,
            embedded: false,
        };
        (analysis, Traced::written(text, START))
    }

    /// Path of the scanned file.
    pub(crate) fn path(&self) -> &str {
        &self.own.path
    }

    /// Returns what `make` makes of the sorted paths of a directory's files.
    pub(crate) fn made_of_list<T: Send + Sync + 'static>(
        &self,
        directory: &str,
        make: impl FnOnce(Vec<String>) -> T,
    ) -> Option<Arc<T>> {
        self.nearby.made_of_list(directory, make)
    }

    /// The documents of the file that `relative` names, seen from the scanned file's directory.
    pub(crate) fn neighbour_tree(&mut self, relative: &str) -> Option<Arc<Made<TracedTree>>> {
        let path = beside(self.path(), relative)?;
        self.made_of(&path, |text| read(text).0)
    }

    /// Returns what `make` makes of another file's text. It is made once for all files that ask for it.
    pub(crate) fn made_of<T: Send + Sync + 'static>(
        &mut self,
        path: &str,
        make: impl FnOnce(Traced) -> T,
    ) -> Option<Arc<Made<T>>> {
        let made = self.nearby.made_of(path, make)?;
        (!self.attach(&made.block) || self.spend(made.bytes)).then_some(made)
    }

    /// Returns what `make` makes of the `wanted` files of the scanned file's directory, at most `most` bytes of them.
    /// It is made once for all files there.
    pub(crate) fn made_of_directory<T: Send + Sync + 'static>(
        &mut self,
        most: usize,
        wanted: impl FnOnce(Vec<String>) -> Vec<String>,
        make: impl FnOnce(Vec<(String, Traced)>) -> T,
    ) -> Option<Arc<Made<T>>> {
        let made = self.nearby.made_of_directory(parent(&self.own.path), most, wanted, make)?;
        self.attach(&made.block);
        Some(made)
    }

    /// Adds sources; returns whether they are new to this analysis.
    fn attach(&mut self, block: &Arc<Block>) -> bool {
        self.blocks.insert(block.first, Arc::clone(block)).is_none()
    }

    fn source(&self, number: usize) -> &SourceFile {
        let block = self.blocks.range(..=number).next_back();
        block.and_then(|(first, block)| block.sources.get(number - first)).unwrap_or(&self.own)
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
                    self.problem_at(
                        START,
                        "its neighbours are too large or too many: not all of them were looked at".to_owned(),
                    );
                }
                false
            }
        }
    }

    /// Runs `action`; all that it finds is only likely.
    pub(crate) fn likely<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.likely, true);
        let result = action(self);
        self.likely = before;
        result
    }

    /// Runs `action` on an embedded text: a script, or another format's document.
    pub(crate) fn embedded<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.embedded, true);
        let result = self.likely(action);
        self.embedded = before;
        result
    }

    /// Records what this file deploys, and whose images it replaces.
    pub(crate) fn kustomizes(&mut self, resources: &[&str], names: Vec<String>) {
        let path = self.path().to_owned();
        let resources = resources
            .iter()
            .filter(|path| !path.contains("://"))
            .filter_map(|resource| beside(&path, resource))
            .collect();
        self.kustomization = Some(Kustomization { path, resources, names });
    }

    /// Keeps an embedded text, to be read as its own format when this one is done.
    pub(crate) fn embed(&mut self, text: Traced, kind: Embedded) {
        if self.waiting.len() < EMBEDDED {
            self.waiting.push((text, kind));
        }
    }

    /// Takes the embedded texts that were kept so far.
    pub(crate) fn take_embedded(&mut self) -> Vec<(Traced, Embedded)> {
        std::mem::take(&mut self.waiting)
    }

    /// Records the name of an image that this file builds.
    pub(crate) fn built(&mut self, name: &Traced, kept: BuiltFor) {
        if name.unknowns().next().is_none() && !name.as_str().trim().is_empty() {
            self.built.push(Built { name: shown(name).trim().to_owned(), kept });
        }
    }

    /// Records a reference: as it is written, and with its variables' values.
    pub(crate) fn found(
        &mut self,
        place: PlaceKind,
        written: &Traced,
        value: &Traced,
        otherwise: Otherwise,
    ) -> Option<&mut Finding> {
        let value = value.trimmed();
        let origin = written.origin(0).or_else(|| value.origin(0)).unwrap_or(START);
        let resolved = match resolve(&value) {
            Ok(resolved) => resolved,
            Err(message) => {
                if otherwise == Otherwise::Report && !self.likely {
                    // A value from another file is repeated only if it is an image: it may be a secret.
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
            place: if self.embedded { PlaceKind::Embedded } else { place },
            written: as_written(written),
            reference: resolved.reference,
            registry: resolved.registry,
            official: resolved.official,
            pinned: resolved.pinned,
            certain: resolved.certain && !self.likely,
            variables: resolved.variables,
            services: Vec::new(),
            head,
            along: ChangesToo::Nothing,
            selects: None,
            parsed: resolved.parsed,
        });
        self.findings.last_mut()
    }

    /// Records a reference, unless the text is something else. The pull is only likely where `likely`, else certain.
    pub(crate) fn found_where(&mut self, likely: bool, place: PlaceKind, written: &Traced, value: &Traced) {
        if likely {
            self.likely(|analysis| analysis.found(place, written, value, Otherwise::Ignore).is_some());
        } else {
            self.found(place, written, value, Otherwise::Ignore);
        }
    }

    /// Where the registry's part of a Docker Hub reference is written.
    fn head(&self, value: &Traced, resolved: &ResolvedReference) -> Option<RegistryPart> {
        let reference::RegistrySpan { host, repository, bare } = resolved.head.clone()?;
        let place = |range| value.written_at(range).map(|(source, range)| (self.source(source).path.clone(), range));
        let before = || place(repository..repository).map(|(file, range)| (file, range.start));
        let head = if host.is_empty() {
            RegistryPart { host: None, repository: Some(before()?), bare }
        } else {
            RegistryPart {
                host: Some(place(host)?),
                repository: if bare { Some(before()?) } else { None },
                bare,
            }
        };
        Some(head)
    }

    /// The name by which a kustomization's entry selects its image in the manifests.
    pub(crate) fn selects(&self, name: &Traced, replaced: bool) -> Option<Selects> {
        let head = resolve(name).ok().and_then(|resolved| self.head(name, &resolved))?;
        Some(Selects { name: name.as_str().to_owned(), head, replaced })
    }

    /// The file and the byte offset of an origin.
    pub(crate) fn place_of(&self, origin: ByteOrigin) -> (String, usize) {
        (self.source(origin.source).path.clone(), origin.offset)
    }

    /// Records what keeps the file from being read in full.
    pub(crate) fn problem(&mut self, text: &Traced, offset: usize, message: impl Into<String>) {
        let origin = text.origin(offset).unwrap_or(START);
        self.problem_at(origin, message.into());
    }

    /// Records what is wrong with a node.
    pub(crate) fn problem_at_node(&mut self, node: TracedNode<'_>, message: String) {
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

    fn problem_at(&mut self, origin: ByteOrigin, message: String) {
        let (file, line, _) = self.position(origin);
        self.problems.push(Problem {
            file,
            line,
            message: shortened(message),
            level: Level::Warning,
        });
    }

    /// Ends the analysis and returns everything found, in the order of the file, each place once.
    pub(crate) fn finish(mut self) -> FileScan {
        self.findings.sort_by(|a, b| {
            (&a.file, a.line, a.column, &a.reference, a.place).cmp(&(&b.file, b.line, b.column, &b.reference, b.place))
        });
        self.findings.dedup_by(|later, first| {
            let same = (&later.file, later.line, later.column, &later.reference)
                == (&first.file, first.line, first.column, &first.reference);
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
    fn position(&self, origin: ByteOrigin) -> (String, usize, usize) {
        let source = self.source(origin.source);
        let (line, column) = source.lines.position(origin.offset);
        (source.path.clone(), line, column)
    }
}

/// A message; where it is too long, without its middle.
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
    text.filled(|unknown| {
        unknown
            .written
            .as_deref()
            .map_or_else(|| Cow::Owned(format!("${{{}}}", unknown.name)), Cow::Borrowed)
    })
    .trim()
    .to_owned()
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
