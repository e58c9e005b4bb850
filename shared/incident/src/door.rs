//! A deployment that waits at its hook. It is remembered only while it waits for something or is about to be rolled
//! back.

use serde::{Deserialize, Serialize};

use super::waiting::WaitingFor;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::hook::HookWaits;

/// A deployment at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtDoor {
    /// The hook that it waits at.
    pub hook: HookWaits,
    /// Since when it waits there.
    pub since: Timestamp,
    /// When it is answered at the latest.
    pub until: Timestamp,
    /// What it waits for.
    #[serde(default)]
    pub waiting: Vec<WaitingFor>,
    /// The answer, which is stored before it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<DoorVerdict>,
}

impl AtDoor {
    /// Returns the names of what it waits for, which an arrival has too.
    pub fn names(&self) -> Vec<String> {
        self.waiting.iter().flat_map(WaitingFor::names).collect()
    }
}

/// What is said to a deployment, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorVerdict {
    /// What becomes of it.
    pub outcome: DoorOutcome,
    /// The task definition that it was to run.
    pub task_definition: String,
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// What to do about it.
    pub advice: Vec<String>,
}

/// What becomes of a deployment that is told about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorOutcome {
    /// It is rolled back.
    RolledBack,
    /// It goes on although it will fail, and why it was not rolled back.
    GoesOn(String),
    /// It was not answered, because AWS refused the call, and why.
    NotAnswered(String),
    /// The answer came too late, because somebody else or its timeout had ended the wait: what ECS says of its hook.
    TooLate(String),
}
