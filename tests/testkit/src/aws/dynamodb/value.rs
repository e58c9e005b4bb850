//! Attribute values as the wire has them (`{"S": "text"}`), checked, in one normal form.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::number::Number;

/// An item: attribute names, and values in wire form.
pub type TableItem = Map<String, Value>;

/// The type and the content of an attribute value.
pub(super) fn parts(value: &Value) -> (&str, &Value) {
    value
        .as_object()
        .and_then(|object| object.iter().next())
        .map_or(("", &Value::Null), |(kind, content)| (kind.as_str(), content))
}

/// Checks an attribute value and brings it into the form in which equal values are equal JSON: numbers without needless
/// digits, sets sorted.
pub(super) fn normal(value: &Value) -> Result<Value, String> {
    let one_type = || {
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
            .to_owned()
    };
    let object = value.as_object().filter(|object| object.len() == 1).ok_or_else(one_type)?;
    let (kind, content) = object.iter().next().ok_or_else(one_type)?;
    let wrong = || format!("Supplied AttributeValue of type {kind} is malformed");
    let content = match kind.as_str() {
        "S" => Value::from(content.as_str().ok_or_else(wrong)?),
        "N" => Value::from(normal_number(content)?),
        "B" => Value::from(STANDARD.encode(STANDARD.decode(content.as_str().ok_or_else(wrong)?).map_err(|_| wrong())?)),
        "BOOL" => Value::Bool(content.as_bool().ok_or_else(wrong)?),
        "NULL" if content == &Value::Bool(true) => Value::Bool(true),
        "NULL" => {
            return Err(
                "One or more parameter values were invalid: Null attribute value types must have the value of true"
                    .to_owned(),
            );
        }
        "L" => Value::Array(content.as_array().ok_or_else(wrong)?.iter().map(normal).collect::<Result<_, _>>()?),
        "M" => Value::Object(normal_item(content.as_object().ok_or_else(wrong)?)?),
        "SS" | "BS" => normal_set(
            content.as_array().ok_or_else(wrong)?.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            kind,
        )?,
        "NS" => {
            let numbers: Result<Vec<_>, _> = content.as_array().ok_or_else(wrong)?.iter().map(normal_number).collect();
            normal_set(Some(numbers?), kind)?
        }
        _ => return Err(one_type()),
    };
    Ok(json!({ kind: content }))
}

/// [`normal`] for every attribute.
pub(super) fn normal_item(item: &TableItem) -> Result<TableItem, String> {
    item.iter().map(|(name, value)| Ok((name.clone(), normal(value)?))).collect()
}

fn normal_number(content: &Value) -> Result<String, String> {
    let text = content.as_str().ok_or("A number attribute has to be sent as a string")?;
    Number::parse(text)
        .map(|number| number.to_string())
        .ok_or_else(|| format!("The parameter cannot be converted to a numeric value: {text}"))
}

fn normal_set(members: Option<Vec<String>>, kind: &str) -> Result<Value, String> {
    let mut members = members.ok_or_else(|| format!("Supplied AttributeValue of type {kind} is malformed"))?;
    if members.is_empty() {
        return Err("One or more parameter values were invalid: An string set  may not be empty".to_owned());
    }
    members.sort();
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("One or more parameter values were invalid: Input collection contains duplicates.".to_owned());
    }
    Ok(Value::from(members))
}

/// The number of a value in normal form.
pub(super) fn number(value: &Value) -> Option<Number> {
    Number::parse(value.get("N")?.as_str()?)
}

/// Compares two strings, numbers or binaries. Other types have no order.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (parts(left), parts(right)) {
        (("S", left), ("S", right)) => Some(left.as_str()?.as_bytes().cmp(right.as_str()?.as_bytes())),
        (("B", left), ("B", right)) => {
            Some(STANDARD.decode(left.as_str()?).ok()?.cmp(&STANDARD.decode(right.as_str()?).ok()?))
        }
        (("N", _), ("N", _)) => Some(number(left)?.cmp(&number(right)?)),
        _ => None,
    }
}

/// The size of an item as DynamoDB's documentation counts it against the limit.
pub(super) fn item_size(item: &TableItem) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let (kind, content) = parts(value);
    let text = |content: &Value| content.as_str().map_or(0, str::len);
    match kind {
        "S" => text(content),
        "N" => text(content).div_ceil(2) + 1,
        "B" => text(content) / 4 * 3,
        "BOOL" | "NULL" => 1,
        "L" => 3 + content.as_array().into_iter().flatten().map(|member| 1 + value_size(member)).sum::<usize>(),
        "M" => {
            3 + content
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, member)| 1 + name.len() + value_size(member))
                .sum::<usize>()
        }
        _ => content.as_array().into_iter().flatten().map(text).sum(),
    }
}

/// An attribute value as the JSON that a person would write, for assertions.
pub fn plain(value: &Value) -> Value {
    let (kind, content) = parts(value);
    match kind {
        "N" => content.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| content.clone()),
        "NULL" => Value::Null,
        "L" => Value::Array(content.as_array().into_iter().flatten().map(plain).collect()),
        "M" => Value::Object(
            content
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, member)| (name.clone(), plain(member)))
                .collect(),
        ),
        _ => content.clone(),
    }
}
