//! What a task's host needs to pull an image.

use futures_util::future::BoxFuture;
use pullsafe::reference::Reference;

/// How one attempt to pull an image ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullOutcome {
    /// The pull succeeded.
    Pulled {
        /// The digest that the reference resolved to (of the image index, where there is one).
        digest: String,
    },
    /// The pull failed.
    Failed {
        /// Why, in containerd's words. ECS puts its own words in front.
        message: String,
    },
}

/// The full reference, with the tag that a pull would ask for, as messages name it.
pub(super) fn full_name(reference: &Reference) -> String {
    match (reference.tag(), reference.digest()) {
        (None, None) => format!("{reference}:latest"),
        (Some(_), _) | (None, Some(_)) => reference.to_string(),
    }
}

/// Fetches images. One call is one attempt.
pub trait Puller: Send + Sync {
    /// Tries once to pull an image for a platform (`linux/amd64`), with the task's execution role if it has one.
    fn pull<'a>(&'a self, image: &'a str, platform: &'a str, role: Option<&'a str>) -> BoxFuture<'a, PullOutcome>;
}
