//! What the mirror is asked for and what it announces: the messages of its queues and the event `Image Mirrored`.
//!
//! Whoever asks the mirror writes a [`MirrorJob`] and the mirror reads one; the mirror writes an [`ImageMirrored`], and
//! whoever waits for a copy reads that. Neither side fails on a field that it does not know yet.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::Platform;
use crate::reference::{Digest, Reference};

/// One image to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorJob {
    /// The image.
    pub source: Reference,
    /// Where it goes: where the mirror keeps copies of the source, by the source's own tag or digest.
    pub target: Reference,
    /// Who asked. It decides nothing; the log and the event repeat it.
    #[serde(default)]
    pub requested_by: String,
    /// Only these platforms; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Platform>,
}

impl MirrorJob {
    /// The message that asks for an image in all its platforms.
    pub fn message(source: &Reference, target: &Reference, requested_by: &str) -> Value {
        let (source, target) = (source.clone(), target.clone());
        as_value(&Self {
            source,
            target,
            requested_by: requested_by.to_owned(),
            platforms: Vec::new(),
        })
    }
}

/// What a scheduled run planned, in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedJobs {
    /// The images.
    pub images: Vec<MirrorJob>,
}

impl PlannedJobs {
    /// The message.
    pub fn message(&self) -> Value {
        as_value(self)
    }
}

/// The detail of the event `Image Mirrored`: the target holds what the source means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMirrored {
    /// The image that was asked for.
    pub source: Reference,
    /// Where it is now.
    pub target: Reference,
    /// What both mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The platforms of the image; empty where they are not known.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// Who asked, in the words of the job.
    #[serde(default)]
    pub requested_by: String,
    /// Bytes of blobs that were sent.
    #[serde(default)]
    pub bytes_copied: u64,
    /// Whether there was nothing to copy.
    #[serde(default)]
    pub up_to_date: bool,
}

impl ImageMirrored {
    /// The event's detail-type.
    pub const DETAIL_TYPE: &'static str = "Image Mirrored";

    /// The event's detail.
    pub fn detail(&self) -> Value {
        as_value(self)
    }
}

/// Turns a message into JSON. This cannot fail: a message holds only texts, numbers and lists of them.
fn as_value(message: &impl Serialize) -> Value {
    serde_json::to_value(message).unwrap_or_default()
}
