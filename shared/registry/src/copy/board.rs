//! Who sends which blob: the first image that needs one, for all images of a run. The others of the same repository
//! wait until it is there, those of other repositories of the registry until they can mount it.
//!
//! Nobody waits in a circle: sending waits for nobody, and for a manifest that refers to a blob only images later in
//! the list wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::lock;
use pullsafe::reference::{Digest, Reference};

/// How far a blob is in one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    /// The repository has it.
    There,
    /// A manifest of the repository refers to it.
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
    /// Bring it.
    Lead(Turn),
    /// Another image brings it to the same repository.
    Same(watch::Receiver<State>),
    /// Another image brings it to another repository of the registry: mount it from there.
    Follow(Turn, Leader),
}

pub(crate) struct Leader {
    pub(crate) repository: String,
    pub(crate) image: usize,
    pub(crate) state: watch::Receiver<State>,
}

/// The duty to bring a blob. Dropped without [`Turn::done`], it has failed, and somebody else may.
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

    /// A manifest of the target's repository refers to these now.
    pub(crate) fn referred(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, State::There, State::Referred);
    }

    /// Nobody is to rely on these in the target's repository any more.
    pub(crate) fn forget(&self, target: &Reference, digests: &[Digest]) {
        self.set(target, digests, State::There, State::Failed);
        self.set(target, digests, State::Referred, State::Failed);
    }

    /// An image has failed: what it brought is there, and no manifest will refer to it soon.
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

/// Waits until a blob is at least this far, or has failed.
pub(crate) async fn reached(state: &mut watch::Receiver<State>, wanted: State) -> State {
    let far_enough = |state: &State| match (wanted, *state) {
        (_, State::Failed | State::Referred) => true,
        (State::Referred, State::There) | (_, State::Pending) => false,
        (_, State::There) => true,
    };
    // The sender lives on the board as long as the run.
    state.wait_for(far_enough).await.map_or(State::Failed, |state| *state)
}
