//! The result of looking something up. `Unknown` is not `Absent`: a guard that needs the fact declines and says what it could
//! not find out.

use crate::reference::Digest;

/// The result of looking something up.
#[derive(Debug, Clone, PartialEq)]
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

    /// Whether looking again may settle it.
    pub fn will_pass(&self) -> bool {
        matches!(self, Self::Unknown(doubt) if doubt.passing)
    }
}

/// Why something could not be found out. Displays as the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    why: String,
    passing: bool,
}

impl Doubt {
    /// Looking again changes nothing: somebody has to mend something first.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), passing: false }
    }

    /// Looking again in a minute may settle it, if `passing` says so.
    pub fn new(why: impl Into<String>, passing: bool) -> Self {
        Self { why: why.into(), passing }
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.why)
    }
}

/// An image in a registry: what its tag or digest resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of its manifest or image index.
    pub digest: Digest,
    /// The platforms it offers as `os/architecture`; `None` if it is a single image, which does not say in its manifest.
    pub platforms: Option<Vec<String>>,
}
