//! Layers: which exist, and where to download them.

use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::api::EcrApi;
use super::request::{text, up_to_a_hundred};
use crate::aws::service::AwsError;
use crate::registry::repository::{ImageStatus, StoredRepository};

impl EcrApi {
    pub(super) fn batch_check_layer_availability(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let (mut layers, mut failures) = (Vec::new(), Vec::new());
        for layer in up_to_a_hundred(request, "layerDigests")? {
            let Ok(digest) = layer.as_str().unwrap_or_default().parse::<Digest>() else {
                let reason = "Invalid request parameter: layer digest format is not valid";
                failures
                    .push(json!({"layerDigest": layer, "failureCode": "InvalidLayerDigest", "failureReason": reason}));
                continue;
            };
            layers.push(self.store.read(name, |repository| availability(repository, &digest)).unwrap_or_default());
        }
        Ok(json!({"layers": layers, "failures": failures}))
    }

    pub(super) fn get_download_url_for_layer(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let layer = text(request, "layerDigest")?;
        let known = layer.parse::<Digest>().ok().filter(|digest| self.store.blob(name, digest).is_some());
        let Some(digest) = known else {
            let message = format!(
                "The layer with digest '{layer}' does not exist in the repository with name '{name}' in the registry \
                 with id '{}'",
                self.account
            );
            return Err(AwsError::client("LayersNotFoundException", message));
        };
        let url = match self.server() {
            Some(server) => server.blob_link(name, &digest),
            None => {
                format!("https://prod-{}-starport-layer-bucket.s3.{}.amazonaws.com/{digest}", self.region, self.region)
            }
        };
        Ok(json!({"downloadUrl": url, "layerDigest": digest}))
    }
}

/// What ECR says of a layer: `ARCHIVED` where every image that names the layer is in the archive.
fn availability(repository: &StoredRepository, digest: &Digest) -> Value {
    let Some(blob) = repository.blob(digest) else {
        return json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"});
    };
    let mut users = repository
        .images()
        .filter(|image| image.links.blobs().any(|blob| &blob.digest == digest))
        .peekable();
    let media_type = users
        .peek()
        .and_then(|image| image.links.blobs().find(|blob| &blob.digest == digest))
        .map(|blob| blob.media_type.clone());
    let archived = media_type.is_some() && users.all(|image| image.status == ImageStatus::Archived);
    let mut layer = json!({
        "layerDigest": digest,
        "layerAvailability": if archived { "ARCHIVED" } else { "AVAILABLE" },
        "layerSize": blob.size(),
    });
    if let Some(media_type) = media_type {
        layer["mediaType"] = media_type.into();
    }
    layer
}
