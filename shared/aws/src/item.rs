//! Rows of the table as DynamoDB carries them: attributes in and out, and all pages of a query.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// A row.
pub type TableRow = HashMap<String, AttributeValue>;

/// The name of the sparse index over what is open: incidents, and requests that wait.
pub const OPEN_INDEX: &str = "open-index";
pub const QUERY: &str = "dynamodb:Query";

pub fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// What is stored has string keys and finite numbers only, so that writing it as JSON cannot fail.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What the attribute `doc` holds; `None` if there is none.
pub fn document<T: DeserializeOwned>(call: &'static str, item: &TableRow) -> Result<Option<T>, Failure> {
    parsed(call, item, "doc")
}

/// What an attribute holds as JSON; `None` if there is none.
pub fn parsed<T: DeserializeOwned>(call: &'static str, item: &TableRow, name: &str) -> Result<Option<T>, Failure> {
    let Some(AttributeValue::S(document)) = item.get(name) else {
        return Ok(None);
    };
    serde_json::from_str(document)
        .map(Some)
        .map_err(|error| Failure::unexpected(call, format!("the attribute `{name}` cannot be read: {error}")))
}

/// Hands on every row that a query finds, page by page.
pub async fn each_row(
    query: QueryFluentBuilder,
    mut take: impl FnMut(&TableRow) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut rows = query.into_paginator().items().send();
    while let Some(row) = rows.next().await {
        take(&row.map_err(|error| Failure::of(QUERY, &error))?)?;
    }
    Ok(())
}
