//! One table: its items by key, and the refusals that requests can get.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schema::{Key, Schema};
use super::value::{TableItem, item_size};
use crate::aws::service::AwsError;
use crate::aws::wire::ErrorAnswer;

/// The most bytes that an item may have, attribute names included.
const LARGEST_ITEM: usize = 400 * 1024;

/// A table and its items.
#[derive(Debug)]
pub(super) struct FakeTable {
    pub(super) schema: Schema,
    items: BTreeMap<Key, TableItem>,
    // What the indexes show while they are behind.
    behind: Option<BTreeMap<Key, TableItem>>,
}

/// A checked change to one item.
#[derive(Debug)]
pub(super) struct ItemChange {
    pub(super) table: String,
    pub(super) key: Key,
    pub(super) old: Option<TableItem>,
    pub(super) new: Option<TableItem>,
}

impl FakeTable {
    /// An empty table.
    pub(super) fn new(schema: Schema) -> Self {
        Self { schema, items: BTreeMap::new(), behind: None }
    }

    /// The item with this key.
    pub(super) fn get(&self, key: &Key) -> Option<&TableItem> {
        self.items.get(key)
    }

    /// Every item, in the order of the keys.
    pub(super) fn items(&self) -> impl Iterator<Item = &TableItem> {
        self.items.values()
    }

    /// The items that the indexes show.
    pub(super) fn indexed_items(&self) -> impl Iterator<Item = &TableItem> {
        self.behind.as_ref().unwrap_or(&self.items).values()
    }

    /// Freezes the indexes as they are now, or lets them catch up.
    pub(super) fn hold_indexes(&mut self, hold: bool) {
        self.behind = hold.then(|| self.items.clone());
    }

    /// Refuses an item that the table or one of its indexes cannot hold.
    pub(super) fn check(&self, item: &TableItem) -> Result<Key, String> {
        let key = self.schema.key.of_new(item)?;
        self.schema.indexes.iter().try_for_each(|index| index.check(item))?;
        if item_size(item) > LARGEST_ITEM {
            return Err("Item size has exceeded the maximum allowed size".to_owned());
        }
        Ok(key)
    }

    pub(super) fn apply(&mut self, key: Key, new: Option<TableItem>) {
        match new {
            Some(item) => self.items.insert(key, item),
            None => self.items.remove(&key),
        };
    }
}

/// The refusal of an invalid request.
pub(super) fn invalid(message: impl Into<String>) -> ErrorAnswer {
    AwsError::client("ValidationException", message).into()
}

/// The refusal of a write whose condition does not hold. It carries the item if the request asked for it.
pub(super) fn condition_failed(item: Option<TableItem>) -> ErrorAnswer {
    let fields: Map<String, Value> = item.map(|item| ("Item".to_owned(), Value::Object(item))).into_iter().collect();
    ErrorAnswer {
        error: AwsError::client("ConditionalCheckFailedException", "The conditional request failed"),
        fields: Box::new(fields),
    }
}

/// Attributes as a member of an answer, if there are any.
pub(super) fn answer_with(member: &str, item: Option<TableItem>) -> Value {
    item.map_or_else(|| json!({}), |item| json!({ member: item }))
}
