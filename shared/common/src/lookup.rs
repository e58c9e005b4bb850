//! The result of looking something up. `Unknown` is not `Absent`: a guard that needs the fact declines and says what it
//! could not find out.

use crate::reference::Digest;

/// The result of looking something up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// It is certainly not there.
    Absent,
    /// It could not be found out.
    Unknown(Doubt),
}

impl<T> Lookup<T> {
    /// Nobody has looked.
    pub fn not_asked() -> Self {
        Self::Unknown(Doubt::lasting("it was not looked up"))
    }

    /// The thing, if it was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// For how many seconds after the first failure looking again may settle it; 0 where it cannot.
    pub fn patience_seconds(&self) -> i64 {
        match self {
            Self::Unknown(doubt) => doubt.patience_seconds(),
            Self::Found(_) | Self::Absent => 0,
        }
    }
}

/// How long a denied call is given: IAM takes a while until a permission that was just given counts everywhere.
pub const GRACE_SECONDS: i64 = 120;
/// How long a call that fails for a reason that passes is given.
pub const PATIENCE_SECONDS: i64 = 5 * 60;

/// Why something could not be found out. Displays as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    why: String,
    patience_seconds: i64,
}

impl Doubt {
    /// Looking again changes nothing: somebody has to mend something first.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), patience_seconds: 0 }
    }

    /// Looking again in a minute may settle it.
    pub fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), patience_seconds: PATIENCE_SECONDS }
    }

    /// For how many seconds after it came up looking again may settle it; 0 where it cannot.
    pub const fn patience_seconds(&self) -> i64 {
        self.patience_seconds
    }

    /// A permission is missing, or is too new to count everywhere.
    pub fn denied(why: impl Into<String>) -> Self {
        Self { why: why.into(), patience_seconds: GRACE_SECONDS }
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.why)
    }
}

/// An image in a registry: what its tag or digest resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The digest of its manifest or image index.
    pub digest: Digest,
    /// The platforms it offers as `os/architecture`; `None` if it is a single image, which does not say in its
    /// manifest.
    pub platforms: Option<Vec<String>>,
}

impl ResolvedImage {
    /// Whether it is for a platform (`os/architecture`); `None` where it does not say.
    pub fn is_for(&self, platform: &str) -> Option<bool> {
        let platforms = self.platforms.as_ref()?;
        let variant = format!("{platform}/");
        Some(platforms.iter().any(|offered| offered == platform || offered.starts_with(&variant)))
    }
}

/// Where ECR keeps an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Where it can be pulled from.
    Standard,
    /// In the archive, from where it cannot.
    Archive,
    /// On its way back from the archive.
    Returning,
}

/// What the policies of a role say of some actions together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyVerdict {
    /// It may.
    Given,
    /// It may not do these, and nothing can make up for it.
    Refused(Vec<String>),
    /// Its own policies do not say that it may do these; a policy of the resource, or a condition of the request,
    /// could.
    Missing(Vec<String>),
}
