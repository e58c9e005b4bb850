//! A question (mode `ask`): what waits for a person's yes, who answered, how it ended, and the noes that are
//! remembered.

use std::fmt;

use serde::{Deserialize, Serialize};

use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Cause;

/// How many characters of an answerer's name are kept; no ARN of a session is longer.
const LONGEST_NAME: usize = 256;

/// The question whether a plan may be carried out, open or answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What a person types to answer it.
    pub code: String,
    pub asked_at: Timestamp,
    /// From then on a yes is too late.
    pub expires_at: Timestamp,
    /// The yes. Once it is stored, the plan is carried out even if the process dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes: Option<Yes>,
}

/// A person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yes {
    pub by: Who,
    pub at: Timestamp,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The ARN that STS gave for whoever signed the answer.
    Arn(String),
    /// Somebody who may invoke the function and gave no name. CloudTrail knows who, if it records invocations.
    Invoker,
}

impl Who {
    /// Names whoever has this ARN, as STS gave it, cut to 256 characters and without spaces and control characters.
    pub fn with_arn(arn: &str) -> Self {
        Self::Arn(arn.chars().filter(|character| ('!'..='~').contains(character)).take(LONGEST_NAME).collect())
    }

    /// Returns it as the value of a tag, whose characters AWS limits.
    pub fn as_tag(&self) -> String {
        match self {
            Self::Arn(arn) => {
                let plain = |character: char| character.is_ascii_alphanumeric() || "+-=._:/@".contains(character);
                arn.chars().map(|character| if plain(character) { character } else { '_' }).collect()
            }
            Self::Invoker => "unnamed".to_owned(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => formatter.write_str(arn),
            Self::Invoker => formatter.write_str("somebody who may invoke the function and gave no name"),
        }
    }
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    /// Somebody said yes, and it was acted upon.
    Approved(Who),
    /// Somebody said no. It is not asked again before this moment; without one, not in this incident.
    Declined(Who, Option<Timestamp>),
    /// Nobody answered in time.
    Expired,
    /// What would be done had changed: this question took its place.
    Overtaken(String),
    /// The mode allowed acting without a yes by then.
    NotNeeded,
    /// The incident ended first, in this way.
    Over(String),
}

impl fmt::Display for Became {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved(who) => write!(formatter, "approved by {who}"),
            Self::Declined(who, Some(until)) => {
                write!(formatter, "declined by {who}, and it is not asked again before {until}")
            }
            Self::Declined(who, None) => {
                write!(formatter, "declined by {who}, and it is not asked again in this incident")
            }
            Self::Expired => formatter.write_str("nobody had answered in time, and nothing was done"),
            Self::Overtaken(code) => {
                write!(formatter, "what would be done had changed, and question {code} took its place")
            }
            Self::NotNeeded => formatter.write_str("the mode allowed to act without it"),
            Self::Over(how) => write!(formatter, "the incident was over: {how}"),
        }
    }
}

/// A question that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastQuestion {
    pub code: String,
    /// When it ended.
    pub at: Timestamp,
    pub became: Became,
}

/// A no that is remembered: for its cause, nothing is asked and nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct No {
    pub cause: Cause,
    pub by: Who,
    pub at: Timestamp,
    /// Until when it holds; `None` until the incident is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl fmt::Display for No {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.map_or_else(|| "in this incident".to_owned(), |until| format!("before {until}"));
        write!(formatter, "{} declined it at {}: it is not asked again {until}", self.by, self.at)
    }
}

/// Returns the name under which the table finds whose question has this code.
pub fn name_of(code: &str) -> String {
    format!("answer#{code}")
}
