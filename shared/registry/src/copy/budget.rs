//! Limits what one image may cost in manifests. Whoever pushed the image wrote its index, and a few bytes of it can ask
//! for very much: an index of indexes that name each other, or a hundred manifests of the largest size.

use std::collections::HashSet;
use std::sync::Mutex;

use super::lock;
use pullsafe::reference::Digest;

/// The most manifests that are followed, each counted as often as it is named. An official image has about twenty.
const MOST_MANIFESTS: usize = 1000;
/// The most bytes of all manifests of an image together. They are in memory as long as the image is on its way. An
/// official image has 30 kB.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What an image has cost so far.
#[derive(Debug, Default)]
pub(super) struct ManifestBudget(Mutex<ManifestsRead>);

#[derive(Debug, Default)]
struct ManifestsRead {
    followed: usize,
    seen: HashSet<Digest>,
    bytes: usize,
}

impl ManifestBudget {
    /// Counts one more manifest that is to be followed.
    ///
    /// # Errors
    /// The limit that was exceeded, in words that follow "a manifest ... cannot be used".
    pub(super) fn follow(&self) -> Result<(), String> {
        let mut spent = lock(&self.0);
        spent.followed += 1;
        if spent.followed > MOST_MANIFESTS {
            return Err(format!("the image has more than {MOST_MANIFESTS} manifests"));
        }
        spent.check()
    }

    /// Checks whether one more manifest may be fetched.
    ///
    /// # Errors
    /// As for [`Self::follow`].
    pub(super) fn check(&self) -> Result<(), String> {
        lock(&self.0).check()
    }

    /// Counts a manifest of this size that is now in memory.
    ///
    /// # Errors
    /// As for [`Self::follow`].
    pub(super) fn hold(&self, digest: &Digest, bytes: usize) -> Result<(), String> {
        let mut spent = lock(&self.0);
        if spent.seen.insert(digest.clone()) {
            spent.bytes = spent.bytes.saturating_add(bytes);
        }
        spent.check()
    }
}

impl ManifestsRead {
    fn check(&self) -> Result<(), String> {
        if self.bytes > MOST_BYTES {
            return Err(format!("the manifests of the image have more than {MOST_BYTES} bytes together"));
        }
        Ok(())
    }
}
