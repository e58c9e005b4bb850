//! What a table is made of: its key, its indexes, and the order of its items.

use serde_json::{Value, json};

use super::number::Number;
use super::value::{TableItem, normal, parts};

/// The type of a key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Text,
    Number,
}

impl KeyType {
    fn letter(self) -> &'static str {
        match self {
            Self::Text => "S",
            Self::Number => "N",
        }
    }
}

#[derive(Debug, Clone)]
pub struct KeyAttribute {
    pub(super) name: String,
    kind: KeyType,
}

/// A string attribute of a key.
pub fn text(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind: KeyType::Text }
}

/// A number attribute of a key.
pub fn numeric(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind: KeyType::Number }
}

/// The key of a table or an index: the partition key, and the sort key if there is one.
#[derive(Debug, Clone)]
pub(super) struct KeySchema(pub(super) Vec<KeyAttribute>);

/// What an index keeps of an item besides the keys.
#[derive(Debug, Clone)]
pub enum Projection {
    /// Everything.
    All,
    /// Nothing.
    KeysOnly,
    /// These attributes.
    Include(Vec<String>),
}

/// A global secondary index. It holds only the items that have all of its key attributes, so it may be sparse.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) key: KeySchema,
    pub(super) projection: Projection,
}

/// The definition of a table.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(super) name: String,
    pub(super) key: KeySchema,
    pub(super) indexes: Vec<Index>,
}

impl Schema {
    /// A table with a partition key only.
    pub fn new(name: &str, partition: KeyAttribute) -> Self {
        Self {
            name: name.to_owned(),
            key: KeySchema(vec![partition]),
            indexes: Vec::new(),
        }
    }

    /// Adds the sort key.
    #[must_use]
    pub fn sort(mut self, sort: KeyAttribute) -> Self {
        self.key.0.truncate(1);
        self.key.0.push(sort);
        self
    }

    /// Adds a global secondary index with a partition key and, if given, a sort key.
    #[must_use]
    pub fn index(
        mut self,
        name: &str,
        partition: KeyAttribute,
        sort: Option<KeyAttribute>,
        projection: Projection,
    ) -> Self {
        let key = KeySchema(std::iter::once(partition).chain(sort).collect());
        self.indexes.push(Index { name: name.to_owned(), key, projection });
        self
    }
}

/// A key that compares in the order in which DynamoDB sorts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Vec<KeyPart>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum KeyPart {
    Text(String),
    Number(Number),
}

impl KeyAttribute {
    fn part(&self, item: &TableItem) -> Option<KeyPart> {
        let value = item.get(&self.name)?;
        match self.kind {
            KeyType::Text => value["S"].as_str().map(|text| KeyPart::Text(text.to_owned())),
            KeyType::Number => value["N"].as_str().and_then(Number::parse).map(KeyPart::Number),
        }
    }

    /// Whether a value has the type of this attribute, so that a key condition may compare them.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        parts(value).0 == self.kind.letter()
    }
}

impl KeySchema {
    /// The key of an item, if it has one.
    pub(super) fn of(&self, item: &TableItem) -> Option<Key> {
        self.0.iter().map(|attribute| attribute.part(item)).collect::<Option<_>>().map(Key)
    }

    /// The key in a request. The request has to give the key attributes and nothing else.
    pub(super) fn of_request(&self, key: &Value) -> Result<(Key, TableItem), String> {
        let mismatch = || "The provided key element does not match the schema".to_owned();
        let given = key.as_object().filter(|given| given.len() == self.0.len()).ok_or_else(mismatch)?;
        let item = super::value::normal_item(given)?;
        let key = self.of(&item).ok_or_else(mismatch)?;
        self.not_empty(&item, "")?;
        Ok((key, item))
    }

    /// The key of an item that is to be stored.
    pub(super) fn of_new(&self, item: &TableItem) -> Result<Key, String> {
        for attribute in &self.0 {
            let name = &attribute.name;
            match item.get(name) {
                None => {
                    return Err(format!(
                        "One or more parameter values were invalid: Missing the key {name} in the item"
                    ));
                }
                Some(value) if !attribute.accepts(value) => {
                    return Err(format!(
                        "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: \
                         {}",
                        attribute.kind.letter(),
                        parts(value).0
                    ));
                }
                Some(_) => {}
            }
        }
        self.not_empty(item, "")?;
        self.of(item).ok_or_else(|| "The provided key element does not match the schema".to_owned())
    }

    fn not_empty(&self, item: &TableItem, index: &str) -> Result<(), String> {
        match self.0.iter().find(|attribute| item.get(&attribute.name) == Some(&json!({"S": ""}))) {
            None => Ok(()),
            Some(attribute) => Err(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty string value.{index} Key: {}",
                attribute.name
            )),
        }
    }

    /// The key attributes of an item.
    pub(super) fn pick(&self, item: &TableItem) -> TableItem {
        let names = self.0.iter().map(|attribute| &attribute.name);
        names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
    }
}

impl Index {
    /// Refuses an item whose attributes cannot be keys of this index. If an attribute is missing, the index only leaves
    /// the item out.
    pub(super) fn check(&self, item: &TableItem) -> Result<(), String> {
        for attribute in &self.key.0 {
            if let Some(value) = item.get(&attribute.name).filter(|value| !attribute.accepts(value)) {
                return Err(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} Actual: \
                     {} IndexName: {}",
                    attribute.name,
                    attribute.kind.letter(),
                    parts(value).0,
                    self.name
                ));
            }
        }
        self.key.not_empty(item, &format!(" IndexName: {},", self.name))
    }

    /// What the index keeps of an item.
    pub(super) fn projected(&self, item: &TableItem, table: &KeySchema) -> TableItem {
        let included = match &self.projection {
            Projection::All => return item.clone(),
            Projection::KeysOnly => &[][..],
            Projection::Include(names) => names,
        };
        let mut kept = table.pick(item);
        kept.extend(self.key.pick(item));
        kept.extend(included.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone()))));
        kept
    }
}

/// Reads the item of a request.
pub(super) fn item_of(value: &Value) -> Result<TableItem, String> {
    let given = value
        .as_object()
        .ok_or("1 validation error detected: Value null at 'item' failed to satisfy constraint")?;
    given.iter().map(|(name, value)| Ok((name.clone(), normal(value)?))).collect()
}
