//! Reads: of one item, of several, of a key range, of everything.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::condition::{Condition, ConditionOperator, Operand};
use super::expression::{self, Scope};
use super::path::project;
use super::schema::{Index, Key, KeySchema};
use super::table::{FakeTable, answer_with, invalid};
use super::value::{TableItem, item_size, normal_item};
use crate::aws::wire::{ErrorAnswer, Said};

/// The most that one page holds, in bytes.
const PAGE_BYTES: usize = 1024 * 1024;

/// `GetItem`.
pub(super) fn get(tables: &BTreeMap<String, FakeTable>, request: &Value) -> Said {
    let table = super::table_of(tables, request)?;
    let (key, _) = table.schema.key.of_request(&request["Key"]).map_err(invalid)?;
    let mut scope = Scope::of(request).map_err(invalid)?;
    let kept = projection(request, &mut scope)?;
    scope.all_used().map_err(invalid)?;
    Ok(answer_with("Item", table.get(&key).map(kept)))
}

/// `BatchGetItem`.
pub(super) fn batch_get(tables: &BTreeMap<String, FakeTable>, request: &Value) -> Said {
    let asked = request["RequestItems"].as_object().filter(|asked| !asked.is_empty());
    let asked = asked.ok_or_else(|| invalid("1 validation error detected: RequestItems must not be empty"))?;
    let count: usize = asked.values().filter_map(|part| part["Keys"].as_array()).map(Vec::len).sum();
    if count > 100 {
        return Err(invalid("Too many items requested for the BatchGetItem call"));
    }
    let mut responses = Map::new();
    for (name, part) in asked {
        let table = super::table_named(tables, name)?;
        let mut scope = Scope::of(part).map_err(invalid)?;
        let kept = projection(part, &mut scope)?;
        scope.all_used().map_err(invalid)?;
        let keys: Result<Vec<Key>, String> = part["Keys"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| Ok(table.schema.key.of_request(key)?.0))
            .collect();
        let mut keys = keys.map_err(invalid)?;
        keys.sort();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(invalid("Provided list of item keys contains duplicates"));
        }
        let found: Vec<TableItem> = keys.iter().filter_map(|key| table.get(key)).map(&kept).collect();
        responses.insert(name.clone(), json!(found));
    }
    Ok(json!({"Responses": responses, "UnprocessedKeys": {}}))
}

/// `Query`.
pub(super) fn query(tables: &BTreeMap<String, FakeTable>, request: &Value) -> Said {
    let table = super::table_of(tables, request)?;
    let source = ReadFrom::of(table, request)?;
    let text = request["KeyConditionExpression"].as_str();
    let text = text.ok_or_else(|| {
        invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    })?;
    let mut scope = Scope::of(request).map_err(invalid)?;
    let keys = Condition::parse("KeyConditionExpression", text, &mut scope).map_err(invalid)?;
    check_key_condition(&keys, source.key()).map_err(invalid)?;
    let filter = filter(request, &mut scope)?;
    if let Some(filter) = &filter {
        let named = |name: &str| filter.paths().iter().any(|path| path.attribute() == name);
        if let Some(attribute) = source.key().0.iter().find(|attribute| named(&attribute.name)) {
            let name = &attribute.name;
            return Err(invalid(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
            )));
        }
    }
    let mut entries = source.entries(|item| keys.holds(item));
    if request["ScanIndexForward"] == false {
        entries.reverse();
    }
    page(&source, entries, filter.as_ref(), request, scope)
}

/// `Scan`. Items come in the order of their keys; the real one has no order.
pub(super) fn scan(tables: &BTreeMap<String, FakeTable>, request: &Value) -> Said {
    if request.get("TotalSegments").is_some() {
        return Err(invalid("parallel scans are not modelled by this fake"));
    }
    let source = ReadFrom::of(super::table_of(tables, request)?, request)?;
    let mut scope = Scope::of(request).map_err(invalid)?;
    let filter = filter(request, &mut scope)?;
    page(&source, source.entries(|_| true), filter.as_ref(), request, scope)
}

/// What is read: the table, or one of its indexes.
struct ReadFrom<'table> {
    table: &'table FakeTable,
    index: Option<&'table Index>,
}

impl<'table> ReadFrom<'table> {
    fn of(table: &'table FakeTable, request: &Value) -> Result<Self, ErrorAnswer> {
        let Some(name) = request["IndexName"].as_str() else {
            return Ok(Self { table, index: None });
        };
        let index = table.schema.indexes.iter().find(|index| index.name == name);
        let index = index.ok_or_else(|| invalid(format!("The table does not have the specified index: {name}")))?;
        if request["ConsistentRead"] == true {
            return Err(invalid("Consistent reads are not supported on global secondary indexes"));
        }
        Ok(Self { table, index: Some(index) })
    }

    fn key(&self) -> &'table KeySchema {
        self.index.map_or(&self.table.schema.key, |index| &index.key)
    }

    /// Where an item stands in the order: by the key of what is read, then by the key of the table.
    fn place(&self, item: &TableItem) -> Option<(Key, Key)> {
        Some((self.key().of(item)?, self.table.schema.key.of(item)?))
    }

    fn entries(&self, wanted: impl Fn(&TableItem) -> bool) -> Vec<((Key, Key), TableItem)> {
        let projected = |item: &TableItem| {
            self.index.map_or_else(|| item.clone(), |index| index.projected(item, &self.table.schema.key))
        };
        let mut entries: Vec<_> = self
            .items()
            .filter(|item| wanted(item))
            .filter_map(|item| Some((self.place(item)?, projected(item))))
            .collect();
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        entries
    }

    fn items(&self) -> Box<dyn Iterator<Item = &'table TableItem> + 'table> {
        match self.index {
            None => Box::new(self.table.items()),
            Some(_) => Box::new(self.table.indexed_items()),
        }
    }

    /// The key from which the next page starts.
    fn continuation(&self, item: &TableItem) -> TableItem {
        let mut key = self.table.schema.key.pick(item);
        key.extend(self.key().pick(item));
        key
    }
}

fn page(
    source: &ReadFrom<'_>,
    entries: Vec<((Key, Key), TableItem)>,
    filter: Option<&Condition>,
    request: &Value,
    mut scope: Scope,
) -> Said {
    let kept = projection(request, &mut scope)?;
    scope.all_used().map_err(invalid)?;
    let limit = match request["Limit"].as_u64() {
        Some(0) => return Err(invalid("Limit must be greater than or equal to 1")),
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let descending = request["ScanIndexForward"] == false;
    let after = match request["ExclusiveStartKey"].as_object() {
        None => None,
        Some(start) => {
            let start = normal_item(start).map_err(invalid)?;
            Some(source.place(&start).ok_or_else(|| invalid("The provided starting key is invalid"))?)
        }
    };
    let later = |place: &(Key, Key)| match &after {
        None => true,
        Some(after) if descending => place < after,
        Some(after) => place > after,
    };

    let (mut items, mut scanned, mut bytes, mut last) = (Vec::new(), 0, 0, None);
    for (_, item) in entries.into_iter().filter(|(place, _)| later(place)) {
        scanned += 1;
        bytes += item_size(&item);
        if filter.is_none_or(|filter| filter.holds(&item)) {
            items.push(kept(&item));
        }
        if scanned == limit || bytes > PAGE_BYTES {
            last = Some(source.continuation(&item));
            break;
        }
    }
    let mut answer = json!({"Count": items.len(), "ScannedCount": scanned});
    if request["Select"] != "COUNT" {
        answer["Items"] = json!(items);
    }
    if let Some(last) = last {
        answer["LastEvaluatedKey"] = Value::Object(last);
    }
    Ok(answer)
}

fn filter(request: &Value, scope: &mut Scope) -> Result<Option<Condition>, ErrorAnswer> {
    let Some(text) = request["FilterExpression"].as_str() else {
        return Ok(None);
    };
    Condition::parse("FilterExpression", text, scope).map(Some).map_err(invalid)
}

/// Reads the projection: a function that keeps what the request wants of an item.
fn projection(request: &Value, scope: &mut Scope) -> Result<impl Fn(&TableItem) -> TableItem + use<>, ErrorAnswer> {
    let paths = match request["ProjectionExpression"].as_str() {
        Some(text) => Some(expression::projection(text, scope).map_err(invalid)?),
        None => None,
    };
    Ok(move |item: &TableItem| paths.as_ref().map_or_else(|| item.clone(), |paths| project(item, paths)))
}

/// Checks that a key condition is an equality on the partition key and at most one comparison of the sort key.
fn check_key_condition(condition: &Condition, schema: &KeySchema) -> Result<(), String> {
    let mut seen = Vec::new();
    for part in condition.conjuncts() {
        let (path, values, equality) = match part {
            Condition::Compare(Operand::Path(path), comparison, value)
                if *comparison != ConditionOperator::NotEqual =>
            {
                (path, vec![value], *comparison == ConditionOperator::Equal)
            }
            Condition::Between(Operand::Path(path), low, high) => (path, vec![low, high], false),
            Condition::BeginsWith(Operand::Path(path), prefix) => (path, vec![prefix], false),
            Condition::Compare(..)
            | Condition::Between(..)
            | Condition::In(..)
            | Condition::Exists(_)
            | Condition::NotExists(_)
            | Condition::HasType(..)
            | Condition::BeginsWith(..)
            | Condition::Contains(..)
            | Condition::And(..)
            | Condition::Or(..)
            | Condition::Not(_) => return Err("Invalid operator used in KeyConditionExpression".to_owned()),
        };
        let position = schema.0.iter().position(|attribute| path.0.len() == 1 && attribute.name == path.attribute());
        let Some(position) = position else {
            let missed = schema
                .0
                .iter()
                .map(|attribute| attribute.name.as_str())
                .find(|name| !seen.contains(&(*name).to_owned()));
            return Err(format!("Query condition missed key schema element: {}", missed.unwrap_or_default()));
        };
        let attribute = &schema.0[position];
        for value in values {
            let Operand::Value(value) = value else {
                return Err("Invalid KeyConditionExpression: operand must be a value".to_owned());
            };
            if !attribute.accepts(value) {
                return Err(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type"
                        .to_owned(),
                );
            }
        }
        if position == 0 && !equality {
            return Err("Query key condition not supported".to_owned());
        }
        if seen.contains(&attribute.name) {
            return Err("KeyConditionExpressions must only contain one condition per key".to_owned());
        }
        seen.push(attribute.name.clone());
    }
    let partition = schema.0.first().map(|attribute| attribute.name.clone()).unwrap_or_default();
    if seen.contains(&partition) {
        Ok(())
    } else {
        Err(format!("Query condition missed key schema element: {partition}"))
    }
}
