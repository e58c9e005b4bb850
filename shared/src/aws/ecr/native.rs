//! ECR's answers about many images at once, for the copy engine: a hundred to a call, signed with the function's own
//! credentials, and without touching the time of the last pull.

use std::collections::HashMap;

use aws_sdk_ecr::types::LayerAvailability;
use futures_util::future::BoxFuture;

use super::{Ecr, EcrError, EcrErrorKind, EcrRegions, ImageId, MOST_IDS};
use crate::domain::reference::{Digest, EcrHost, Reference, ecr_host};
use crate::registry::Native;

impl Ecr {
    /// Which of these layers a repository holds, ready to be referred to: an archived one is not.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn available_layers(&self, registry_id: Option<&str>, repository: &str, digests: &[Digest]) -> Result<Vec<Digest>, EcrError> {
        let mut available = Vec::new();
        for digests in digests.chunks(MOST_IDS) {
            let request = self.client.batch_check_layer_availability().set_registry_id(registry_id.map(str::to_owned));
            let request = request.repository_name(repository);
            let request = request.set_layer_digests(Some(digests.iter().map(ToString::to_string).collect()));
            let answer = request.send().await.map_err(|error| EcrError::from_sdk("BatchCheckLayerAvailability", &error))?;
            let is_available = |layer: &&aws_sdk_ecr::types::Layer| layer.layer_availability() == Some(&LayerAvailability::Available);
            let found = answer.layers().iter().filter(is_available).filter_map(|layer| layer.layer_digest()?.parse().ok());
            available.extend(found);
        }
        Ok(available)
    }
}

/// [`Native`] for private ECR registries; about any other it knows nothing.
#[derive(Debug, Clone)]
pub struct EcrNative(EcrRegions);

impl EcrNative {
    /// Answers from these clients.
    pub const fn new(regions: EcrRegions) -> Self {
        Self(regions)
    }

    async fn images(&self, repository: &Reference, ids: &[ImageId]) -> Option<Vec<super::EcrImage>> {
        let EcrHost { account, region } = ecr_host(repository.registry())?;
        match self.0.get(region).batch_get_image(Some(account), repository.repository(), ids).await {
            Ok(batch) => Some(batch.images),
            Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => Some(Vec::new()),
            Err(error) => {
                tracing::info!(%error, repository = repository.repository(), "the registry itself is asked instead, image by image");
                None
            }
        }
    }
}

impl Native for EcrNative {
    fn tags<'a>(&'a self, repository: &'a Reference, tags: &'a [String]) -> BoxFuture<'a, Option<HashMap<String, Digest>>> {
        Box::pin(async move {
            let ids: Vec<ImageId> = tags.iter().cloned().map(ImageId::Tag).collect();
            let images = self.images(repository, &ids).await?;
            Some(images.into_iter().filter_map(|image| Some((image.tag?, image.digest))).collect())
        })
    }

    fn manifests<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async move {
            let ids: Vec<ImageId> = digests.iter().cloned().map(ImageId::Digest).collect();
            Some(self.images(repository, &ids).await?.into_iter().map(|image| image.digest).collect())
        })
    }

    fn blobs<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async move {
            let EcrHost { account, region } = ecr_host(repository.registry())?;
            match self.0.get(region).available_layers(Some(account), repository.repository(), digests).await {
                Ok(available) => Some(available),
                Err(error) => {
                    tracing::info!(%error, repository = repository.repository(), "the registry itself is asked instead, blob by blob");
                    None
                }
            }
        })
    }
}
