//! Managed signing: the status of each signing profile for an image.

use serde_json::{Value, json};

use super::api::EcrApi;
use super::request::{find, invalid};
use crate::aws::service::AwsError;

impl EcrApi {
    /// Sets the status of the signing profiles for every image of a repository: the entries of `signingStatuses`.
    pub fn set_signing(&self, repository: &str, statuses: Value) {
        let mut state = self.state();
        let settings = state.settings.entry(repository.to_owned()).or_insert_with(|| json!({}));
        settings["signingStatuses"] = statuses;
    }

    pub(super) fn describe_image_signing_status(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let id = request.get("imageId").ok_or_else(|| invalid("imageId"))?;
        let found = self.store().read(name, |repository| find(repository, id).is_ok()).unwrap_or_default();
        if !found {
            return Err(self.image_not_found(name, id));
        }
        let statuses = self.settings(name)["signingStatuses"].as_array().cloned().unwrap_or_default();
        Ok(
            json!({"repositoryName": name, "imageId": id, "registryId": request["registryId"], "signingStatuses": statuses}),
        )
    }
}
