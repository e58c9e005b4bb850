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
    /// Whether it is there could not be found out.
    Unknown(Doubt),
}

impl<T> Lookup<T> {
    /// The result where nobody has looked.
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

    /// For how many seconds after the first failure another look may settle it; 0 where none can.
    pub fn patience_seconds(&self) -> i64 {
        match self {
            Self::Unknown(doubt) => doubt.patience_seconds(),
            Self::Found(_) | Self::Absent => 0,
        }
    }
}

/// How long a denied call is tried again, in seconds: a new permission takes IAM a while to apply everywhere.
pub const GRACE_SECONDS: i64 = 120;
/// How long a call that failed for a passing reason is tried again, in seconds.
pub const PATIENCE_SECONDS: i64 = 5 * 60;

/// Why something could not be found out. Displays as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    why: String,
    patience_seconds: i64,
}

impl Doubt {
    /// A doubt that no other look settles: somebody has to mend something first.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), patience_seconds: 0 }
    }

    /// A doubt that another look in a minute may settle.
    pub fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), patience_seconds: PATIENCE_SECONDS }
    }

    /// For how many seconds after the doubt came up another look may settle it; 0 where none can.
    pub const fn patience_seconds(&self) -> i64 {
        self.patience_seconds
    }

    /// A doubt because a permission is missing, or is too new to apply everywhere.
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
    /// The platforms it offers as `os/architecture`; `None` for a single image, whose manifest does not name its
    /// platform.
    pub platforms: Option<Vec<String>>,
}

impl ResolvedImage {
    /// Whether the image is for a platform (`os/architecture`); `None` where its platforms are not known.
    pub fn is_for(&self, platform: &str) -> Option<bool> {
        let platforms = self.platforms.as_ref()?;
        let variant = format!("{platform}/");
        Some(platforms.iter().any(|offered| offered == platform || offered.starts_with(&variant)))
    }
}

/// Where ECR keeps an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In the standard storage class, from which it can be pulled.
    Standard,
    /// In the archive, from which it cannot be pulled.
    Archive,
    /// On its way back from the archive.
    Returning,
}

/// What the policies of a role say about a group of actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyVerdict {
    /// The role may do all of them.
    Given,
    /// The role may not do these, and no other policy can allow them.
    Refused(Vec<String>),
    /// The role's own policies do not allow these; a policy of the resource, or a condition of the request, could.
    Missing(Vec<String>),
}
