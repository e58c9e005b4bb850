//! The property `Source`: an image that the mirror copies to where this resource waits for it, under the same tag or
//! digest.

use super::foreign::shown;
use super::refusal::PropertyRefusal;
use super::wanted::GateImage;
use pullsafe::reference::{DOCKER_HUB, Reference};

const PROPERTY: &str = "Source";

/// Reads it. Where it says no tag and no digest, it is the one that is waited for.
///
/// # Errors
/// It is no reference, or another image than the one that is waited for.
pub(super) fn parse(text: &str, wanted: &GateImage) -> Result<Reference, PropertyRefusal> {
    let refuse = |why: String, write: String| Err(PropertyRefusal::new(PROPERTY, text, why, write));
    let example = || "an image as `docker pull` takes it, such as docker.io/library/redis:7".to_owned();
    if let Some((_, rest)) = text.split_once("://") {
        let is_image = rest.parse::<Reference>().is_ok() && !rest.starts_with("hub.docker.com");
        return refuse("is a URL".to_owned(), if is_image { format!("Source: {}", shown(rest)) } else { example() });
    }
    let source: Reference = match text.parse() {
        Ok(source) => source,
        Err(error) => {
            let whole = error.to_string();
            let why = whole.rsplit_once("is not an image reference: ").map_or("it cannot be read", |(_, why)| why);
            return refuse(format!("is not an image: {why}"), example());
        }
    };
    if !is_public(source.registry()) {
        return refuse(
            "is in a registry of this machine or of a private network".to_owned(),
            "a registry of the internet".to_owned(),
        );
    }
    let complete = |tag: Option<&str>, digest| Reference::new(source.registry(), source.repository(), tag, digest);
    let expected = match (wanted, source.tag(), source.digest()) {
        (GateImage::Tag(tag), None, None) => complete(Some(tag), None),
        (GateImage::Tag(tag), Some(own), _) if tag == own => Ok(source.clone()),
        (GateImage::Digest(digest), _, None) => complete(source.tag(), Some(digest.clone())),
        (GateImage::Digest(digest), _, Some(own)) if digest == own => Ok(source.clone()),
        (GateImage::Tag(tag), ..) => {
            let write = format!("Source: {}/{}:{tag}", source.registry(), source.repository());
            return refuse(
                format!("is another image than ImageTag {tag}, and the mirror keeps tags as they are"),
                write,
            );
        }
        (GateImage::Digest(digest), ..) => {
            let write = format!("Source: {}/{}@{digest}", source.registry(), source.repository());
            return refuse("is another image than ImageDigest".to_owned(), write);
        }
    };
    expected.or_else(|_| refuse("is too long".to_owned(), "a shorter one".to_owned()))
}

/// A name with a dot, and no address. What such a name leads to is judged by whoever connects.
fn is_public(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host == DOCKER_HUB
        || (name.contains('.')
            && !name.starts_with('[')
            && name.rsplit('.').next().is_some_and(|last| {
                last.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
                    && !["local", "internal", "localhost", "lan"].contains(&last)
            }))
}
