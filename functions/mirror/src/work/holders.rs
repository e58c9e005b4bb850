//! What other workers have learnt about the mirror's repositories: which of them refers to which blob, so that a blob
//! is mounted instead of sent.
//!
//! New rows are read before a job, and a row is added after it. They save work and decide nothing, so a table that does
//! not answer is no reason to wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::aws::table::{BlobsByRepository, MirrorTable, SLOTS};
use futures_util::future::join_all;
use pullsafe::reference::ecr_host;
use pullsafe_aws::Failure;
use pullsafe_registry::Holder;
use tokio::time::{Instant, timeout_at};

use crate::MirrorFunction;
use crate::work::job::Job;

/// How long to wait for the table.
const TABLE_TIMEOUT: Duration = Duration::from_secs(3);

/// What this process has read from the table and written to it.
#[derive(Debug, Default)]
pub(crate) struct KnownHolders(Mutex<HoldersRead>);

#[derive(Debug, Default)]
struct HoldersRead {
    /// The number of the latest row that was read, by registry.
    read: HashMap<String, u64>,
    holders: BTreeSet<Holder>,
}

impl KnownHolders {
    fn lock(&self) -> MutexGuard<'_, HoldersRead> {
        // A panic elsewhere cannot leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MirrorFunction {
    /// Reads what others have written since the last time, for the registries of these jobs.
    pub(crate) async fn recall(&self, table: &MirrorTable, jobs: &[Job], last_moment: Instant) {
        let last_moment = last_moment.min(Instant::now() + TABLE_TIMEOUT);
        for registry in jobs.iter().map(|job| job.target.registry()).collect::<BTreeSet<_>>() {
            match timeout_at(last_moment, self.recall_from(table, registry)).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => {
                    tracing::info!(registry, %failure, "blobs may be sent that could be mounted: {failure}")
                }
                Err(_) => tracing::info!(
                    registry,
                    "blobs may be sent that could be mounted: the table did not answer in time"
                ),
            }
        }
    }

    async fn recall_from(&self, table: &MirrorTable, registry: &str) -> Result<(), Failure> {
        let written = table.held_count(registry).await?;
        let read = self.known.lock().read.get(registry).copied().unwrap_or_default();
        let new = read.max(written.saturating_sub(SLOTS)) + 1..=written;
        for held in join_all(new.map(|number| table.held(registry, number))).await {
            let holders = holders(registry, held?);
            self.copier().recall(holders.iter().cloned());
            self.known.lock().holders.extend(holders);
        }
        self.known.lock().read.insert(registry.to_owned(), written);
        Ok(())
    }

    /// Writes what was learnt since the last time, if anything was: two writes for each registry.
    pub(crate) async fn pass_on(&self, table: &MirrorTable, last_moment: Instant) {
        let mut new: HashMap<String, BlobsByRepository> = HashMap::new();
        {
            let mut known = self.known.lock();
            let remembered = self.copier().remembered();
            // What the copier has forgotten need not be kept here either.
            let before = std::mem::take(&mut known.holders);
            for holder in remembered {
                if ecr_host(&holder.registry).is_some() && !before.contains(&holder) {
                    let held = new.entry(holder.registry.clone()).or_default();
                    held.entry(holder.repository.clone()).or_default().push(holder.digest.clone());
                }
                known.holders.insert(holder);
            }
        }
        let last_moment = last_moment.min(Instant::now() + TABLE_TIMEOUT);
        for (registry, held) in new {
            match timeout_at(last_moment, table.add_held(&registry, &held, self.now())).await {
                Ok(Ok(written)) => {
                    let mut known = self.known.lock();
                    let read = known.read.entry(registry).or_default();
                    // This process need not read its own row, but must read what others wrote in between.
                    if *read + 1 == written {
                        *read = written;
                    }
                }
                Ok(Err(failure)) => {
                    tracing::info!(registry, %failure, "another worker may send blobs that it could mount: {failure}")
                }
                Err(_) => tracing::info!(
                    registry,
                    "another worker may send blobs that it could mount: the table did not answer in time"
                ),
            }
        }
    }
}

fn holders(registry: &str, held: BlobsByRepository) -> Vec<Holder> {
    let holder = |(repository, digests): (String, Vec<_>)| {
        digests.into_iter().map(move |digest| Holder {
            registry: registry.to_owned(),
            repository: repository.clone(),
            digest,
        })
    };
    held.into_iter().flat_map(holder).collect()
}
