//! What the calls would be charged, by DynamoDB's published rules: a write unit for each kilobyte of the larger of what was and what is,
//! also in every index whose entry changes; half a read unit, or with a consistent read a whole one, for each four kilobytes.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use serde_json::Value;

use super::schema::{KeySchema, Schema};
use super::value::{Item, item_size};

/// What has been used.
#[derive(Debug, Clone, Default)]
pub struct Units {
    /// Write request units.
    pub write: u64,
    /// Half read request units.
    pub half_read: u64,
    /// Calls that wrote.
    pub writes: u64,
    /// Calls that read.
    pub reads: u64,
    /// Write units by partition and second: the table or index, the partition key, the second.
    by_partition: BTreeMap<(String, String, i64), u64>,
}

impl Units {
    /// The most write units that one partition took within a second, and which; DynamoDB takes 1,000.
    pub fn busiest_partition(&self) -> Option<(&str, &str, u64)> {
        let busiest = self.by_partition.iter().max_by_key(|(_, units)| **units);
        busiest.map(|((table, partition, _), units)| (table.as_str(), partition.as_str(), *units))
    }

    pub(super) fn wrote(&mut self, schema: &Schema, old: Option<&Item>, new: Option<&Item>, now: Timestamp) {
        self.writes += 1;
        self.add(&schema.name, &schema.key, old, new, now);
        for index in &schema.indexes {
            let entry = |item: Option<&Item>| {
                let item = item.filter(|item| index.key.of(item).is_some())?;
                Some(index.projected(item, &schema.key))
            };
            let (before, after) = (entry(old), entry(new));
            if before == after {
                continue;
            }
            // An entry whose key changes is removed and put again.
            let key = |item: &Option<Item>| item.as_ref().and_then(|item| index.key.of(item));
            if before.is_some() && after.is_some() && key(&before) != key(&after) {
                self.add(&index.name, &index.key, before.as_ref(), None, now);
                self.add(&index.name, &index.key, None, after.as_ref(), now);
            } else {
                self.add(&index.name, &index.key, before.as_ref(), after.as_ref(), now);
            }
        }
    }

    fn add(&mut self, name: &str, key: &KeySchema, old: Option<&Item>, new: Option<&Item>, now: Timestamp) {
        let size = old.into_iter().chain(new).map(item_size).max().unwrap_or(0);
        let units = u64::try_from(size.div_ceil(1024).max(1)).unwrap_or(u64::MAX);
        self.write += units;
        let partition = key.0.first().and_then(|attribute| new.or(old)?.get(&attribute.name)).map(Value::to_string).unwrap_or_default();
        *self.by_partition.entry((name.to_owned(), partition, now.seconds())).or_default() += units;
    }

    pub(super) fn read(&mut self, operation: &str, request: &Value, answer: &Value) {
        let items = match operation {
            "GetItem" => answer.get("Item").into_iter().cloned().collect(),
            "Query" | "Scan" => answer["Items"].as_array().cloned().unwrap_or_default(),
            "BatchGetItem" => answer["Responses"]
                .as_object()
                .into_iter()
                .flatten()
                .flat_map(|(_, items)| items.as_array().cloned().unwrap_or_default())
                .collect(),
            _ => return,
        };
        self.reads += 1;
        let sizes = items.iter().filter_map(Value::as_object).map(item_size);
        // The items of a query are added up before they are rounded; those that are got by their keys are not.
        let blocks = match operation {
            "Query" | "Scan" => sizes.sum::<usize>().div_ceil(4096).max(1),
            _ => sizes.map(|size| size.div_ceil(4096)).sum::<usize>().max(1),
        };
        let halves = if request["ConsistentRead"] == true { 2 } else { 1 };
        self.half_read += u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(halves);
    }
}
