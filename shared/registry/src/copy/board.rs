//! Decides who sends which blob: the first image that needs one, for all images of a run. Other images of the same
//! repository wait until it is there; those of other repositories of the registry wait until they can mount it.
//!
//! Nobody waits in a circle: whoever sends waits for nobody, and only images later in the list wait for a manifest that
//! refers to a blob.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::lock;
use pullsafe::reference::{Digest, Reference};

/// How far a blob is in one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobState {
    Pending,
    /// The repository has the blob.
    There,
    /// A manifest of the repository refers to the blob.
    Referred,
    Failed,
}

#[derive(Debug, Default)]
pub(crate) struct BlobBoard(Mutex<HashMap<(String, Digest), Vec<BlobEntry>>>);

#[derive(Debug, Clone)]
struct BlobEntry {
    repository: String,
    image: usize,
    state: Arc<watch::Sender<BlobState>>,
}

/// What an image is to do about a blob.
pub(crate) enum BlobClaim {
    /// Send the blob.
    Lead(BlobTurn),
    /// Wait: another image sends it to the same repository.
    Same(watch::Receiver<BlobState>),
    /// Another image sends it to another repository of the registry: mount it from there.
    Follow(BlobTurn, Leader),
}

pub(crate) struct Leader {
    pub(crate) repository: String,
    pub(crate) image: usize,
    pub(crate) state: watch::Receiver<BlobState>,
}

/// The duty to bring a blob. If it is dropped without [`BlobTurn::done`], the attempt counts as failed and another image
/// may claim the blob.
pub(crate) struct BlobTurn(Arc<watch::Sender<BlobState>>);

impl BlobBoard {
    pub(crate) fn claim(&self, target: &Reference, digest: &Digest, image: usize) -> BlobClaim {
        let mut blobs = lock(&self.0);
        let entries = blobs.entry((target.registry().to_owned(), digest.clone())).or_default();
        entries.retain(|entry| *entry.state.borrow() != BlobState::Failed);
        if let Some(same) = entries.iter().find(|entry| entry.repository == target.repository()) {
            return BlobClaim::Same(same.state.subscribe());
        }
        let leader = entries.first().map(|entry| Leader {
            repository: entry.repository.clone(),
            image: entry.image,
            state: entry.state.subscribe(),
        });
        let state = Arc::new(watch::Sender::new(BlobState::Pending));
        entries.push(BlobEntry {
            repository: target.repository().to_owned(),
            image,
            state: Arc::clone(&state),
        });
        let turn = BlobTurn(state);
        match leader {
            Some(leader) => BlobClaim::Follow(turn, leader),
            None => BlobClaim::Lead(turn),
        }
    }

    /// Records that a manifest of the target's repository now refers to these blobs.
    pub(crate) fn referred(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, BlobState::There, BlobState::Referred);
    }

    /// Withdraws these blobs: nobody may rely on them in the target's repository any more.
    pub(crate) fn forget(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, BlobState::There, BlobState::Failed);
        self.set(target, digests, BlobState::Referred, BlobState::Failed);
    }

    /// Ends the waits for a failed image: its blobs are there, but no manifest will refer to them soon.
    pub(crate) fn abandoned(&self, image: usize) {
        for entry in lock(&self.0).values().flatten().filter(|entry| entry.image == image) {
            entry.state.send_if_modified(|state| {
                let waits = *state == BlobState::There;
                if waits {
                    *state = BlobState::Referred;
                }
                waits
            });
        }
    }

    fn set(&self, target: &Reference, digests: &[Digest], from: BlobState, to: BlobState) {
        let blobs = lock(&self.0);
        for digest in digests {
            let entries = blobs.get(&(target.registry().to_owned(), digest.clone()));
            for entry in entries.into_iter().flatten().filter(|entry| entry.repository == target.repository()) {
                entry.state.send_if_modified(|state| {
                    let matches = *state == from;
                    if matches {
                        *state = to;
                    }
                    matches
                });
            }
        }
    }
}

impl BlobTurn {
    pub(crate) fn done(self) {
        self.0.send_replace(BlobState::There);
    }
}

impl Drop for BlobTurn {
    fn drop(&mut self) {
        self.0.send_if_modified(|state| {
            let pending = *state == BlobState::Pending;
            if pending {
                *state = BlobState::Failed;
            }
            pending
        });
    }
}

/// Waits until a blob has reached this state, or has failed.
pub(crate) async fn reached(state: &mut watch::Receiver<BlobState>, wanted: BlobState) -> BlobState {
    let far_enough = |state: &BlobState| match (wanted, *state) {
        (_, BlobState::Failed | BlobState::Referred) => true,
        (BlobState::Referred, BlobState::There) | (_, BlobState::Pending) => false,
        (_, BlobState::There) => true,
    };
    // The sender lives on the board as long as the run.
    state.wait_for(far_enough).await.map_or(BlobState::Failed, |state| *state)
}
