//! A look at ECR: whether images of one repository are there, and what they are. One batch for everybody who waits
//! there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::decide::answer::Attributes;
use crate::decide::ecr_errors::{EcrErrorMeaning, look_of, meaning};
use crate::decide::look::{Freshness, ImageLook, WhyNot};
use crate::decide::place::RepositoryPlace;
use crate::decide::properties::Properties;
use crate::decide::wait::Wait;
use crate::decide::wanted::GateImage;
use pullsafe::manifest::{Contents, Platform};
use pullsafe::reference::{Digest, Reference};
use pullsafe_aws::ecr::{Ecr, EcrErrorKind, EcrImage, ImageBatch, ImageId, ImageSummary, Signing};
use tokio::time::{sleep, timeout};

use crate::gate::ImageGate;

/// ECR takes so many image ids at a time.
const MOST_IDS: usize = 100;
/// A tag that moves on and on is taken as it is after so many looks.
const MOST_LOOKS: usize = 4;
/// How many of the newest tags are compared with the one that is missing.
const MOST_TAGS: usize = 1000;
/// However little time a stack has left, one look gets so much.
const SHORTEST_LOOK: Duration = Duration::from_millis(500);

/// What ECR says of each image, or what it means for those who wait that it does not.
type Summaries = BTreeMap<Digest, Result<ImageSummary, ImageLook>>;

impl ImageGate {
    /// A look for one request.
    pub(crate) async fn look_settled(&self, wait: &Wait) -> ImageLook {
        let looks = self.look_all_settled(&[wait]).await;
        looks
            .into_iter()
            .next()
            .unwrap_or_else(|| ImageLook::NotYet(WhyNot::NotKnown("ECR was not asked".to_owned())))
    }

    /// Looks for requests of one repository, and where a tag was moved only just now, once more after a moment, until
    /// it stays.
    pub(crate) async fn look_all_settled(&self, waits: &[&Wait]) -> Vec<ImageLook> {
        let mut looks = self.look_in_time(waits).await;
        for _ in 1..MOST_LOOKS {
            let now = self.now();
            // Whoever asks for platforms that a single image has needs no index.
            let freshness = looks.iter().zip(waits).map(|(look, wait)| match look.freshness(now) {
                Freshness::FreshImage if !wait.asked.platforms.is_empty() => Freshness::FreshIndex,
                freshness @ (Freshness::Settled | Freshness::FreshIndex | Freshness::FreshImage) => freshness,
            });
            let pause = match freshness.max() {
                None | Some(Freshness::Settled) => break,
                Some(Freshness::FreshIndex) => self.settings.settle_index,
                Some(Freshness::FreshImage) => self.settings.settle_image,
            };
            sleep(pause).await;
            let again = self.look_in_time(waits).await;
            let moved = looks.iter().zip(&again).any(|(before, after)| before.digest() != after.digest());
            looks = again;
            if !moved {
                break;
            }
        }
        looks
    }

    /// One look, which is not waited for longer than sensible, and not so long that a stack would give up meanwhile.
    async fn look_in_time(&self, waits: &[&Wait]) -> Vec<ImageLook> {
        let late = || vec![ImageLook::NotYet(WhyNot::NotKnown("ECR did not answer in time".to_owned())); waits.len()];
        let left = waits
            .iter()
            .map(|wait| {
                wait.patience.gives_up_at.millis().saturating_sub(self.now().millis()).max(0).unsigned_abs() / 3
            })
            .min();
        let left = left.map_or(self.settings.look_budget, Duration::from_millis);
        let budget = self.settings.look_budget.min(left.max(SHORTEST_LOOK));
        timeout(budget, self.look_for_each(waits)).await.unwrap_or_else(|_| late())
    }

    /// Each stack sees what its own account may see.
    async fn look_for_each(&self, waits: &[&Wait]) -> Vec<ImageLook> {
        let Some(place) = waits.first().map(|wait| &wait.place) else {
            return Vec::new();
        };
        let mut by_account: BTreeMap<Option<&str>, Option<ImageLook>> = BTreeMap::new();
        for wait in waits {
            let account = wait.requester.stack().map(|stack| stack.account);
            if let Entry::Vacant(unasked) = by_account.entry(account) {
                unasked.insert(self.hidden_from(place, account).await);
            }
        }
        let hidden = waits
            .iter()
            .map(|wait| by_account.get(&wait.requester.stack().map(|stack| stack.account)).cloned().flatten());
        let hidden: Vec<Option<ImageLook>> = hidden.collect();
        let seen: Vec<&Properties> = waits
            .iter()
            .zip(&hidden)
            .filter(|(_, hidden)| hidden.is_none())
            .map(|(wait, _)| &wait.asked)
            .collect();
        let mut looks = if seen.is_empty() { Vec::new() } else { self.look(place, &seen).await }.into_iter();
        let unseen = || ImageLook::NotYet(WhyNot::NotKnown("ECR was not asked".to_owned()));
        hidden.into_iter().map(|hidden| hidden.or_else(|| looks.next()).unwrap_or_else(unseen)).collect()
    }

    /// The repository's tags, the newest first, for the reason of a failure; or why they cannot be had.
    pub(crate) async fn tags(&self, place: &RepositoryPlace) -> Result<Vec<String>, String> {
        match self
            .ecr
            .get(&place.region)
            .newest_tags(place.account.as_deref(), &place.repository, MOST_TAGS)
            .await
        {
            // Then there are none, and the reason says already that there is no repository.
            Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => Ok(Vec::new()),
            tags => tags.map_err(|error| error.to_string()),
        }
    }

    async fn look(&self, place: &RepositoryPlace, asked: &[&Properties]) -> Vec<ImageLook> {
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
            // One id that ECR does not take must not fail those that wait for others: each is asked for alone.
            Err(error) if meaning(error.code.as_deref()) == EcrErrorMeaning::Final && ids.len() > 1 => {
                let mut looks = Vec::with_capacity(asked.len());
                for alone in asked {
                    looks.push(
                        Box::pin(self.look(place, &[alone]))
                            .await
                            .pop()
                            .unwrap_or_else(|| look_of(error.code.as_deref(), &error.to_string())),
                    );
                }
                return looks;
            }
            Err(error) => return vec![look_of(error.code.as_deref(), &error.to_string()); asked.len()],
        };
        let digests = batch.images.iter().map(|image| image.digest.clone()).collect();
        let summaries = self.summaries(&ecr, place, &digests).await;
        let mut looks = Vec::with_capacity(asked.len());
        for asked in asked {
            let look = match image_of(&batch, asked) {
                Ok(image) => match summaries.get(&image.digest) {
                    Some(Ok(summary)) => self.describe(place, asked, image, summary).await,
                    Some(Err(look)) => look.clone(),
                    None => {
                        ImageLook::NotYet(WhyNot::NotKnown(format!("ecr:DescribeImages left out {}", image.digest)))
                    }
                },
                Err(look) => look,
            };
            looks.push(if asked.signed { self.signed(&ecr, place, look).await } else { look });
        }
        looks
    }

    /// An image that ECR has to have signed, as far as it has.
    async fn signed(&self, ecr: &Ecr, place: &RepositoryPlace, look: ImageLook) -> ImageLook {
        let ImageLook::Present(image) = look else { return look };
        let Ok(digest) = image.digest.parse() else {
            return ImageLook::Present(image);
        };
        match ecr.signing(place.account.as_deref(), &place.repository, &digest).await {
            Ok(Signing::Complete) => ImageLook::Present(image),
            Ok(Signing::InProgress) => ImageLook::NotYet(WhyNot::NotSigned("ECR is signing it".to_owned())),
            Ok(Signing::None) => {
                ImageLook::NotYet(WhyNot::NotSigned("no signing profile of the registry has signed it".to_owned()))
            }
            Ok(Signing::Failed(why)) => ImageLook::Never(format!(
                "The image {} is there, but not signed, as Signed asks for: {why}",
                image.digest
            )),
            Err(error) => look_of(error.code.as_deref(), &error.to_string()),
        }
    }

    /// What ECR knows of images beside their manifests: above all whether they lie in the archive, which nothing else
    /// tells.
    async fn summaries(&self, ecr: &Ecr, place: &RepositoryPlace, digests: &BTreeSet<Digest>) -> Summaries {
        let ids: Vec<ImageId> = digests.iter().cloned().map(ImageId::Digest).collect();
        let of_all = |look: &ImageLook| digests.iter().map(|digest| (digest.clone(), Err(look.clone()))).collect();
        if ids.is_empty() {
            return Summaries::new();
        }
        let error = match ecr.describe_images(place.account.as_deref(), &place.repository, &ids).await {
            Ok(summaries) => {
                return summaries.into_iter().map(|summary| (summary.digest.clone(), Ok(summary))).collect();
            }
            Err(error) => error,
        };
        // One image that has gone since fails the call for all of them: each is asked for alone.
        if matches!(meaning(error.code.as_deref()), EcrErrorMeaning::NoImage | EcrErrorMeaning::Final) && ids.len() > 1
        {
            let mut summaries = Summaries::new();
            for digest in digests {
                summaries.extend(Box::pin(self.summaries(ecr, place, &BTreeSet::from([digest.clone()]))).await);
            }
            return summaries;
        }
        of_all(&look_of(error.code.as_deref(), &error.to_string()))
    }

    async fn describe(
        &self,
        place: &RepositoryPlace,
        asked: &Properties,
        image: &EcrImage,
        summary: &ImageSummary,
    ) -> ImageLook {
        if summary.archived {
            return ImageLook::NotYet(WhyNot::Archived);
        }
        let account = image.registry_id.clone().or_else(|| place.account.clone()).unwrap_or_default();
        let registry = place.registry_or(&account);
        let platforms = match self.platforms(&registry, place, asked, image).await {
            Ok(platforms) => platforms,
            Err(reason) => return ImageLook::NotYet(WhyNot::Unreadable(reason)),
        };
        let missing =
            asked.platforms.iter().filter(|wanted| !platforms.iter().any(|platform| platform.satisfies(wanted)));
        let missing: Vec<String> = missing.map(Platform::to_string).collect();
        let offered = platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(",");
        if !missing.is_empty() {
            return ImageLook::NotYet(WhyNot::OtherPlatforms { offered, missing: missing.join(", ") });
        }
        let media_type = image.media_type.clone().or_else(|| summary.media_type.clone());
        ImageLook::Present(Box::new(Attributes {
            digest: image.digest.to_string(),
            tag: asked.wanted.tag().to_owned(),
            repository_uri: format!("{registry}/{}", place.repository),
            media_type: media_type.unwrap_or_default(),
            platforms: offered,
            pushed_at: summary.pushed_at.map(|moment| moment.to_string()).unwrap_or_default(),
            size_bytes: summary.size_bytes.map(|size| size.to_string()).unwrap_or_default(),
        }))
    }

    /// The platforms of an index are in its manifest. A single image has its own in its config, which is fetched only
    /// if the template asks for a platform.
    async fn platforms(
        &self,
        registry: &str,
        place: &RepositoryPlace,
        asked: &Properties,
        image: &EcrImage,
    ) -> Result<Vec<Platform>, String> {
        let contents = match Contents::parse(image.manifest.as_bytes()) {
            Ok(contents) => contents,
            Err(error) if asked.platforms.is_empty() => {
                tracing::warn!(digest = %image.digest, %error, "an image without readable platforms");
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.to_string()),
        };
        if asked.platforms.is_empty() {
            return Ok(contents.platforms());
        }
        let unknown = |why: String| format!("the platform of the image cannot be read: {why}");
        let reference =
            Reference::new(registry, &place.repository, None, None).map_err(|error| unknown(error.to_string()))?;
        self.registries().platforms(&reference, &contents).await.map_err(|error| unknown(error.to_string()))
    }
}

fn id_of(asked: &Properties) -> ImageId {
    match &asked.wanted {
        GateImage::Tag(tag) => ImageId::Tag(tag.clone()),
        GateImage::Digest(digest) => ImageId::Digest(digest.clone()),
    }
}

/// The image of a batch that was asked for, or what it means that it is not among them.
fn image_of<'a>(batch: &'a ImageBatch, asked: &Properties) -> Result<&'a EcrImage, ImageLook> {
    let image = batch.images.iter().find(|image| match &asked.wanted {
        GateImage::Tag(tag) => image.tag.as_ref() == Some(tag),
        GateImage::Digest(digest) => image.digest == *digest,
    });
    image.ok_or_else(|| {
        let failure = batch.failures.iter().find(|failure| match &asked.wanted {
            GateImage::Tag(tag) => failure.tag.as_ref() == Some(tag),
            GateImage::Digest(digest) => failure.digest.as_deref() == Some(digest.as_str()),
        });
        match failure {
            Some(failure) => look_of(Some(&failure.code), &format!("ECR answers {}: {}", failure.code, failure.reason)),
            None => ImageLook::NotYet(WhyNot::NoImage),
        }
    })
}
