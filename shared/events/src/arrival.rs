//! An image that appeared in a repository.

/// An image that appeared in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The registry's account.
    pub account: String,
    /// The registry's region.
    pub region: String,
    pub repository: String,
    /// The tag, where the event names one.
    pub tag: Option<String>,
    /// The digest, where the event names one.
    pub digest: Option<String>,
}
