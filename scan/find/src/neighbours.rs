//! The files beside a scanned one, from the disk or from memory.

use std::collections::BTreeMap;

/// Other files that belong to a scanned one: a compose file's `.env`, a Terraform module's `variables.tf`.
///
/// Paths are relative to the scan's working directory, with `/`. A missing or unreadable file is `None`.
pub trait Neighbours: Sync {
    /// The text of a file.
    fn read(&self, path: &str) -> Option<String>;
    /// The paths of the files in a directory, in any order.
    fn list(&self, directory: &str) -> Vec<String>;
}

/// No other files: each text stands alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNeighbours;

impl Neighbours for NoNeighbours {
    fn read(&self, _: &str) -> Option<String> {
        None
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Files held in memory, by path.
impl Neighbours for BTreeMap<String, String> {
    fn read(&self, path: &str) -> Option<String> {
        self.get(path).cloned()
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.keys().filter(|path| parent(path) == directory).cloned().collect()
    }
}

/// The directory part of a path.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
