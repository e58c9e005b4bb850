//! Events of ECR as EventBridge delivers them.
//!
//! Shapes: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>. The events have the usual
//! account and region; a test that needs others replaces them.

use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{ACCOUNT, REGION};
use crate::registry::media_type;

/// A push. Without a tag it is a push by digest, as for the children of an index.
pub fn ecr_push_event(repository: &str, tag: Option<&str>, digest: &Digest, time: Timestamp) -> Value {
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "manifest-media-type": media_type::OCI_INDEX,
        "artifact-media-type": media_type::OCI_CONFIG,
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.into();
    }
    event("ECR Image Action", time, detail)
}

/// An image that has left the archive.
pub fn ecr_archive_event(repository: &str, digest: &Digest, time: Timestamp) -> Value {
    let detail = json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "UPDATE_STORAGE_CLASS",
        "manifest-media-type": media_type::OCI_INDEX,
        "target-storage-class": "STANDARD",
    });
    event("ECR Image Action", time, detail)
}

/// The arrival of an image by replication from another region.
pub fn ecr_replication_event(repository: &str, tag: Option<&str>, digest: &Digest, time: Timestamp) -> Value {
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "source-account": ACCOUNT,
        "source-region": "us-east-1",
        "action-type": "REPLICATE",
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.into();
    }
    event("ECR Replication Action", time, detail)
}

/// The arrival of an image through a pull-through cache of Docker Hub.
pub fn ecr_pull_through_event(repository: &str, tag: Option<&str>, digest: &Digest, time: Timestamp) -> Value {
    let mut detail = json!({
        "rule-version": "1",
        "sync-status": "SUCCESS",
        "ecr-repository-prefix": repository.split('/').next().unwrap_or_default(),
        "repository-name": repository,
        "upstream-registry-url": "registry-1.docker.io",
        "image-digest": digest,
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.into();
    }
    event("ECR Pull Through Cache Action", time, detail)
}

/// Wraps a detail in its envelope. The id depends only on the content, so the same event always has the same id.
fn event(detail_type: &str, time: Timestamp, detail: Value) -> Value {
    // EventBridge sends whole seconds.
    let time = Timestamp::from_millis(time.seconds() * 1000);
    let hash = Digest::of(format!("{detail_type} {time} {detail}").as_bytes());
    let hex = &hash.as_str()["sha256:".len()..];
    json!({
        "version": "0",
        "id": format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]),
        "detail-type": detail_type,
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": [],
        "detail": detail,
    })
}
