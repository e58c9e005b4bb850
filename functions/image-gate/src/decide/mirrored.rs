//! Where the mirror puts the `Source` of a resource.
//!
//! The mirror names its repositories itself, and puts a copy nowhere else ([`mirrored_name`]). A resource that expects
//! one elsewhere would wait for what cannot come, or would have somebody's image replaced by another: it is refused at
//! once.

use super::place::RepositoryPlace;
use super::properties::Properties;
use super::refusal::PropertyRefusal;
use pullsafe::naming::mirrored_name;
use pullsafe::reference::ecr_host;
use pullsafe::settings::MirrorLocation;

const PROPERTY: &str = "Source";

/// Whether the mirror would put the source where the image is waited for.
///
/// # Errors
/// It would not, and this is where it would.
pub fn check(
    asked: &Properties,
    place: &RepositoryPlace,
    mirror: Option<&MirrorLocation>,
) -> Result<(), PropertyRefusal> {
    let Some(source) = &asked.source else { return Ok(()) };
    let refuse = |why: String, write: String| Err(PropertyRefusal::new(PROPERTY, &source.to_string(), why, write));
    let Some(mirror) = mirror else {
        return refuse(
            "cannot be copied: this gate has no mirror".to_owned(),
            "no Source, and push the image".to_owned(),
        );
    };
    let repository = mirrored_name(&mirror.prefix, source);
    if ecr_host(source.registry()).is_some() {
        return refuse(
            "is in a private registry of ECR, which the mirror does not copy from".to_owned(),
            "RepositoryName with this address, and no Source".to_owned(),
        );
    }
    if place.registry.as_deref() != Some(mirror.registry.as_str()) || place.repository != repository {
        let why = format!(
            "is copied by the mirror to {}/{repository} and nowhere else, and RepositoryName is {}",
            mirror.registry,
            place.uri()
        );
        return refuse(why, format!("RepositoryName: {repository}"));
    }
    Ok(())
}
