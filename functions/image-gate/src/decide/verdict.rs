//! What follows from a look for a request that waits.

use super::answer::Attributes;
use super::look::{ImageLook, WhyNot};
use super::wait::Wait;
use pullsafe::timestamp::Timestamp;

/// How long a refused permission may be one that was granted a moment ago and is still on its way, or one that is being
/// changed.
pub const PERMISSION_GRACE_SECONDS: i64 = 120;

/// What to do with a request after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateVerdict {
    /// The stack can go on.
    Succeed(Box<Attributes>),
    /// The stack has to stop, for this reason.
    Fail(String),
    /// The stack has to stop because the time is over; this is why the image was not there.
    GiveUp(WhyNot),
    /// It waits on.
    Wait,
}

/// What follows from a look at this moment.
pub fn verdict(wait: &Wait, look: ImageLook, now: Timestamp) -> GateVerdict {
    match look {
        ImageLook::Present(image) => GateVerdict::Succeed(image),
        ImageLook::Never(reason) => GateVerdict::Fail(reason),
        ImageLook::Denied(reason)
            if wait.denied_since.is_some_and(|since| now.seconds_since(since) >= PERMISSION_GRACE_SECONDS) =>
        {
            GateVerdict::Fail(reason)
        }
        ImageLook::Denied(reason) if wait.patience.has_to_end(now) => GateVerdict::Fail(reason),
        ImageLook::NotYet(why) if wait.patience.has_to_end(now) => GateVerdict::GiveUp(why),
        ImageLook::Denied(_) | ImageLook::NotYet(_) => GateVerdict::Wait,
    }
}
