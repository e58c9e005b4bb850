//! What an incident has spent on logs and second looks, and what they said, so that the same logs are not read again
//! and again.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis, Evidence, Why};
use serde::{Deserialize, Serialize};

/// The most calls for the logs of one stop or build.
pub const CALLS_OF_ONE: u32 = 6;

/// The most calls for the stops of one revision of a task definition, within one incident.
pub const CALLS_OF_A_REVISION: u32 = 12;

/// The most calls for one incident.
pub const CALLS_OF_AN_INCIDENT: u32 = 60;

/// The most bytes of log messages that are read for one stop or build.
pub const BYTES_OF_ONE: usize = 4 * 1024 * 1024;

/// What is left to spend on the logs of one stop or build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBudget {
    pub calls: u32,
    /// Bytes of messages.
    pub bytes: usize,
}

/// What an incident has spent on logs, and what they said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsRead {
    /// The task definition revision of the last stop.
    revision: String,
    /// Calls spent on this revision.
    of_revision: u32,
    /// Calls spent in the whole incident.
    total: u32,
    /// The diagnosis after reading this revision's logs, by the cause that the text of a stop gives alone.
    #[serde(default)]
    known: BTreeMap<Cause, Diagnosis>,
    /// What the other probes said of stops with this cause, and when they were asked.
    #[serde(default)]
    settled: BTreeMap<Cause, (Timestamp, Vec<Settled>)>,
}

impl LogsRead {
    /// Begins the look at a stop of this revision (or at a build), and forgets what was known of another revision.
    pub fn begin(&mut self, revision: &str) {
        if self.revision != revision {
            *self = Self {
                revision: revision.to_owned(),
                total: self.total,
                ..Self::default()
            };
        }
    }

    /// Returns what may be spent on the logs of one stop.
    pub fn budget(&self) -> LogBudget {
        let left = CALLS_OF_A_REVISION
            .saturating_sub(self.of_revision)
            .min(CALLS_OF_AN_INCIDENT.saturating_sub(self.total));
        LogBudget { calls: left.min(CALLS_OF_ONE), bytes: BYTES_OF_ONE }
    }

    /// Adds the calls that one stop took, and the diagnosis that they led to.
    pub fn add(&mut self, calls: u32, by_text: Cause, found: &Diagnosis) {
        self.count(calls);
        if found.signature.is_some() || found.cause != by_text {
            self.known.insert(by_text, found.clone());
        }
    }

    /// Adds calls that were made.
    pub fn count(&mut self, calls: u32) {
        self.of_revision += calls;
        self.total += calls;
    }

    /// Returns what the other probes said of this cause in the last ten minutes.
    pub fn settled(&self, by_text: Cause, now: Timestamp) -> Option<Vec<Settled>> {
        /// In a crash loop the probes are asked every ten minutes, not for every task.
        const SECONDS: i64 = 10 * 60;
        let (at, settled) = self.settled.get(&by_text)?;
        (now.seconds_since(*at) < SECONDS).then(|| settled.clone())
    }

    /// Remembers what the other probes said of this cause.
    pub fn settle(&mut self, by_text: Cause, settled: Vec<Settled>, now: Timestamp) {
        if !settled.is_empty() {
            self.settled.insert(by_text, (now, settled));
        }
    }

    /// Returns the diagnosis that the log of an earlier stop of this revision led to, for the same cause by text.
    pub fn known(&self, by_text: Cause) -> Option<&Diagnosis> {
        self.known.get(&by_text)
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What it found, for people.
    pub evidence: Vec<Evidence>,
    /// How certain the cause is now, if that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Why it failed, if the probe says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Whether it leaves nothing open about the cause.
    #[serde(default)]
    pub settles: bool,
    /// What would settle the cause instead, where the probe could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

impl Settled {
    /// Returns evidence from `source` and nothing else; the text is masked.
    pub fn saying(source: &str, text: impl Into<String>) -> Self {
        let evidence = Evidence {
            source: source.to_owned(),
            text: pullsafe_diagnosis::masked(&text.into()),
        };
        Self { evidence: vec![evidence], ..Self::default() }
    }

    /// Returns the result of a probe that could not be carried out; `instead` is what would settle the cause.
    pub fn failed(source: &str, why: impl std::fmt::Display, instead: impl Into<String>) -> Self {
        Self {
            instead: Some(instead.into()),
            ..Self::saying(source, format!("could not be asked: {why}"))
        }
    }

    /// Adds what was found to a diagnosis.
    pub fn apply(&self, diagnosis: &mut Diagnosis) {
        diagnosis.evidence.extend(self.evidence.iter().cloned());
        diagnosis.confidence = self.confidence.unwrap_or(diagnosis.confidence);
        diagnosis.why = diagnosis.why.or(self.why);
        if self.settles {
            diagnosis.settled_by = None;
        }
        if let Some(instead) = &self.instead {
            let known = diagnosis.settled_by.take().filter(|known| !known.contains(instead.as_str()));
            diagnosis.settled_by = Some(known.map_or_else(|| instead.clone(), |known| format!("{known}; {instead}")));
        }
    }
}
