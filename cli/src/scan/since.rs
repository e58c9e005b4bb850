//! `--since`: only files that differ from a commit.
//!
//! git is asked only for names and hashes. The scanned repository's own configuration can name programs, so every way
//! in which git would run one is closed: no filter, no hook, no monitor, no pager, no fetch.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pullsafe_find::walk::Scanned;

use super::Arguments;

/// Keeps only what is in changed files; the error has git's message.
pub(super) fn apply(arguments: &Arguments, scanned: &mut Scanned) -> Result<(), String> {
    let Some(reference) = &arguments.since else {
        return Ok(());
    };
    if reference.starts_with('-') {
        return Err(format!("`{reference}` is not a commit, branch or tag"));
    }
    let first = arguments.paths.first().map_or_else(|| PathBuf::from("."), Clone::clone);
    let directory = if first.is_dir() {
        first
    } else {
        first.parent().map_or_else(PathBuf::new, Path::to_path_buf)
    };
    let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
    let top = git(&directory, &["rev-parse", "--show-toplevel"], "")?;
    let top = PathBuf::from(top.trim_end_matches('\n'));
    let tree = git(&directory, &["ls-tree", "-r", "-z", "--full-tree", reference], "")?;
    // `MODE TYPE HASH\tPATH`
    let known: HashMap<PathBuf, &str> = tree
        .split('\0')
        .filter_map(|entry| {
            let (about, path) = entry.split_once('\t')?;
            Some((top.join(path), about.split(' ').nth(2)?))
        })
        .collect();
    let mentioned: BTreeSet<&str> = scanned
        .findings
        .iter()
        .map(|finding| finding.file.as_str())
        .chain(scanned.problems.iter().map(|problem| problem.file.as_str()))
        .collect();
    // git reads one name per line.
    let (names, odd): (Vec<&str>, Vec<&str>) =
        mentioned.into_iter().partition(|name| !name.contains('\n') && Path::new(name).is_file());
    let real: Vec<Option<PathBuf>> = names.iter().map(|name| Path::new(name).canonicalize().ok()).collect();
    let list: String = real.iter().flatten().map(|path| format!("{}\n", path.display())).collect();
    let hashes = if list.is_empty() {
        String::new()
    } else {
        git(&directory, &["hash-object", "--no-filters", "--stdin-paths"], &list)?
    };
    let mut hashes = hashes.lines();
    let mut changed: BTreeSet<String> = odd.into_iter().map(str::to_owned).collect();
    for (name, path) in names.iter().zip(&real) {
        let hash = path.as_ref().and_then(|_| hashes.next());
        let before = path.as_ref().and_then(|path| known.get(path).copied());
        if hash.is_none() || hash != before {
            changed.insert((*name).to_owned());
        }
    }
    scanned.findings.retain(|finding| changed.contains(&finding.file));
    scanned.problems.retain(|problem| changed.contains(&problem.file));
    Ok(())
}

fn git(directory: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    let closed = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never", "core.pager=cat"];
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        .args(closed.iter().flat_map(|setting| [OsStr::new("-c"), OsStr::new(setting)]))
        .args(arguments);
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("git cannot be run: {error}"))?;
    let mut stdin = child.stdin.take();
    let written = std::thread::scope(|scope| {
        scope.spawn(move || {
            // If the pipe breaks, git's answer says why.
            if let Some(stdin) = &mut stdin {
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        child.wait_with_output()
    });
    let output = written.map_err(|error| format!("git: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "git {}: {}",
            arguments.first().unwrap_or(&""),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
