//! Moving a repository's images to another registry, by edits of single bytes.
//!
//! An edit replaces the registry's part of a reference, or puts one before it: tags, digests, comments, line endings and
//! everything else stay byte for byte. The edits are checked before anything is written: each file is scanned as it
//! would be afterwards, and has to pull the same images from the new registry and nothing else. A file that does not is
//! left alone and reported.

mod compose_override;
mod diff;
mod target;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use compose_override::{Override, compose_override};
pub use diff::unified;
pub use target::{DEFAULT_PREFIX, InvalidTarget, Target};
pub use write::replace;

use crate::analysis::Neighbours;
use crate::detect::scan_text;
use crate::finding::{Finding, Place};

/// Bytes of a file and what takes their place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What takes their place.
    pub text: String,
}

/// A Docker Hub image that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Path of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The reference.
    pub reference: String,
    /// Why.
    pub why: String,
}

/// What to write, and what is left.
#[derive(Debug, Default)]
pub struct Plan {
    /// Edits by file, in order and without overlaps.
    pub edits: BTreeMap<String, Vec<Edit>>,
    /// Docker Hub images that stay where they are.
    pub left: Vec<Left>,
    /// How many findings move.
    pub moved: usize,
}

/// Plans the move of every Docker Hub image among the findings. `files` gives the scanned files and their neighbours.
pub fn plan(findings: &[Finding], target: &Target, files: &dyn Neighbours) -> Plan {
    let mut moves: Vec<Move<'_>> = Vec::new();
    let mut plan = Plan::default();
    for finding in findings.iter().filter(|finding| finding.is_docker_hub()) {
        match target.edits(finding) {
            Ok((edits, reference)) => moves.push(Move { finding, edits, reference }),
            Err(why) => plan.leave(finding, why),
        }
    }
    loop {
        let contested = contested(&moves);
        let (bad, good): (Vec<_>, Vec<_>) = moves.into_iter().partition(|step| step.places().any(|place| contested.contains(&place)));
        for step in bad {
            plan.leave(step.finding, "another image needs the same bytes to be something else".to_owned());
        }
        let edits = edits(&good);
        let failed = failed(findings, &good, &edits, files);
        if failed.is_empty() {
            plan.moved = good.len();
            plan.edits = edits;
            break;
        }
        // Without the edits of a failed file nothing that shares them may stay either.
        let tainted: BTreeSet<_> = good.iter().filter(|step| failed.contains_key(&step.finding.file)).flat_map(Move::places).collect();
        let (bad, rest): (Vec<_>, Vec<_>) = good.into_iter().partition(|step| step.places().any(|place| tainted.contains(&place)));
        for step in bad {
            let why =
                failed.get(&step.finding.file).cloned().unwrap_or_else(|| "shares its text with a file that is left alone".to_owned());
            plan.leave(step.finding, why);
        }
        moves = rest;
    }
    plan.left.sort_by(|a, b| (&a.file, a.line, &a.reference).cmp(&(&b.file, b.line, &b.reference)));
    plan
}

/// A file's bytes after its edits.
pub fn apply(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for edit in edits {
        result.extend_from_slice(&bytes[copied..edit.start]);
        result.extend_from_slice(edit.text.as_bytes());
        copied = edit.end;
    }
    result.extend_from_slice(&bytes[copied..]);
    result
}

struct Move<'f> {
    finding: &'f Finding,
    /// Each with its file.
    edits: Vec<(String, Edit)>,
    /// What the finding's reference is afterwards.
    reference: String,
}

impl Move<'_> {
    fn places(&self) -> impl Iterator<Item = PlaceKey> {
        self.edits.iter().map(|(file, edit)| (file.clone(), edit.start, edit.end))
    }
}

impl Plan {
    fn leave(&mut self, finding: &Finding, why: String) {
        self.left.push(Left { file: finding.file.clone(), line: finding.line, reference: finding.reference.clone(), why });
    }
}

/// Where an edit is: file, first byte and the byte after the last.
type PlaceKey = (String, usize, usize);

/// Places that two moves want to change differently, or that overlap.
fn contested(moves: &[Move<'_>]) -> BTreeSet<PlaceKey> {
    let mut contested = BTreeSet::new();
    for (file, edits) in edits(moves) {
        for pair in edits.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            let same_place = first.start == second.start && first.end == second.end;
            if same_place || second.start < first.end {
                contested.extend([first, second].map(|edit| (file.clone(), edit.start, edit.end)));
            }
        }
    }
    contested
}

fn edits(moves: &[Move<'_>]) -> BTreeMap<String, Vec<Edit>> {
    let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for (file, edit) in moves.iter().flat_map(|step| &step.edits) {
        edits.entry(file.clone()).or_default().push(edit.clone());
    }
    for edits in edits.values_mut() {
        edits.sort();
        edits.dedup();
    }
    edits
}

/// The files that would not pull the same images from the new registry, and why.
fn failed(
    findings: &[Finding],
    moves: &[Move<'_>],
    edits: &BTreeMap<String, Vec<Edit>>,
    files: &dyn Neighbours,
) -> BTreeMap<String, String> {
    let after = Edited { files, edits };
    let mut failed = BTreeMap::new();
    // A file is touched by its own edits, and by those of files that it draws values from.
    let touched: BTreeSet<&String> = moves.iter().map(|step| &step.finding.file).collect();
    for file in touched {
        let (Some(before), Some(text)) = (files.read(file), after.read(file)) else {
            failed.insert(file.clone(), "the file cannot be read any more".to_owned());
            continue;
        };
        let (found_before, problems_before) = scan_text(file, &before, files);
        let (found, problems) = scan_text(file, &text, &after);
        let scanned: Vec<_> = findings.iter().filter(|finding| finding.file == *file).map(key).collect();
        if found_before.iter().filter(|finding| finding.file == *file).any(|finding| !scanned.contains(&key(finding))) {
            failed.insert(file.clone(), "the file has changed since it was scanned".to_owned());
        } else if problems.len() > problems_before.len() {
            let why = problems.iter().find(|problem| !problems_before.contains(problem)).map(|problem| problem.message.clone());
            failed.insert(file.clone(), format!("would not be readable afterwards: {}", why.unwrap_or_default()));
        } else {
            let mut wanted: Vec<_> = found_before.iter().map(|finding| expected(finding, moves)).collect();
            let mut real: Vec<_> = found.iter().map(key).collect();
            wanted.sort();
            wanted.dedup();
            real.sort();
            real.dedup();
            if wanted != real {
                failed.insert(file.clone(), "would not name the same images afterwards".to_owned());
            }
        }
    }
    failed
}

/// What a finding is after the moves.
fn expected(finding: &Finding, moves: &[Move<'_>]) -> Key {
    let moved = moves.iter().find(|step| key(step.finding) == key(finding));
    let (file, line, place, reference) = key(finding);
    (file, line, place, moved.map_or(reference, |step| step.reference.clone()))
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
