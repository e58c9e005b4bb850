//! Why a job was not done, and whether it comes again.

use pullsafe_aws::Failure;
use pullsafe_aws::ecr::EcrError;
use pullsafe_registry::RegistryError;

use crate::work::rules::BrokenRule;

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The message is not a job.
    #[error("the message is not a job: {0}")]
    Bad(String),
    /// The job breaks a rule.
    #[error("the job is refused: {0}")]
    Refused(#[from] BrokenRule),
    /// What the mirror's owner allows could not be read.
    #[error("the mirror's configuration could not be read, so that it is not known what is allowed: {0}")]
    Unread(Failure),
    /// ECR's API failed.
    #[error(transparent)]
    Ecr(#[from] EcrError),
    /// The copy failed.
    #[error(transparent)]
    Copy(#[from] RegistryError),
    /// The copy is done and could not be announced.
    #[error("the copy is done and could not be announced: {0}")]
    Announce(#[from] Failure),
    /// Somebody else copies the same image.
    #[error("the image is being copied already")]
    Busy,
    /// The function's time ran out in the middle; what has arrived stays.
    #[error("the function's time ran out during the copy; the next attempt continues it")]
    OutOfTime,
}

impl JobError {
    /// Whether the job should come again, until the queue gives it up.
    pub const fn comes_again(&self) -> bool {
        match self {
            Self::Bad(_) | Self::Refused(_) => false,
            Self::Copy(error) => !matches!(
                error,
                RegistryError::TagImmutable { .. } | RegistryError::NotFound { .. } | RegistryError::Invalid(_)
            ),
            // A permission can be granted while the job waits in the queue; one that never is ends in the dead-letter
            // queue.
            Self::Unread(_) | Self::Ecr(_) | Self::Busy | Self::OutOfTime => true,
            // The copy is there, and whoever waits for it looks for it by itself: refused for good, the announcement is
            // only logged.
            Self::Announce(failure) => failure.is_transient(),
        }
    }

    /// What a person can do about it, where that is known.
    pub const fn what_to_do(&self) -> &'static str {
        match self {
            Self::Copy(RegistryError::TagImmutable { .. }) => {
                "the source's tag has moved: delete the tag at the target, or allow its repository's tags to change, \
                 and ask again; what runs on the old digest is not affected"
            }
            Self::Copy(error) if error.is_pull_quota() => {
                "wait for the quota's window, or give the mirror credentials of Docker Hub"
            }
            Self::Copy(RegistryError::NotFound { .. }) => "check the name and the tag at the source",
            Self::Copy(RegistryError::Denied { .. }) => {
                "check that the image exists, and the credentials for its registry"
            }
            Self::Ecr(_) => "check the function's permissions on the target's repository",
            Self::Bad(_) => "correct the sender",
            Self::Refused(_) => {
                "find out who asks for it; what is to be mirrored from elsewhere is named in the mirror's configuration"
            }
            Self::Unread(_) => "check the parameter and the function's permission to read it",
            Self::Announce(_) => "check the function's permission to put events on the bus; the image itself is there",
            Self::Copy(_) | Self::Busy | Self::OutOfTime => "nothing, unless it ends in the dead-letter queue",
        }
    }

    /// Whether Docker Hub's pull quota is used up.
    pub const fn is_pull_quota(&self) -> bool {
        matches!(self, Self::Copy(error) if error.is_pull_quota())
    }
}
