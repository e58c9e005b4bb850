//! Where a Docker Hub image can be pulled from instead, verified to be the same.

use crate::observation::DockerHubImage;
use pullsafe::lookup::Lookup;
use pullsafe::lookup::ResolvedImage;
use pullsafe::naming::mirrored_name;
use pullsafe::reference::{Digest, InvalidReference, Reference};
use pullsafe::settings::{MirrorLocation, Settings};
use pullsafe_incident::plan::ImageMove;

/// Where an image's copy is kept in the mirror: the prefix, then Docker Hub's path, as ECR's own pull-through cache
/// names it.
///
/// # Errors
/// The mirror's registry or prefix is malformed.
pub fn in_mirror(mirror: &MirrorLocation, image: &Reference) -> Result<Reference, InvalidReference> {
    image.moved_to(&mirror.registry, &mirrored_name(&mirror.prefix, image))
}

/// What can be done about one image.
#[derive(Debug, Clone, PartialEq)]
pub enum MoveTarget {
    /// The same bytes can be pulled from there.
    Verified(ImageMove),
    /// The mirror lacks it, or has another digest, and can be asked for it.
    MirrorCanBeAsked(Reference),
    /// Nothing can be done, and why.
    Nowhere(Vec<String>),
}

/// Finds the best place for an image: the private mirror first, then ECR Public.
pub fn of(
    image: &DockerHubImage,
    platform: &str,
    role_may_pull: impl Fn(&str) -> Lookup<bool>,
    settings: &Settings,
) -> MoveTarget {
    let mut reasons = Vec::new();
    let mut ask = None;
    match &image.mirror {
        None => reasons.push("no mirror is configured".to_owned()),
        Some((place, copy)) => match (role_may_pull(place.repository()), same(image, copy, platform)) {
            (Lookup::Found(true), Ok(digest)) => return verified(image, place, digest),
            (Lookup::Found(true), Err(Mismatch::Fillable(why))) if settings.mirror_queue_url.is_some() => {
                reasons.push(format!("{place}: {why}"));
                ask = Some(place.clone());
            }
            (Lookup::Found(true), Err(Mismatch::Fillable(why) | Mismatch::Final(why))) => {
                reasons.push(format!("{place}: {why}"))
            }
            (Lookup::Found(false), _) => {
                reasons.push(format!("the execution role may not pull from {}", place.repository()))
            }
            (Lookup::Absent, _) => reasons.push(
                "the task definition has no execution role: a pull from ECR on Fargate needs one, and on EC2 the \
                 instance's role would pull, which \
                 is not looked at; give the task definition an execution role that may pull from the mirror"
                    .to_owned(),
            ),
            (Lookup::Unknown(why), _) => reasons.push(format!(
                "whether the execution role may pull from the mirror could not be found out: \
                    {why}"
            )),
        },
    }
    match &image.public {
        Some((place, copy)) if settings.public_fallback => match same(image, copy, platform) {
            // A copy that exists beats one that has to be made first, while tasks keep failing.
            Ok(digest) => return verified(image, place, digest),
            Err(Mismatch::Fillable(why) | Mismatch::Final(why)) => reasons.push(format!("{place}: {why}")),
        },
        Some(_) => reasons.push("moving official images to ECR Public is switched off".to_owned()),
        None => reasons.push("it is not an official image, so ECR Public does not carry it".to_owned()),
    }
    match ask {
        Some(place) => MoveTarget::MirrorCanBeAsked(place),
        None => MoveTarget::Nowhere(reasons),
    }
}

fn verified(image: &DockerHubImage, place: &Reference, digest: Digest) -> MoveTarget {
    // Pinned by its digest, so that what was verified is what runs, whatever the tag means later.
    MoveTarget::Verified(ImageMove {
        from: image.written.clone(),
        to: place.pinned_to(digest.clone()).to_string(),
        digest,
    })
}

/// Why something is not known, between `before` and `after`; empty where it is known.
fn doubt<T>(before: &str, looked_up: &Lookup<T>, after: &str) -> String {
    match looked_up {
        Lookup::Unknown(why) => format!("{before}{why}{after}"),
        Lookup::Found(_) | Lookup::Absent => String::new(),
    }
}

/// Why a copy cannot be used.
pub(crate) enum Mismatch {
    /// A fresh copy would cure it.
    Fillable(String),
    /// A fresh copy would not cure it, or nobody knows whether it would.
    Final(String),
}

/// Whether a copy is the same as what Docker Hub would give: the digest that Docker Hub names now, or, for a tag that
/// has moved or cannot be asked for, the digest that this service last ran.
pub(crate) fn same(image: &DockerHubImage, copy: &Lookup<ResolvedImage>, platform: &str) -> Result<Digest, Mismatch> {
    let hub = image.hub.found().map(|resolved| &resolved.digest).or(image.reference.digest());
    let copy = match copy {
        Lookup::Found(copy) => copy,
        Lookup::Absent => return Err(Mismatch::Fillable("the image is not there".to_owned())),
        Lookup::Unknown(why) => return Err(Mismatch::Final(format!("could not be looked up: {why}"))),
    };
    if Some(&copy.digest) != hub && Some(&copy.digest) != image.last_run.found() {
        return Err(match hub {
            Some(hub) => Mismatch::Fillable(format!("has {} where Docker Hub has {hub}", copy.digest)),
            None => Mismatch::Final(format!(
                "has {}, and Docker Hub could not be asked whether that is the same{}{}",
                copy.digest,
                doubt(" (", &image.hub, ")"),
                doubt("; what the service runs could not be found out either: ", &image.last_run, "")
            )),
        });
    }
    match (copy.is_for(platform), &copy.platforms) {
        (Some(false), Some(platforms)) => {
            Err(Mismatch::Final(format!("offers {} and the task needs {platform}", platforms.join(", "))))
        }
        // A single image with the same digest is what a pull from Docker Hub would have given.
        (Some(_) | None, _) => Ok(copy.digest.clone()),
    }
}
