//! How a value is read, and what is said about a bad one.

use std::fmt;

use super::values::MessageFormat;
use super::variables::*;
use crate::arn::Arn;

/// A setting that is missing or has a bad value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for SettingFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.problem)
    }
}

pub(super) struct SettingsReader<L> {
    pub(super) lookup: L,
    pub(super) faults: Vec<SettingFault>,
}

impl<L: Fn(&str) -> Option<String>> SettingsReader<L> {
    pub(super) fn text(&mut self, setting: Setting) -> String {
        match ((self.lookup)(setting.name).map(|value| value.trim().to_owned()), setting.default) {
            (Some(value), None) if value.is_empty() => self.missing(setting),
            (Some(value), _) => value,
            (None, Some(default)) => default.to_owned(),
            (None, None) => self.missing(setting),
        }
    }

    pub(super) fn missing(&mut self, setting: Setting) -> String {
        self.faults.push(SettingFault {
            name: setting.name,
            problem: format!("must be set. {}", setting.meaning),
        });
        String::new()
    }

    pub(super) fn parsed<T>(
        &mut self,
        setting: Setting,
        otherwise: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let value = self.text(setting);
        parse(&value).unwrap_or_else(|| {
            self.faults.push(SettingFault {
                name: setting.name,
                problem: format!("is `{value}`, expected {expected}"),
            });
            otherwise
        })
    }

    /// Reads a text that need not be set.
    pub(super) fn optional(&mut self, setting: Setting) -> Option<String> {
        (self.lookup)(setting.name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Reads the URL of a queue that need not be set.
    pub(super) fn queue(&mut self, setting: Setting) -> Option<String> {
        let url = self.optional(setting)?;
        let has_host = url.split_once("://").is_some_and(|(scheme, rest)| {
            matches!(scheme, "https" | "http") && rest.split('/').filter(|part| !part.is_empty()).count() >= 2
        });
        if !has_host {
            self.faults.push(SettingFault {
                name: setting.name,
                problem: format!("is `{url}`, expected the URL of a queue"),
            });
        }
        Some(url)
    }

    pub(super) fn format(&mut self) -> MessageFormat {
        self.parsed(FORMAT, MessageFormat::Text, "`text` or `chatbot`", |value| {
            match value.to_ascii_lowercase().as_str() {
                "text" => Some(MessageFormat::Text),
                "chatbot" => Some(MessageFormat::Chatbot),
                _ => None,
            }
        })
    }

    /// Reads the ARN of a function that need not be set.
    pub(super) fn function(&mut self, setting: Setting) -> Option<String> {
        let text = self.optional(setting)?;
        let is_function = Arn::parse(&text).is_some_and(|arn| arn.resource.starts_with("function:"));
        if !is_function {
            self.faults.push(SettingFault {
                name: setting.name,
                problem: format!("is `{text}`, expected the ARN of a function"),
            });
        }
        Some(text)
    }

    pub(super) fn outbreak_after(&mut self) -> usize {
        self.parsed(OUTBREAK_AFTER, 3, "a whole number from 2 to 100", |value| {
            value.parse().ok().filter(|count| (2..=100).contains(count))
        })
    }

    pub(super) fn outbreak_minutes(&mut self) -> i64 {
        self.parsed(OUTBREAK_MINUTES, 30, "a whole number from 1 to 1440", |value| {
            value.parse().ok().filter(|minutes| (1..=1440).contains(minutes))
        })
    }

    pub(super) fn flag(&mut self, setting: Setting) -> bool {
        self.parsed(setting, false, "`true` or `false`", |value| match value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}
