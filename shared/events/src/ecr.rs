//! Events of ECR: four ways in which an image can appear. ECR sends all of them on a best-effort basis; the sweep finds
//! what they miss.

use serde_json::Value;

use super::Event;
use crate::arrival::Arrival;

pub(super) fn image_action(payload: &Value, detail: &Value) -> Event {
    match (text(detail, "action-type"), text(detail, "result")) {
        // With its new storage class, an image may be back from the archive and can be pulled again. It may also have
        // been archived, which the look finds out.
        ("PUSH" | "UPDATE_STORAGE_CLASS", "SUCCESS") => arrival(payload, detail),
        (action, result) => Event::Ignored(format!("an image action {action} with result {result} brings no image")),
    }
}

/// Reads the event of a replication, since an image that arrives by replication has no event of a push.
pub(super) fn replication(payload: &Value, detail: &Value) -> Event {
    match text(detail, "result") {
        "SUCCESS" => arrival(payload, detail),
        result => Event::Ignored(format!("a replication with result {result} brings no image")),
    }
}

pub(super) fn pull_through(payload: &Value, detail: &Value) -> Event {
    match text(detail, "sync-status") {
        "SUCCESS" => arrival(payload, detail),
        status => Event::Ignored(format!("a pull through the cache with status {status} brings no image")),
    }
}

fn arrival(payload: &Value, detail: &Value) -> Event {
    let repository = text(detail, "repository-name");
    if repository.is_empty() {
        return Event::Ignored("`detail.repository-name` is missing".to_owned());
    }
    let some = |key| Some(text(detail, key)).filter(|value| !value.is_empty()).map(str::to_owned);
    Event::ImageArrived(Arrival {
        account: text(payload, "account").to_owned(),
        region: text(payload, "region").to_owned(),
        repository: repository.to_owned(),
        tag: some("image-tag"),
        digest: some("image-digest"),
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
