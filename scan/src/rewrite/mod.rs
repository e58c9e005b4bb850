//! Moves a repository's images to another registry, by the smallest possible edits.
//!
//! An edit replaces the registry's part of a reference, or puts one before it: tags, digests, comments, line endings
//! and everything else stay byte for byte. The edits are checked before anything is written: each edited text is
//! scanned, and must pull the same images from the new registry and change nothing else. Images whose edits fail this
//! check are left alone and reported.

mod check;
mod compose_override;
mod diff;
mod login;
mod target;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use pullsafe_find::finding::{Finding, NotPulled, PlaceKind, Selects, WhyNotPulled};
use pullsafe_find::neighbours::Neighbours;
use serde::Serialize;

pub use compose_override::{Override, compose_override};
pub use diff::unified;
pub use login::logins;
pub use target::{DEFAULT_PREFIX, InvalidTarget, NewRegistry, Official};
pub use write::replace;

/// A range of a file's bytes, and the text that replaces it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEdit {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset of the byte after the last.
    pub end: usize,
    /// The new text.
    pub text: String,
}

/// A Docker Hub image that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmoved {
    /// Path of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The image's full reference.
    pub reference: String,
    /// Why the image stays.
    pub why: String,
}

/// What to write, and which images stay.
#[derive(Debug, Default)]
pub struct Rewrite {
    /// The edits of each file, in order and without overlaps.
    pub edits: BTreeMap<String, Vec<FileEdit>>,
    /// Docker Hub images that stay where they are.
    pub left: Vec<Unmoved>,
    /// How many findings move.
    pub moved: usize,
    /// The findings that move.
    pub moves: Vec<Finding>,
}

/// Plans the move of every Docker Hub image among the findings. The images in `elsewhere` are named but not pulled:
/// they stay, unless a kustomization selects them by their name. `files` reads the scanned files and their neighbours.
pub fn plan(findings: &[Finding], elsewhere: &[NotPulled], target: &NewRegistry, files: &dyn Neighbours) -> Rewrite {
    let mut moves: Vec<MovedFinding<'_>> = Vec::new();
    let mut plan = Rewrite::default();
    let selectors: Vec<&Finding> = findings.iter().filter(|finding| finding.selects.is_some()).collect();
    let manifests = || {
        findings
            .iter()
            .chain(elsewhere.iter().map(|other| &other.finding))
            .filter(|finding| finding.selects.is_none())
    };
    let named = elsewhere
        .iter()
        .filter(|other| other.why == WhyNotPulled::Overridden)
        .map(|other| &other.finding)
        .filter(|finding| {
            selectors
                .iter()
                .filter_map(|other| other.selects.as_ref())
                .any(|selects| !selects.replaced && is_selected(finding, selects))
        });
    for finding in findings.iter().chain(named).filter(|finding| finding.is_docker_hub()) {
        let unnamed = finding
            .selects
            .as_ref()
            .is_some_and(|selects| !selects.replaced && !manifests().any(|other| is_selected(other, selects)));
        let edits = if unnamed { Err(UNNAMED.to_owned()) } else { target.edits(finding) };
        match edits {
            Ok((mut edits, reference)) => {
                // A kustomization selects an image by the manifest's name for it, so the name in its entry changes with
                // the image.
                for selects in selectors
                    .iter()
                    .filter_map(|other| other.selects.as_ref())
                    .filter(|selects| is_selected(finding, selects))
                {
                    edits.extend(target.edits_at(&selects.head, finding));
                }
                moves.push(MovedFinding { finding, edits, reference });
            }
            Err(why) => plan.leave(finding, why),
        }
    }
    loop {
        let contested = contested(&moves);
        let (bad, good): (Vec<_>, Vec<_>) =
            moves.into_iter().partition(|step| step.places().any(|place| contested.contains(&place)));
        for step in bad {
            plan.leave(step.finding, "another image needs the same bytes to be something else".to_owned());
        }
        let failed = check::failed(findings, elsewhere, &good, files);
        if failed.is_empty() {
            plan.moved = good.len();
            plan.moves = good.iter().map(|step| step.finding.clone()).collect();
            plan.edits = edits(&good);
            break;
        }
        // A move that shares an edit with a failed one has to stay out as well.
        let tainted: BTreeSet<_> = good
            .iter()
            .filter(|step| failed.get(&step.finding.file).is_some_and(|failed| failed.names(step)))
            .flat_map(MovedFinding::places)
            .collect();
        let (bad, rest): (Vec<_>, Vec<_>) =
            good.into_iter().partition(|step| step.places().any(|place| tainted.contains(&place)));
        for step in bad {
            let failed = failed.get(&step.finding.file).filter(|failed| failed.names(&step));
            let why = failed.map_or("shares its text with an image that is left alone", |failed| failed.why.as_str());
            plan.leave(step.finding, why.to_owned());
        }
        moves = rest;
    }
    plan.left.sort_by(|a, b| (&a.file, a.line, &a.reference).cmp(&(&b.file, b.line, &b.reference)));
    plan
}

/// Returns a file's bytes after its edits.
pub fn apply(bytes: &[u8], edits: &[FileEdit]) -> Vec<u8> {
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

/// Why a tag that a kustomization sets is left alone: under another name the entry would match no manifest.
const UNNAMED: &str = "no manifest that was scanned has this image: give the entry a `newName`";

/// Whether a manifest's image is the one that a kustomization's entry names.
fn is_selected(finding: &Finding, selects: &Selects) -> bool {
    let rest = finding.written.strip_prefix(selects.name.as_str());
    finding.place == PlaceKind::Kubernetes
        && finding.selects.is_none()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
}

#[derive(Clone)]
struct MovedFinding<'f> {
    finding: &'f Finding,
    /// The edits, each with the path of its file.
    edits: Vec<(String, FileEdit)>,
    /// The finding's reference after the move.
    reference: String,
}

impl MovedFinding<'_> {
    fn places(&self) -> impl Iterator<Item = PlaceKey> {
        self.edits.iter().map(|(file, edit)| (file.clone(), edit.start, edit.end))
    }
}

impl Rewrite {
    fn leave(&mut self, finding: &Finding, why: String) {
        self.left.push(Unmoved {
            file: finding.file.clone(),
            line: finding.line,
            reference: finding.reference.clone(),
            why,
        });
    }
}

/// Where an edit is: file, first byte and the byte after the last.
type PlaceKey = (String, usize, usize);

/// Places that two moves want to change differently, or that overlap.
fn contested(moves: &[MovedFinding<'_>]) -> BTreeSet<PlaceKey> {
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

fn edits(moves: &[MovedFinding<'_>]) -> BTreeMap<String, Vec<FileEdit>> {
    let mut edits: BTreeMap<String, Vec<FileEdit>> = BTreeMap::new();
    for (file, edit) in moves.iter().flat_map(|step| &step.edits) {
        edits.entry(file.clone()).or_default().push(edit.clone());
    }
    for edits in edits.values_mut() {
        edits.sort();
        edits.dedup();
    }
    edits
}
