//! Repositories of the mirror: created when an image needs one, and finished by the next scheduled run where the
//! process died in between.
//!
//! ECR takes the lifecycle policy in a second call. Before the first, a mark goes into the table, and it goes away
//! after the second; only where a policy is configured, and only when a repository is created. A scheduled run gets the
//! marks that are left with the memory that it takes anyway. It asks ECR about those repositories alone, and sets the
//! policy where there is none yet and the repository was made by whoever left the mark.

use crate::aws::table::MirrorTable;
use crate::decide::{MirrorConfig, Unfinished};
use pullsafe::reference::ecr_host;
use pullsafe::repository::RepositorySettings;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::{EcrError, Lifecycle};

use crate::MirrorFunction;
use crate::work::error::JobError;
use crate::work::job::Job;

/// Why a repository could not be finished. The next run tries again.
#[derive(Debug, thiserror::Error)]
enum Unable {
    #[error(transparent)]
    Ecr(#[from] EcrError),
    #[error(transparent)]
    Table(#[from] Failure),
}

impl MirrorFunction {
    /// Creates the job's repository unless it exists.
    pub(crate) async fn ensure_repository(
        &self,
        table: Option<&MirrorTable>,
        config: Option<&MirrorConfig>,
        job: &Job,
    ) -> Result<(), JobError> {
        let ecr = self.ecr.get(&job.region);
        let (registry_id, repository) = (Some(job.account.as_str()), job.target.repository());
        if ecr.repository_exists(registry_id, repository).await? {
            return Ok(());
        }
        let settings = config.map_or_else(RepositorySettings::default, |config| config.repositories.clone());
        let mark = Unfinished {
            registry: job.target.registry().to_owned(),
            repository: repository.to_owned(),
            since: self.now(),
        };
        let table = table.filter(|_| settings.lifecycle_keep.is_some());
        if let Some(table) = table
            && let Err(failure) = table.mark(&mark).await
        {
            tracing::warn!(repository, %failure, "nobody would finish the repository if it were interrupted now: \
                {failure}");
        }
        let created = ecr.create_repository(registry_id, repository, &settings).await?;
        // Where it is there already the call itself may have been lost on its way back: the next scheduled run looks
        // who made it.
        if created
            && let Some(table) = table
            && let Err(failure) = table.unmark(&mark).await
        {
            tracing::info!(repository, %failure, "the next run will look at the repository once more: {failure}");
        }
        tracing::info!(repository, account = job.account, region = job.region, created, "the repository is there");
        Ok(())
    }

    /// Finishes repositories whose creation was interrupted.
    pub(crate) async fn finish_repositories(
        &self,
        config: &MirrorConfig,
        table: &MirrorTable,
        unfinished: &[Unfinished],
    ) {
        for mark in unfinished {
            if let Err(error) = self.finish(config, table, mark).await {
                tracing::warn!(repository = mark.repository, %error, "a repository may still lack its lifecycle \
                    policy: {error}");
            }
        }
    }

    async fn finish(&self, config: &MirrorConfig, table: &MirrorTable, mark: &Unfinished) -> Result<(), Unable> {
        let host = ecr_host(&mark.registry).filter(|_| !mark.is_given_up(self.now()));
        if let (Some(keep), Some(host)) = (config.repositories.lifecycle_keep, host) {
            let (ecr, account, repository) = (self.ecr.get(host.region), Some(host.account), mark.repository.as_str());
            match ecr.lifecycle(account, repository).await? {
                Lifecycle::Unset { created_at: Some(created_at) } if mark.made(created_at) => {
                    ecr.put_lifecycle(account, repository, keep).await?;
                    tracing::info!(
                        repository,
                        "the repository has its lifecycle policy now; whoever created it had died before"
                    );
                }
                // Somebody has set one, or has made the repository.
                Lifecycle::Set | Lifecycle::Unset { .. } | Lifecycle::NoRepository => {}
            }
        }
        Ok(table.unmark(mark).await?)
    }
}
