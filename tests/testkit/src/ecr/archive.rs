//! The archive of images, and rules of the pull-through cache.

use serde_json::{Value, json};

use super::EcrApi;
use super::request::{find, invalid};
use crate::aws::service::AwsError;
use crate::registry::repository::{ImageStatus, StoredRepository};

impl EcrApi {
    /// Adds a rule of the pull-through cache for the repositories below a prefix.
    pub fn add_pull_through_rule(&self, prefix: &str) {
        self.state().rules.push(prefix.to_owned());
    }

    pub(super) fn describe_pull_through_cache_rules(&self) -> Value {
        let rules = self.state().rules.clone();
        let rules = rules.iter().map(
            |prefix| json!({"ecrRepositoryPrefix": prefix, "registryId": self.account, "upstreamRegistryUrl": "registry-1.docker.io"}),
        );
        json!({"pullThroughCacheRules": rules.collect::<Vec<_>>()})
    }

    /// `UpdateImageStorageClass`. An image that leaves the archive stays `ACTIVATING` until the test says that it is
    /// back.
    pub(super) fn update_image_storage_class(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let id = &request["imageId"];
        let status = match request["targetStorageClass"].as_str() {
            Some("STANDARD") => ImageStatus::Activating,
            Some("ARCHIVE") => ImageStatus::Archived,
            _ => return Err(invalid("targetStorageClass")),
        };
        let read =
            |repository: &StoredRepository| find(repository, id).map(|image| (image.digest.clone(), image.status));
        let (digest, now) = match self.store.read(name, read) {
            Some(Ok(found)) => found,
            Some(Err(_)) | None => return Err(self.image_not_found(name, id)),
        };
        if now == ImageStatus::Archived || status == ImageStatus::Archived {
            self.store.set_status(name, &digest, status);
        }
        Ok(
            json!({"registryId": self.account, "repositoryName": name, "imageId": {"imageDigest": digest}, "imageStatus": status.as_str()}),
        )
    }
}
