//! What an incident waits for, and which arrival ends the wait.

use serde::{Deserialize, Serialize};

use pullsafe::reference::{Reference, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::arrival::Arrival;

/// What has to happen before an incident can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What for.
    pub cause: WaitingFor,
    /// Since when.
    pub since: Timestamp,
}

/// The kinds of waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingFor {
    /// The mirror was asked for these Docker Hub images.
    Mirror(Vec<Reference>),
    /// The service is paused until this image exists.
    Image(Reference),
    /// The image of a young deployment, which is not paused yet.
    Push {
        /// The image.
        image: Reference,
        /// When the service is paused if nothing has changed by then.
        pause_at: Timestamp,
    },
    /// More failing tasks, before the guards of a remedy are satisfied.
    MoreFailures,
}

impl WaitingFor {
    /// What is waited for and what comes then, to complete "pullsafe waits".
    pub fn describe(&self) -> String {
        match self {
            Self::Mirror(images) => {
                let names: Vec<_> = images.iter().map(ToString::to_string).collect();
                format!("for the mirror to copy {}; then the service is moved", names.join(", "))
            }
            Self::Image(image) => format!("for {image} to be pushed; then the service is restored"),
            Self::Push { image, pause_at } => format!(
                "for {image} to be pushed; then a new deployment starts at once. If it still fails at {pause_at}, the service is paused: until then something may wait for this deployment, which would take a paused service for a stable one"
            ),
            Self::MoreFailures => "for another failing task to confirm it before it acts".to_owned(),
        }
    }
}

impl Waiting {
    /// Whether this arrival may be what is waited for. A hint only: whoever acts on it looks again.
    pub fn may_end_with(&self, arrival: &Arrival) -> bool {
        match &self.cause {
            WaitingFor::Image(reference) | WaitingFor::Push { image: reference, .. } => {
                let Some(host) = ecr_host(reference.registry()) else { return false };
                let wanted = match (reference.tag(), reference.digest()) {
                    (Some(tag), _) => arrival.tag.as_deref() == Some(tag),
                    (None, Some(digest)) => arrival.digest.as_deref() == Some(digest.as_str()),
                    (None, None) => arrival.tag.as_deref() == Some("latest"),
                };
                host.account == arrival.account && host.region == arrival.region && reference.repository() == arrival.repository && wanted
            }
            WaitingFor::Mirror(_) | WaitingFor::MoreFailures => false,
        }
    }

    /// Whether a copy of this Docker Hub image is what is waited for.
    pub fn may_end_with_mirrored(&self, source: &Reference) -> bool {
        match &self.cause {
            WaitingFor::Mirror(images) => images.contains(source),
            WaitingFor::Image(_) | WaitingFor::Push { .. } | WaitingFor::MoreFailures => false,
        }
    }
}
