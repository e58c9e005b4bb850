//! `tests/corpus/stops.jsonl`: 206 stops, most of them seen in the field, with the cause that people agreed on.

use std::collections::BTreeMap;

use pullsafe_diagnosis::cause::{Cause, Diagnosis, Signature};
use pullsafe_diagnosis::diagnose;
use pullsafe_events::stopped_task::StoppedTask;
use serde::Deserialize;
use serde_json::Value;

/// The logs of a task, by container.
pub(crate) type TaskLogs = BTreeMap<String, Vec<String>>;

/// The label of a row.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Label {
    pub(crate) cause: Cause,
    pub(crate) signature: Option<Signature>,
    pub(crate) docker_hub_quota: Option<bool>,
}

/// A labelled stop.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stop {
    pub(crate) id: String,
    pub(crate) event: Value,
    #[serde(default)]
    pub(crate) logs: TaskLogs,
    pub(crate) expect: Label,
    /// The thread or site that the text is from.
    #[serde(default)]
    source: String,
}

impl Stop {
    /// The labelled stops, in the order of the file.
    pub(crate) fn all() -> Vec<Self> {
        include_str!("../../corpus/stops.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).expect("a row of the corpus is a stop"))
            .collect()
    }

    /// A labelled stop from another corpus.
    pub(crate) const fn new(id: String, event: Value, logs: TaskLogs, expect: Label, source: String) -> Self {
        Self { id, event, logs, expect, source }
    }

    /// The thread or site that the text is from.
    pub(crate) fn group(&self) -> String {
        self.source.clone()
    }

    /// pullsafe's diagnosis of the stop.
    pub(crate) fn diagnosis(&self) -> Diagnosis {
        of_event(&self.event, &self.logs)
    }
}

/// pullsafe's diagnosis of the task in this event.
pub(crate) fn of_event(event: &Value, logs: &TaskLogs) -> Diagnosis {
    diagnose(&StoppedTask::from_json(&event["detail"]), logs)
}
