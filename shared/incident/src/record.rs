//! The memory of one service: its open incident, the tasks that it has seen, and what still has to be told.
//!
//! A [`Record`] is one row of the table. Everything that pullsafe is about to do is written there first, so that the
//! next invocation, even after a crash, carries on with the same plan instead of making a second one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::door::AtDoor;
use super::incident::Incident;
use super::joins::Joins;
use super::outgoing::Outgoing;
use super::question::{Became, No, PastQuestion, name_of};
use super::sight::Sight;
use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_events::stopped_task::StoppedTask;

/// How many tasks a record remembers, to tell a duplicate event from a new one; and how many it drops at a time.
const TASKS_REMEMBERED: usize = 28;
const TASKS_FORGOTTEN: usize = 14;

/// What the table holds about one service (or about one family of tasks that belong to no service).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The incident under way, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Incident>,
    /// When the last incident ended. A task that had stopped by then opens no new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The newest tasks seen, by their ids, with the version of their last event.
    #[serde(default)]
    seen: BTreeMap<String, SeenTask>,
    /// Tasks of the open incident that were dropped from `seen` and are not stored yet.
    #[serde(skip)]
    pub(crate) forgotten: BTreeMap<String, SeenTask>,
    /// A task that stopped at or before this moment may be one that was dropped from `seen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_until: Option<Timestamp>,
    /// The names that it waits for and for which the table has a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) listed: Vec<String>,
    /// The task definition that was last dealt with when its deployment began, ahead of any failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// The task definition that was last dealt with because the end of a pull limit was foretold: the service was moved
    /// away from it, AWS refused that, or people were only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold: Option<String>,
    /// The deployment that waits at the door, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<AtDoor>,
    /// The moment of a pause that nobody remembers, by the tags on the service, once people were told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stray: Option<String>,
    /// How the last questions ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) questions: Vec<PastQuestion>,
    /// Each no that a person gave and that is remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noes: Vec<No>,
    /// Messages that still have to go out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Outgoing>,
    /// How many messages this record has ever put into its outbox; numbers the next.
    #[serde(default)]
    pub notices: u64,
}

/// A task that was seen: the version of its last event, and when it stopped, in seconds since 1970. A row holds many of
/// these, so each is a bare pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTask(u64, i64);

/// What became of an event that was added to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// This event, or a later one of the same task, was seen before.
    Seen,
    /// The task stopped before the last incident was resolved.
    Old,
    /// On a closer look nothing has failed.
    NoFailure,
}

impl Record {
    /// Adds a task that failed, with its diagnosis. Opens an incident if none is open.
    pub fn add_failure(&mut self, subject: &str, task: &StoppedTask, diagnosis: Diagnosis, now: Timestamp) -> Added {
        let at = stopped_at(task, now);
        match self.would_add(task, now) {
            Added::New => {}
            known @ (Added::Seen | Added::Old | Added::NoFailure) => return known,
        }
        if diagnosis.cause.is_benign() {
            return Added::NoFailure;
        }
        let counted = self.has_counted(task);
        self.remember(task, at);
        if !counted {
            let incident = self.open.get_or_insert_with(|| Incident::open(subject, at));
            incident.add_failure(task, diagnosis, at);
        }
        Added::New
    }

    /// Returns what [`Self::add_failure`] would say, so that only a new stop is looked at more closely.
    pub fn would_add(&self, task: &StoppedTask, now: Timestamp) -> Added {
        match self.seen.get(task.task_id()) {
            Some(SeenTask(version, _)) if *version >= task.version => Added::Seen,
            _ if self.closed_at.is_some_and(|closed| stopped_at(task, now) <= closed) => Added::Old,
            Some(_) | None => Added::New,
        }
    }

    /// Whether a task was counted already, in an older version of its event.
    pub fn has_counted(&self, task: &StoppedTask) -> bool {
        self.seen.contains_key(task.task_id())
    }

    /// Whether a task looks new but may be one that only the rows of the past still know.
    pub fn may_have_forgotten(&self, task: &StoppedTask, now: Timestamp) -> bool {
        let is_early = self.forgotten_until.is_some_and(|until| stopped_at(task, now) <= until);
        is_early && self.open.is_some() && self.would_add(task, now) == Added::New && !self.has_counted(task)
    }

    /// Puts back a task that was found in the rows of the past.
    pub fn recall(&mut self, id: &str, seen: SeenTask) {
        self.seen.insert(id.to_owned(), seen);
    }

    fn remember(&mut self, task: &StoppedTask, at: Timestamp) {
        self.seen.insert(task.task_id().to_owned(), SeenTask(task.version, at.seconds()));
        if self.seen.len() <= TASKS_REMEMBERED {
            return;
        }
        for _ in 0..TASKS_FORGOTTEN {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.1).map(|(id, _)| id.clone());
            let Some((id, seen)) = oldest.and_then(|id| self.seen.remove_entry(&id)) else {
                return;
            };
            let until = Timestamp::from_millis(seen.1.saturating_mul(1000));
            self.forgotten_until = Some(self.forgotten_until.map_or(until, |known| known.max(until)));
            if self.open.is_some() {
                self.forgotten.insert(id, seen);
            }
        }
    }

    /// Whether there is nothing to write. A change of the kept answers alone is not written.
    pub fn has_nothing_to_write_since(&self, before: &Self) -> bool {
        let mut before = before.clone();
        if let (Some(incident), Some(known)) = (&self.open, &mut before.open) {
            known.kept.clone_from(&incident.kept);
        }
        *self == before
    }

    /// Whether anything has changed since `before` that is worth another look soon. One more task of a known cause, or
    /// one more line of the timeline, is not.
    pub fn has_news_since(&self, before: &Self) -> bool {
        let decided = |record: &Self| {
            let incident = record.open.as_ref()?;
            let causes: Vec<_> = incident
                .causes
                .iter()
                .map(|seen| (seen.diagnosis.cause, seen.diagnosis.container.clone()))
                .collect();
            let (act, waiting) = (incident.act.clone(), incident.waiting.clone());
            let said = (incident.declined.clone(), incident.told.len());
            Some((causes, act, waiting, incident.refusal.clone(), said, incident.looks_steady))
        };
        !self.outbox.is_empty() || decided(self) != decided(before)
    }

    /// Returns the names of what it waits for, which an arrival or an answer carries too.
    pub fn waits(&self) -> Vec<String> {
        let incident = self
            .open
            .as_ref()
            .and_then(|incident| incident.waiting.as_ref())
            .map(|waiting| waiting.cause.names());
        let mut names = incident.unwrap_or_default();
        names.extend(self.door.iter().flat_map(AtDoor::names));
        let asked = self.open.as_ref().and_then(Incident::open_question).map(|question| &question.code);
        names.extend(asked.into_iter().chain(self.questions.iter().map(|past| &past.code)).map(|code| name_of(code)));
        names
    }

    /// Puts a message that is always sent by itself into the outbox, unless the open incident has already told it.
    pub fn tell(&mut self, key: &str, notice: impl FnOnce(&Incident, String) -> Notice) {
        self.put(key, None, notice);
    }

    /// Puts a message into the outbox as [`Self::tell`] does, but one that an outbreak's digest may tell instead.
    pub fn tell_together(&mut self, key: &str, notice: impl FnOnce(&Incident, String) -> Notice) {
        let joins = self.open.as_ref().and_then(Joins::of);
        self.put(key, joins, notice);
    }

    fn put(&mut self, key: &str, joins: Option<Joins>, notice: impl FnOnce(&Incident, String) -> Notice) {
        let Some(incident) = self.open.as_mut() else { return };
        if incident.told.iter().any(|told| told == key) {
            return;
        }
        incident.told.push(key.to_owned());
        self.notices += 1;
        let id = format!("{}-{}", incident.id, self.notices);
        let notice = notice(incident, id);
        let sight = incident.blocker().map(Sight::of);
        self.outbox.push(Outgoing { joins, sight, ..notice.into() });
    }

    /// Closes the open incident and returns it for the archive. `how` says how it ended.
    pub fn close(&mut self, at: Timestamp, how: &str) -> Option<Incident> {
        self.end_question(at, Became::Over(how.to_owned()));
        self.noes.retain(|no| no.until.is_some_and(|until| at < until));
        let mut incident = self.open.take()?;
        incident.resolved_at = Some(at);
        self.closed_at = Some(at);
        self.forgotten_until = None;
        Some(incident)
    }
}

fn stopped_at(task: &StoppedTask, now: Timestamp) -> Timestamp {
    task.stopped_at.or(task.stopping_at).unwrap_or(now)
}
