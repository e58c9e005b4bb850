//! Which repository refers to which blob, for workers that begin without a memory: a blob that another repository of
//! the registry holds is mounted instead of sent.
//!
//! A ring of the latest [`SLOTS`] rows for each registry (`pk` = `mirror`, `sk` = `held#<registry>#<slot>`), each what
//! the images of one job added, and a count of all that were ever written (`held#<registry>`). Writing costs two small
//! writes for each job that stored something new, in all as many bytes as the digests; reading one row, and those that
//! are newer than what was read before. Two workers never write the same row, and none is changed. What is no longer
//! true costs nothing, for a refused mount opens the upload.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{MEMORY, MirrorTable};
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{json, number, text};

/// Rows for each registry.
pub const SLOTS: u64 = 16;
/// Blobs of one row: some 140 KB.
const MOST_BLOBS: usize = 2000;
const CLEAR_UP_SECONDS: i64 = 30 * 24 * 3600;

/// The blobs that repositories of a registry refer to, by the repository.
pub type BlobsByRepository = BTreeMap<String, Vec<Digest>>;

impl MirrorTable {
    /// How many rows have been written for a registry.
    ///
    /// # Errors
    /// The call failed.
    pub async fn held_count(&self, registry: &str) -> Result<u64, Failure> {
        let operation = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&format!("held#{registry}")));
        let answer = operation.send().await.map_err(|error| Failure::of("dynamodb:GetItem", &error))?;
        Ok(answer.item().and_then(|item| count(item.get("written"))).unwrap_or_default())
    }

    /// The row with this number, or whatever has taken its place; empty if there is none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn held(&self, registry: &str, written: u64) -> Result<BlobsByRepository, Failure> {
        let operation = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&slot(registry, written)));
        let answer = operation.send().await.map_err(|error| Failure::of("dynamodb:GetItem", &error))?;
        let held = answer.item().and_then(|item| item.get("held")).and_then(|held| held.as_s().ok());
        Ok(held.and_then(|held| serde_json::from_str(held).ok()).unwrap_or_default())
    }

    /// Adds a row, in the place of the oldest; returns its number. More than a row can hold is left out.
    ///
    /// # Errors
    /// A call failed.
    pub async fn add_held(&self, registry: &str, held: &BlobsByRepository, now: Timestamp) -> Result<u64, Failure> {
        const CALL: &str = "dynamodb:UpdateItem";
        let mut room = MOST_BLOBS;
        let mut kept = BlobsByRepository::new();
        for (repository, digests) in held {
            let digests: Vec<Digest> = digests.iter().take(room).cloned().collect();
            room -= digests.len();
            kept.insert(repository.clone(), digests);
        }
        let operation = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&format!("held#{registry}")));
        let operation = operation
            .update_expression("ADD #written :one")
            .expression_attribute_names("#written", "written")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew);
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        let written = answer.attributes().and_then(|attributes| count(attributes.get("written")));
        let written = written.ok_or_else(|| Failure::unexpected(CALL, "the count is no number"))?;
        let operation = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&slot(registry, written)));
        let operation = operation
            .update_expression("SET #held = :held, #expires = :expires")
            .expression_attribute_names("#held", "held")
            .expression_attribute_names("#expires", "expires_at")
            .expression_attribute_values(":held", text(&json(&kept)))
            .expression_attribute_values(":expires", number(now.seconds() + CLEAR_UP_SECONDS));
        operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        Ok(written)
    }
}

fn slot(registry: &str, written: u64) -> String {
    format!("held#{registry}#{}", written % SLOTS)
}

fn count(value: Option<&AttributeValue>) -> Option<u64> {
    value?.as_n().ok()?.parse().ok()
}
