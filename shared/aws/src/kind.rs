//! Whose fault a failed call is.

/// Whose fault a failed call is, and so what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// What the call names does not exist.
    NotFound,
    /// A permission is missing.
    Denied,
    /// A condition on the stored state did not hold.
    ConditionFailed,
    /// Too many calls; trying later helps.
    Throttled,
    /// The service failed, could not be reached, or its answer was lost. Trying again may help; the effect may have
    /// happened.
    Unavailable,
    /// The service refuses the request as it is; trying again does not help.
    Refused,
}

impl FailureKind {
    /// The kind in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotFound => "it does not exist",
            Self::Denied => "a permission is missing",
            Self::ConditionFailed => "somebody was faster",
            Self::Throttled => "too many calls",
            Self::Unavailable => "the service failed or was busy",
            Self::Refused => "refused as it is",
        }
    }
}
