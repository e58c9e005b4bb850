//! What an incident waits for, and which arrival ends the wait.

use serde::{Deserialize, Serialize};

use pullsafe::reference::{Reference, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::arrival::Arrival;

/// What has to happen before an incident can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingIncident {
    /// What it waits for.
    pub cause: WaitingFor,
    /// Since when it waits.
    pub since: Timestamp,
    /// Since when lookups have failed, so that it is not known whether the wait is over; `None` while they succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_since: Option<Timestamp>,
}

/// What an incident can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingFor {
    /// The mirror was asked for these Docker Hub images.
    Mirror(Vec<Reference>),
    /// The service is paused until this image exists.
    Image(Reference),
    /// A push of the image of a young deployment, while the service is not paused yet.
    Push {
        image: Reference,
        /// When the service is paused if nothing has changed by then.
        pause_at: Timestamp,
    },
    /// The return of this image, named by its digest, from ECR's archive.
    Restored(Reference),
    /// More failing tasks, before the guards of a remedy are satisfied.
    MoreFailures,
}

impl WaitingFor {
    /// Returns the names of what is waited for, which an arrival has too. An arrival is only a hint: whoever hears of
    /// it looks again.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Mirror(images) => images.iter().map(of_mirrored).collect(),
            Self::Image(image) | Self::Push { image, .. } => vec![of_image(image)],
            // ECR's event about the return names the digest alone; a push of the tag ends the wait as well.
            Self::Restored(image) => [Some(of_image(image)), by_digest(image)].into_iter().flatten().collect(),
            Self::MoreFailures => Vec::new(),
        }
    }

    /// Says what a deployment at the door waits for.
    pub fn describe_at_door(&self) -> String {
        match self {
            Self::Mirror(images) => {
                format!(
                    "the mirror's copy of {}",
                    images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                )
            }
            Self::Image(image) | Self::Push { image, .. } => format!("a push of {image}"),
            Self::Restored(image) => format!("the way back of {image} from the archive"),
            Self::MoreFailures => "another failing task".to_owned(),
        }
    }

    /// Says what is waited for and what comes then, to complete "pullsafe waits".
    pub fn describe(&self) -> String {
        match self {
            Self::Mirror(images) => {
                let names: Vec<_> = images.iter().map(ToString::to_string).collect();
                format!("for the mirror to copy {}; then the service is moved", names.join(", "))
            }
            Self::Image(image) => format!("for {image} to be pushed; then the service is restored"),
            Self::Push { image, pause_at } => format!(
                "for {image} to be pushed; then a new deployment starts at once. If it still fails at {pause_at}, the \
                 service is paused: until then something may wait for this deployment, which would take a paused \
                 service for a stable one"
            ),
            Self::Restored(image) => format!("for {image} to come back from ECR's archive, which can take a while"),
            Self::MoreFailures => "for another failing task to confirm it before it acts".to_owned(),
        }
    }
}

/// Returns the name under which the mirror's copy of this image is waited for.
pub fn of_mirrored(source: &Reference) -> String {
    format!("mirror#{source}")
}

/// Returns the names under which an image that has arrived may be waited for: by its tag, and by its digest.
pub fn of_arrival(arrival: &Arrival) -> Vec<String> {
    let ends = [
        arrival.tag.as_ref().map(|tag| format!(":{tag}")),
        arrival.digest.as_ref().map(|digest| format!("@{digest}")),
    ];
    let name = |end: String| format!("image#{}/{}/{}{end}", arrival.account, arrival.region, arrival.repository);
    ends.into_iter().flatten().map(name).collect()
}

fn by_digest(image: &Reference) -> Option<String> {
    Some(of_image(&image.at_digest(image.digest()?.clone())))
}

fn of_image(image: &Reference) -> String {
    let end = match (image.tag(), image.digest()) {
        (Some(tag), _) => format!(":{tag}"),
        (None, Some(digest)) => format!("@{digest}"),
        (None, None) => ":latest".to_owned(),
    };
    match ecr_host(image.registry()) {
        Some(host) => format!("image#{}/{}/{}{end}", host.account, host.region, image.repository()),
        None => format!("image#{image}"),
    }
}
