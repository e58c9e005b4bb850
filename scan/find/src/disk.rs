//! Files from the disk: bounded, regular, and below the paths that were given and nowhere else.
//!
//! Whoever wrote the scanned files must not get at others: a `.env` that is a link to somebody's home, an `extends`
//! with an absolute path, a device that never ends.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::detect::{ReadAmount, sniff};
use crate::neighbours::Neighbours;

/// How much of a file without a known name is read to see whether it is of a format.
const SNIFF: usize = 4096;
/// How many bytes of neighbours are read in one scan, all files together.
const NEIGHBOURS: u64 = 512 << 20;

/// The files below the paths that were given.
#[derive(Debug)]
pub struct Disk {
    /// Without links in them.
    roots: Vec<PathBuf>,
    max_bytes: u64,
    /// How many bytes of neighbours may still be read.
    left: AtomicU64,
}

impl Disk {
    /// The files below these paths: of a directory everything in it, of a file everything in its directory.
    pub fn below(paths: &[PathBuf], max_bytes: u64) -> Self {
        let root = |path: &PathBuf| {
            // A link that is given by name stands where the link is, not where it points to.
            let directory = if path.is_dir() {
                path.clone()
            } else {
                path.parent().map_or_else(PathBuf::new, Path::to_path_buf)
            };
            let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
            directory.canonicalize().ok()
        };
        Self {
            roots: paths.iter().filter_map(root).collect(),
            max_bytes,
            left: AtomicU64::new(NEIGHBOURS),
        }
    }

    /// Where a path really is, if that is below the paths that were given.
    pub fn within(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        self.roots.iter().any(|root| real.starts_with(root)).then_some(real)
    }
}

impl Neighbours for Disk {
    fn read(&self, path: &str) -> Option<String> {
        let real = self.within(Path::new(path))?;
        let metadata = std::fs::metadata(&real).ok()?;
        let length = metadata.len();
        // A file without a length is empty, or the kernel's. To open a pipe would be to wait for whoever writes into
        // it.
        if !metadata.is_file() || length > self.max_bytes || length == 0 {
            return None;
        }
        let file = File::open(real).ok()?;
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length));
        spent.ok()?;
        let mut bytes = Vec::new();
        file.take(self.max_bytes).read_to_end(&mut bytes).ok()?;
        Some(text_of(bytes))
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let root = if directory.is_empty() { "." } else { directory };
        let Some(real) = self.within(Path::new(root)) else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(real).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(if directory.is_empty() { name } else { format!("{directory}/{name}") })
            })
            .collect()
    }
}

/// A path as it is shown: with `/`, and without `./` at its beginning.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut text = text.as_str();
    while let Some(rest) = text.strip_prefix("./") {
        text = rest.trim_start_matches('/');
    }
    text.to_owned()
}

/// Why a file that could be one of the formats was not read.
pub(crate) enum UnreadFile {
    /// It is left out on purpose.
    Skipped(String),
    /// It could not be read.
    Failed(std::io::Error),
}

/// The text of a file; `None` where it is of no format, an error where it should have been read and was not.
pub(crate) fn read(path: &Path, kind: ReadAmount, explicit: bool, disk: &Disk) -> Result<Option<String>, UnreadFile> {
    let failed = UnreadFile::Failed;
    // Only a link that was given by name gets here.
    if path.is_symlink() && disk.within(path).is_none() {
        return Err(UnreadFile::Skipped("a link to a file that is not below its own directory".to_owned()));
    }
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let length = metadata.len();
    // A file without a length is empty, or the kernel's, some of which never end. A pipe is not even opened.
    if length == 0 || !metadata.is_file() {
        return Ok(Some(String::new()));
    }
    let mut file = File::open(path).map_err(failed)?;
    let max_bytes = disk.max_bytes;
    let mut bytes = Vec::new();
    if kind == ReadAmount::Begin && !explicit {
        let mut begin = [0; SNIFF];
        let count = fill(&mut file, &mut begin).map_err(failed)?;
        let begin = &begin[..count];
        if begin.contains(&0) || !sniff(&String::from_utf8_lossy(begin)) {
            return Ok(None);
        }
        bytes.extend_from_slice(begin);
    }
    if length > max_bytes {
        return Err(UnreadFile::Skipped(format!("{length} bytes, more than {max_bytes}")));
    }
    // The limit holds for a file that grows while it is read, too.
    file.take(max_bytes).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(UnreadFile::Skipped("UTF-16 is not supported".to_owned()));
    }
    if bytes[..bytes.len().min(SNIFF * 2)].contains(&0) {
        return Err(UnreadFile::Skipped("a binary file".to_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_keep_their_place() {
        assert_eq!(text_of(b"# caf\xe9\nFROM a\n".to_vec()), "# caf?\nFROM a\n");
        assert_eq!(text_of(b"\xff\xfe\xf0\x9f".to_vec()).len(), 4);
    }
}
