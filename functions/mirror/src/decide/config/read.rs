//! Reading a tree strictly: every value has one type, every key is known, and every fault is kept with its place.

use std::collections::HashMap;
use std::fmt;

use super::keys::{ValueKind, kind, names};
use pullsafe_yaml as yaml;
use pullsafe_yaml::{Position, Style};

/// A node of a configuration.
pub(crate) type ConfigNode<'t> = yaml::Node<'t, &'t str>;
/// What it is.
pub(crate) type ConfigShape<'t> = yaml::Shape<'t, &'t str>;

/// More than a person writes; a document that unfolds to more is a mistake or an attack.
const MOST_VALUES: usize = 20_000;
/// After so many faults the rest is more of the same.
const MOST_FAULTS: usize = 100;

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where.
    pub at: Position,
    /// The key, as a path (`images[1].tags.semver`); empty where the document as a whole is meant.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: ", self.at.line, self.at.column)?;
        if !self.key.is_empty() {
            write!(formatter, "`{}` ", self.key)?;
        }
        formatter.write_str(&self.problem)
    }
}

/// A value and its path.
#[derive(Clone)]
pub(crate) struct Value<'t> {
    pub(crate) node: ConfigNode<'t>,
    pub(crate) path: String,
}

/// The entries of a mapping.
pub(crate) struct MappingEntries<'t> {
    at: Position,
    path: String,
    within: &'static str,
    found: HashMap<&'t str, Value<'t>>,
}

/// Collects faults.
#[derive(Default)]
pub(crate) struct ConfigReader {
    pub(crate) faults: Vec<ConfigFault>,
    visited: usize,
}

impl ConfigReader {
    pub(crate) fn fault(&mut self, at: Position, key: &str, problem: impl Into<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(ConfigFault { at, key: key.to_owned(), problem: problem.into() });
        }
    }

    pub(crate) fn wrong(&mut self, value: &Value<'_>, problem: impl Into<String>) {
        self.fault(value.node.position(), &value.path, problem);
    }

    /// The shape, unless too much has been read already.
    fn shape<'t>(&mut self, value: &Value<'t>) -> Option<ConfigShape<'t>> {
        self.visited += 1;
        if self.visited == MOST_VALUES {
            self.wrong(
                value,
                format!("is one of more than {MOST_VALUES} values, which is more than a configuration may have"),
            );
        }
        (self.visited < MOST_VALUES).then(|| value.node.shape())
    }

    fn mistyped(&mut self, value: &Value<'_>, shape: &ConfigShape<'_>, wanted: &str) {
        let found = match shape {
            ConfigShape::Null => "is empty",
            ConfigShape::Scalar(..) => "is a single value",
            ConfigShape::Sequence(_) => "is a list",
            ConfigShape::Mapping(_) => "is a mapping",
        };
        self.wrong(value, format!("{found}; write {wanted}"));
    }

    /// Keys and values as they were written. A key that comes twice, or is no text, is a fault.
    pub(crate) fn pairs<'t>(&mut self, value: &Value<'t>, wanted: &str) -> Option<Vec<(&'t str, Value<'t>)>> {
        let entries = match self.shape(value)? {
            ConfigShape::Mapping(entries) => entries,
            other @ (ConfigShape::Null | ConfigShape::Scalar(..) | ConfigShape::Sequence(_)) => {
                self.mistyped(value, &other, wanted);
                return None;
            }
        };
        let mut lines: HashMap<&str, usize> = HashMap::new();
        let mut pairs = Vec::new();
        for (key, node) in entries {
            let ConfigShape::Scalar(name, _) = key.shape() else {
                self.fault(key.position(), &value.path, "has a key that is no text");
                continue;
            };
            let path = if value.path.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", value.path)
            };
            if let Some(line) = lines.insert(name, key.position().line) {
                self.fault(key.position(), &path, format!("comes a second time; the first is in line {line}"));
                continue;
            }
            pairs.push((name, Value { node, path }, key.position()));
        }
        Some(pairs.into_iter().map(|(name, value, _)| (name, value)).collect())
    }

    /// A mapping with these keys and no other; `within` names it in the list of keys.
    pub(crate) fn mapping<'t>(&mut self, value: &Value<'t>, within: &'static str) -> Option<MappingEntries<'t>> {
        let known = names(within);
        let pairs = self.pairs(value, &format!("a mapping with the keys {}", listed(&known)))?;
        let mut found = HashMap::new();
        for (name, entry) in pairs {
            if known.contains(&name) {
                found.insert(name, entry);
            } else {
                let problem = format!("is no key of the configuration; allowed here: {}", listed(&known));
                let at = key_position(value, name).unwrap_or_else(|| entry.node.position());
                self.fault(at, &entry.path, problem);
            }
        }
        Some(MappingEntries {
            at: value.node.position(),
            path: value.path.clone(),
            within,
            found,
        })
    }

    pub(crate) fn list<'t>(&mut self, value: &Value<'t>, wanted: &str) -> Option<Vec<Value<'t>>> {
        match self.shape(value)? {
            ConfigShape::Sequence(items) => Some(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, node)| Value { node, path: format!("{}[{index}]", value.path) })
                    .collect(),
            ),
            other @ (ConfigShape::Null | ConfigShape::Scalar(..) | ConfigShape::Mapping(_)) => {
                self.mistyped(value, &other, wanted);
                None
            }
        }
    }

    /// A list, or a single value as a list of one.
    pub(crate) fn one_or_more<'t>(&mut self, value: &Value<'t>, wanted: &str) -> Option<Vec<Value<'t>>> {
        match value.node.shape() {
            ConfigShape::Scalar(..) => Some(vec![value.clone()]),
            ConfigShape::Null | ConfigShape::Sequence(_) | ConfigShape::Mapping(_) => self.list(value, wanted),
        }
    }

    pub(crate) fn text<'t>(&mut self, value: &Value<'t>, wanted: &str) -> Option<&'t str> {
        match self.shape(value)? {
            ConfigShape::Scalar(text, _) if !text.trim().is_empty() => Some(text.trim()),
            ConfigShape::Scalar(..) => {
                self.mistyped(value, &ConfigShape::Null, wanted);
                None
            }
            other @ (ConfigShape::Null | ConfigShape::Sequence(_) | ConfigShape::Mapping(_)) => {
                self.mistyped(value, &other, wanted);
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, value: &Value<'_>) -> Option<bool> {
        match self.shape(value)? {
            ConfigShape::Scalar("true", Style::Plain) => Some(true),
            ConfigShape::Scalar("false", Style::Plain) => Some(false),
            ConfigShape::Scalar(text, _) => {
                self.wrong(value, format!("is `{}`; write true or false", short(text)));
                None
            }
            other @ (ConfigShape::Null | ConfigShape::Sequence(_) | ConfigShape::Mapping(_)) => {
                self.mistyped(value, &other, "true or false");
                None
            }
        }
    }

    /// A whole number between two bounds.
    fn number(&mut self, value: &Value<'_>, least: u32, most: u32) -> Option<u32> {
        let wanted = format!("a whole number from {least} to {most}");
        match self.shape(value)? {
            ConfigShape::Scalar(text, style) => {
                let digits =
                    style == Style::Plain && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
                if number.is_none() {
                    self.wrong(value, format!("is `{}`; write {wanted}", short(text)));
                }
                number
            }
            other @ (ConfigShape::Null | ConfigShape::Sequence(_) | ConfigShape::Mapping(_)) => {
                self.mistyped(value, &other, &wanted);
                None
            }
        }
    }
}

impl<'t> MappingEntries<'t> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'t>> {
        self.found.get(name)
    }

    /// A whole number between the bounds that the list of keys has for it.
    pub(crate) fn number(&self, reader: &mut ConfigReader, name: &str) -> Option<u32> {
        let Some(ValueKind::Number(least, most)) = kind(self.within, name) else {
            return None;
        };
        reader.number(self.get(name)?, least, most)
    }

    /// An entry that has to be there.
    pub(crate) fn required(&self, reader: &mut ConfigReader, name: &str, wanted: &str) -> Option<Value<'t>> {
        let found = self.get(name).cloned();
        if found.is_none() {
            let path = if self.path.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", self.path)
            };
            reader.fault(self.at, &path, format!("is missing; write {wanted}"));
        }
        found
    }
}

/// Where a key was written.
fn key_position(value: &Value<'_>, name: &str) -> Option<Position> {
    let ConfigShape::Mapping(entries) = value.node.shape() else {
        return None;
    };
    entries
        .into_iter()
        .find(|(key, _)| matches!(key.shape(), ConfigShape::Scalar(found, _) if found == name))
        .map(|(key, _)| key.position())
}

/// Words in backquotes, with commas.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A value as it may stand in a message: one line, not long.
pub(crate) fn short(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(80)
        .collect();
    if text.chars().count() > 80 { format!("{clean}...") } else { clean }
}
