//! A look at ECR: whether images of one repository are there, and what they are. One batch for everybody who waits there.

use std::sync::atomic::Ordering;

use crate::decide::answer::Attributes;
use crate::decide::look::Look;
use crate::decide::place::Place;
use crate::decide::request::{Properties, Wanted};
use pullsafe::manifest::{Contents, Platform, platform_of_config};
use pullsafe::reference::Reference;
use pullsafe_aws::ecr::{Ecr, EcrError, EcrErrorKind, EcrImage, ImageBatch, ImageId, ImageSummary};
use tokio::time::{sleep, timeout};

use crate::Gate;

/// ECR takes so many image ids at a time.
const MOST_IDS: usize = 100;
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
/// A tag that moves on and on is taken as it is after so many looks.
const MOST_LOOKS: usize = 4;
/// ECR lists so many tags for a reason.
const MOST_TAGS: usize = 1000;

impl Gate {
    /// A look for one request.
    pub(crate) async fn look_settled(&self, place: &Place, asked: &Properties) -> Look {
        let looks = self.look_all_settled(place, &[asked]).await;
        looks.into_iter().next().unwrap_or_else(|| Look::NotYet("ECR was not asked".to_owned()))
    }

    /// Looks, and where a tag was moved only just now, once more after a moment, until it stays.
    pub(crate) async fn look_all_settled(&self, place: &Place, asked: &[&Properties]) -> Vec<Look> {
        let mut looks = self.look_in_time(place, asked).await;
        for _ in 1..MOST_LOOKS {
            let now = self.now();
            if !looks.iter().any(|look| look.is_unsettled(now)) {
                break;
            }
            sleep(self.settings.settle).await;
            let again = self.look_in_time(place, asked).await;
            let moved = looks.iter().zip(&again).any(|(before, after)| before.digest() != after.digest());
            looks = again;
            if !moved {
                break;
            }
        }
        looks
    }

    /// One look, which is not waited for longer than sensible.
    pub(crate) async fn look_in_time(&self, place: &Place, asked: &[&Properties]) -> Vec<Look> {
        let late = || vec![Look::NotYet("ECR did not answer in time".to_owned()); asked.len()];
        timeout(self.settings.look_budget, self.look(place, asked)).await.unwrap_or_else(|_| late())
    }

    /// The repository's tags, the newest first, for the reason of a failure; none where they cannot be had.
    pub(crate) async fn tags(&self, place: &Place) -> Vec<String> {
        self.ecr.get(&place.region).newest_tags(place.account.as_deref(), &place.repository, MOST_TAGS).await.unwrap_or_default()
    }

    async fn look(&self, place: &Place, asked: &[&Properties]) -> Vec<Look> {
        let ecr = self.ecr.get(&place.region);
        let mut ids: Vec<ImageId> = Vec::new();
        for id in asked.iter().map(|asked| id_of(asked)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.batches.fetch_add(ids.len().div_ceil(MOST_IDS), Ordering::Relaxed);
        let batch = match ecr.batch_get_image(place.account.as_deref(), &place.repository, &ids).await {
            Ok(batch) => batch,
            Err(error) => return vec![refused(&error); asked.len()],
        };
        let summaries = self.summaries(&ecr, place, &batch).await;
        let mut looks = Vec::with_capacity(asked.len());
        for asked in asked {
            looks.push(match image_of(&batch, asked) {
                Ok(image) => self.describe(place, asked, image, summaries.iter().find(|summary| summary.digest == image.digest)).await,
                Err(why_not) => Look::NotYet(why_not),
            });
        }
        looks
    }

    /// What ECR knows beside the manifests. Beside the point if it may not be asked: some attributes stay empty then.
    async fn summaries(&self, ecr: &Ecr, place: &Place, batch: &ImageBatch) -> Vec<ImageSummary> {
        let mut ids: Vec<ImageId> = Vec::new();
        for id in batch.images.iter().map(|image| ImageId::Digest(image.digest.clone())) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return Vec::new();
        }
        ecr.describe_images(place.account.as_deref(), &place.repository, &ids).await.unwrap_or_default()
    }

    async fn describe(&self, place: &Place, asked: &Properties, image: &EcrImage, summary: Option<&ImageSummary>) -> Look {
        if summary.is_some_and(|summary| summary.archived) {
            return Look::NotYet("the image lies in the archive, from where it cannot be pulled; restore it first".to_owned());
        }
        let account = image.registry_id.clone().or_else(|| place.account.clone()).unwrap_or_default();
        let registry = place.registry_or(&account);
        let platforms = match self.platforms(&registry, place, asked, image).await {
            Ok(platforms) => platforms,
            Err(reason) => return Look::NotYet(reason),
        };
        let missing = asked.platforms.iter().filter(|wanted| !platforms.iter().any(|platform| platform.satisfies(wanted)));
        let missing: Vec<String> = missing.map(Platform::to_string).collect();
        let offered = platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(",");
        if !missing.is_empty() {
            return Look::NotYet(format!("the image is there for {offered} and not for {}", missing.join(", ")));
        }
        let tag = match &asked.wanted {
            Wanted::Tag(tag) => tag.clone(),
            Wanted::Digest(_) => String::new(),
        };
        let media_type = image.media_type.clone().or_else(|| summary.and_then(|summary| summary.media_type.clone()));
        Look::Present(Box::new(Attributes {
            digest: image.digest.to_string(),
            tag,
            repository_uri: format!("{registry}/{}", place.repository),
            media_type: media_type.unwrap_or_default(),
            platforms: offered,
            pushed_at: summary.and_then(|summary| summary.pushed_at).map(|moment| moment.to_string()).unwrap_or_default(),
            size_bytes: summary.and_then(|summary| summary.size_bytes).map(|size| size.to_string()).unwrap_or_default(),
        }))
    }

    /// The platforms of an index are in its manifest. A single image has its own in its config, which is fetched only if the
    /// template asks for a platform.
    async fn platforms(&self, registry: &str, place: &Place, asked: &Properties, image: &EcrImage) -> Result<Vec<Platform>, String> {
        let contents = match Contents::parse(image.manifest.as_bytes()) {
            Ok(contents) => contents,
            Err(error) if asked.platforms.is_empty() => {
                tracing::warn!(digest = %image.digest, %error, "an image without readable platforms");
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.to_string()),
        };
        let Contents::Image { config: Some(config), .. } = &contents else { return Ok(contents.platforms()) };
        if asked.platforms.is_empty() {
            return Ok(Vec::new());
        }
        let unknown = |why: String| format!("the platform of the image cannot be read: {why}");
        let reference = Reference::new(registry, &place.repository, None, None).map_err(|error| unknown(error.to_string()))?;
        let config = self.registries().small_blob(&reference, config, LARGEST_CONFIG).await.map_err(|error| unknown(error.to_string()))?;
        Ok(platform_of_config(&config).into_iter().collect())
    }
}

fn id_of(asked: &Properties) -> ImageId {
    match &asked.wanted {
        Wanted::Tag(tag) => ImageId::Tag(tag.clone()),
        Wanted::Digest(digest) => ImageId::Digest(digest.clone()),
    }
}

/// The image of a batch that was asked for, or why it is not among them.
fn image_of<'a>(batch: &'a ImageBatch, asked: &Properties) -> Result<&'a EcrImage, String> {
    let image = batch.images.iter().find(|image| match &asked.wanted {
        Wanted::Tag(tag) => image.tag.as_ref() == Some(tag),
        Wanted::Digest(digest) => image.digest == *digest,
    });
    image.ok_or_else(|| {
        let failure = batch.failures.iter().find(|failure| match &asked.wanted {
            Wanted::Tag(tag) => failure.tag.as_ref() == Some(tag),
            Wanted::Digest(digest) => failure.digest.as_deref() == Some(digest.as_str()),
        });
        match failure {
            Some(failure) if !failure.is_absent() => format!("ECR answers {}: {}", failure.code, failure.reason),
            _ => "the repository has no such image".to_owned(),
        }
    })
}

fn refused(error: &EcrError) -> Look {
    match error.kind {
        EcrErrorKind::RepositoryNotFound => Look::NotYet("the repository does not exist".to_owned()),
        EcrErrorKind::AccessDenied => Look::Denied(format!("The gate may not look: {error}")),
        EcrErrorKind::Other if !error.retryable() => Look::Never(format!("The gate cannot look: {error}")),
        EcrErrorKind::ImageNotFound | EcrErrorKind::Throttled | EcrErrorKind::NoAnswer | EcrErrorKind::Other => {
            Look::NotYet(error.to_string())
        }
    }
}
