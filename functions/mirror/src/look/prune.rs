//! Prunes the mirror: looks at everything in its repositories, and deletes what has been unwanted for long enough.
//!
//! Right before it deletes, it looks at ECS once more, and deletes nothing in this run if ECS uses an image that it did
//! not use before. An image that ECR refuses to delete, because an index still names it, stays too.

use std::collections::{BTreeMap, HashSet};

use super::survey::{Around, Survey};
use crate::aws::inventory::InventoryScope;
use crate::aws::table::{Children, MirrorTable};
use crate::decide::plan::prune::{HeldRepository, InDemand, MirroredImage, PrunePlan, Unwanted, key, prune};
use crate::decide::plan::{Memory, repositories};
use crate::decide::{MirrorConfig, Want};
use pullsafe::manifest::Contents;
use pullsafe::reference::{Digest, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::ecr::{Ecr, ImageId, ImageSummary};

/// What pruning works with.
#[derive(Debug, Clone, Copy)]
pub struct Pruner<'a> {
    /// The configuration, which says what is wanted and what is kept.
    pub config: &'a MirrorConfig,
    /// The clients for registries, ECR and ECS.
    pub around: Around<'a>,
    /// The table, which keeps what indexes name.
    pub table: &'a MirrorTable,
    /// What is wanted.
    pub wants: &'a [Want],
    /// What the look found, including everything that ECS uses.
    pub survey: &'a Survey,
}

/// What pruning did.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// What was to be deleted, and what was not.
    pub plan: PrunePlan,
    /// How many images were deleted.
    pub gone: u64,
    /// What to remember: since when each image has been unwanted, and in how many runs.
    pub remembered: BTreeMap<String, (Timestamp, u32)>,
    /// What kept images from being deleted although the configuration allows it.
    pub obstacles: Vec<String>,
}

impl Pruner<'_> {
    /// Decides, and deletes if the configuration says so.
    pub async fn run(&self, memory: &Memory, now: Timestamp) -> Pruned {
        let plan = self.plan(memory, now).await;
        for image in &plan.unwanted {
            tracing::info!(
                repository = image.repository, digest = %image.digest, tags = image.tags.join(", "), since = %image.since, due = image.due,
                "nothing wants {}@{} any more", image.repository, image.digest
            );
        }
        for doubt in &plan.doubts {
            tracing::warn!("{}", doubt.why);
        }
        let enabled = self.config.prune.as_ref().is_some_and(|rule| rule.enabled);
        let mut obstacles: Vec<String> =
            plan.doubts.iter().map(|doubt| doubt.why.clone()).filter(|_| enabled).collect();
        let due = enabled && plan.due().next().is_some();
        let gone = if due { self.delete(&plan, &mut obstacles).await } else { HashSet::new() };
        Pruned {
            remembered: plan.remember(memory, &gone),
            gone: gone.len() as u64,
            plan,
            obstacles,
        }
    }

    /// Decides what nothing wants, and which of it is due.
    pub async fn plan(&self, memory: &Memory, now: Timestamp) -> PrunePlan {
        let Some(host) = ecr_host(&self.config.registry) else {
            return PrunePlan::default();
        };
        let ecr = self.around.ecr.get(host.region);
        let mut held = Vec::new();
        for name in repositories(self.config, self.wants.iter()) {
            let (images, doubt) = match self.held(&ecr, host.account, &name).await {
                Ok(images) => (images, self.survey.unsure.get(&name).cloned()),
                Err(why) => (Vec::new(), Some(why)),
            };
            held.push(HeldRepository { name, images, doubt });
        }
        let incomplete = (!self.survey.unknown_use.is_empty()).then(|| self.survey.unknown_use.join("; "));
        let demand = InDemand {
            wants: self.wants,
            used: &self.survey.used,
            incomplete: incomplete.as_deref(),
        };
        prune(self.config, &held, demand, memory, now)
    }

    async fn held(&self, ecr: &Ecr, account: &str, repository: &str) -> Result<Vec<MirroredImage>, String> {
        let images = ecr.active_images(Some(account), repository).await.map_err(|error| error.to_string())?;
        let is_index = |image: &&ImageSummary| {
            image.media_type.as_deref().is_none_or(|kind| kind.contains("index") || kind.contains("list"))
        };
        let indexes: Vec<Digest> = images.iter().filter(is_index).map(|image| image.digest.clone()).collect();
        let children = self.children(ecr, account, repository, &indexes).await?;
        let held = images.into_iter().map(|image| MirroredImage {
            children: if indexes.contains(&image.digest) {
                children.get(&image.digest).cloned()
            } else {
                Some(Vec::new())
            },
            digest: image.digest,
            tags: image.tags,
            pushed_at: image.pushed_at,
            pulled_at: image.pulled_at,
            size_bytes: image.size_bytes.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            subject: image.subject,
        });
        Ok(held.collect())
    }

    /// The manifests that these indexes name. Each index is read from ECR only once: a read counts as a pull, and the
    /// rule that keeps what was pulled would see it.
    async fn children(
        &self,
        ecr: &Ecr,
        account: &str,
        repository: &str,
        indexes: &[Digest],
    ) -> Result<Children, String> {
        if indexes.is_empty() {
            return Ok(Children::new());
        }
        let mut children = self.table.known_children(repository).await.map_err(|failure| failure.to_string())?;
        let known = children.len();
        children.retain(|index, _| indexes.contains(index));
        let unread: Vec<ImageId> = indexes
            .iter()
            .filter(|index| !children.contains_key(*index))
            .cloned()
            .map(ImageId::Digest)
            .collect();
        if unread.is_empty() && children.len() == known {
            return Ok(children);
        }
        let batch = ecr.batch_get_image(Some(account), repository, &unread).await.map_err(|error| error.to_string())?;
        for image in batch.images {
            match Contents::parse(image.manifest.as_bytes()) {
                Ok(Contents::Index { children: named }) => {
                    children.insert(image.digest, named.into_iter().map(|child| child.digest).collect());
                }
                Ok(Contents::Image { .. }) => {
                    children.insert(image.digest, Vec::new());
                }
                // An index whose children are unknown is a doubt for the decision.
                Err(error) => tracing::warn!(digest = %image.digest, %error, "an index cannot be read: {error}"),
            }
        }
        match self.table.keep_children(repository, &children).await {
            Ok(true) => Ok(children),
            Ok(false) => Err("it has more indexes than can be remembered".to_owned()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Deletes what is due and still not used, and returns what was deleted. What was in the way is added to the
    /// obstacles.
    async fn delete(&self, plan: &PrunePlan, obstacles: &mut Vec<String>) -> HashSet<String> {
        let Some(host) = ecr_host(&self.config.registry) else {
            return HashSet::new();
        };
        let again = self.around.ecs.images(InventoryScope::Everything).await;
        if !again.unknown.is_empty() {
            tracing::warn!("nothing is deleted, because not everything in use is known: {}", again.unknown.join("; "));
            return HashSet::new();
        }
        let before: HashSet<&str> = self.survey.used.iter().map(|used| used.image.as_str()).collect();
        if again.used.iter().any(|used| !before.contains(used.image.as_str())) {
            tracing::info!(
                "nothing is deleted in this run, because ECS uses images now that it did not use a moment ago"
            );
            return HashSet::new();
        }
        let ecr = self.around.ecr.get(host.region);
        let mut by_repository: BTreeMap<&str, Vec<&Unwanted>> = BTreeMap::new();
        for image in plan.due() {
            by_repository.entry(&image.repository).or_default().push(image);
        }
        let mut gone = HashSet::new();
        for (repository, images) in by_repository {
            let digests: Vec<Digest> = images.iter().map(|image| image.digest.clone()).collect();
            // One call for the tagged images, then one for the others, which they may name: ECR decides a call as a
            // whole.
            for digests in in_order(plan, repository, digests) {
                match ecr.delete_images(Some(host.account), repository, &digests).await {
                    Ok(failures) => {
                        for failure in &failures {
                            tracing::warn!(repository, code = failure.code, "an image stays: {}", failure.reason);
                        }
                        let stays: HashSet<&str> =
                            failures.iter().filter_map(|failure| failure.digest.as_deref()).collect();
                        gone.extend(
                            digests
                                .iter()
                                .filter(|digest| !stays.contains(digest.as_str()))
                                .map(|digest| key(repository, digest)),
                        );
                    }
                    Err(error) => {
                        tracing::warn!(repository, %error, "images could not be deleted: {error}");
                        obstacles.push(format!("images of {repository} could not be deleted: {error}"));
                    }
                }
            }
        }
        tracing::info!(images = gone.len(), "images that nothing wants were deleted");
        gone
    }
}

/// Splits the digests into calls: first the tagged images, then the others. Each call is in the order of the plan,
/// which has an index before what it names.
fn in_order(plan: &PrunePlan, repository: &str, digests: Vec<Digest>) -> Vec<Vec<Digest>> {
    let tagged: HashSet<&Digest> = plan
        .unwanted
        .iter()
        .filter(|image| image.repository == repository && !image.tags.is_empty())
        .map(|image| &image.digest)
        .collect();
    let (first, second): (Vec<Digest>, Vec<Digest>) = digests.into_iter().partition(|digest| tagged.contains(digest));
    [first, second].into_iter().filter(|digests| !digests.is_empty()).collect()
}
