//! DynamoDB: the operations and expressions that pullsafe uses, with the refusals that it could run into: reserved
//! words, unused names and values, keys that do not match, empty sets, items that are too large, and conditions that
//! fail and show the item.
//!
//! Not modelled: TTL (it only tidies up, and nothing may rely on it), parallel scans, `BatchWriteItem`, and the
//! parameters that expressions replaced.

mod condition;
mod expression;
mod meter;
mod number;
mod path;
mod read;
mod schema;
mod table;
mod throughput;
mod update;
mod value;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Map, Value};

use super::service::AwsError;
use super::wire::{ErrorAnswer, Said};
use crate::aws::dynamodb::table::{FakeTable, ItemChange, invalid};
use crate::aws::dynamodb::throughput::{Direction, Throughput};
use crate::aws::dynamodb::write::WriteKind;
use crate::clock::VirtualClock;

pub use crate::aws::dynamodb::meter::Units;
pub use crate::aws::dynamodb::schema::{KeyAttribute, Projection, Schema, numeric, text};
pub use crate::aws::dynamodb::value::{TableItem, plain};

/// How long DynamoDB remembers the token of a transaction.
const TOKEN_SECONDS: i64 = 600;

/// Parameters that expressions replaced. A request that uses one is refused.
const REPLACED: &[&str] = &[
    "Expected",
    "AttributeUpdates",
    "ConditionalOperator",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
    "AttributesToGet",
];

/// Tables. Clones share one state, so that a test can look at it while the fake holds them.
#[derive(Debug, Clone)]
pub struct DynamoDb(Arc<Mutex<DynamoDbState>>);

#[derive(Debug)]
struct DynamoDbState {
    clock: VirtualClock,
    tables: BTreeMap<String, FakeTable>,
    tokens: HashMap<String, (Value, Timestamp)>,
    units: Units,
    /// What the partitions took in the current second, where they are limited.
    throughput: Option<Throughput>,
}

impl DynamoDbState {
    /// Makes all changes or none. They are refused if a partition of a table, or of an index, is written to too fast.
    fn commit(&mut self, changes: Vec<ItemChange>) -> Result<(), ErrorAnswer> {
        let now = self.clock.now();
        let mut charges = Vec::new();
        for change in &changes {
            if let Some(table) = self.tables.get(&change.table) {
                charges.extend(meter::write_charges(&table.schema, change.old.as_ref(), change.new.as_ref()));
            }
        }
        if let Some(throughput) = &mut self.throughput {
            throughput.take(Direction::Write, &charges, now)?;
        }
        self.units.wrote(changes.len(), &charges, now);
        for change in changes {
            if let Some(table) = self.tables.get_mut(&change.table) {
                table.apply(change.key, change.new);
            }
        }
        Ok(())
    }

    /// Charges what was read. The answer is refused if a partition is read from too fast.
    fn read(&mut self, operation: &str, request: &Value, answer: &Value) -> Result<(), ErrorAnswer> {
        let charges = meter::read_charges(&self.tables, operation, request, answer);
        if let Some(throughput) = &mut self.throughput {
            throughput.take(Direction::Read, &charges, self.clock.now())?;
        }
        self.units.read(&charges);
        Ok(())
    }
}

impl DynamoDb {
    /// Starts without tables.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(DynamoDbState {
            clock,
            tables: BTreeMap::new(),
            tokens: HashMap::new(),
            units: Units::default(),
            throughput: None,
        })))
    }

    /// Creates a table.
    #[must_use]
    pub fn with_table(self, schema: Schema) -> Self {
        self.lock().tables.insert(schema.name.clone(), FakeTable::new(schema));
        self
    }

    /// Puts an item (in wire form) into a table without a call in the log.
    ///
    /// # Panics
    /// If the table could not hold the item.
    pub fn put(&self, table: &str, item: Value) {
        let request = serde_json::json!({"TableName": table, "Item": item});
        if let Err(failure) = self.call("PutItem", &request) {
            panic!("the table {table} cannot hold {item}: {}", failure.error.message);
        }
    }

    /// The items of a table in the order of their keys, as the JSON that a person would write.
    pub fn items(&self, table: &str) -> Vec<Map<String, Value>> {
        self.wire_items(table)
            .iter()
            .map(|item| item.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
            .collect()
    }

    /// The items of a table in the order of their keys, in wire form.
    pub fn wire_items(&self, table: &str) -> Vec<TableItem> {
        self.lock().tables.get(table).map(|table| table.items().cloned().collect()).unwrap_or_default()
    }

    /// The units used since the last call of this function.
    pub fn take_units(&self) -> Units {
        std::mem::take(&mut self.lock().units)
    }

    /// Limits every partition of a table or an index to what DynamoDB accepts for one in a second.
    pub fn limit(&self) {
        self.lock().throughput = Some(Throughput::default());
    }

    /// Lets the indexes fall behind from now on, as they may for a moment, or catch up again.
    pub fn hold_indexes(&self, hold: bool) {
        self.lock().tables.values_mut().for_each(|table| table.hold_indexes(hold));
    }

    pub(super) fn call(&self, operation: &str, request: &Value) -> Said {
        let mut state = self.lock();
        if let Some(parameter) = REPLACED.iter().find(|parameter| request.get(**parameter).is_some()) {
            return Err(invalid(format!("{parameter} is not modelled by this fake; use an expression")));
        }
        let said = match operation {
            "DescribeTable" => {
                table_of(&state.tables, request).map(|_| serde_json::json!({"Table": {"TableStatus": "ACTIVE"}}))
            }
            "GetItem" => read::get(&state.tables, request),
            "BatchGetItem" => read::batch_get(&state.tables, request),
            "Query" => read::query(&state.tables, request),
            "Scan" => read::scan(&state.tables, request),
            "PutItem" => write::single(&mut state, WriteKind::Put, request),
            "UpdateItem" => write::single(&mut state, WriteKind::Update, request),
            "DeleteItem" => write::single(&mut state, WriteKind::Delete, request),
            "TransactWriteItems" => write::transaction(&mut state, request),
            _ => {
                Err(AwsError::client("UnknownOperationException", format!("{operation} is not modelled by this fake"))
                    .into())
            }
        };
        if let Ok(answer) = &said {
            state.read(operation, request, answer)?;
        }
        said
    }

    fn lock(&self) -> MutexGuard<'_, DynamoDbState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn table_of<'tables>(
    tables: &'tables BTreeMap<String, FakeTable>,
    request: &Value,
) -> Result<&'tables FakeTable, ErrorAnswer> {
    table_named(tables, request["TableName"].as_str().unwrap_or_default())
}

/// The table with this name or ARN.
fn table_named<'tables>(
    tables: &'tables BTreeMap<String, FakeTable>,
    name: &str,
) -> Result<&'tables FakeTable, ErrorAnswer> {
    let name = name.rsplit_once(":table/").map_or(name, |(_, name)| name);
    tables
        .get(name)
        .ok_or_else(|| AwsError::client("ResourceNotFoundException", "Requested resource not found").into())
}
