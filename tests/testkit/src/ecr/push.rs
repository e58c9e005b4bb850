//! `PutImage`.

use bytes::Bytes;
use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::api::EcrApi;
use super::request::text;
use crate::aws::service::AwsError;
use crate::registry::PushError;
use crate::registry::repository::StoredRepository;

impl EcrApi {
    pub(super) fn put_image(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let manifest = Bytes::from(text(request, "imageManifest")?.to_owned());
        let (tag, named) = (request["imageTag"].as_str(), request["imageDigest"].as_str());
        let digest = Digest::of(&manifest);
        if named.is_some_and(|named| named != digest.as_str()) {
            let message =
                "The specified image digest does not match the digest that Amazon ECR calculated for the image.";
            return Err(AwsError::client("ImageDigestDoesNotMatchException", message));
        }
        let unchanged = |repository: &StoredRepository| {
            repository.image(digest.as_str()).is_some()
                && tag.is_none_or(|tag| repository.image(tag).is_some_and(|image| image.digest == digest))
        };
        if self.store.read(name, unchanged) == Some(true) {
            let message = format!(
                "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{name}' in \
                 registry with id '{}'",
                tag.unwrap_or("null"),
                self.account
            );
            return Err(AwsError::client("ImageAlreadyExistsException", message));
        }
        match self.store.push(name, tag, manifest, request["imageManifestMediaType"].as_str()) {
            Ok(image) => Ok(json!({"image": self.manifest(name, &image, tag)})),
            Err(refusal) => Err(self.refusal(name, refusal)),
        }
    }

    fn refusal(&self, name: &str, refusal: PushError) -> AwsError {
        let place = format!("repository with name '{name}' in the registry with id '{}'", self.account);
        let list = |digests: &[Digest]| digests.iter().map(Digest::as_str).collect::<Vec<_>>().join(", ");
        match refusal {
            PushError::RepositoryNotFound => {
                AwsError::client("RepositoryNotFoundException", format!("The {place} does not exist"))
            }
            PushError::Invalid(why) => {
                let message = format!(
                    "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax' ({why})"
                );
                AwsError::client("InvalidParameterException", message)
            }
            PushError::DigestMismatch(_) => AwsError::client(
                "ImageDigestDoesNotMatchException",
                "The specified image digest does not match the digest that Amazon ECR calculated for the image.",
            ),
            PushError::BlobsMissing(digests) => AwsError::client(
                "LayersNotFoundException",
                format!(
                    "Layers with digests '[{}]' required for pushing image into {place} do not exist",
                    list(&digests)
                ),
            ),
            PushError::ChildrenMissing(digests) => AwsError::client(
                "ReferencedImagesNotFoundException",
                format!(
                    "Images with digests '[{}]' required for pushing image into {place} do not exist",
                    list(&digests)
                ),
            ),
            PushError::TagLocked { tag, .. } => AwsError::client(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten \
                     because the tag is immutable."
                ),
            ),
        }
    }
}
