//! The gate's rows in the table: who waits for which image, and what an image once was.
//!
//! A waiter has `pk` (its repository), `sk` (its resource and request), `doc` (the [`Wait`] as JSON), `version`, and
//! while it is open `open` (the key of the sparse index) and `response_url`, which stands nowhere else and goes with
//! the answer. Every write names the version that it replaces. Expiry is housekeeping only.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use crate::decide::answer::Attributes;
use crate::decide::key;
use crate::decide::key::RowKey;
use crate::decide::request::Requester;
use crate::decide::url::StoredResponseUrl;
use crate::decide::wait::Wait;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::OPEN_INDEX;
use pullsafe_aws::item::{QUERY, TableRow, document, each_row, json, number, text};

/// The partition of the sparse index in which open waiters lie.
const OPEN: &str = "gate";
/// A rollback may come years after the deployment that it goes back to.
const MEMORY_SECONDS: i64 = 5 * 365 * 24 * 3600;

/// What became of a new row.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    /// It is there.
    New,
    /// The request has a row already, and this is it.
    Known(Box<Wait>),
}

/// The rows of the gate.
#[derive(Debug, Clone)]
pub struct GateTable {
    client: Client,
    name: String,
}

impl GateTable {
    /// In the table of this name.
    pub fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.to_owned() }
    }

    /// Stores a request that has no row yet.
    ///
    /// # Errors
    /// The call failed, or the row that is there cannot be read.
    pub async fn insert(&self, wait: &Wait) -> Result<Inserted, Failure> {
        let operation = self.client.put_item().table_name(&self.name).set_item(Some(item_of(wait)));
        let operation = operation
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match operation.send().await {
            Ok(_) => Ok(Inserted::New),
            Err(error) => match (found(&error), Failure::of(PUT, &error)) {
                (Some(item), _) => Ok(Inserted::Known(Box::new(wait_of(PUT, item)?))),
                (None, failure) => Err(failure),
            },
        }
    }

    /// Replaces a row by its next version. Whether that is what the row now is: also if an earlier try of the same call
    /// had the effect and lost its answer.
    ///
    /// # Errors
    /// The call failed.
    pub async fn replace(&self, next: &Wait) -> Result<bool, Failure> {
        let operation = self.client.put_item().table_name(&self.name).set_item(Some(item_of(next)));
        let operation = operation
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(i64::try_from(next.version).unwrap_or(i64::MAX) - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match operation.send().await {
            Ok(_) => Ok(true),
            Err(error) => match (found(&error), Failure::of(PUT, &error)) {
                (Some(item), _) => Ok(wait_of(PUT, item)? == *next),
                (None, failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
                (None, failure) => Err(failure),
            },
        }
    }

    /// Everybody who still waits for an image of this partition's repository, as it stands now.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn open_at(&self, partition: &str) -> Result<Vec<Wait>, Failure> {
        let operation = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk");
        let operation =
            operation.filter_expression("attribute_exists(#open)").expression_attribute_names("#open", "open");
        self.all(
            operation
                .expression_attribute_names("#pk", "pk")
                .expression_attribute_values(":pk", text(partition)),
        )
        .await
    }

    /// Everybody who still waits, as far as the index knows.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn open(&self) -> Result<Vec<Wait>, Failure> {
        let operation = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(OPEN_INDEX)
            .key_condition_expression("#open = :open");
        self.all(
            operation
                .expression_attribute_names("#open", "open")
                .expression_attribute_values(":open", text(OPEN)),
        )
        .await
    }

    /// What waits for a resource, as far as the index knows.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn open_of(&self, requester: &Requester) -> Result<Vec<Wait>, Failure> {
        let operation = self.client.query().table_name(&self.name).index_name(OPEN_INDEX);
        let operation = operation.key_condition_expression("#open = :open AND begins_with(#sk, :resource)");
        let operation = operation
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(OPEN));
        let resource = text(&key::of_resource(requester));
        self.all(operation.expression_attribute_names("#sk", "sk").expression_attribute_values(":resource", resource))
            .await
    }

    /// Keeps what the properties meant to a resource, for a rollback to them.
    ///
    /// # Errors
    /// The call failed.
    pub async fn remember(
        &self,
        requester: &Requester,
        properties: &str,
        image: &Attributes,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let RowKey { partition, sort } = RowKey::of_memory(requester, properties);
        let operation =
            self.client.put_item().table_name(&self.name).item("pk", text(&partition)).item("sk", text(&sort));
        let operation =
            operation.item("doc", text(&json(image))).item("expires_at", number(now.seconds() + MEMORY_SECONDS));
        operation.send().await.map_err(|error| Failure::of(PUT, &error)).map(drop)
    }

    /// What the properties meant the last time, and when that was.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn recall(
        &self,
        requester: &Requester,
        properties: &str,
    ) -> Result<Option<(Attributes, Timestamp)>, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let RowKey { partition, sort } = RowKey::of_memory(requester, properties);
        let operation =
            self.client.get_item().table_name(&self.name).key("pk", text(&partition)).key("sk", text(&sort));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        let Some(item) = answer.item() else { return Ok(None) };
        let expires_at = item
            .get("expires_at")
            .and_then(|value| value.as_n().ok()?.parse::<i64>().ok())
            .unwrap_or(MEMORY_SECONDS);
        let given_at = Timestamp::from_millis((expires_at - MEMORY_SECONDS) * 1000);
        Ok(document(CALL, item)?.map(|image| (image, given_at)))
    }

    async fn all(&self, operation: QueryFluentBuilder) -> Result<Vec<Wait>, Failure> {
        let mut waits = Vec::new();
        each_row(operation, |row| {
            // One row that cannot be read must not hold the others up.
            match wait_of(QUERY, row) {
                Ok(wait) => waits.push(wait),
                Err(failure) => tracing::error!(%failure, "a row of the gate cannot be read: {failure}"),
            }
            Ok(())
        })
        .await?;
        Ok(waits)
    }
}

const PUT: &str = "dynamodb:PutItem";

fn item_of(wait: &Wait) -> TableRow {
    let mut item = HashMap::from([
        ("pk".to_owned(), text(&wait.key.partition)),
        ("sk".to_owned(), text(&wait.key.sort)),
        ("doc".to_owned(), text(&json(wait))),
        ("version".to_owned(), number(i64::try_from(wait.version).unwrap_or(i64::MAX))),
        ("expires_at".to_owned(), number(wait.expires_at().seconds())),
    ]);
    if let Some(url) = wait.url.as_ref().filter(|_| wait.is_open()) {
        item.insert("open".to_owned(), text(OPEN));
        item.insert("response_url".to_owned(), text(url.expose()));
    }
    item
}

fn wait_of(call: &'static str, item: &TableRow) -> Result<Wait, Failure> {
    let mut wait: Wait =
        document(call, item)?.ok_or_else(|| Failure::unexpected(call, "the attribute `doc` is missing"))?;
    if let Some(AttributeValue::S(url)) = item.get("response_url") {
        wait.url = Some(StoredResponseUrl::new(url));
    }
    Ok(wait)
}

/// The row that stood in the way.
fn found<R>(error: &SdkError<PutItemError, R>) -> Option<&TableRow> {
    let PutItemError::ConditionalCheckFailedException(exception) = error.as_service_error()? else {
        return None;
    };
    exception.item()
}
