//! ECR's answers about many images at once, for the copy engine: a hundred to a call, signed like any call to AWS and
//! not counted as pulls.

use std::collections::{HashMap, HashSet};

use aws_sdk_ecr::types::LayerAvailability;
use futures_util::future::BoxFuture;

use super::{Ecr, EcrError, EcrErrorKind, EcrRegions, ImageId, ImageSummary, MOST_IDS};
use pullsafe::reference::{Digest, Reference, ecr_host};
use pullsafe_registry::Native;

impl Ecr {
    /// What ECR knows of those of these images that exist; nothing if there is no such repository.
    ///
    /// One image that does not exist makes ECR refuse a whole call, so the call is halved until that image is found. If
    /// everything exists, which is the usual case, a hundred images are one call.
    ///
    /// # Errors
    /// Whatever else ECR answers.
    pub fn find_images<'a>(
        &'a self,
        registry_id: Option<&'a str>,
        repository: &'a str,
        ids: &'a [ImageId],
    ) -> BoxFuture<'a, Result<Vec<ImageSummary>, EcrError>> {
        Box::pin(async move {
            let mut images = Vec::new();
            for some in ids.chunks(MOST_IDS) {
                match self.describe_images(registry_id, repository, some).await {
                    Ok(found) => images.extend(found),
                    Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(Vec::new()),
                    Err(error) if error.kind == EcrErrorKind::ImageNotFound => {
                        let (one, other) = some.split_at(some.len() / 2);
                        for half in [one, other].into_iter().filter(|half| !half.is_empty() && half.len() < some.len())
                        {
                            images.extend(self.find_images(registry_id, repository, half).await?);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(images)
        })
    }

    /// Which of these layers a repository holds and can give. An archived layer has to be pushed again.
    ///
    /// # Errors
    /// Whatever ECR answers, except that there is no such repository, which holds no layer.
    pub async fn available_layers(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        digests: &[Digest],
    ) -> Result<Vec<Digest>, EcrError> {
        let mut available = Vec::new();
        for some in digests.chunks(MOST_IDS) {
            let request = self.client.batch_check_layer_availability().set_registry_id(registry_id.map(str::to_owned));
            let request = request
                .repository_name(repository)
                .set_layer_digests(Some(some.iter().map(ToString::to_string).collect()));
            match request.send().await.map_err(|error| EcrError::from_sdk("BatchCheckLayerAvailability", &error)) {
                Ok(answer) => {
                    let layers = answer.layers.unwrap_or_default();
                    let there =
                        layers.iter().filter(|layer| layer.layer_availability == Some(LayerAvailability::Available));
                    available.extend(there.filter_map(|layer| layer.layer_digest.as_deref()?.parse().ok()));
                }
                Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(available)
    }
}

/// ECR private, as the copy engine asks it. It leaves every other registry to the engine.
#[derive(Clone)]
pub struct EcrNative(EcrRegions);

impl EcrNative {
    pub const fn new(ecr: EcrRegions) -> Self {
        Self(ecr)
    }
}

/// What the engine cannot learn here, it asks the registry itself, so an error is only logged.
fn known<T>(answer: Result<T, EcrError>) -> Option<T> {
    answer
        .inspect_err(|error| tracing::info!(%error, "the registry itself is asked instead: {error}"))
        .ok()
}

impl Native for EcrNative {
    fn tags<'a>(
        &'a self,
        repository: &'a Reference,
        tags: &'a [String],
    ) -> BoxFuture<'a, Option<HashMap<String, Digest>>> {
        Box::pin(async move {
            let host = ecr_host(repository.registry())?;
            let ecr = self.0.get(host.region);
            let ids: Vec<ImageId> = tags.iter().cloned().map(ImageId::Tag).collect();
            let images = known(ecr.find_images(Some(host.account), repository.repository(), &ids).await)?;
            // An archived image cannot be pulled, so it counts as absent.
            let current = images.iter().filter(|image| !image.archived);
            Some(current.flat_map(|image| image.tags.iter().map(|tag| (tag.clone(), image.digest.clone()))).collect())
        })
    }

    fn manifests<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async move {
            let host = ecr_host(repository.registry())?;
            let ids: Vec<ImageId> = digests.iter().cloned().map(ImageId::Digest).collect();
            let ecr = self.0.get(host.region);
            // Usually none of them exists. Unlike DescribeImages, this call answers that at once.
            match ecr.batch_get_image(Some(host.account), repository.repository(), &ids).await {
                Ok(batch) => {
                    let there: HashSet<Digest> = batch.images.into_iter().map(|image| image.digest).collect();
                    Some(there.into_iter().collect())
                }
                Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => Some(Vec::new()),
                Err(error) => known(Err(error)),
            }
        })
    }

    fn blobs<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async move {
            let host = ecr_host(repository.registry())?;
            known(self.0.get(host.region).available_layers(Some(host.account), repository.repository(), digests).await)
        })
    }
}
