//! What else can be seen of a repository and its images: the newest tags, the signatures that ECR makes, who may pull.

use aws_sdk_ecr::types::{DescribeImagesFilter, SigningStatus, TagStatus, TargetStorageClass};

use super::{Ecr, EcrError, ImageId, ImageSummary, summary};
use pullsafe::reference::Digest;

/// How many pages of a thousand images are read to find the newest tags.
const MOST_PAGES: usize = 10;

/// The state of ECR's managed signing of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// No signing profile applies to it, or none has begun.
    None,
    /// At least one profile is signing it.
    InProgress,
    /// Every profile has signed it.
    Complete,
    /// A profile could not sign it, and why.
    Failed(String),
}

impl Ecr {
    /// The tags that were pushed last among the first ten thousand tagged images, the newest first. ECR lists images in
    /// no order, so every page counts.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn newest_tags(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        count: usize,
    ) -> Result<Vec<String>, EcrError> {
        let request = self
            .client
            .describe_images()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_name(repository);
        let filter = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let mut pages = request.filter(filter).max_results(1000).into_paginator().send();
        let mut images: Vec<ImageSummary> = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| EcrError::from_sdk("DescribeImages", &error))?;
            images.extend(page.image_details.unwrap_or_default().iter().filter_map(summary));
        }
        images.sort_by_key(|image| std::cmp::Reverse(image.pushed_at));
        Ok(images.into_iter().flat_map(|image| image.tags).take(count).collect())
    }

    /// Returns the state of ECR's managed signing of an image.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn signing(
        &self,
        registry_id: Option<&str>,
        repository: &str,
        digest: &Digest,
    ) -> Result<Signing, EcrError> {
        let request = self
            .client
            .describe_image_signing_status()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_name(repository);
        let answer = request.image_id(ImageId::Digest(digest.clone()).to_sdk()).send().await;
        let answer = answer.map_err(|error| EcrError::from_sdk("DescribeImageSigningStatus", &error))?;
        let statuses = answer.signing_statuses();
        if let Some(failed) = statuses.iter().find(|status| status.status == Some(SigningStatus::Failed)) {
            let (code, why) =
                (failed.failure_code().unwrap_or("no code"), failed.failure_reason().unwrap_or("no reason given"));
            return Ok(Signing::Failed(format!(
                "{} could not sign it: {code}: {why}",
                failed.signing_profile_arn().unwrap_or("a signing profile")
            )));
        }
        Ok(match statuses.iter().all(|status| status.status == Some(SigningStatus::Complete)) {
            _ if statuses.is_empty() => Signing::None,
            true => Signing::Complete,
            false => Signing::InProgress,
        })
    }

    /// The policy of a repository, as JSON.
    ///
    /// # Errors
    /// Whatever ECR answers, also if there is no policy.
    pub async fn repository_policy(&self, registry_id: Option<&str>, repository: &str) -> Result<String, EcrError> {
        let request = self
            .client
            .get_repository_policy()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_name(repository);
        let answer = request.send().await.map_err(|error| EcrError::from_sdk("GetRepositoryPolicy", &error))?;
        Ok(answer.policy_text.unwrap_or_default())
    }

    /// The prefixes of the pull-through cache: below them, this region's registry fetches what it lacks from another
    /// registry at the first pull.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn pull_through_prefixes(&self, registry_id: Option<&str>) -> Result<Vec<String>, EcrError> {
        let request = self.client.describe_pull_through_cache_rules().set_registry_id(registry_id.map(str::to_owned));
        let mut rules = request.into_paginator().items().send();
        let mut prefixes = Vec::new();
        while let Some(rule) = rules.next().await {
            let rule = rule.map_err(|error| EcrError::from_sdk("DescribePullThroughCacheRules", &error))?;
            prefixes.extend(rule.ecr_repository_prefix);
        }
        Ok(prefixes)
    }

    /// Brings an image back from the archive; it can be pulled once ECR says that it is active.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn restore(&self, registry_id: Option<&str>, repository: &str, image: &ImageId) -> Result<(), EcrError> {
        let request = self
            .client
            .update_image_storage_class()
            .set_registry_id(registry_id.map(str::to_owned))
            .repository_name(repository);
        let request = request.image_id(image.to_sdk()).target_storage_class(TargetStorageClass::Standard);
        request.send().await.map_err(|error| EcrError::from_sdk("UpdateImageStorageClass", &error))?;
        Ok(())
    }
}
