//! What happened in the course of an incident: the lines of its timeline, as values.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::question::Who;
use pullsafe::timestamp::Timestamp;

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub what: Happened,
}

/// What one line of the timeline tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// A task stopped, and perhaps others after it for the same reason.
    Stopped {
        /// The first one, by the beginning of its id.
        task: String,
        /// Why, in a few words.
        summary: String,
        /// How many followed.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
        /// When the last of them stopped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A plan was made: its summary.
    Decided(String),
    /// A person was asked whether a plan may be carried out.
    Asked {
        /// The question's code.
        code: String,
        /// The plan's summary.
        summary: String,
        /// Until when a yes counts.
        until: Timestamp,
    },
    /// Somebody said yes.
    Approved {
        /// The question's code.
        code: String,
        by: Who,
    },
    /// Somebody said no.
    Declined {
        /// The question's code.
        code: String,
        by: Who,
        /// Until when it is not asked again; `None` for the rest of this incident.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Nobody answered the question with this code in time.
    Expired(String),
    /// A plan was carried out: its summary.
    Done(String),
    /// A plan was given up: why.
    GivenUp(String),
    /// A plan was refused by AWS: how.
    Refused(String),
    /// The incident ended: how.
    Ended(String),
    /// Anything else, in words.
    #[serde(untagged)]
    Said(String),
}

// Takes a reference, because serde passes one to `skip_serializing_if`.
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

impl TimelineEntry {
    /// Merges another stop for the same reason into this line, and returns anything else. Events come in any order.
    pub fn also(&mut self, at: Timestamp, other: Happened) -> Option<Happened> {
        let latest = at.max(self.at);
        let left = self.what.also(latest, other);
        if left.is_none() {
            self.at = self.at.min(at);
        }
        left
    }
}

impl Happened {
    /// Whether it is about what pullsafe did.
    pub const fn is_doing(&self) -> bool {
        matches!(self, Self::Decided(_) | Self::Done(_) | Self::GivenUp(_) | Self::Refused(_))
    }

    fn also(&mut self, at: Timestamp, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Stopped { summary, more, until, .. }, Self::Stopped { summary: same, more: also, .. })
                if *summary == same =>
            {
                *more = more.saturating_add(also).saturating_add(1);
                *until = Some(until.map_or(at, |until| until.max(at)));
                None
            }
            (_, other) => Some(other),
        }
    }

    /// Returns the line, with `name` in place of a text that only repeats `summary`, the summary of an act.
    pub fn beside(&self, summary: &str, name: &str) -> String {
        let same = |said: &String| if said == summary { name.to_owned() } else { said.clone() };
        match self {
            Self::Decided(said) => Self::Decided(same(said)).to_string(),
            Self::Done(said) => Self::Done(same(said)).to_string(),
            Self::Asked { code, summary: said, until } => {
                Self::Asked { code: code.clone(), summary: same(said), until: *until }.to_string()
            }
            Self::Stopped { .. }
            | Self::Approved { .. }
            | Self::Declined { .. }
            | Self::Expired(_)
            | Self::GivenUp(_)
            | Self::Refused(_)
            | Self::Ended(_)
            | Self::Said(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { task, summary, more, until: Some(until) } => {
                write!(formatter, "task {task} and {more} more until {until} stopped: {summary}")
            }
            Self::Stopped { task, summary, until: None, .. } => write!(formatter, "task {task} stopped: {summary}"),
            Self::Decided(summary) => write!(formatter, "decided: {summary}"),
            Self::Asked { code, summary, until } => {
                write!(formatter, "asked, question {code}, until {until}: {summary}")
            }
            Self::Approved { code, by } => write!(formatter, "question {code} approved by {by}"),
            Self::Declined { code, by, until: Some(until) } => {
                write!(formatter, "question {code} declined by {by}, not asked again before {until}")
            }
            Self::Declined { code, by, until: None } => write!(formatter, "question {code} declined by {by}"),
            Self::Expired(code) => write!(formatter, "question {code} expired, for nobody answered it"),
            Self::Done(summary) => write!(formatter, "done: {summary}"),
            Self::GivenUp(why) => write!(formatter, "given up: {why}"),
            Self::Refused(how) => write!(formatter, "refused: {how}"),
            Self::Ended(text) | Self::Said(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_768_504_620_000);

    fn stopped(task: &str, summary: &str) -> Happened {
        Happened::Stopped {
            task: task.to_owned(),
            summary: summary.to_owned(),
            more: 0,
            until: None,
        }
    }

    #[test]
    fn stops_for_one_reason_are_one_line() {
        let mut line = stopped("1a2b", "oom");
        assert_eq!(line.also(AT, stopped("3c4d", "oom")), None);
        assert_eq!(line.also(AT.plus_seconds(-60), stopped("5e6f", "oom")), None, "events come in any order");
        assert_eq!(line.to_string(), "task 1a2b and 2 more until 2026-01-15T19:17:00Z stopped: oom");
        assert!(
            line.also(AT, stopped("7a8b", "other")).is_some()
                && line.also(AT, Happened::Said("oom".to_owned())).is_some()
        );
    }

    #[test]
    fn a_line_begins_with_the_first_of_its_stops_whenever_that_is_heard_of() {
        let mut line = TimelineEntry { at: AT, what: stopped("1a2b", "oom") };
        assert_eq!(line.also(AT.plus_seconds(-60), stopped("3c4d", "oom")), None);
        assert_eq!(line.at, AT.plus_seconds(-60));
        assert_eq!(line.what.to_string(), "task 1a2b and 1 more until 2026-01-15T19:17:00Z stopped: oom");
    }

    #[test]
    fn a_line_that_was_stored_as_words_stays_readable() {
        let stored: TimelineEntry =
            serde_json::from_str(r#"{"at": "2026-01-15T19:17:00Z", "what": "task 1a2b stopped: oom"}"#).unwrap();
        assert_eq!(stored.what, Happened::Said("task 1a2b stopped: oom".to_owned()));
        for what in [stopped("1a2b", "oom"), Happened::Done("moved".to_owned()), Happened::Said("x".to_owned())] {
            let entry = TimelineEntry { at: AT, what };
            assert_eq!(serde_json::from_str::<TimelineEntry>(&serde_json::to_string(&entry).unwrap()).unwrap(), entry);
        }
    }
}
