//! Keeps what runs have learnt: which repository of a registry refers to which blob. With it, a blob that another
//! repository has is mounted instead of sent. These are only hints: without the file, or with a stale one, everything
//! still works.

use std::env;
use std::fs;
use std::path::PathBuf;

use pullsafe_registry::{Copier, Holder};

/// Gives a copier what earlier runs have learnt.
pub(crate) fn recall(copier: &Copier) {
    let Some(bytes) = path().and_then(|path| fs::read(path).ok()) else {
        return;
    };
    if let Ok(held) = serde_json::from_slice::<Vec<Holder>>(&bytes) {
        copier.recall(held);
    }
}

/// Keeps what this run has learnt. If the file cannot be written, the copy does not fail.
pub(crate) fn keep(copier: &Copier) {
    let Some(path) = path() else { return };
    let mut held = copier.remembered();
    held.sort();
    let Ok(bytes) = serde_json::to_vec(&held) else { return };
    // Written to a second file and renamed: another run never reads half of it.
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = path.parent().map(fs::create_dir_all).transpose().and_then(|_| fs::write(&beside, bytes));
    if written.and_then(|()| fs::rename(&beside, &path)).is_err() {
        let _ = fs::remove_file(&beside);
    }
}

fn path() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("pullsafe").join("blobs.json"))
}
