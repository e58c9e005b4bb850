//! Repositories: created with their settings, and which of their tags cannot be changed.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, Tag};
use serde_json::json;

use super::{EcrError, EcrErrorKind};
use pullsafe::glob::Glob;
use pullsafe::repository::RepositorySettings;
use pullsafe::timestamp::Timestamp;

/// Which tags of a repository cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMutability {
    immutable: bool,
    /// Patterns of tags to which the opposite applies.
    except: Vec<Glob>,
}

impl TagMutability {
    /// Whether this tag cannot be changed.
    pub fn freezes(&self, tag: &str) -> bool {
        self.immutable != self.except.iter().any(|glob| glob.matches(tag))
    }
}

pub(super) async fn mutability(
    client: &Client,
    registry_id: Option<&str>,
    repository: &str,
) -> Result<Option<TagMutability>, EcrError> {
    let request = client
        .describe_repositories()
        .set_registry_id(registry_id.map(str::to_owned))
        .repository_names(repository);
    let answer = match request.send().await.map_err(|error| EcrError::from_sdk("DescribeRepositories", &error)) {
        Ok(answer) => answer,
        Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(answer.repositories().first().map(|repository| TagMutability {
        immutable: repository
            .image_tag_mutability()
            .is_some_and(|mutability| mutability.as_str().starts_with("IMMUTABLE")),
        except: repository
            .image_tag_mutability_exclusion_filters()
            .iter()
            .filter_map(|filter| Glob::parse(filter.filter()).ok())
            .collect(),
    }))
}

/// Whether a repository has a lifecycle policy, as far as it matters for finishing a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It has one, whoever set it.
    Set,
    /// It has none.
    Unset {
        /// When the repository was created, where ECR says.
        created_at: Option<Timestamp>,
    },
    /// There is no such repository.
    NoRepository,
}

pub(super) async fn lifecycle(
    client: &Client,
    registry_id: Option<&str>,
    repository: &str,
) -> Result<Lifecycle, EcrError> {
    let request = client
        .get_lifecycle_policy()
        .set_registry_id(registry_id.map(str::to_owned))
        .repository_name(repository);
    match request.send().await {
        Ok(_) => return Ok(Lifecycle::Set),
        Err(error)
            if error.as_service_error().is_some_and(|service| service.is_lifecycle_policy_not_found_exception()) => {}
        Err(error) => {
            let error = EcrError::from_sdk("GetLifecyclePolicy", &error);
            return if error.kind == EcrErrorKind::RepositoryNotFound {
                Ok(Lifecycle::NoRepository)
            } else {
                Err(error)
            };
        }
    }
    let request = client
        .describe_repositories()
        .set_registry_id(registry_id.map(str::to_owned))
        .repository_names(repository);
    let answer = match request.send().await.map_err(|error| EcrError::from_sdk("DescribeRepositories", &error)) {
        Ok(answer) => answer,
        Err(error) if error.kind == EcrErrorKind::RepositoryNotFound => return Ok(Lifecycle::NoRepository),
        Err(error) => return Err(error),
    };
    let created_at = answer.repositories().first().and_then(|repository| repository.created_at()?.to_millis().ok());
    Ok(Lifecycle::Unset { created_at: created_at.map(Timestamp::from_millis) })
}

/// Creates a repository, then sets its lifecycle policy in a second call. If the process dies between the two, the
/// repository has no policy.
pub(super) async fn create(
    client: &Client,
    registry_id: Option<&str>,
    repository: &str,
    settings: &RepositorySettings,
) -> Result<bool, EcrError> {
    let mut request = client
        .create_repository()
        .set_registry_id(registry_id.map(str::to_owned))
        .repository_name(repository);
    if settings.immutable {
        request = request.image_tag_mutability(ImageTagMutability::Immutable);
    }
    if settings.scan_on_push {
        request =
            request.image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build());
    }
    for (key, value) in &settings.tags {
        // Key and value are set, so building cannot fail.
        if let Ok(tag) = Tag::builder().key(key).value(value).build() {
            request = request.tags(tag);
        }
    }
    match request.send().await {
        Ok(_) => {}
        // It exists already, and whoever created it has set it up.
        Err(error)
            if error.as_service_error().is_some_and(|service| service.is_repository_already_exists_exception()) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(EcrError::from_sdk("CreateRepository", &error)),
    }
    if let Some(keep) = settings.lifecycle_keep {
        put_lifecycle(client, registry_id, repository, keep).await?;
    }
    Ok(true)
}

pub(super) async fn put_lifecycle(
    client: &Client,
    registry_id: Option<&str>,
    repository: &str,
    keep: u32,
) -> Result<(), EcrError> {
    let policy = json!({"rules": [{
        "rulePriority": 1,
        "description": "pullsafe: the newest images",
        // Only tagged images: the images of an index have no tag, and go with the index.
        "selection": {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": keep},
        "action": {"type": "expire"},
    }]});
    let request = client
        .put_lifecycle_policy()
        .set_registry_id(registry_id.map(str::to_owned))
        .repository_name(repository);
    let request = request.lifecycle_policy_text(policy.to_string());
    request.send().await.map_err(|error| EcrError::from_sdk("PutLifecyclePolicy", &error))?;
    Ok(())
}
