//! Conditions: of writes, of filters and of keys.

use std::cmp::Ordering;

use serde_json::Value;

use super::expression::{ExpressionToken, Parser, Scope};
use super::path::Path;
use super::value::{TableItem, order, parts};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConditionOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Compare(Operand, ConditionOperator, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    HasType(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    pub(super) fn parse(kind: &'static str, text: &str, scope: &mut Scope) -> Result<Self, String> {
        let mut parser = Parser::new(kind, text, scope)?;
        let condition = any_of(&mut parser)?;
        parser.end()?;
        Ok(condition)
    }

    /// Whether the condition holds for an item. An absent item is an empty one.
    pub(super) fn holds(&self, item: &TableItem) -> bool {
        match self {
            Self::Compare(left, comparison, right) => compare(left.of(item), *comparison, right.of(item)),
            Self::Between(middle, low, high) => {
                let middle = middle.of(item);
                compare(middle.clone(), ConditionOperator::GreaterOrEqual, low.of(item))
                    && compare(middle, ConditionOperator::LessOrEqual, high.of(item))
            }
            Self::In(operand, list) => {
                list.iter().any(|member| compare(operand.of(item), ConditionOperator::Equal, member.of(item)))
            }
            Self::Exists(path) => path.get(item).is_some(),
            Self::NotExists(path) => path.get(item).is_none(),
            Self::HasType(path, kind) => {
                let kind = kind.of(item);
                path.get(item)
                    .is_some_and(|value| kind.as_ref().and_then(|kind| kind["S"].as_str()) == Some(parts(value).0))
            }
            Self::BeginsWith(operand, prefix) => match (operand.of(item), prefix.of(item)) {
                (Some(value), Some(prefix)) => {
                    matches!((value["S"].as_str(), prefix["S"].as_str()), (Some(value), Some(prefix)) if value.starts_with(prefix))
                }
                _ => false,
            },
            Self::Contains(operand, member) => match (operand.of(item), member.of(item)) {
                (Some(value), Some(member)) => contains(&value, &member),
                _ => false,
            },
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
            Self::Not(condition) => !condition.holds(item),
        }
    }

    /// The parts that are joined by `AND` and all have to hold.
    pub(super) fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(left, right) => left.conjuncts().into_iter().chain(right.conjuncts()).collect(),
            Self::Compare(..)
            | Self::Between(..)
            | Self::In(..)
            | Self::Exists(_)
            | Self::NotExists(_)
            | Self::HasType(..)
            | Self::BeginsWith(..)
            | Self::Contains(..)
            | Self::Or(..)
            | Self::Not(_) => vec![self],
        }
    }

    /// Every path that the condition reads.
    pub(super) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Compare(left, _, right) | Self::BeginsWith(left, right) | Self::Contains(left, right) => {
                [left, right].into_iter().filter_map(Operand::path).collect()
            }
            Self::Between(middle, low, high) => [middle, low, high].into_iter().filter_map(Operand::path).collect(),
            Self::In(operand, list) => std::iter::once(operand).chain(list).filter_map(Operand::path).collect(),
            Self::Exists(path) | Self::NotExists(path) | Self::HasType(path, _) => vec![path],
            Self::And(left, right) | Self::Or(left, right) => left.paths().into_iter().chain(right.paths()).collect(),
            Self::Not(condition) => condition.paths(),
        }
    }
}

impl Operand {
    fn of(&self, item: &TableItem) -> Option<Value> {
        match self {
            Self::Path(path) => path.get(item).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(path) => {
                let (kind, content) = parts(path.get(item)?);
                let size = match kind {
                    "S" => content.as_str()?.len(),
                    "B" => content.as_str()?.trim_end_matches('=').len() * 3 / 4,
                    "L" | "SS" | "NS" | "BS" => content.as_array()?.len(),
                    "M" => content.as_object()?.len(),
                    _ => return None,
                };
                Some(serde_json::json!({ "N": size.to_string() }))
            }
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) | Self::Size(path) => Some(path),
            Self::Value(_) => None,
        }
    }
}

fn compare(left: Option<Value>, comparison: ConditionOperator, right: Option<Value>) -> bool {
    // A missing value compares with nothing, except that it differs from everything.
    let (Some(left), Some(right)) = (left, right) else {
        return comparison == ConditionOperator::NotEqual;
    };
    match comparison {
        ConditionOperator::Equal => left == right,
        ConditionOperator::NotEqual => left != right,
        ConditionOperator::Less => order(&left, &right) == Some(Ordering::Less),
        ConditionOperator::LessOrEqual => order(&left, &right).is_some_and(Ordering::is_le),
        ConditionOperator::Greater => order(&left, &right) == Some(Ordering::Greater),
        ConditionOperator::GreaterOrEqual => order(&left, &right).is_some_and(Ordering::is_ge),
    }
}

fn contains(value: &Value, member: &Value) -> bool {
    let (kind, content) = parts(value);
    let (member_kind, member_content) = parts(member);
    match (kind, member_kind) {
        ("S", "S") => {
            matches!((content.as_str(), member_content.as_str()), (Some(text), Some(part)) if text.contains(part))
        }
        ("SS", "S") | ("NS", "N") | ("BS", "B") => {
            content.as_array().is_some_and(|members| members.contains(member_content))
        }
        ("L", _) => content.as_array().is_some_and(|members| members.contains(member)),
        _ => false,
    }
}

fn any_of(parser: &mut Parser<'_>) -> Result<Condition, String> {
    let mut condition = all_of(parser)?;
    while parser.take_word("OR") {
        condition = Condition::Or(Box::new(condition), Box::new(all_of(parser)?));
    }
    Ok(condition)
}

fn all_of(parser: &mut Parser<'_>) -> Result<Condition, String> {
    let mut condition = one(parser)?;
    while parser.take_word("AND") {
        condition = Condition::And(Box::new(condition), Box::new(one(parser)?));
    }
    Ok(condition)
}

fn one(parser: &mut Parser<'_>) -> Result<Condition, String> {
    if parser.take_word("NOT") {
        return Ok(Condition::Not(Box::new(one(parser)?)));
    }
    if parser.take("(") {
        let condition = any_of(parser)?;
        parser.expect(")")?;
        return Ok(condition);
    }
    let left = match parser.take_function() {
        Some(name) if name == "size" => size(parser)?,
        Some(name) => return function(parser, &name),
        None => operand(parser)?,
    };
    if parser.take_word("BETWEEN") {
        let low = operand(parser)?;
        if !parser.take_word("AND") {
            return Err(parser.unexpected());
        }
        return Ok(Condition::Between(left, low, operand(parser)?));
    }
    if parser.take_word("IN") {
        parser.expect("(")?;
        let mut list = vec![operand(parser)?];
        while parser.take(",") {
            list.push(operand(parser)?);
        }
        parser.expect(")")?;
        return Ok(Condition::In(left, list));
    }
    let comparison = match parser.peek() {
        Some(ExpressionToken::Symbol("=")) => ConditionOperator::Equal,
        Some(ExpressionToken::Symbol("<>")) => ConditionOperator::NotEqual,
        Some(ExpressionToken::Symbol("<")) => ConditionOperator::Less,
        Some(ExpressionToken::Symbol("<=")) => ConditionOperator::LessOrEqual,
        Some(ExpressionToken::Symbol(">")) => ConditionOperator::Greater,
        Some(ExpressionToken::Symbol(">=")) => ConditionOperator::GreaterOrEqual,
        _ => return Err(parser.unexpected()),
    };
    parser.next();
    Ok(Condition::Compare(left, comparison, operand(parser)?))
}

fn function(parser: &mut Parser<'_>, name: &str) -> Result<Condition, String> {
    let condition = match name {
        "attribute_exists" => Condition::Exists(parser.path()?),
        "attribute_not_exists" => Condition::NotExists(parser.path()?),
        "attribute_type" => {
            let path = parser.path()?;
            parser.expect(",")?;
            Condition::HasType(path, operand(parser)?)
        }
        "begins_with" | "contains" => {
            let left = operand(parser)?;
            parser.expect(",")?;
            let right = operand(parser)?;
            if name == "contains" {
                Condition::Contains(left, right)
            } else {
                Condition::BeginsWith(left, right)
            }
        }
        _ => return Err(parser.refuse(&format!("Invalid function name; function: {name}"))),
    };
    parser.expect(")")?;
    Ok(condition)
}

fn size(parser: &mut Parser<'_>) -> Result<Operand, String> {
    let path = parser.path()?;
    parser.expect(")")?;
    Ok(Operand::Size(path))
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, String> {
    if let Some(value) = parser.value()? {
        return Ok(Operand::Value(value));
    }
    match parser.take_function() {
        Some(name) if name == "size" => size(parser),
        Some(name) => Err(parser.refuse(&format!("The function is not allowed to be used this way; function: {name}"))),
        None => Ok(Operand::Path(parser.path()?)),
    }
}
