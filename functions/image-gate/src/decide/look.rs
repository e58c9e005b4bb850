//! What one look at ECR showed, and what follows from it for a request that waits.

use super::answer::Attributes;
use super::wait::Wait;
use pullsafe::timestamp::Timestamp;

/// So long a refused permission may be one that was granted a moment ago and is still on its way.
pub const PERMISSION_GRACE_SECONDS: u64 = 60;
/// A tag that was set this lately may be set once more: some build tools push an image first and its index right after.
const SETTLE_SECONDS: i64 = 5;

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The image is there, as it was asked for.
    Present(Box<Attributes>),
    /// It may come, and this is why it is not there.
    NotYet(String),
    /// The gate may not look.
    Denied(String),
    /// Waiting cannot help.
    Never(String),
}

impl Look {
    /// Whether this is a tag that was moved only just now, so that it should be read once more.
    pub fn is_unsettled(&self, now: Timestamp) -> bool {
        match self {
            Self::Present(image) if !image.tag.is_empty() => {
                Timestamp::parse(&image.pushed_at).is_some_and(|pushed_at| now.seconds_since(pushed_at).abs() < SETTLE_SECONDS)
            }
            Self::Present(_) | Self::NotYet(_) | Self::Denied(_) | Self::Never(_) => false,
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

/// What to do with a request after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The stack can go on.
    Succeed(Box<Attributes>),
    /// The stack has to stop, for this reason.
    Fail(String),
    /// The stack has to stop because the time is over; this is why the image was not there.
    GiveUp(String),
    /// It waits on.
    Wait,
}

/// What follows from a look at this moment.
pub fn verdict(wait: &Wait, look: Look, now: Timestamp) -> Verdict {
    match look {
        Look::Present(image) => Verdict::Succeed(image),
        Look::Never(reason) => Verdict::Fail(reason),
        Look::Denied(reason) if wait.patience.waited(now) >= PERMISSION_GRACE_SECONDS => Verdict::Fail(reason),
        Look::Denied(reason) | Look::NotYet(reason) if wait.patience.has_to_end(now) => Verdict::GiveUp(reason),
        Look::Denied(_) | Look::NotYet(_) => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(tag: &str, pushed_at: &str) -> Look {
        Look::Present(Box::new(Attributes { tag: tag.to_owned(), pushed_at: pushed_at.to_owned(), ..Attributes::default() }))
    }

    #[test]
    fn only_a_tag_that_was_moved_just_now_is_read_again() {
        let now = Timestamp::parse("2026-01-15T19:47:05Z").unwrap();
        assert!(present("1", "2026-01-15T19:47:01Z").is_unsettled(now));
        assert!(present("1", "2026-01-15T19:47:06Z").is_unsettled(now), "clocks differ");
        assert!(!present("1", "2026-01-15T19:47:00Z").is_unsettled(now));
        assert!(!present("1", "2026-01-15T19:50:00Z").is_unsettled(now), "clocks differ a lot");
        assert!(!present("", "2026-01-15T19:47:05Z").is_unsettled(now), "a digest does not move");
        assert!(!present("1", "").is_unsettled(now) && !Look::NotYet(String::new()).is_unsettled(now));
    }
}
