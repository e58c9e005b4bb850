//! The mirror's rows in the table: its memory between runs, and leases on images that are being copied.
//!
//! The memory is one row (`pk` = `mirror`, `sk` = `state`), changed only under its lease. A lease on an image is a row
//! of its own (`pk` = `mirror-copy#<repository>@<digest>`), renewed for as long as its holder works, so that a process
//! that died holds nothing up for long, and deleted when the copy is done. What indexes name is kept too (`sk` =
//! `children#<repository>`), and which repository refers to which blob (`held`).
//!
//! Beside the memory, in the same row, lie the marks of repositories that are being created: whoever takes the memory
//! gets them with it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::decide::Unfinished;
use crate::decide::plan::Memory;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{TableRow, json, number, text};

mod held;

pub use held::{BlobsByRepository, SLOTS};

const MEMORY: (&str, &str) = ("mirror", "state");
/// The attribute beside the memory that holds the marks.
const UNFINISHED: &str = "unfinished";
/// When DynamoDB may clear up a lease that nobody gave back.
const CLEAR_UP_SECONDS: i64 = 24 * 3600;
/// DynamoDB refuses items beyond 400 KB; the rest is room for names.
const LARGEST_MEMORY: usize = 380 * 1024;

/// The manifests that indexes name, by the index.
pub type Children = BTreeMap<Digest, Vec<Digest>>;

/// The mirror's memory, for whoever has taken it.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// What earlier runs remembered.
    pub memory: Memory,
    /// Repositories that may lack some of their settings.
    pub unfinished: Vec<Unfinished>,
}

/// The mirror's part of the table.
#[derive(Debug, Clone)]
pub struct MirrorTable {
    client: Client,
    name: String,
}

impl MirrorTable {
    /// The table of this name.
    pub fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.to_owned() }
    }

    /// Takes the memory for `seconds`, and with it the marks of repositories that may not be finished; `None` if
    /// another run has it. The same owner may take it again, so that a retry carries on.
    ///
    /// # Errors
    /// The call failed.
    pub async fn take_memory(&self, owner: &str, now: Timestamp, seconds: i64) -> Result<Option<Taken>, Failure> {
        const CALL: &str = "dynamodb:UpdateItem";
        let Some(row) = self.take(MEMORY, owner, now, seconds, None).await? else {
            return Ok(None);
        };
        let marks = row.get(UNFINISHED).and_then(|marks| marks.as_ss().ok()).into_iter().flatten();
        let unfinished = marks.filter_map(|mark| mark.parse().ok()).collect();
        let Some(AttributeValue::S(document)) = row.get("doc") else {
            return Ok(Some(Taken { memory: Memory::default(), unfinished }));
        };
        // What an older version wrote and this one cannot read is forgotten: it saves work, and decides nothing that is
        // not looked at again.
        let memory = serde_json::from_str(document).unwrap_or_else(|error| {
            tracing::warn!(call = CALL, %error, "the mirror's memory cannot be read and begins anew");
            Memory::default()
        });
        Ok(Some(Taken { memory, unfinished }))
    }

    /// Writes the memory back and gives it free.
    ///
    /// # Errors
    /// The call failed; with `ConditionFailed` another run has it meanwhile.
    pub async fn keep_memory(&self, owner: &str, memory: &Memory) -> Result<(), Failure> {
        let mut memory = memory.clone();
        let mut document = json(&memory);
        if document.len() > LARGEST_MEMORY {
            // Who is forgotten is marked again, and its grace begins anew: the safe side.
            memory.unwanted.clear();
            document = json(&memory);
        }
        if document.len() > LARGEST_MEMORY {
            memory.asked.clear();
            memory.behind.clear();
            document = json(&memory);
        }
        let operation =
            self.client.update_item().table_name(&self.name).key("pk", text(MEMORY.0)).key("sk", text(MEMORY.1));
        let operation = operation
            .update_expression("SET #doc = :doc REMOVE #owner, #until")
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#doc", "doc")
            .expression_attribute_names("#owner", "lease_owner")
            .expression_attribute_names("#until", "lease_until")
            .expression_attribute_values(":doc", text(&document))
            .expression_attribute_values(":owner", text(owner));
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(())
    }

    /// Marks a repository as about to be created.
    ///
    /// # Errors
    /// The call failed.
    pub async fn mark(&self, repository: &Unfinished) -> Result<(), Failure> {
        self.change_marks("ADD #marks :mark", repository).await
    }

    /// Takes the mark away: everything is set on the repository, or nothing is to be.
    ///
    /// # Errors
    /// The call failed.
    pub async fn unmark(&self, repository: &Unfinished) -> Result<(), Failure> {
        self.change_marks("DELETE #marks :mark", repository).await
    }

    async fn change_marks(&self, change: &str, repository: &Unfinished) -> Result<(), Failure> {
        let operation =
            self.client.update_item().table_name(&self.name).key("pk", text(MEMORY.0)).key("sk", text(MEMORY.1));
        let operation = operation
            .update_expression(change)
            .expression_attribute_names("#marks", UNFINISHED)
            .expression_attribute_values(":mark", AttributeValue::Ss(vec![repository.to_string()]));
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(())
    }

    /// Takes, or renews, the lease on an image in a repository; `false` if somebody else copies it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn take_image(&self, image: &str, owner: &str, now: Timestamp, seconds: i64) -> Result<bool, Failure> {
        let key = format!("mirror-copy#{image}");
        Ok(self
            .take((&key, "lease"), owner, now, seconds, Some(now.seconds() + CLEAR_UP_SECONDS))
            .await?
            .is_some())
    }

    /// Gives the lease on an image back.
    ///
    /// # Errors
    /// The call failed.
    pub async fn give_image(&self, image: &str, owner: &str) -> Result<(), Failure> {
        let key = format!("mirror-copy#{image}");
        let operation = self.client.delete_item().table_name(&self.name).key("pk", text(&key)).key("sk", text("lease"));
        let operation = operation
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "lease_owner")
            .expression_attribute_values(":owner", text(owner));
        match operation.send().await.map_err(|error| Failure::of("dynamodb:DeleteItem", &error)) {
            // It ran out, and is somebody else's now.
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(()),
            Err(failure) => Err(failure),
            Ok(_) => Ok(()),
        }
    }

    /// What the indexes of a repository name, as far as it was read before. A digest never names anything else, and
    /// reading it from ECR would count as a pull.
    ///
    /// # Errors
    /// The call failed.
    pub async fn known_children(&self, repository: &str) -> Result<Children, Failure> {
        let operation = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&children_key(repository)));
        let answer = operation.send().await.map_err(|error| Failure::of("dynamodb:GetItem", &error))?;
        let document =
            answer.item().and_then(|item| item.get("doc")).and_then(|document| document.as_s().ok().cloned());
        Ok(document.and_then(|document| serde_json::from_str(&document).ok()).unwrap_or_default())
    }

    /// Keeps what the indexes of a repository name; `false` if that is more than a row can hold.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_children(&self, repository: &str, children: &Children) -> Result<bool, Failure> {
        let document = json(children);
        if document.len() > LARGEST_MEMORY {
            return Ok(false);
        }
        let operation = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(MEMORY.0))
            .key("sk", text(&children_key(repository)));
        let operation = operation
            .update_expression("SET #doc = :doc")
            .expression_attribute_names("#doc", "doc")
            .expression_attribute_values(":doc", text(&document));
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(true)
    }

    async fn take(
        &self,
        (pk, sk): (&str, &str),
        owner: &str,
        now: Timestamp,
        seconds: i64,
        expires: Option<i64>,
    ) -> Result<Option<TableRow>, Failure> {
        let operation = self.client.update_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk));
        let mut operation = operation
            .condition_expression("attribute_not_exists(#until) OR #until < :now OR #owner = :owner")
            .expression_attribute_names("#owner", "lease_owner")
            .expression_attribute_names("#until", "lease_until")
            .expression_attribute_values(":until", number(now.seconds() + seconds))
            .expression_attribute_values(":now", number(now.seconds()))
            .expression_attribute_values(":owner", text(owner))
            .return_values(ReturnValue::AllNew);
        operation = match expires {
            None => operation.update_expression("SET #owner = :owner, #until = :until"),
            Some(expires) => operation
                .update_expression("SET #owner = :owner, #until = :until, #expires = :expires")
                .expression_attribute_names("#expires", "expires_at")
                .expression_attribute_values(":expires", number(expires)),
        };
        match operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error)) {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn children_key(repository: &str) -> String {
    format!("children#{repository}")
}
