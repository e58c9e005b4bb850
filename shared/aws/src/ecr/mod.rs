//! Amazon ECR: which images a repository holds, new repositories, and the password for its registry.
//!
//! A manifest is returned only if its bytes match its digest, and always as it was pushed: every request accepts all
//! four media types, because otherwise ECR would convert between Docker's and OCI's.

use pullsafe::lookup::Doubt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::chain;
use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, ImageStatus, ImageStatusFilter};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use pullsafe::manifest::ACCEPTED;
use pullsafe::reference::Digest;
use pullsafe::repository::RepositorySettings;
use pullsafe::timestamp::Timestamp;

mod contents;
mod credentials;
mod looks;
mod lookup;
mod native;
mod repositories;

pub use credentials::{Authorization, EcrCredentials};
pub use looks::Signing;
pub use lookup::FoundImage;
pub use native::EcrNative;
pub use repositories::{Lifecycle, TagMutability};

/// The most image ids that ECR takes at a time.
const MOST_IDS: usize = 100;

/// The kind of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcrErrorKind {
    /// There is no such repository.
    RepositoryNotFound,
    /// There is no such image.
    ImageNotFound,
    /// The caller lacks a permission.
    AccessDenied,
    /// There were too many calls.
    Throttled,
    /// There was no answer: the connection failed, or the time ran out.
    NoAnswer,
    /// Anything else.
    Other,
}

/// A call to ECR that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ecr:{operation} failed: {message}")]
pub struct EcrError {
    /// The operation, such as `BatchGetImage`.
    pub operation: &'static str,
    pub kind: EcrErrorKind,
    /// ECR's code, such as `ServerException`; `None` if there was no answer.
    pub code: Option<String>,
    /// ECR's own words.
    pub message: String,
    is_transient: bool,
}

impl EcrError {
    /// Whether the same call can succeed later although nobody changes anything.
    pub const fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// The doubt that this failure leaves in a lookup.
    pub fn doubt(&self) -> Doubt {
        match self.is_transient {
            _ if self.kind == EcrErrorKind::AccessDenied => Doubt::denied(self.to_string()),
            true => Doubt::passing(self.to_string()),
            false => Doubt::lasting(self.to_string()),
        }
    }

    fn from_sdk<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (kind, message) = match error.as_service_error() {
            Some(service) => {
                let code = service.code().unwrap_or("an error without a code");
                let kind = match code {
                    "RepositoryNotFoundException" => EcrErrorKind::RepositoryNotFound,
                    "ImageNotFoundException" => EcrErrorKind::ImageNotFound,
                    "AccessDeniedException"
                    | "AccessDenied"
                    | "UnrecognizedClientException"
                    | "ExpiredTokenException" => EcrErrorKind::AccessDenied,
                    code if code.contains("Throttl") || code == "TooManyRequestsException" => EcrErrorKind::Throttled,
                    _ => EcrErrorKind::Other,
                };
                (kind, format!("{code}: {}", service.message().unwrap_or("no message")))
            }
            None => (EcrErrorKind::NoAnswer, chain(error)),
        };
        let failed_itself = error.raw_response().is_some_and(|answer| answer.status().is_server_error());
        let is_transient = failed_itself || matches!(kind, EcrErrorKind::Throttled | EcrErrorKind::NoAnswer);
        let code = error.as_service_error().and_then(|service| service.code()).map(str::to_owned);
        Self { operation, kind, code, message, is_transient }
    }

    fn unusable(operation: &'static str, message: String) -> Self {
        Self {
            operation,
            kind: EcrErrorKind::Other,
            code: None,
            message,
            is_transient: false,
        }
    }
}

/// What names an image within its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageId {
    Tag(String),
    Digest(Digest),
}

impl ImageId {
    fn to_sdk(&self) -> ImageIdentifier {
        match self {
            Self::Tag(tag) => ImageIdentifier::builder().image_tag(tag).build(),
            Self::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
        }
    }
}

/// An image with its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrImage {
    /// The account whose registry holds it.
    pub registry_id: Option<String>,
    /// The digest, which matches the manifest's bytes.
    pub digest: Digest,
    /// The tag that was asked for, if a tag was.
    pub tag: Option<String>,
    /// The manifest as it was pushed.
    pub manifest: String,
    /// Its media type.
    pub media_type: Option<String>,
}

/// An image that ECR did not return, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFailure {
    /// The tag that was asked for.
    pub tag: Option<String>,
    /// The digest that was asked for.
    pub digest: Option<String>,
    /// ECR's code, such as `ImageNotFound`.
    pub code: String,
    /// ECR's reason.
    pub reason: String,
}

impl ImageFailure {
    /// Whether the image does not exist, as opposed to one that exists but cannot be given.
    pub fn is_absent(&self) -> bool {
        matches!(self.code.as_str(), "ImageNotFound" | "ImageTagDoesNotMatchDigest")
    }
}

/// The answer to a batch of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageBatch {
    /// The images that exist.
    pub images: Vec<EcrImage>,
    /// The ids without an image, and why.
    pub failures: Vec<ImageFailure>,
}

/// What ECR knows of an image besides its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    pub digest: Digest,
    /// All its tags.
    pub tags: Vec<String>,
    /// Its compressed size; for an index, that of the largest of its images.
    pub size_bytes: Option<i64>,
    pub pushed_at: Option<Timestamp>,
    /// The media type of its manifest.
    pub media_type: Option<String>,
    /// Whether it is in the archive, from where it cannot be pulled, or on its way back.
    pub archived: bool,
    /// Whether it is on its way back from the archive.
    pub activating: bool,
    /// When it was last pulled, as far as ECR has recorded it.
    pub pulled_at: Option<Timestamp>,
    /// The image that it is attached to.
    pub subject: Option<Digest>,
}

/// ECR in one region.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: Client,
}

impl Ecr {
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The manifests of images, a hundred to a call. An image that does not exist is among the failures.
    ///
    /// # Errors
    /// A call fails as a whole: the repository does not exist, access is denied, ECR throttles or fails.
    pub async fn batch_get_image(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        ids: &[ImageId],
    ) -> Result<ImageBatch, EcrError> {
        const OPERATION: &str = "BatchGetImage";
        let mut batch = ImageBatch::default();
        for ids in ids.chunks(MOST_IDS) {
            let request = self
                .client
                .batch_get_image()
                .set_registry_id(registry_id.map(str::to_owned))
                .repository_name(repository);
            let request = request.set_image_ids(Some(ids.iter().map(ImageId::to_sdk).collect()));
            let request = request.set_accepted_media_types(Some(ACCEPTED.map(str::to_owned).to_vec()));
            let answer = request.send().await.map_err(|error| EcrError::from_sdk(OPERATION, &error))?;
            for image in answer.images.unwrap_or_default() {
                let id = image.image_id.unwrap_or_else(|| ImageIdentifier::builder().build());
                let stated = id.image_digest.unwrap_or_default();
                let manifest = image.image_manifest.unwrap_or_default();
                let digest = Digest::of(manifest.as_bytes());
                if digest.as_str() != stated {
                    return Err(EcrError::unusable(
                        OPERATION,
                        format!("{repository} returned a manifest of {digest} as `{stated}`"),
                    ));
                }
                let registry_id = image.registry_id;
                batch.images.push(EcrImage {
                    registry_id,
                    digest,
                    tag: id.image_tag,
                    manifest,
                    media_type: image.image_manifest_media_type,
                });
            }
            batch.failures.extend(answer.failures.unwrap_or_default().into_iter().map(image_failure));
        }
        Ok(batch)
    }

    /// What ECR knows of these images. Archived images are included, which ECR leaves out unless it is asked for every
    /// status. One id that does not exist makes ECR refuse the whole call.
    ///
    /// # Errors
    /// [`EcrErrorKind::ImageNotFound`] and whatever else ECR answers.
    pub async fn describe_images(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        ids: &[ImageId],
    ) -> Result<Vec<ImageSummary>, EcrError> {
        let mut images = Vec::new();
        for ids in ids.chunks(MOST_IDS) {
            let request = self
                .client
                .describe_images()
                .set_registry_id(registry_id.map(str::to_owned))
                .repository_name(repository);
            let request = request.set_image_ids(Some(ids.iter().map(ImageId::to_sdk).collect()));
            let request = request.filter(DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build());
            let answer = request.send().await.map_err(|error| EcrError::from_sdk("DescribeImages", &error))?;
            images.extend(answer.image_details.unwrap_or_default().iter().filter_map(summary));
        }
        Ok(images)
    }

    /// Every image of a repository that is not archived, a thousand to a call; none if there is no such repository.
    ///
    /// # Errors
    /// Whatever else ECR answers.
    pub async fn active_images(
        &self,
        registry_id: Option<&str>,
        repository: &str,
    ) -> Result<Vec<ImageSummary>, EcrError> {
        let request = self
            .client
            .describe_images()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_name(repository);
        let mut pages = request.max_results(1000).into_paginator().items().send();
        let mut images = Vec::new();
        while let Some(image) = pages.next().await {
            match image.map_err(|error| EcrError::from_sdk("DescribeImages", &error)) {
                Ok(image) => images.extend(summary(&image)),
                Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(images)
    }

    /// Deletes images with all their tags, a hundred to a call, in order. An image that ECR refuses to delete, for
    /// example because an index still names it, is among the failures; one that is gone already is not.
    ///
    /// # Errors
    /// A call failed as a whole; the images before it are gone.
    pub async fn delete_images(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        digests: &[Digest],
    ) -> Result<Vec<ImageFailure>, EcrError> {
        let mut failures = Vec::new();
        for some in digests.chunks(MOST_IDS) {
            let request = self
                .client
                .batch_delete_image()
                .set_registry_id(registry_id.map(str::to_owned))
                .repository_name(repository);
            let ids = some.iter().map(|digest| ImageId::Digest(digest.clone()).to_sdk()).collect();
            let answer = request
                .set_image_ids(Some(ids))
                .send()
                .await
                .map_err(|error| EcrError::from_sdk("BatchDeleteImage", &error))?;
            failures.extend(
                answer
                    .failures
                    .unwrap_or_default()
                    .into_iter()
                    .map(image_failure)
                    .filter(|failure| !failure.is_absent()),
            );
        }
        Ok(failures)
    }

    /// Whether a repository exists.
    ///
    /// # Errors
    /// A call failed, so that this is not known.
    pub async fn repository_exists(&self, registry_id: Option<&str>, repository: &str) -> Result<bool, EcrError> {
        let request = self
            .client
            .describe_repositories()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_names(repository);
        match request.send().await.map_err(|error| EcrError::from_sdk("DescribeRepositories", &error)) {
            Ok(answer) => Ok(!answer.repositories().is_empty()),
            Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a repository with these settings; returns whether it was created now. If it exists already, that is
    /// success, and it stays as it is.
    ///
    /// # Errors
    /// Whatever else ECR answers.
    pub async fn create_repository(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        settings: &RepositorySettings,
    ) -> Result<bool, EcrError> {
        repositories::create(&self.client, registry_id, repository, settings).await
    }

    /// Whether a repository has a lifecycle policy.
    ///
    /// # Errors
    /// A call failed, so that this is not known.
    pub async fn lifecycle(&self, registry_id: Option<&str>, repository: &str) -> Result<Lifecycle, EcrError> {
        repositories::lifecycle(&self.client, registry_id, repository).await
    }

    /// Sets a lifecycle policy that keeps `keep` tagged images, in place of any policy that the repository has.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn put_lifecycle(&self, registry_id: Option<&str>, repository: &str, keep: u32) -> Result<(), EcrError> {
        repositories::put_lifecycle(&self.client, registry_id, repository, keep).await
    }

    /// Which tags of a repository cannot be changed; `None` if there is no such repository.
    ///
    /// # Errors
    /// Whatever else ECR answers.
    pub async fn tag_mutability(
        &self,
        registry_id: Option<&str>,
        repository: &str,
    ) -> Result<Option<TagMutability>, EcrError> {
        repositories::mutability(&self.client, registry_id, repository).await
    }
}

/// ECR in any region: one client for each, kept with its connections. Clones share them.
#[derive(Clone)]
pub struct EcrRegions {
    config: SdkConfig,
    clients: Arc<Mutex<HashMap<String, Ecr>>>,
}

impl EcrRegions {
    /// Creates clients with this configuration, each when it is first needed.
    pub fn new(config: SdkConfig) -> Self {
        Self { config, clients: Arc::default() }
    }

    /// ECR in a region.
    pub fn get(&self, region: &str) -> Ecr {
        // A panic elsewhere cannot leave the map half changed.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let region = aws_sdk_ecr::config::Region::new(region.to_owned());
            Ecr::new(Client::from_conf(aws_sdk_ecr::config::Builder::from(&self.config).region(region).build()))
        };
        clients.entry(region.to_owned()).or_insert_with(make).clone()
    }
}

impl std::fmt::Debug for EcrRegions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EcrRegions")
    }
}

fn image_failure(failure: aws_sdk_ecr::types::ImageFailure) -> ImageFailure {
    ImageFailure {
        tag: failure.image_id.as_ref().and_then(|id| id.image_tag.clone()),
        digest: failure.image_id.and_then(|id| id.image_digest),
        code: failure.failure_code.map_or_else(String::new, |code| code.as_str().to_owned()),
        reason: failure.failure_reason.unwrap_or_default(),
    }
}

fn summary(detail: &ImageDetail) -> Option<ImageSummary> {
    let moment = |moment: &aws_sdk_ecr::primitives::DateTime| moment.to_millis().ok().map(Timestamp::from_millis);
    Some(ImageSummary {
        digest: detail.image_digest()?.parse().ok()?,
        tags: detail.image_tags().to_vec(),
        size_bytes: detail.image_size_in_bytes(),
        pushed_at: detail.image_pushed_at().and_then(moment),
        media_type: detail.image_manifest_media_type().map(str::to_owned),
        activating: detail.image_status() == Some(&ImageStatus::Activating),
        archived: matches!(detail.image_status(), Some(ImageStatus::Archived | ImageStatus::Activating)),
        pulled_at: detail.last_recorded_pull_time().and_then(moment),
        subject: detail.subject_manifest_digest().and_then(|subject| subject.parse().ok()),
    })
}
