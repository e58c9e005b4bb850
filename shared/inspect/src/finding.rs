//! What a look at a definition has found.

use serde::Serialize;

use pullsafe_diagnosis::cause::Cause;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InspectFault {
    /// There is no such image.
    ImageAbsent,
    /// It lies in ECR's archive.
    ImageArchived,
    /// It is not for the tasks' platform.
    WrongPlatform,
    /// Its name is none that a registry has.
    InvalidReference,
    /// The execution role may not pull it, or there is none.
    PullDenied,
    /// The execution role may not read a secret, or there is none.
    SecretDenied,
    /// There is no such log group.
    LogGroupMissing,
    /// It is pulled from Docker Hub, and the mirror has no copy to move to.
    NoCopy,
    /// Docker Hub grants fewer pulls than the deployment needs.
    QuotaTooSmall,
}

impl InspectFault {
    /// Whether a task cannot start with it; the others are risks.
    pub const fn blocks(self) -> bool {
        match self {
            Self::ImageAbsent
            | Self::ImageArchived
            | Self::WrongPlatform
            | Self::InvalidReference
            | Self::PullDenied
            | Self::SecretDenied
            | Self::LogGroupMissing => true,
            Self::NoCopy | Self::QuotaTooSmall => false,
        }
    }

    /// Whether somebody else may mend it while a deployment waits: a push, or the way back from the archive.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::ImageAbsent | Self::ImageArchived => true,
            Self::WrongPlatform
            | Self::InvalidReference
            | Self::PullDenied
            | Self::SecretDenied
            | Self::LogGroupMissing
            | Self::NoCopy
            | Self::QuotaTooSmall => false,
        }
    }

    /// The cause that a task would stop for.
    pub const fn cause(self) -> Cause {
        match self {
            Self::ImageAbsent => Cause::ImageNotFound,
            Self::ImageArchived => Cause::ImageArchived,
            Self::WrongPlatform => Cause::PlatformMismatch,
            Self::InvalidReference => Cause::InvalidImageReference,
            Self::PullDenied => Cause::EcrPermissionDenied,
            Self::SecretDenied => Cause::SecretUnavailable,
            Self::LogGroupMissing => Cause::LogDriverFailed,
            Self::NoCopy | Self::QuotaTooSmall => Cause::RegistryRateLimited,
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It is so.
    Certain,
    /// It is so unless this is.
    Unless(String),
    /// It could not be found out, and this would settle it.
    Unknown(String),
}

/// What a look at a definition has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectFinding {
    /// What is wrong, or would be.
    pub fault: InspectFault,
    /// What it is about: an image, a secret, a log group.
    pub about: String,
    /// The containers that it is about; none where it is about all.
    pub containers: Vec<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What was seen, in a sentence.
    pub seen: String,
    /// What to do about it.
    pub advice: String,
}

impl InspectFinding {
    /// Whether tasks will certainly not start.
    pub fn is_certain_failure(&self) -> bool {
        self.fault.blocks() && self.certainty == Certainty::Certain
    }

    /// Whether something was found, and not only left open.
    pub const fn is_known(&self) -> bool {
        match self.certainty {
            Certainty::Certain | Certainty::Unless(_) => true,
            Certainty::Unknown(_) => false,
        }
    }
}

impl std::fmt::Display for InspectFinding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.seen)?;
        match &self.certainty {
            Certainty::Certain => Ok(()),
            Certainty::Unless(what) => write!(formatter, ", unless {what}"),
            Certainty::Unknown(what) => write!(formatter, "; to settle it: {what}"),
        }
    }
}
