//! What the calls are charged, by DynamoDB's published rules. A write takes a write unit for each kilobyte of the old
//! or the new item, whichever is larger. It takes as many again in every index whose entry changes. A read takes half a
//! read unit for each four kilobytes, a consistent read a whole one.

use std::collections::BTreeMap;
use std::fmt;

use pullsafe::timestamp::Timestamp;
use serde_json::Value;

use super::schema::{KeySchema, Schema};
use super::table::FakeTable;
use super::value::{TableItem, item_size};

/// A table or one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MeteredPlace {
    pub(super) table: String,
    pub(super) index: Option<String>,
}

impl fmt::Display for MeteredPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.index.as_ref().unwrap_or(&self.table))
    }
}

/// What one partition is charged for a call.
#[derive(Debug, Clone)]
pub(super) struct Charge {
    pub(super) place: MeteredPlace,
    pub(super) partition: String,
    pub(super) half_units: u64,
}

/// The units that calls have used.
#[derive(Debug, Clone, Default)]
pub struct Units {
    /// Write request units.
    pub write: u64,
    /// Half read request units.
    pub half_read: u64,
    /// Items that were written.
    pub writes: u64,
    /// Calls that read.
    pub reads: u64,
    /// Write units by partition and second: the table or index, the partition key, the second.
    by_partition: BTreeMap<(String, String, i64), u64>,
}

impl Units {
    /// The most write units that one partition took within a second, and which partition. DynamoDB's limit is 1,000.
    pub fn busiest_partition(&self) -> Option<(&str, &str, u64)> {
        let busiest = self.by_partition.iter().max_by_key(|(_, units)| **units);
        busiest.map(|((place, partition, _), units)| (place.as_str(), partition.as_str(), *units))
    }

    pub(super) fn wrote(&mut self, items: usize, charges: &[Charge], now: Timestamp) {
        self.writes += u64::try_from(items).unwrap_or(u64::MAX);
        for charge in charges {
            let units = charge.half_units / 2;
            self.write += units;
            *self
                .by_partition
                .entry((charge.place.to_string(), charge.partition.clone(), now.seconds()))
                .or_default() += units;
        }
    }

    pub(super) fn read(&mut self, charges: &[Charge]) {
        if !charges.is_empty() {
            self.reads += 1;
        }
        self.half_read += charges.iter().map(|charge| charge.half_units).sum::<u64>();
    }
}

/// What the change of one item is charged, in the table and in its indexes.
pub(super) fn write_charges(schema: &Schema, old: Option<&TableItem>, new: Option<&TableItem>) -> Vec<Charge> {
    let place = |index: Option<&str>| MeteredPlace { table: schema.name.clone(), index: index.map(str::to_owned) };
    let mut charges = vec![write_charge(place(None), &schema.key, old, new)];
    for index in &schema.indexes {
        let entry = |item: Option<&TableItem>| {
            let item = item.filter(|item| index.key.of(item).is_some())?;
            Some(index.projected(item, &schema.key))
        };
        let (before, after) = (entry(old), entry(new));
        if before == after {
            continue;
        }
        // An entry whose key changes is removed and written anew.
        let key = |item: &Option<TableItem>| item.as_ref().and_then(|item| index.key.of(item));
        if before.is_some() && after.is_some() && key(&before) != key(&after) {
            charges.push(write_charge(place(Some(&index.name)), &index.key, before.as_ref(), None));
            charges.push(write_charge(place(Some(&index.name)), &index.key, None, after.as_ref()));
        } else {
            charges.push(write_charge(place(Some(&index.name)), &index.key, before.as_ref(), after.as_ref()));
        }
    }
    charges
}

fn write_charge(place: MeteredPlace, key: &KeySchema, old: Option<&TableItem>, new: Option<&TableItem>) -> Charge {
    let size = old.into_iter().chain(new).map(item_size).max().unwrap_or(0);
    let units = u64::try_from(size.div_ceil(1024).max(1)).unwrap_or(u64::MAX);
    Charge {
        place,
        partition: new.or(old).map(|item| partition(key, item)).unwrap_or_default(),
        half_units: units.saturating_mul(2),
    }
}

fn partition(key: &KeySchema, item: &TableItem) -> String {
    key.0
        .first()
        .and_then(|attribute| item.get(&attribute.name))
        .map(Value::to_string)
        .unwrap_or_default()
}

/// What a call is charged for reading. A call that reads nothing is charged nothing.
pub(super) fn read_charges(
    tables: &BTreeMap<String, FakeTable>,
    operation: &str,
    request: &Value,
    answer: &Value,
) -> Vec<Charge> {
    let whole = if request["ConsistentRead"] == true { 2 } else { 1 };
    let halves = |blocks: usize| u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(whole);
    let charge = |table: &str, item: Option<&TableItem>, blocks: usize| {
        let schema = tables.get(table).map(|table| &table.schema);
        let index = request["IndexName"].as_str();
        let key = schema.and_then(|schema| match index {
            Some(name) => schema.indexes.iter().find(|index| index.name == name).map(|index| &index.key),
            None => Some(&schema.key),
        });
        let partition = key.zip(item).map(|(key, item)| partition(key, item)).unwrap_or_default();
        Charge {
            place: MeteredPlace { table: table.to_owned(), index: index.map(str::to_owned) },
            partition,
            half_units: halves(blocks),
        }
    };
    let blocks = |item: &TableItem| item_size(item).div_ceil(4096).max(1);
    let table = request["TableName"].as_str().unwrap_or_default();
    match operation {
        "GetItem" => {
            let item = answer.get("Item").and_then(Value::as_object).or_else(|| request["Key"].as_object());
            vec![charge(table, item, answer.get("Item").and_then(Value::as_object).map_or(1, blocks))]
        }
        // The items of a query are added up before rounding. Items that are read by their keys are rounded one by one.
        "Query" | "Scan" => {
            let items: Vec<&TableItem> =
                answer["Items"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
            let size: usize = items.iter().map(|item| item_size(item)).sum();
            vec![charge(table, items.first().copied(), size.div_ceil(4096).max(1))]
        }
        "BatchGetItem" => {
            let answers = answer["Responses"].as_object().into_iter().flatten();
            let items = answers
                .flat_map(|(table, items)| items.as_array().into_iter().flatten().map(move |item| (table, item)));
            items
                .filter_map(|(table, item)| item.as_object().map(|item| charge(table, Some(item), blocks(item))))
                .collect()
        }
        _ => Vec::new(),
    }
}
