//! Properties that cannot be used: which one, what was read, why it cannot be meant so, and what to write instead.

use std::fmt;

use super::foreign::shown;

/// One property that cannot be used, in words for the template's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyRefusal {
    property: String,
    read: Option<String>,
    why: String,
    write: String,
}

impl PropertyRefusal {
    /// A property that holds this text, with why it cannot be used and what to write.
    pub fn new(property: &str, read: &str, why: impl Into<String>, write: impl Into<String>) -> Self {
        Self {
            property: shown(property),
            read: Some(shown(read)),
            why: why.into(),
            write: write.into(),
        }
    }

    /// A property that is missing, unknown or not a text: there is nothing to show of it.
    pub fn without_value(property: &str, why: impl Into<String>, write: impl Into<String>) -> Self {
        Self {
            property: shown(property),
            read: None,
            why: why.into(),
            write: write.into(),
        }
    }
}

impl fmt::Display for PropertyRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, read, why, write } = self;
        match read {
            Some(read) => write!(formatter, "{property} `{read}` {why}. Write {write}."),
            None => write!(formatter, "{property} {why}. Write {write}."),
        }
    }
}

/// Everything that is wrong with the properties of one resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Custom::PullsafeImage: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))]
pub struct InvalidProperties(pub Vec<PropertyRefusal>);
