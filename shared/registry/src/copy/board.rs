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
pub(crate) enum State {
    Pending,
    /// The repository has the blob.
    There,
    /// A manifest of the repository refers to the blob.
    Referred,
    Failed,
}

#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<HashMap<(String, Digest), Vec<Entry>>>);

#[derive(Debug, Clone)]
struct Entry {
    repository: String,
    image: usize,
    state: Arc<watch::Sender<State>>,
}

/// What an image is to do about a blob.
pub(crate) enum Claim {
    /// Send the blob.
    Lead(Turn),
    /// Wait: another image sends it to the same repository.
    Same(watch::Receiver<State>),
    /// Another image sends it to another repository of the registry: mount it from there.
    Follow(Turn, Leader),
}

pub(crate) struct Leader {
    pub(crate) repository: String,
    pub(crate) image: usize,
    pub(crate) state: watch::Receiver<State>,
}

/// The duty to bring a blob. If it is dropped without [`Turn::done`], the attempt counts as failed and another image
/// may claim the blob.
pub(crate) struct Turn(Arc<watch::Sender<State>>);

impl Board {
    pub(crate) fn claim(&self, target: &Reference, digest: &Digest, image: usize) -> Claim {
        let mut blobs = lock(&self.0);
        let entries = blobs.entry((target.registry().to_owned(), digest.clone())).or_default();
        entries.retain(|entry| *entry.state.borrow() != State::Failed);
        if let Some(same) = entries.iter().find(|entry| entry.repository == target.repository()) {
            return Claim::Same(same.state.subscribe());
        }
        let leader = entries.first().map(|entry| Leader {
            repository: entry.repository.clone(),
            image: entry.image,
            state: entry.state.subscribe(),
        });
        let state = Arc::new(watch::Sender::new(State::Pending));
        entries.push(Entry {
            repository: target.repository().to_owned(),
            image,
            state: Arc::clone(&state),
        });
        let turn = Turn(state);
        match leader {
            Some(leader) => Claim::Follow(turn, leader),
            None => Claim::Lead(turn),
        }
    }

    /// Records that a manifest of the target's repository now refers to these blobs.
    pub(crate) fn referred(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, State::There, State::Referred);
    }

    /// Withdraws these blobs: nobody may rely on them in the target's repository any more.
    pub(crate) fn forget(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, State::There, State::Failed);
        self.set(target, digests, State::Referred, State::Failed);
    }

    /// Ends the waits for a failed image: its blobs are there, but no manifest will refer to them soon.
    pub(crate) fn abandoned(&self, image: usize) {
        for entry in lock(&self.0).values().flatten().filter(|entry| entry.image == image) {
            entry.state.send_if_modified(|state| {
                let waits = *state == State::There;
                if waits {
                    *state = State::Referred;
                }
                waits
            });
        }
    }

    fn set(&self, target: &Reference, digests: &[Digest], from: State, to: State) {
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

impl Turn {
    pub(crate) fn done(self) {
        self.0.send_replace(State::There);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.send_if_modified(|state| {
            let pending = *state == State::Pending;
            if pending {
                *state = State::Failed;
            }
            pending
        });
    }
}

/// Waits until a blob has reached this state, or has failed.
pub(crate) async fn reached(state: &mut watch::Receiver<State>, wanted: State) -> State {
    let far_enough = |state: &State| match (wanted, *state) {
        (_, State::Failed | State::Referred) => true,
        (State::Referred, State::There) | (_, State::Pending) => false,
        (_, State::There) => true,
    };
    // The sender lives on the board as long as the run.
    state.wait_for(far_enough).await.map_or(State::Failed, |state| *state)
}
