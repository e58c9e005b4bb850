//! What a reference to a private ECR registry means right now, in the domain's words.

use super::{EcrError, EcrErrorKind, EcrRegions, ImageId};
use pullsafe::lookup::{Doubt, Lookup, ResolvedImage, Storage};
use pullsafe::manifest::Contents;
use pullsafe::reference::{Digest, Reference, ecr_host};

/// An image of ECR: what its name means, where it is kept, and its manifest, where it can be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// What its tag or digest means; the platforms as far as the manifest says them.
    pub resolved: ResolvedImage,
    /// Where it is kept.
    pub storage: Storage,
    /// What its manifest refers to, where there was one to read.
    pub contents: Option<Contents>,
}

impl FoundImage {
    fn of(digest: Digest, storage: Storage, contents: Option<Contents>) -> Self {
        let platforms = contents.as_ref().map(names).filter(|platforms| !platforms.is_empty());
        Self {
            resolved: ResolvedImage { digest, platforms },
            storage,
            contents,
        }
    }
}

impl EcrRegions {
    /// Looks an image up with where it is kept: DescribeImages knows those in the archive too, which a pull answers for
    /// as if they did not exist.
    pub async fn kept(&self, reference: &Reference) -> Lookup<FoundImage> {
        let Some(host) = ecr_host(reference.registry()) else {
            return not_ecr(reference);
        };
        let (ecr, id) = (self.get(host.region), id_of(reference));
        let (described, batch) = tokio::join!(
            ecr.describe_images(Some(host.account), reference.repository(), std::slice::from_ref(&id)),
            ecr.batch_get_image(Some(host.account), reference.repository(), std::slice::from_ref(&id))
        );
        let image = match described.map(|images| images.into_iter().next()) {
            Ok(Some(image)) => image,
            Ok(None) => return Lookup::Absent,
            Err(error) if matches!(error.kind, EcrErrorKind::RepositoryNotFound | EcrErrorKind::ImageNotFound) => {
                return Lookup::Absent;
            }
            // A repository of another account mostly lets pull and not describe: what it hands out, it keeps where it
            // can be pulled from.
            Err(error)
                if error.kind == EcrErrorKind::AccessDenied
                    && batch.as_ref().is_ok_and(|batch| !batch.images.is_empty()) =>
            {
                return match batch.ok().and_then(|batch| batch.images.into_iter().next()) {
                    Some(image) => Lookup::Found(FoundImage::of(
                        image.digest,
                        Storage::Standard,
                        Contents::parse(image.manifest.as_bytes()).ok(),
                    )),
                    None => doubt(&error),
                };
            }
            Err(error) => return doubt(&error),
        };
        let contents = batch.ok().and_then(|batch| Contents::parse(batch.images.first()?.manifest.as_bytes()).ok());
        let storage = match (image.activating, image.archived) {
            (true, _) => Storage::Returning,
            (false, true) => Storage::Archive,
            (false, false) => Storage::Standard,
        };
        Lookup::Found(FoundImage::of(image.digest, storage, contents))
    }

    /// Looks an image up by its digest, its tag, or `latest`. No pull is counted but by ECR itself, as the time of the
    /// last pull.
    pub async fn resolve(&self, reference: &Reference) -> Lookup<ResolvedImage> {
        let Some(host) = ecr_host(reference.registry()) else {
            return not_ecr(reference);
        };
        let id = [id_of(reference)];
        let batch = match self.get(host.region).batch_get_image(Some(host.account), reference.repository(), &id).await {
            Ok(batch) => batch,
            Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Lookup::Absent,
            Err(error) => return doubt(&error),
        };
        match (batch.images.first(), batch.failures.first()) {
            (Some(image), _) => Lookup::Found(ResolvedImage {
                digest: image.digest.clone(),
                platforms: offered(&image.manifest),
            }),
            (None, Some(failure)) if failure.is_absent() => Lookup::Absent,
            (None, Some(failure)) => {
                Lookup::Unknown(Doubt::lasting(format!("ECR answered {}: {}", failure.code, failure.reason)))
            }
            (None, None) => Lookup::Unknown(Doubt::lasting("ECR answered neither an image nor a failure")),
        }
    }
}

fn id_of(reference: &Reference) -> ImageId {
    match reference.digest() {
        Some(digest) => ImageId::Digest(digest.clone()),
        None => ImageId::Tag(reference.tag_or_digest().to_owned()),
    }
}

fn not_ecr<T>(reference: &Reference) -> Lookup<T> {
    Lookup::Unknown(Doubt::lasting(format!("{} is not a private ECR registry", reference.registry())))
}

fn doubt<T>(error: &EcrError) -> Lookup<T> {
    Lookup::Unknown(error.doubt())
}

/// An index says for which platforms it is; a single image says so only in its config.
fn offered(manifest: &str) -> Option<Vec<String>> {
    let platforms = names(&Contents::parse(manifest.as_bytes()).ok()?);
    if platforms.is_empty() { None } else { Some(platforms) }
}

fn names(contents: &Contents) -> Vec<String> {
    contents.platforms().iter().map(ToString::to_string).collect()
}
