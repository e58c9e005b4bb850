//! Checks that the edited files pull the same images from the new registry, and that nothing else changes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use pullsafe_find::detect::scan_file;
use pullsafe_find::finding::{FileScan, Finding, NotPulled, PlaceKind};
use pullsafe_find::nearby::Nearby;
use pullsafe_find::neighbours::Neighbours;

use super::{FileEdit, MovedFinding, apply, edits};

/// How many bytes are scanned again to find out which images are at fault. After that, a file is left alone as a whole.
const AGAIN: usize = 16 << 20;

/// Why a file cannot be changed as planned.
pub(super) struct Failed {
    pub(super) why: String,
    /// The images that cannot move; empty where the file as a whole cannot.
    images: BTreeSet<Key>,
}

impl Failed {
    fn whole(why: impl Into<String>) -> Self {
        Self { why: why.into(), images: BTreeSet::new() }
    }

    /// Whether a move is one of those that fail.
    pub(super) fn names(&self, step: &MovedFinding<'_>) -> bool {
        self.images.is_empty() || self.images.contains(&key(step.finding))
    }
}

/// The files that would not pull what is planned after the edits, and why.
pub(super) fn failed(
    findings: &[Finding],
    elsewhere: &[NotPulled],
    moves: &[MovedFinding<'_>],
    files: &dyn Neighbours,
) -> BTreeMap<String, Failed> {
    let mut scanned: BTreeMap<&str, BTreeSet<Key>> = BTreeMap::new();
    for finding in findings.iter().chain(elsewhere.iter().map(|other| &other.finding)) {
        scanned.entry(&finding.file).or_default().insert(key(finding));
    }
    let mut of_file: BTreeMap<&str, Vec<&MovedFinding<'_>>> = BTreeMap::new();
    for step in moves {
        of_file.entry(&step.finding.file).or_default().push(step);
    }
    let all = edits(moves);
    let planned = Edited { files, edits: &all };
    let (now, then) = (Nearby::of(files), Nearby::of(&planned));
    let again = Cell::new(AGAIN);
    let mut failed = BTreeMap::new();
    // A file changes by its own edits, and by those of the files that it takes values from.
    for (file, own) in of_file {
        let fault = match (files.read(file), planned.read(file)) {
            (Some(text), Some(after)) => {
                let scan = scan_file(file, &text, &now);
                let known = scanned.get(file);
                let is_new = |finding: &Finding| {
                    finding.file == file && known.is_none_or(|known| !known.contains(&key(finding)))
                };
                if scan.findings.iter().any(is_new) {
                    Some(Failed::whole("the file has changed since it was scanned"))
                } else {
                    let before = Before {
                        file,
                        text,
                        found: &scan.findings,
                        problems: scan.problems.len(),
                    };
                    before.fault(moves, &planned, &after, &then).map(|why| before.blame(&own, why, files, &again))
                }
            }
            (_, _) => Some(Failed::whole("the file cannot be read any more")),
        };
        if let Some(fault) = fault {
            failed.insert(file.to_owned(), fault);
        }
    }
    failed
}

/// A file before the edits, and what a scan found in it.
struct Before<'b> {
    file: &'b str,
    text: String,
    found: &'b [Finding],
    problems: usize,
}

impl Before<'_> {
    /// Says why the file would not pull what is planned after the edits of these moves. `text` is the edited file.
    fn fault(
        &self,
        moves: &[MovedFinding<'_>],
        edited: &Edited<'_>,
        text: &str,
        nearby: &Nearby<'_>,
    ) -> Option<String> {
        let FileScan { findings: found, problems, .. } = scan_file(self.file, text, nearby);
        if problems.len() > self.problems {
            let why = problems.last().map(|problem| problem.message.clone());
            return Some(format!("would not be readable afterwards: {}", why.unwrap_or_default()));
        }
        let lines = inserted_lines(&self.text, edited.edits.get(self.file));
        let shifted = |line: usize| line + lines.iter().filter(|inserted| **inserted < line).count();
        let moved: BTreeMap<Key, &str> =
            moves.iter().map(|step| (key(step.finding), step.reference.as_str())).collect();
        let expected = |finding: &Finding| {
            let key = key(finding);
            let line = if key.0 == self.file { shifted(key.1) } else { key.1 };
            match moved.get(&key) {
                Some(reference) => (key.0, line, key.2, (*reference).to_owned()),
                None => (key.0, line, key.2, key.3),
            }
        };
        let wanted: BTreeSet<Key> = self.found.iter().map(expected).collect();
        let real: BTreeSet<Key> = found.iter().map(key).collect();
        (wanted != real).then(|| "would not name the same images afterwards".to_owned())
    }

    /// Which moves are at fault. Each is tried alone, together with the moves that change only the same bytes.
    fn blame(&self, own: &[&MovedFinding<'_>], why: String, files: &dyn Neighbours, again: &Cell<usize>) -> Failed {
        let mut images = BTreeSet::new();
        for step in own {
            let places: BTreeSet<_> = step.places().collect();
            let together: Vec<MovedFinding<'_>> = own
                .iter()
                .filter(|other| other.places().all(|place| places.contains(&place)))
                .map(|other| MovedFinding::clone(other))
                .collect();
            let edits = edits(&together);
            let edited = Edited { files, edits: &edits };
            let nearby = Nearby::of(&edited);
            let fault =
                edited.read(self.file).is_none_or(|text| self.fault(&together, &edited, &text, &nearby).is_some());
            if fault {
                images.insert(key(step.finding));
            }
            // The comparison of each move with every other one costs time, too.
            let Some(left) = again.get().checked_sub(self.text.len() + nearby.read() + 64 * own.len()) else {
                return Failed::whole(why);
            };
            again.set(left);
        }
        Failed { why, images }
    }
}

/// The lines after which edits insert a line; a line is listed once for each line inserted.
fn inserted_lines(text: &str, edits: Option<&Vec<FileEdit>>) -> Vec<usize> {
    let line_of = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    let inserting = edits.into_iter().flatten().filter(|edit| edit.text.contains('\n'));
    inserting
        .flat_map(|edit| std::iter::repeat_n(line_of(edit.start), edit.text.matches('\n').count()))
        .collect()
}

type Key = (String, usize, PlaceKind, String);

fn key(finding: &Finding) -> Key {
    (finding.file.clone(), finding.line, finding.place, finding.reference.clone())
}

/// Reads files as they would be after the edits.
struct Edited<'e> {
    files: &'e dyn Neighbours,
    edits: &'e BTreeMap<String, Vec<FileEdit>>,
}

impl Neighbours for Edited<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let text = self.files.read(path)?;
        match self.edits.get(path) {
            Some(edits) if edits.last().is_none_or(|last| last.end <= text.len()) => {
                String::from_utf8(apply(text.as_bytes(), edits)).ok()
            }
            Some(_) => None,
            None => Some(text),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.files.list(directory)
    }
}
