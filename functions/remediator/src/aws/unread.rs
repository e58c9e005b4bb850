//! Things that could not be looked at, while the rest still is.

use pullsafe_aws::failure::Failure;

/// Something that could not be listed or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadResource {
    what: String,
    /// Why not; `None` if there are more than are looked at.
    failure: Option<Failure>,
}

impl UnreadResource {
    pub(super) const fn failed(what: String, failure: Failure) -> Self {
        Self { what, failure: Some(failure) }
    }

    pub(super) const fn too_many(what: String) -> Self {
        Self { what, failure: None }
    }

    /// The failure, where the same call may succeed later.
    pub fn passing(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|failure| failure.is_transient())
    }
}

impl std::fmt::Display for UnreadResource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.failure {
            Some(failure) => write!(formatter, "{}: {failure}", self.what),
            None => write!(formatter, "{}: more than are looked at", self.what),
        }
    }
}
