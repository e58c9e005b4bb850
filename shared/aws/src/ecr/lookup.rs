//! What a reference to a private ECR registry means right now, in the domain's words.

use super::{EcrErrorKind, EcrRegions, ImageId};
use pullsafe::lookup::Resolved;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::manifest::Contents;
use pullsafe::reference::{Reference, ecr_host};

impl EcrRegions {
    /// Looks an image up by its digest, its tag, or `latest`. No pull is counted but by ECR itself, as the time of the last pull.
    pub async fn resolve(&self, reference: &Reference) -> Lookup<Resolved> {
        let Some(host) = ecr_host(reference.registry()) else {
            return Lookup::Unknown(Doubt::lasting(format!("{} is not a private ECR registry", reference.registry())));
        };
        let id = match reference.digest() {
            Some(digest) => ImageId::Digest(digest.clone()),
            None => ImageId::Tag(reference.tag_or_digest().to_owned()),
        };
        let batch = match self.get(host.region).batch_get_image(Some(host.account), reference.repository(), &[id]).await {
            Ok(batch) => batch,
            Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Lookup::Absent,
            Err(error) if error.kind == EcrErrorKind::AccessDenied => return Lookup::Unknown(Doubt::denied(error.to_string())),
            Err(error) => return Lookup::Unknown(Doubt::new(error.to_string(), error.retryable())),
        };
        match (batch.images.first(), batch.failures.first()) {
            (Some(image), _) => Lookup::Found(Resolved { digest: image.digest.clone(), platforms: offered(&image.manifest) }),
            (None, Some(failure)) if failure.is_absent() => Lookup::Absent,
            (None, Some(failure)) => Lookup::Unknown(Doubt::lasting(format!("ECR answered {}: {}", failure.code, failure.reason))),
            (None, None) => Lookup::Unknown(Doubt::lasting("ECR answered neither an image nor a failure")),
        }
    }
}

/// An index says for which platforms it is; a single image says so only in its config.
fn offered(manifest: &str) -> Option<Vec<String>> {
    let platforms = Contents::parse(manifest.as_bytes()).ok()?.platforms();
    if platforms.is_empty() { None } else { Some(platforms.iter().map(ToString::to_string).collect()) }
}
