//! What one look at ECR showed.

use super::answer::Attributes;
use pullsafe::manifest::{DOCKER_LIST, OCI_INDEX};
use pullsafe::timestamp::Timestamp;

/// A tag that was set this lately may be set once more: some build tools push an image first and its index right after.
const FRESH_SECONDS: i64 = 5;

/// Why an image is not there for the one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// The repository does not exist.
    NoRepository,
    /// The repository has no such image.
    NoImage,
    /// It is there for these platforms, and not for those.
    OtherPlatforms {
        /// For these, with commas.
        offered: String,
        /// Not for these, with commas.
        missing: String,
    },
    /// It lies in the archive, from where it cannot be pulled.
    Archived,
    /// ECR has not signed it: what it says of that.
    NotSigned(String),
    /// It is there and cannot be understood.
    Unreadable(String),
    /// ECR gave no answer that says whether it is there.
    NotKnown(String),
}

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageLook {
    /// The image is there, as it was asked for.
    Present(Box<Attributes>),
    /// It may come, and this is why it is not there.
    NotYet(WhyNot),
    /// The gate may not look.
    Denied(String),
    /// Waiting cannot help.
    Never(String),
}

/// Whether a look has to be repeated, because the tag may be about to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It is what it is.
    Settled,
    /// An index that was pushed a moment ago.
    FreshIndex,
    /// A single image that was pushed a moment ago: its index may follow.
    FreshImage,
}

impl ImageLook {
    /// Whether this is a tag that was moved only just now, so that it should be read once more.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        match self {
            Self::Present(image) if !image.tag.is_empty() => {
                let pushed_at = Timestamp::parse(&image.pushed_at);
                match pushed_at.is_some_and(|pushed_at| now.seconds_since(pushed_at).abs() < FRESH_SECONDS) {
                    true if matches!(image.media_type.as_str(), OCI_INDEX | DOCKER_LIST) => Freshness::FreshIndex,
                    true => Freshness::FreshImage,
                    false => Freshness::Settled,
                }
            }
            Self::Present(_) | Self::NotYet(_) | Self::Denied(_) | Self::Never(_) => Freshness::Settled,
        }
    }

    /// The digest, where there is an image.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Present(image) => Some(&image.digest),
            Self::NotYet(_) | Self::Denied(_) | Self::Never(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(tag: &str, pushed_at: &str) -> ImageLook {
        ImageLook::Present(Box::new(Attributes {
            tag: tag.to_owned(),
            pushed_at: pushed_at.to_owned(),
            media_type: OCI_INDEX.to_owned(),
            ..Attributes::default()
        }))
    }

    #[test]
    fn only_a_tag_that_was_moved_just_now_is_read_again() {
        let now = Timestamp::parse("2026-01-15T19:47:05Z").unwrap();
        let fresh = |look: ImageLook| look.freshness(now);
        assert_eq!(fresh(present("1", "2026-01-15T19:47:01Z")), Freshness::FreshIndex);
        assert_eq!(fresh(present("1", "2026-01-15T19:47:06Z")), Freshness::FreshIndex, "clocks differ");
        assert_eq!(fresh(present("1", "2026-01-15T19:47:00Z")), Freshness::Settled);
        assert_eq!(fresh(present("1", "2026-01-15T19:50:00Z")), Freshness::Settled, "clocks differ a lot");
        assert_eq!(fresh(present("", "2026-01-15T19:47:05Z")), Freshness::Settled, "a digest does not move");
        assert_eq!(fresh(present("1", "")), Freshness::Settled);
        assert_eq!(fresh(ImageLook::NotYet(WhyNot::NoImage)), Freshness::Settled);
    }
}
