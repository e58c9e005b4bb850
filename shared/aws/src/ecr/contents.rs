//! Everything in a repository, with its lifecycle policy, in the form that the evaluator of policies takes.
//!
//! Reading the contents is not a pull: an image that nobody pulls is archived in the end, and a look must not prevent
//! that. Only [`Ecr::members`] and [`Ecr::add_tag`] read manifests, which counts as a pull.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatus, ImageStatusFilter};
use pullsafe::manifest::{Contents, DOCKER_LIST, OCI_INDEX};
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_lifecycle::{Image, Repository, StorageClass};

use super::{Ecr, EcrError, EcrErrorKind, ImageId};

impl Ecr {
    /// What a repository holds, except what its indexes name; `None` if there is no such repository.
    ///
    /// # Errors
    /// A call failed, so that this is not known.
    pub async fn contents(&self, registry_id: &str, repository: &str) -> Result<Option<Repository>, EcrError> {
        let filter = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
        let request = self.client.describe_images().registry_id(registry_id).repository_name(repository).filter(filter);
        let mut pages = request.max_results(1000).into_paginator().items().send();
        let mut contents = Repository::default();
        while let Some(detail) = pages.next().await {
            let detail = match detail.map_err(|error| EcrError::from_sdk("DescribeImages", &error)) {
                Ok(detail) => detail,
                Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let Some(image) = image(&detail) else { continue };
            if detail.image_manifest_media_type().is_some_and(|kind| [OCI_INDEX, DOCKER_LIST].contains(&kind)) {
                contents.indexes.push(image.digest.clone());
            }
            contents.images.push(image);
        }
        contents.policy = self.lifecycle_text(registry_id, repository).await?;
        Ok(Some(contents))
    }

    async fn lifecycle_text(&self, registry_id: &str, repository: &str) -> Result<Option<String>, EcrError> {
        match self.client.get_lifecycle_policy().registry_id(registry_id).repository_name(repository).send().await {
            Ok(answer) => Ok(answer.lifecycle_policy_text),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|service| service.is_lifecycle_policy_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(EcrError::from_sdk("GetLifecyclePolicy", &error)),
        }
    }

    /// The digests that these indexes name, in their order; none for an index that is gone meanwhile, or is no index.
    ///
    /// # Errors
    /// Whatever ECR answers, also about a single one of them.
    pub async fn members(
        &self,
        registry_id: &str,
        repository: &str,
        indexes: &[Digest],
    ) -> Result<Vec<Vec<Digest>>, EcrError> {
        let ids: Vec<ImageId> = indexes.iter().cloned().map(ImageId::Digest).collect();
        let batch = self.batch_get_image(Some(registry_id), repository, &ids).await?;
        if let Some(failure) = batch.failures.iter().find(|failure| !failure.is_absent()) {
            return Err(EcrError::unusable("BatchGetImage", format!("{}: {}", failure.code, failure.reason)));
        }
        let members = |index: &Digest| {
            let image = batch.images.iter().find(|image| image.digest == *index)?;
            match Contents::parse(image.manifest.as_bytes()).ok()? {
                Contents::Index { children } => Some(children.into_iter().map(|member| member.digest).collect()),
                Contents::Image { .. } => None,
            }
        };
        Ok(indexes.iter().map(|index| members(index).unwrap_or_default()).collect())
    }

    /// Sets one more tag on an image. If the image has the tag already, that is success.
    ///
    /// # Errors
    /// Whatever ECR answers; the image may be gone.
    pub async fn add_tag(
        &self,
        registry_id: &str,
        repository: &str,
        digest: &Digest,
        tag: &str,
    ) -> Result<(), EcrError> {
        let found = self.batch_get_image(Some(registry_id), repository, &[ImageId::Digest(digest.clone())]).await?;
        let Some(image) = found.images.into_iter().next() else {
            return Err(EcrError::unusable("PutImage", format!("{repository}@{digest} cannot be read")));
        };
        let request = self.client.put_image().registry_id(registry_id).repository_name(repository).image_tag(tag);
        let request = request
            .image_digest(digest.as_str())
            .image_manifest(image.manifest)
            .set_image_manifest_media_type(image.media_type);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|service| service.is_image_already_exists_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(EcrError::from_sdk("PutImage", &error)),
        }
    }
}

fn image(detail: &ImageDetail) -> Option<Image> {
    let moment = |moment: &aws_sdk_ecr::primitives::DateTime| moment.to_millis().ok().map(Timestamp::from_millis);
    let archived = detail.image_status() == Some(&ImageStatus::Archived);
    Some(Image {
        digest: detail.image_digest()?.parse().ok()?,
        tags: detail.image_tags().to_vec(),
        pushed_at: detail.image_pushed_at().and_then(moment)?,
        pulled_at: detail.last_recorded_pull_time().and_then(moment),
        activated_at: detail.last_activated_at().and_then(moment),
        archived_at: detail.last_archived_at().and_then(moment),
        class: if archived { StorageClass::Archive } else { StorageClass::Standard },
        members: Vec::new(),
        subject: detail.subject_manifest_digest().and_then(|subject| subject.parse().ok()),
    })
}
