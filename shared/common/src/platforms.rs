//! An image with fewer platforms than its author gave it.
//!
//! For one platform, that is the platform's own manifest, unchanged. For several, it is a new index that lists only
//! these and their attestations. The new index has another digest than its source, and names the source in an
//! annotation.

use serde_json::{Value, json};

use crate::manifest::{Contents, InvalidManifest, Platform, document};
use crate::reference::Digest;

/// The annotation of an index written here: the digest of the index it was taken from.
pub const TAKEN_FROM: &str = "pullsafe.source.digest";

/// What a choice of platforms selects of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The image as it is: every platform or none was asked for, or it is a single image.
    Whole,
    /// One of its manifests.
    One(Digest),
    /// A new index.
    Index(Vec<u8>),
}

/// Chooses platforms of an image.
///
/// # Errors
/// The manifest cannot be read, or does not offer one of the platforms: the text names those it offers.
pub fn choose(manifest: &[u8], wanted: &[Platform]) -> Result<Choice, NotOffered> {
    let contents = Contents::parse(manifest).map_err(NotOffered::Unreadable)?;
    let Contents::Index { children } = &contents else {
        return Ok(Choice::Whole);
    };
    if wanted.is_empty() {
        return Ok(Choice::Whole);
    }
    let offered = contents.platforms();
    if let Some(missing) = wanted.iter().find(|wanted| !offered.iter().any(|platform| platform.satisfies(wanted))) {
        let offered = offered.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ");
        return Err(NotOffered::Platform { wanted: missing.clone(), offered });
    }
    let is_wanted = |platform: &Platform| wanted.iter().any(|wanted| platform.satisfies(wanted));
    let chosen: Vec<&Digest> = children
        .iter()
        .filter(|child| child.platform.as_ref().is_some_and(is_wanted))
        .map(|child| &child.digest)
        .collect();
    if offered.iter().all(is_wanted) {
        return Ok(Choice::Whole);
    }
    if let ([only], [_]) = (chosen.as_slice(), wanted) {
        return Ok(Choice::One((*only).clone()));
    }
    let mut index = document(manifest).map_err(NotOffered::Unreadable)?;
    let keeps = |child: &Value| {
        let named = |pointer: &str| child.pointer(pointer).and_then(Value::as_str);
        let own = named("/digest").is_some_and(|digest| chosen.iter().any(|chosen| chosen.as_str() == digest));
        own || named("/annotations/vnd.docker.reference.digest")
            .is_some_and(|about| chosen.iter().any(|chosen| chosen.as_str() == about))
    };
    if let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        manifests.retain(keeps);
    }
    // Docker's manifest list has no annotations; readers ignore what they do not know.
    if !index.get("annotations").is_some_and(Value::is_object) {
        index["annotations"] = json!({});
    }
    index["annotations"][TAKEN_FROM] = Digest::of(manifest).as_str().into();
    Ok(Choice::Index(index.to_string().into_bytes()))
}

/// The digest of the index that an index written here was taken from.
pub fn taken_from(index: &[u8]) -> Option<Digest> {
    let index = document(index).ok()?;
    index.get("annotations")?.get(TAKEN_FROM)?.as_str()?.parse().ok()
}

/// Why platforms cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// The manifest cannot be read.
    #[error(transparent)]
    Unreadable(InvalidManifest),
    /// The image does not offer a platform that was asked for.
    #[error("it is not offered for {wanted}, only for {offered}")]
    Platform {
        /// What was asked for.
        wanted: Platform,
        /// The platforms that it is offered for.
        offered: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn index() -> (Vec<u8>, [Digest; 4]) {
        let digests = ["amd64", "arm64", "v7", "attestation"].map(|name| Digest::of(name.as_bytes()));
        let child = |n: usize, architecture: &str, variant: Option<&str>| {
            let mut platform = json!({"os": if architecture == "unknown" { "unknown" } else { "linux" }, "architecture": architecture});
            if let Some(variant) = variant {
                platform["variant"] = variant.into();
            }
            json!({"mediaType": "m", "digest": digests[n], "size": 2, "platform": platform, "x": 1})
        };
        let mut attestation = child(3, "unknown", None);
        attestation["annotations"] = json!({"vnd.docker.reference.digest": digests[1]});
        let manifests =
            json!([child(0, "amd64", None), child(1, "arm64", Some("v8")), child(2, "arm", Some("v7")), attestation]);
        (
            json!({"schemaVersion": 2, "mediaType": "i", "manifests": manifests}).to_string().into_bytes(),
            digests,
        )
    }

    #[test]
    fn one_platform_is_its_own_manifest() {
        let (index, digests) = index();
        assert_eq!(choose(&index, &[platform("linux/arm64")]), Ok(Choice::One(digests[1].clone())));
        assert_eq!(choose(&index, &[platform("linux/arm/v7")]), Ok(Choice::One(digests[2].clone())));
        assert_eq!(choose(&index, &[]), Ok(Choice::Whole));
    }

    #[test]
    fn several_are_an_index_of_these_with_their_attestations_that_says_where_it_is_from() {
        let (source, digests) = index();
        let Ok(Choice::Index(bytes)) = choose(&source, &[platform("linux/amd64"), platform("linux/arm64")]) else {
            panic!("an index")
        };
        let Contents::Index { children } = Contents::parse(&bytes).unwrap() else {
            panic!("an index")
        };
        let kept: Vec<&Digest> = children.iter().map(|child| &child.digest).collect();
        assert_eq!(kept, [&digests[0], &digests[1], &digests[3]]);
        assert_eq!(taken_from(&bytes), Some(Digest::of(&source)));
        assert_eq!(taken_from(&source), None);
        assert!(String::from_utf8(bytes).unwrap().contains(r#""x":1"#), "what it does not know stays");
    }

    #[test]
    fn all_of_them_are_the_image_itself_and_none_too_many() {
        let (source, _) = index();
        let all = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(platform);
        assert_eq!(choose(&source, &all), Ok(Choice::Whole));
        let error = choose(&source, &[platform("windows/amd64")]).unwrap_err().to_string();
        assert_eq!(error, "it is not offered for windows/amd64, only for linux/amd64, linux/arm64/v8, linux/arm/v7");
        let single = json!({"schemaVersion": 2, "layers": []}).to_string();
        assert_eq!(choose(single.as_bytes(), &[platform("linux/amd64")]), Ok(Choice::Whole));
    }
}
