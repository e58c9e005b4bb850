//! What was found of what a definition needs.

use std::collections::BTreeMap;

use pullsafe::lookup::{Doubt, Lookup, PolicyVerdict, ResolvedImage, Storage};
use pullsafe::reference::Reference;

use super::need::{LogGroup, StartSecret};

/// What was found of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSeen {
    /// What it means in its registry.
    pub found: Lookup<ResolvedImage>,
    /// Why its platforms are not known, where they were asked for.
    pub unread: Option<Doubt>,
    /// Where ECR keeps it; for what is not in ECR, where it can be pulled from.
    pub storage: Storage,
    /// Of an image that is absent from ECR: whether a pull would bring it in from another registry.
    pub comes_by_a_pull: Lookup<bool>,
    /// Whether the execution role may pull it; absent where no role decides.
    pub leave: Lookup<PolicyVerdict>,
    /// Of an image of Docker Hub: its place in the mirror, and what is there.
    pub mirror: Option<(Reference, Lookup<ResolvedImage>)>,
    /// How many of how many pulls Docker Hub grants the address that asked.
    pub pulls_left: Option<(u64, u64)>,
}

impl ImageSeen {
    /// An image of which only this is known.
    pub const fn only(found: Lookup<ResolvedImage>) -> Self {
        Self {
            found,
            unread: None,
            storage: Storage::Standard,
            comes_by_a_pull: Lookup::Absent,
            leave: Lookup::Absent,
            mirror: None,
            pulls_left: None,
        }
    }
}

/// What was found of everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The images, by how they are written.
    pub images: BTreeMap<String, ImageSeen>,
    /// The secrets: whether the execution role may read them.
    pub secrets: BTreeMap<StartSecret, Lookup<PolicyVerdict>>,
    /// The log groups: absent means that there is none.
    pub log_groups: BTreeMap<LogGroup, Lookup<()>>,
}
