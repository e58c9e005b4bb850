//! The walk over files: parallel, aware of ignore files, bounded in memory.
//!
//! Only files whose name can be one of the formats are opened, and a file of no known name only for its first bytes.
//! Each thread holds one file at a time. Nothing here follows symbolic links or opens anything but regular files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ignore::{WalkBuilder, WalkState};
use serde::Serialize;

use crate::analysis::Neighbours;
use crate::detect::{Candidate, candidate, scan_text, sniff};
use crate::finding::{Finding, Problem};

/// How much of a file without a known name is read to see whether it is a Dockerfile.
const SNIFF: usize = 4096;
/// Stack of a scanning thread: the parsers' own limits on depth were made for the main thread's.
const STACK: usize = 16 << 20;
/// Name of the ignore file that only this scan reads.
pub const IGNORE_FILE: &str = ".pullsafeignore";

/// How to walk.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether `.gitignore`, `.ignore` and the like are respected.
    pub respect_ignore_files: bool,
    /// Larger files are skipped.
    pub max_bytes: u64,
    /// Threads; 0 is one for each processor.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { respect_ignore_files: true, max_bytes: 8 << 20, threads: 0 }
    }
}

/// A file that was not read although its name is one of the formats'.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// Path of the file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// In the order of files, lines and columns.
    pub findings: Vec<Finding>,
    /// What kept files from being read in full.
    pub problems: Vec<Problem>,
    /// Files that were not read.
    pub skipped: Vec<Skipped>,
    /// Files that were seen.
    pub seen: usize,
    /// Files that were read in full.
    pub read: usize,
}

/// A path that cannot be scanned.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct BadPath {
    path: String,
    why: String,
}

/// Scans files and directories.
///
/// # Errors
/// A path does not exist. What goes wrong below the given paths is in the result instead.
pub fn scan(paths: &[PathBuf], options: Options) -> Result<Scanned, BadPath> {
    for path in paths {
        if let Err(error) = std::fs::metadata(path) {
            return Err(BadPath { path: path.display().to_string(), why: error.to_string() });
        }
    }
    let (mut files, seen, mut problems) = candidates(paths, options);
    files.sort();
    files.dedup();
    let next = AtomicUsize::new(0);
    let result = Mutex::new(Scanned::default());
    let work = || {
        let mut own = Scanned::default();
        while let Some((path, explicit)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(path, *explicit, options, &mut own);
        }
        let mut all = result.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.findings.append(&mut own.findings);
        all.problems.append(&mut own.problems);
        all.skipped.append(&mut own.skipped);
        all.read += own.read;
    };
    std::thread::scope(|scope| {
        for _ in 0..threads(options).min(files.len()) {
            let spawned = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            if spawned.is_err() {
                // No further thread: those that run, or else this one, do the work.
                work();
            }
        }
    });
    let mut scanned = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = |finding: &Finding| (finding.file.clone(), finding.line, finding.column, finding.reference.clone());
    scanned.findings.sort_by_cached_key(key);
    // A value of a `.env` file or of a neighbouring module is found from each file that uses it.
    scanned.findings.dedup_by(|a, b| key(a) == key(b));
    scanned.problems.append(&mut problems);
    scanned.problems.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
    scanned.problems.dedup();
    scanned.skipped.sort();
    scanned.seen = seen;
    Ok(scanned)
}

fn threads(options: Options) -> usize {
    match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Paths that are worth opening, each with whether it was given by name.
fn candidates(paths: &[PathBuf], options: Options) -> (Vec<(PathBuf, bool)>, usize, Vec<Problem>) {
    let Some((first, rest)) = paths.split_first() else { return (Vec::new(), 0, Vec::new()) };
    let mut walk = WalkBuilder::new(first);
    rest.iter().for_each(|path| {
        walk.add(path);
    });
    walk.standard_filters(options.respect_ignore_files)
        .hidden(false)
        // A user's own ignore file would make the answer differ from machine to machine.
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .threads(threads(options))
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(".git" | ".hg" | ".svn" | ".jj")) || entry.depth() == 0);
    if options.respect_ignore_files {
        walk.add_custom_ignore_filename(IGNORE_FILE);
    }
    let explicit: BTreeSet<&PathBuf> = paths.iter().collect();
    let seen = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), Vec::new()));
    walk.build_parallel().run(|| {
        Box::new(|entry| {
            let mut found = match &entry {
                Ok(entry) if entry.file_type().is_none_or(|kind| !kind.is_file()) => {
                    let linked = entry.depth() == 0 && entry.path_is_symlink() && entry.path().is_file();
                    if !linked {
                        return WalkState::Continue;
                    }
                    seen.fetch_add(1, Ordering::Relaxed);
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
                }
                Ok(entry) => {
                    seen.fetch_add(1, Ordering::Relaxed);
                    let named = entry.file_name().to_str().map_or(Candidate::No, candidate);
                    if named == Candidate::No && entry.depth() > 0 {
                        return WalkState::Continue;
                    }
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
                }
                Err(_) => found.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
            };
            match entry {
                Ok(entry) => {
                    let given = entry.depth() == 0 && explicit.contains(&entry.path().to_path_buf());
                    found.0.push((entry.into_path(), given));
                }
                Err(error) => found.1.push(unreadable(&error)),
            }
            WalkState::Continue
        })
    });
    let (files, problems) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    (files, seen.into_inner(), problems)
}

/// A directory that cannot be looked into, as far as the walk says which.
fn unreadable(error: &ignore::Error) -> Problem {
    let (mut inner, mut file) = (error, String::new());
    while let ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } = inner
    {
        if let ignore::Error::WithPath { path, .. } = inner {
            file = shown(path);
        }
        inner = err;
    }
    Problem { file, line: 0, message: format!("cannot be read: {inner}") }
}

fn one(path: &Path, explicit: bool, options: Options, result: &mut Scanned) {
    let shown = shown(path);
    let named = candidate(&shown);
    let kind = if named == Candidate::No && explicit { Candidate::Unnamed } else { named };
    let text = match read(path, kind, explicit, options.max_bytes) {
        Ok(Some(text)) => text,
        Ok(None) => return,
        Err(Unread::Skipped(reason)) => {
            result.skipped.push(Skipped { file: shown, reason });
            return;
        }
        Err(Unread::Failed(error)) => {
            result.problems.push(Problem { file: shown, line: 0, message: format!("cannot be read: {error}") });
            return;
        }
    };
    result.read += 1;
    let neighbours = Disk { max_bytes: options.max_bytes };
    // A parser that panics on a file must not end the scan of all others.
    match std::panic::catch_unwind(|| scan_text(&shown, &text, &neighbours)) {
        Ok((mut findings, mut problems)) => {
            result.findings.append(&mut findings);
            result.problems.append(&mut problems);
        }
        Err(_) => {
            result.problems.push(Problem {
                file: shown,
                line: 0,
                message: "the scan of this file failed: please report it with the file".to_owned(),
            });
        }
    }
}

/// A path as it is shown: with `/`, and without `./` at its beginning.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut text = text.as_str();
    while let Some(rest) = text.strip_prefix("./") {
        text = rest.trim_start_matches('/');
    }
    text.to_owned()
}

/// Why a file that could be one of the formats was not read.
enum Unread {
    /// It is left out on purpose.
    Skipped(String),
    /// It could not be read.
    Failed(std::io::Error),
}

/// The text of a file; `None` where it is of no format, an error where it should have been read and was not.
fn read(path: &Path, kind: Candidate, explicit: bool, max_bytes: u64) -> Result<Option<String>, Unread> {
    let failed = Unread::Failed;
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let unnamed = kind == Candidate::Unnamed && !explicit;
    let mut bytes = Vec::new();
    if unnamed {
        let mut begin = [0; SNIFF];
        let count = fill(&mut file, &mut begin).map_err(failed)?;
        let begin = &begin[..count];
        if begin.contains(&0) || !sniff(&String::from_utf8_lossy(begin)) {
            return Ok(None);
        }
        bytes.extend_from_slice(begin);
    }
    if length > max_bytes {
        return Err(Unread::Skipped(format!("{length} bytes, more than {max_bytes}")));
    }
    // The limit holds for a file that grows while it is read, too.
    file.take(max_bytes).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Unread::Skipped("UTF-16 is not supported".to_owned()));
    }
    if bytes[..bytes.len().min(SNIFF * 2)].contains(&0) {
        return Err(Unread::Skipped("a binary file".to_owned()));
    }
    Ok(Some(text_of(bytes)))
}

fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read(&mut buffer[count..])? {
            0 => break,
            more => count += more,
        }
    }
    Ok(count)
}

/// Text with every byte in its place: one that is not UTF-8 becomes `?`, so that offsets hold in the file as it is.
pub fn text_of(bytes: Vec<u8>) -> String {
    let mut bytes = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let bad = at + error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - bad);
        bytes[bad..bad + length].fill(b'?');
        at = bad + length;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Neighbours from the file system.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// Larger files are not read.
    pub max_bytes: u64,
}

impl Neighbours for Disk {
    fn read(&self, path: &str) -> Option<String> {
        let metadata = std::fs::metadata(path).ok()?;
        if !metadata.is_file() || metadata.len() > self.max_bytes {
            return None;
        }
        std::fs::read(path).ok().map(text_of)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let root = if directory.is_empty() { "." } else { directory };
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(if directory.is_empty() { name } else { format!("{directory}/{name}") })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_keep_their_place() {
        assert_eq!(text_of(b"# caf\xe9\nFROM a\n".to_vec()), "# caf?\nFROM a\n");
        assert_eq!(text_of(b"\xff\xfe\xf0\x9f".to_vec()).len(), 4);
    }
}
