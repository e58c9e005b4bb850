//! What an inspection of a task definition found.

use serde::Serialize;

use pullsafe_diagnosis::cause::Cause;

/// What is wrong with a definition or the things that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InspectFault {
    /// The registry has no such image.
    ImageAbsent,
    /// The image lies in ECR's archive.
    ImageArchived,
    /// The image is not for the tasks' platform.
    WrongPlatform,
    /// The image's name does not follow the grammar of a reference.
    InvalidReference,
    /// The execution role may not pull the image, or the definition names no role.
    PullDenied,
    /// The execution role may not read a secret, or the definition names no role.
    SecretDenied,
    /// The log group does not exist.
    LogGroupMissing,
    /// The image is pulled from Docker Hub, and the mirror has no copy to move to.
    NoCopy,
    /// Docker Hub grants fewer pulls than the deployment needs.
    QuotaTooSmall,
}

impl InspectFault {
    /// Whether a task cannot start with this fault; the other faults are risks.
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

    /// Whether somebody else may cure the fault while a deployment waits: by a push, or by taking the image out of the
    /// archive.
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

    /// The cause that ECS would stop a task for.
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
    /// The fault is there.
    Certain,
    /// The fault is there unless this condition holds.
    Unless(String),
    /// The look could not tell; this would settle it.
    Unknown(String),
}

/// One fault, with what it concerns and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectFinding {
    pub fault: InspectFault,
    /// The name of the image, secret or log group that has the fault.
    pub about: String,
    /// The containers that the fault concerns; empty where it concerns all of them.
    pub containers: Vec<String>,
    pub certainty: Certainty,
    /// What was seen, as a sentence.
    pub seen: String,
    /// What to do about it.
    pub advice: String,
}

impl InspectFinding {
    /// Whether tasks will certainly not start.
    pub fn is_certain_failure(&self) -> bool {
        self.fault.blocks() && self.certainty == Certainty::Certain
    }

    /// Whether the look settled the question, rather than leaving it open.
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
