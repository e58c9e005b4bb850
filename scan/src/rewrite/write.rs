//! Writes a file so that a reader sees the old text or the new one, never a part.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Replaces a file's content through a temporary file in the same directory, with the file's permissions.
///
/// It never writes through a symbolic link: the scanned repository must not choose which file is written.
///
/// # Errors
/// The path is a symbolic link, or a write failed. The file then still has its old content.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link, which is not written through"));
    }
    let path = fs::canonicalize(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    let temporary = beside(&path);
    let result = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(content)?;
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if result.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.pullsafe-{}", std::process::id()))
}
