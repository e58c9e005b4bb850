//! Walks over files: in parallel, aware of ignore files, with bounded memory.
//!
//! A file is opened only if its name allows one of the formats; of a file without a known name only the first bytes are
//! read. Each thread holds one file at a time. Only regular files are opened. The walk follows no symbolic link, except
//! one that is given by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ignore::{WalkBuilder, WalkState};
use serde::Serialize;

use crate::detect::{ReadAmount, candidate, scan_file};
use crate::disk::{Disk, UnreadFile, read, shown};
use crate::finding::{FileScan, Finding, Level, NotPulled, Problem};
use crate::nearby::Nearby;
use crate::settle::settle;

/// Stack of a scanning thread, in bytes: the parsers' limits on depth were made for the main thread's stack.
const STACK: usize = 16 << 20;
/// Name of the ignore file that only this scan reads.
pub const IGNORE_FILE: &str = ".pullsafeignore";

/// How to walk over the files.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether `.gitignore`, `.ignore` and the like are respected.
    pub respect_ignore_files: bool,
    /// Files larger than this many bytes are skipped.
    pub max_bytes: u64,
    /// Number of threads; 0 means one for each processor.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { respect_ignore_files: true, max_bytes: 8 << 20, threads: 0 }
    }
}

/// A file that was not read, although its name is one that a format uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// Path of the file.
    pub file: String,
    /// Why it was not read.
    pub reason: String,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// What is pulled, in the order of files, lines and columns.
    pub findings: Vec<Finding>,
    /// Images that are named but not pulled: another file builds them or replaces them.
    pub elsewhere: Vec<NotPulled>,
    /// What kept files from being read in full.
    pub problems: Vec<Problem>,
    /// Files that were skipped.
    pub skipped: Vec<Skipped>,
    /// How many files pull images but are of a kind that the scan cannot read, for each such kind.
    pub unread: BTreeMap<&'static str, usize>,
    /// How many files were seen.
    pub seen: usize,
    /// How many files were read in full.
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
/// A given path does not exist, or is neither a file nor a directory. Problems below the given paths are in the result
/// instead.
pub fn scan(paths: &[PathBuf], options: Options) -> Result<Scanned, BadPath> {
    for path in paths {
        let bad = |why: String| BadPath { path: path.display().to_string(), why };
        let metadata = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(bad("neither a file nor a directory".to_owned()));
        }
    }
    let disk = Disk::below(paths, options.max_bytes);
    let (mut files, seen, mut problems) = candidates(paths, options);
    files.sort();
    files.dedup();
    let nearby = Nearby::of(&disk);
    let next = AtomicUsize::new(0);
    let result = Mutex::new(Collected::default());
    let work = || {
        let mut own = Collected::default();
        while let Some((path, explicit)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(path, *explicit, &disk, &nearby, &mut own);
        }
        result.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(own);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads(options).min(files.len()) {
            let spawned = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            if spawned.is_err() {
                // No further thread can start, so this thread does its share of the work.
                work();
            }
        }
    });
    let Collected {
        mut findings,
        files: scans,
        problems: mut unread_problems,
        skipped,
        unread,
        read,
    } = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    problems.append(&mut unread_problems);
    let key = |finding: &Finding| (finding.file.clone(), finding.line, finding.column, finding.reference.clone());
    findings.sort_by_cached_key(key);
    // A value of a `.env` file or of a neighbouring module is found once from each file that uses it.
    findings.dedup_by(|a, b| key(a) == key(b));
    problems.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
    problems.dedup();
    let (findings, elsewhere) = settle(findings, &scans);
    let mut scanned = Scanned { findings, elsewhere, problems, skipped, unread, seen, read };
    scanned.skipped.sort();
    Ok(scanned)
}

/// What the threads have found together.
#[derive(Default)]
struct Collected {
    findings: Vec<Finding>,
    /// The scans that matter to other files: they say what a file builds and deploys.
    files: Vec<FileScan>,
    problems: Vec<Problem>,
    skipped: Vec<Skipped>,
    unread: BTreeMap<&'static str, usize>,
    read: usize,
}

impl Collected {
    fn append(&mut self, mut other: Self) {
        self.findings.append(&mut other.findings);
        self.files.append(&mut other.files);
        self.problems.append(&mut other.problems);
        self.skipped.append(&mut other.skipped);
        for (kind, count) in other.unread {
            *self.unread.entry(kind).or_default() += count;
        }
        self.read += other.read;
    }
}

fn threads(options: Options) -> usize {
    match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// The paths worth opening, each with whether it was given by name; the number of files seen; and problems.
fn candidates(paths: &[PathBuf], options: Options) -> (Vec<(PathBuf, bool)>, usize, Vec<Problem>) {
    let Some((first, rest)) = paths.split_first() else {
        return (Vec::new(), 0, Vec::new());
    };
    let mut walk = WalkBuilder::new(first);
    rest.iter().for_each(|path| {
        walk.add(path);
    });
    // The walker reads the ignore files of the given folders, and of those above them, before it enters any folder.
    let above = |path: &PathBuf| {
        path.canonicalize().ok()?.ancestors().find_map(|folder| odd_list(folder, &Disk::below(paths, 0)))
    };
    let unread = paths.iter().find_map(above).filter(|_| options.respect_ignore_files);
    let reads_lists = options.respect_ignore_files && unread.is_none();
    walk.standard_filters(reads_lists)
        .hidden(false)
        // A user's own ignore files would make the answer differ from machine to machine.
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .threads(threads(options));
    if reads_lists {
        walk.add_custom_ignore_filename(IGNORE_FILE);
    }
    let odd: Arc<Mutex<Vec<Problem>>> = Arc::new(Mutex::new(Vec::from_iter(unread)));
    let (found_odd, disk) = (Arc::clone(&odd), Disk::below(paths, 0));
    walk.filter_entry(move |entry| {
        if entry.depth() == 0 {
            return true;
        }
        let is_repository = matches!(entry.file_name().to_str(), Some(".git" | ".hg" | ".svn" | ".jj"));
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let problem = if reads_lists && is_folder && !is_repository {
            odd_list(entry.path(), &disk)
        } else {
            None
        };
        let may_enter = !is_repository && problem.is_none();
        found_odd.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(problem);
        may_enter
    });
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
                    let named = entry.file_name().to_str().map_or(ReadAmount::No, candidate);
                    if named == ReadAmount::No && entry.depth() > 0 {
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
    let (files, mut problems) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    problems.append(&mut odd.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    (files, seen.into_inner(), problems)
}

/// Finds an ignore file of a folder that must not be read: a link that leads out of the given paths, or a device, which
/// may never end.
fn odd_list(folder: &Path, disk: &Disk) -> Option<Problem> {
    let lists = [".gitignore", ".ignore", IGNORE_FILE].map(|name| folder.join(name));
    let is_odd = |list: &PathBuf| match std::fs::symlink_metadata(list) {
        Ok(metadata) if metadata.is_symlink() => !disk.within(list).is_some_and(|real| real.is_file()),
        Ok(metadata) => !metadata.is_file(),
        Err(_) => false,
    };
    let message = "is no file of these paths, so that neither it nor what it is about is looked at".to_owned();
    lists.iter().find(|list| is_odd(list)).map(|list| Problem {
        file: shown(list),
        line: 0,
        message,
        level: Level::Unreadable,
    })
}

/// The problem of an entry that cannot be read, with its path where the walk tells it.
fn unreadable(error: &ignore::Error) -> Problem {
    let (mut inner, mut file) = (error, String::new());
    while let ignore::Error::WithPath { err, .. }
    | ignore::Error::WithDepth { err, .. }
    | ignore::Error::WithLineNumber { err, .. } = inner
    {
        if let ignore::Error::WithPath { path, .. } = inner {
            file = shown(path);
        }
        inner = err;
    }
    Problem {
        file,
        line: 0,
        message: format!("cannot be read: {inner}"),
        level: Level::Unreadable,
    }
}

fn one(path: &Path, explicit: bool, disk: &Disk, nearby: &Nearby<'_>, result: &mut Collected) {
    let shown = shown(path);
    let named = candidate(&shown);
    let kind = if named == ReadAmount::No && explicit { ReadAmount::Begin } else { named };
    let text = match read(path, kind, explicit, disk) {
        Ok(Some(text)) => text,
        Ok(None) => return,
        Err(UnreadFile::Skipped(reason)) => {
            result.skipped.push(Skipped { file: shown, reason });
            return;
        }
        Err(UnreadFile::Failed(error)) => {
            result.problems.push(Problem {
                file: shown,
                line: 0,
                message: format!("cannot be read: {error}"),
                level: Level::Unreadable,
            });
            return;
        }
    };
    // A parser that panics on a file must not end the scan of all others.
    let scan = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scan_file(&shown, &text, nearby)));
    let Ok(mut scan) = scan else {
        let message = "the scan of this file failed: please report it with the file".to_owned();
        result.problems.push(Problem { file: shown, line: 0, message, level: Level::Unreadable });
        return;
    };
    result.findings.append(&mut scan.findings);
    result.problems.append(&mut scan.problems);
    result.read += usize::from(scan.format.is_some());
    if let Some(kind) = scan.unread {
        *result.unread.entry(kind).or_default() += 1;
    }
    if !scan.built.is_empty() || scan.kustomization.is_some() {
        result.files.push(scan);
    }
}
