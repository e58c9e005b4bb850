//! What the looks found for a definition's needs.

use std::collections::BTreeMap;

use pullsafe::lookup::{Doubt, Lookup, PolicyVerdict, ResolvedImage, Storage};
use pullsafe::reference::Reference;

use super::need::{LogGroup, StartSecret};

/// What the looks found about one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSeen {
    /// What the reference resolves to in its registry.
    pub found: Lookup<ResolvedImage>,
    /// Why the platforms are unknown, if they were asked for.
    pub unread: Option<Doubt>,
    /// Where ECR keeps the image; `Standard` for an image that is not in ECR.
    pub storage: Storage,
    /// For an image that is absent from ECR: whether a pull would bring it in from another registry.
    pub comes_by_a_pull: Lookup<bool>,
    /// Whether the execution role may pull the image; absent where no role decides.
    pub leave: Lookup<PolicyVerdict>,
    /// For an image of Docker Hub: its place in the mirror, and what is there.
    pub mirror: Option<(Reference, Lookup<ResolvedImage>)>,
    /// How many pulls Docker Hub still grants the address that asked, and out of how many.
    pub pulls_left: Option<(u64, u64)>,
}

impl ImageSeen {
    /// An image with this result and nothing else known.
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

/// What the looks found, for all needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The images, by their names as the definition has them.
    pub images: BTreeMap<String, ImageSeen>,
    /// For each secret, whether the execution role may read it.
    pub secrets: BTreeMap<StartSecret, Lookup<PolicyVerdict>>,
    /// For each log group, whether it exists: absent means that it does not.
    pub log_groups: BTreeMap<LogGroup, Lookup<()>>,
}
