//! Writes: of one item, and of several at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::condition::Condition;
use super::expression::Scope;
use super::path::project;
use super::schema::item_of;
use super::table::{FakeTable, ItemChange, answer_with, condition_failed, invalid};
use super::update::Update;
use super::value::TableItem;
use super::{DynamoDbState, TOKEN_SECONDS};
use crate::aws::service::AwsError;
use crate::aws::wire::{ErrorAnswer, Said};

/// The kinds of writes, named as the parts of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteKind {
    Put,
    Update,
    Delete,
    ConditionCheck,
}

const KINDS: [(&str, WriteKind); 4] = [
    ("Put", WriteKind::Put),
    ("Update", WriteKind::Update),
    ("Delete", WriteKind::Delete),
    ("ConditionCheck", WriteKind::ConditionCheck),
];

/// Finds out what a write would do, or why it is refused. The update is returned for the answer.
fn plan(
    tables: &BTreeMap<String, FakeTable>,
    kind: WriteKind,
    request: &Value,
) -> Result<(ItemChange, Update), ErrorAnswer> {
    let table = super::table_of(tables, request)?;
    let mut scope = Scope::of(request).map_err(invalid)?;
    let update = match (kind, request["UpdateExpression"].as_str()) {
        (WriteKind::Update, Some(text)) => Update::parse(text, &mut scope).map_err(invalid)?,
        _ => Update::default(),
    };
    let condition = match request["ConditionExpression"].as_str() {
        Some(text) => Some(Condition::parse("ConditionExpression", text, &mut scope).map_err(invalid)?),
        None => None,
    };
    scope.all_used().map_err(invalid)?;

    let (key, given) = if kind == WriteKind::Put {
        let item = item_of(&request["Item"]).map_err(invalid)?;
        (table.check(&item).map_err(invalid)?, item)
    } else {
        table.schema.key.of_request(&request["Key"]).map_err(invalid)?
    };
    let key_names = || table.schema.key.0.iter().map(|attribute| attribute.name.as_str());
    if let Some(name) = key_names().find(|name| update.paths().iter().any(|path| path.attribute() == *name)) {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the \
             key"
        )));
    }

    let old = table.get(&key).cloned();
    if condition.is_some_and(|condition| !condition.holds(old.as_ref().unwrap_or(&TableItem::new()))) {
        let wanted = request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
        return Err(condition_failed(old.filter(|_| wanted)));
    }
    let new = match kind {
        WriteKind::Put => Some(given),
        WriteKind::Delete => None,
        WriteKind::ConditionCheck => old.clone(),
        WriteKind::Update => {
            let new = update.apply(&old.clone().unwrap_or(given)).map_err(invalid)?;
            table.check(&new).map_err(invalid)?;
            Some(new)
        }
    };
    Ok((ItemChange { table: table.schema.name.clone(), key, old, new }, update))
}

/// `PutItem`, `UpdateItem` or `DeleteItem`.
pub(super) fn single(state: &mut DynamoDbState, kind: WriteKind, request: &Value) -> Said {
    let (change, update) = plan(&state.tables, kind, request)?;
    let touched =
        |item: Option<TableItem>| item.map(|item| project(&item, &update.paths())).filter(|item| !item.is_empty());
    let attributes = match (request["ReturnValues"].as_str().unwrap_or("NONE"), kind) {
        ("NONE", _) => None,
        ("ALL_OLD", _) => change.old.clone(),
        ("ALL_NEW", WriteKind::Update) => change.new.clone(),
        ("UPDATED_OLD", WriteKind::Update) => touched(change.old.clone()),
        ("UPDATED_NEW", WriteKind::Update) => touched(change.new.clone()),
        (other, _) => return Err(invalid(format!("Return values set to invalid value: {other}"))),
    };
    state.commit(vec![change])?;
    Ok(answer_with("Attributes", attributes))
}

/// `TransactWriteItems`: all or nothing, and once per token.
pub(super) fn transaction(state: &mut DynamoDbState, request: &Value) -> Said {
    let parts = request["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    if parts.is_empty() || parts.len() > 100 {
        return Err(invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have \
             length between 1 and 100",
        ));
    }
    if let Some(answer) = repeated(state, request)? {
        return Ok(answer);
    }

    let mut changes: Vec<ItemChange> = Vec::new();
    let mut reasons = Vec::new();
    for part in parts {
        let Some((kind, request)) = KINDS.iter().find_map(|(name, kind)| Some((*kind, part.get(name)?))) else {
            return Err(invalid("TransactItems can only contain one of Check, Put, Update or Delete"));
        };
        match plan(&state.tables, kind, request) {
            Ok((change, _)) => {
                if changes.iter().any(|other| other.table == change.table && other.key == change.key) {
                    return Err(invalid("Transaction request cannot include multiple operations on one item"));
                }
                changes.push(change);
                reasons.push(json!({"Code": "None"}));
            }
            Err(failure) if failure.error.code == "ConditionalCheckFailedException" => {
                let mut reason = json!({"Code": "ConditionalCheckFailed", "Message": failure.error.message});
                if let Some(item) = failure.fields.get("Item") {
                    reason["Item"] = item.clone();
                }
                reasons.push(reason);
            }
            Err(failure) => return Err(failure),
        }
    }
    if reasons.iter().any(|reason| reason["Code"] != "None") {
        let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let fields = Box::new([("CancellationReasons".to_owned(), Value::Array(reasons))].into_iter().collect());
        return Err(ErrorAnswer {
            error: AwsError::client("TransactionCanceledException", message),
            fields,
        });
    }
    state.commit(changes)?;
    if let Some(token) = request["ClientRequestToken"].as_str() {
        state.tokens.insert(token.to_owned(), (request.clone(), state.clock.now()));
    }
    Ok(json!({}))
}

/// The answer to a transaction that has already been made under this token. The SDK sends a token with each transaction
/// and repeats the token when it retries.
fn repeated(state: &DynamoDbState, request: &Value) -> Result<Option<Value>, ErrorAnswer> {
    let made = request["ClientRequestToken"].as_str().and_then(|token| state.tokens.get(token));
    match made.filter(|(_, at)| state.clock.now().seconds_since(*at) < TOKEN_SECONDS) {
        None => Ok(None),
        Some((first, _)) if first == request => Ok(Some(json!({}))),
        Some(_) => {
            let message = "Request with the same client request token has different parameters";
            Err(AwsError::client("IdempotentParameterMismatchException", message).into())
        }
    }
}
