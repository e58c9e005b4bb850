//! Whether files pull the same images from the new registry after their edits, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edit, Move, apply, edits};
use crate::analysis::Neighbours;
use crate::detect::scan_text;
use crate::finding::{Elsewhere, Finding, Place};

/// Where more text than this would have to be scanned to tell the images of a file apart, it is left alone as a whole.
const ALONE: usize = 1 << 20;

/// Why a file cannot be changed as planned.
pub(super) struct Failed {
    pub(super) why: String,
    /// The images that cannot move; empty where it is the file as a whole.
    images: BTreeSet<Key>,
}

impl Failed {
    fn whole(why: impl Into<String>) -> Self {
        Self { why: why.into(), images: BTreeSet::new() }
    }

    /// Whether a move is one of those that cannot be.
    pub(super) fn names(&self, step: &Move<'_>) -> bool {
        self.images.is_empty() || self.images.contains(&key(step.finding))
    }
}

/// The files that would not be as planned, and why.
pub(super) fn failed(
    findings: &[Finding],
    elsewhere: &[Elsewhere],
    moves: &[Move<'_>],
    files: &dyn Neighbours,
) -> BTreeMap<String, Failed> {
    let mut scanned: BTreeMap<&str, BTreeSet<Key>> = BTreeMap::new();
    for finding in findings.iter().chain(elsewhere.iter().map(|other| &other.finding)) {
        scanned.entry(&finding.file).or_default().insert(key(finding));
    }
    let mut of_file: BTreeMap<&str, Vec<&Move<'_>>> = BTreeMap::new();
    for step in moves {
        of_file.entry(&step.finding.file).or_default().push(step);
    }
    let all = edits(moves);
    let mut failed = BTreeMap::new();
    // A file is touched by its own edits, and by those of files that it draws values from.
    for (file, own) in of_file {
        let before = files.read(file).map(|text| scan_text(file, &text, files));
        let fault = match &before {
            None => Some(Failed::whole("the file cannot be read any more")),
            Some((found, _)) => {
                let known = scanned.get(file);
                let is_new = |finding: &Finding| finding.file == file && known.is_none_or(|known| !known.contains(&key(finding)));
                if found.iter().any(is_new) {
                    Some(Failed::whole("the file has changed since it was scanned"))
                } else {
                    let before = Before { file, found, problems: before.as_ref().map_or(0, |(_, problems)| problems.len()), files };
                    before.fault(moves, &all).map(|why| before.blame(&own, why))
                }
            }
        };
        if let Some(fault) = fault {
            failed.insert(file.to_owned(), fault);
        }
    }
    failed
}

/// A file as it is.
struct Before<'b> {
    file: &'b str,
    found: &'b [Finding],
    problems: usize,
    files: &'b dyn Neighbours,
}

impl Before<'_> {
    /// Why the file is not as planned after the edits of these moves.
    fn fault(&self, moves: &[Move<'_>], edits: &BTreeMap<String, Vec<Edit>>) -> Option<String> {
        let after = Edited { files: self.files, edits };
        let Some(text) = after.read(self.file) else { return Some("the file cannot be read any more".to_owned()) };
        let (found, problems) = scan_text(self.file, &text, &after);
        if problems.len() > self.problems {
            let why = problems.last().map(|problem| problem.message.clone());
            return Some(format!("would not be readable afterwards: {}", why.unwrap_or_default()));
        }
        let lines = inserted_lines(self.files.read(self.file).unwrap_or_default().as_str(), edits.get(self.file));
        let shifted = |line: usize| line + lines.iter().filter(|inserted| **inserted < line).count();
        let moved: BTreeMap<Key, &str> = moves.iter().map(|step| (key(step.finding), step.reference.as_str())).collect();
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

    /// Which moves are at fault: those that do not work alone, with the others that need the same bytes changed.
    fn blame(&self, own: &[&Move<'_>], why: String) -> Failed {
        let length = self.files.read(self.file).map_or(0, |text| text.len());
        if own.len().saturating_mul(length) > ALONE {
            return Failed::whole(why);
        }
        let mut images = BTreeSet::new();
        for step in own {
            let places: BTreeSet<_> = step.places().collect();
            let together: Vec<Move<'_>> =
                own.iter().filter(|other| other.places().all(|place| places.contains(&place))).map(|other| Move::clone(other)).collect();
            if self.fault(&together, &edits(&together)).is_some() {
                images.insert(key(step.finding));
            }
        }
        Failed { why, images }
    }
}

/// The lines behind which edits insert one.
fn inserted_lines(text: &str, edits: Option<&Vec<Edit>>) -> Vec<usize> {
    let line_of = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    let inserting = edits.into_iter().flatten().filter(|edit| edit.text.contains('\n'));
    inserting.flat_map(|edit| std::iter::repeat_n(line_of(edit.start), edit.text.matches('\n').count())).collect()
}

type Key = (String, usize, Place, String);

fn key(finding: &Finding) -> Key {
    (finding.file.clone(), finding.line, finding.place, finding.reference.clone())
}

/// Files as they are after the edits.
struct Edited<'e> {
    files: &'e dyn Neighbours,
    edits: &'e BTreeMap<String, Vec<Edit>>,
}

impl Neighbours for Edited<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let text = self.files.read(path)?;
        match self.edits.get(path) {
            Some(edits) if edits.last().is_none_or(|last| last.end <= text.len()) => String::from_utf8(apply(text.as_bytes(), edits)).ok(),
            Some(_) => None,
            None => Some(text),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.files.list(directory)
    }
}
