//! Update expressions: `SET`, `REMOVE`, `ADD`, `DELETE`.

use serde_json::{Value, json};

use super::expression::{Parser, Scope};
use super::path::Path;
use super::value::{TableItem, number, parts};

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Path(Path),
    Value(Value),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

#[derive(Debug, Clone, PartialEq)]
enum UpdateAction {
    Set(Path, Term),
    Remove(Path),
    Add(Path, Value),
    Delete(Path, Value),
}

impl UpdateAction {
    fn path(&self) -> &Path {
        match self {
            Self::Set(path, _) | Self::Remove(path) | Self::Add(path, _) | Self::Delete(path, _) => path,
        }
    }
}

/// A parsed update expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Update(Vec<UpdateAction>);

const WRONG_TYPE: &str = "An operand in the update expression has an incorrect data type";
const NO_PARENT: &str = "The document path provided in the update expression is invalid for update";

impl Update {
    pub(super) fn parse(text: &str, scope: &mut Scope) -> Result<Self, String> {
        let mut parser = Parser::new("UpdateExpression", text, scope)?;
        let mut actions = Vec::new();
        let mut sections = Vec::new();
        while parser.peek().is_some() {
            let Some(section) = ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|word| parser.take_word(word))
            else {
                return Err(parser.unexpected());
            };
            if sections.contains(&section) {
                return Err(
                    parser.refuse(&format!("The \"{section}\" section can only be used once in an update expression;"))
                );
            }
            sections.push(section);
            loop {
                actions.push(action(&mut parser, section)?);
                if !parser.take(",") {
                    break;
                }
            }
        }
        for (position, action) in actions.iter().enumerate() {
            if let Some(other) = actions[..position].iter().find(|other| other.path().overlaps(action.path())) {
                return Err(parser.refuse(&format!(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: \
                     {}, path two: {}",
                    other.path(),
                    action.path()
                )));
            }
        }
        Ok(Self(actions))
    }

    /// The places that the update writes to.
    pub(super) fn paths(&self) -> Vec<Path> {
        self.0.iter().map(|action| action.path().clone()).collect()
    }

    /// The item after the update. Every value is computed from the old item.
    pub(super) fn apply(&self, old: &TableItem) -> Result<TableItem, String> {
        let mut new = old.clone();
        for action in self.0.iter().filter(|action| !matches!(action, UpdateAction::Remove(_))) {
            match action {
                UpdateAction::Set(path, term) => path.set(&mut new, term.of(old)?).ok_or(NO_PARENT)?,
                UpdateAction::Add(path, value) => {
                    let sum = add(path.get(old), value)?;
                    path.set(&mut new, sum).ok_or(NO_PARENT)?;
                }
                UpdateAction::Delete(path, value) => match path.get(old) {
                    None => {}
                    Some(present) => match without(present, value)? {
                        Some(rest) => path.set(&mut new, rest).ok_or(NO_PARENT)?,
                        None => path.remove(&mut new).ok_or(NO_PARENT)?,
                    },
                },
                UpdateAction::Remove(_) => {}
            }
        }
        // List members are removed from the back, so that the indexes of the others stay valid.
        let mut removed: Vec<&Path> = self
            .0
            .iter()
            .filter_map(|action| if let UpdateAction::Remove(path) = action { Some(path) } else { None })
            .collect();
        removed.sort_by(|left, right| right.cmp(left));
        for path in removed {
            path.remove(&mut new).ok_or(NO_PARENT)?;
        }
        Ok(new)
    }
}

impl Term {
    fn of(&self, item: &TableItem) -> Result<Value, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => {
                let missing = "The provided expression refers to an attribute that does not exist in the item";
                path.get(item).cloned().ok_or_else(|| missing.to_owned())
            }
            Self::IfNotExists(path, term) => match path.get(item) {
                Some(value) => Ok(value.clone()),
                None => term.of(item),
            },
            Self::ListAppend(left, right) => {
                let (left, right) = (left.of(item)?, right.of(item)?);
                let members: Option<Vec<Value>> = left["L"]
                    .as_array()
                    .zip(right["L"].as_array())
                    .map(|(left, right)| left.iter().chain(right).cloned().collect());
                Ok(json!({"L": members.ok_or(WRONG_TYPE)?}))
            }
            Self::Plus(left, right) | Self::Minus(left, right) => {
                let (left, right) =
                    (number(&left.of(item)?).ok_or(WRONG_TYPE)?, number(&right.of(item)?).ok_or(WRONG_TYPE)?);
                let right = if matches!(self, Self::Minus(..)) { right.negated() } else { right };
                let sum = left.plus(right).ok_or(
                    "Number overflow. Attempting to store a number with magnitude larger than supported range",
                )?;
                Ok(json!({"N": sum.to_string()}))
            }
        }
    }
}

fn add(present: Option<&Value>, value: &Value) -> Result<Value, String> {
    let (kind, content) = parts(value);
    if !matches!(kind, "N" | "SS" | "NS" | "BS") {
        return Err(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD".to_owned()
        );
    }
    let Some(present) = present else {
        return Ok(value.clone());
    };
    if kind == "N" {
        let sum = number(present).zip(number(value)).and_then(|(left, right)| left.plus(right)).ok_or(WRONG_TYPE)?;
        return Ok(json!({"N": sum.to_string()}));
    }
    let (present_kind, members) = parts(present);
    if present_kind != kind {
        return Err(WRONG_TYPE.to_owned());
    }
    let mut members: Vec<Value> = members.as_array().into_iter().chain(content.as_array()).flatten().cloned().collect();
    members.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
    members.dedup();
    Ok(json!({ kind: members }))
}

fn without(present: &Value, value: &Value) -> Result<Option<Value>, String> {
    let ((present_kind, members), (kind, gone)) = (parts(present), parts(value));
    let (Some(members), Some(gone), true) = (members.as_array(), gone.as_array(), present_kind == kind) else {
        return Err(WRONG_TYPE.to_owned());
    };
    let rest: Vec<&Value> = members.iter().filter(|member| !gone.contains(member)).collect();
    Ok(if rest.is_empty() { None } else { Some(json!({ kind: rest })) })
}

fn action(parser: &mut Parser<'_>, section: &str) -> Result<UpdateAction, String> {
    let path = parser.path()?;
    match section {
        "SET" => {
            parser.expect("=")?;
            let left = term(parser)?;
            let set = if parser.take("+") {
                Term::Plus(Box::new(left), Box::new(term(parser)?))
            } else if parser.take("-") {
                Term::Minus(Box::new(left), Box::new(term(parser)?))
            } else {
                left
            };
            Ok(UpdateAction::Set(path, set))
        }
        "REMOVE" => Ok(UpdateAction::Remove(path)),
        _ => {
            let value = parser.value()?.ok_or_else(|| parser.unexpected())?;
            Ok(if section == "ADD" {
                UpdateAction::Add(path, value)
            } else {
                UpdateAction::Delete(path, value)
            })
        }
    }
}

fn term(parser: &mut Parser<'_>) -> Result<Term, String> {
    if let Some(value) = parser.value()? {
        return Ok(Term::Value(value));
    }
    if parser.take("(") {
        let inner = term(parser)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    let Some(function) = parser.take_function() else {
        return Ok(Term::Path(parser.path()?));
    };
    let term = match function.as_str() {
        "if_not_exists" => {
            let path = parser.path()?;
            parser.expect(",")?;
            Term::IfNotExists(path, Box::new(term(parser)?))
        }
        "list_append" => {
            let left = term(parser)?;
            parser.expect(",")?;
            Term::ListAppend(Box::new(left), Box::new(term(parser)?))
        }
        _ => return Err(parser.refuse(&format!("Invalid function name; function: {function}"))),
    };
    parser.expect(")")?;
    Ok(term)
}
