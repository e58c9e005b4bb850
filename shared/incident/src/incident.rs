//! The memory of one service: what failed, when, what was done about it, and whether it is over.
//!
//! A [`Record`] is one row of the table, changed only under a lease. Everything that pullsafe is about to do is
//! written into it before it is done, so that whoever comes next, after a crash too, carries on with the same
//! plan instead of making a second one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outgoing::Outgoing;
use super::plan::{Declined, Plan, Step};
use super::refusal::Refusal;
use super::spent::Spent;
use super::waiting::Waiting;
use pullsafe::notice::Notice;
use pullsafe::reference::Registry;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, RemedyName};
use pullsafe_events::stopped_task::StoppedTask;

/// How many tasks a record remembers, to tell a duplicate event from a new one.
const TASKS_REMEMBERED: usize = 200;
/// How many lines the timeline of an incident keeps; the first ones are the telling ones.
const TIMELINE_KEPT: usize = 150;
/// How many launches an incident keeps for the picture of the quota window.
const LAUNCHES_KEPT: usize = 200;

/// What the table holds about one service (or about one family of tasks that belong to no service).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The incident under way, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Incident>,
    /// When the last incident ended: what stopped before that is an old story.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The tasks seen, with the version of their last event.
    #[serde(default)]
    tasks: BTreeMap<String, SeenTask>,
    /// The task definitions that were looked at ahead of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// When the service was paused that carries the tags of a pause which nobody remembers, once people know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stray: Option<String>,
    /// Messages that still have to go out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Outgoing>,
    /// How many messages this record has ever put into its outbox; numbers the next.
    #[serde(default)]
    pub notices: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SeenTask {
    version: u64,
    at: Timestamp,
}

/// One incident of a service: from the first failure until it is steady again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Unique, and sorts by time: the moment it opened and a part of the service's name.
    pub id: String,
    /// When the first task failed.
    pub opened_at: Timestamp,
    /// What failed, oldest first. More than one entry means that one cause hid another.
    pub causes: Vec<CauseSeen>,
    /// Every failed launch: when, and how many pulls of Docker Hub it spent.
    pub launches: Vec<Launch>,
    /// What pullsafe decided to do. One act per incident; after it, only advice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// The pause that was carried out: the way back needs this memory, and no tag stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Plan>,
    /// Why the act was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What the incident waits for, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The remedies that were declined at the last look, with the reasons.
    #[serde(default)]
    pub declined: Vec<Declined>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// The pull limit that Docker Hub's headers last named, per window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_limit: Option<u32>,
    /// What was spent on reading logs.
    #[serde(default)]
    pub log_calls: Spent,
    /// What people were already told, so that they are told once.
    #[serde(default)]
    pub told: Vec<String>,
    /// When it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}

/// A cause, over all the tasks that it stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseSeen {
    /// The diagnosis of the latest of these tasks.
    pub diagnosis: Diagnosis,
    /// The latest task's definition.
    pub task_definition: String,
    /// The digest that ECS pinned for the image, if the event showed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// When the first of these tasks stopped.
    pub first_at: Timestamp,
    /// When the latest of these tasks stopped.
    pub last_at: Timestamp,
    /// How many tasks it stopped.
    pub tasks: u32,
    /// The cause that was in the way before this one came to light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_by: Option<Cause>,
}

/// One failed launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// When the task stopped.
    pub at: Timestamp,
    /// Pulls of Docker Hub that it spent.
    pub pulls: u32,
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What, in one line.
    pub what: String,
}

/// How far an act has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActState {
    /// In observe mode: this is what would have been done.
    Observed,
    /// Decided, and under way; whoever holds the lease next carries on.
    Acting,
    /// Done, every step.
    Done,
    /// Given up, because the world had moved on; the reason is in the timeline.
    Abandoned,
    /// Refused by AWS; [`Incident::refusal`] says why and what is missing.
    Refused,
}

/// What pullsafe decided to do, and how far it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// The cause that it is for.
    pub cause: Cause,
    /// The remedy and its steps.
    pub plan: Plan,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How far it has come.
    pub state: ActState,
}

/// What became of an event that was added to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// This event, or a later one of the same task, was seen before.
    Seen,
    /// The task stopped before the last incident was resolved.
    Old,
}

impl Record {
    /// Adds a task that failed, with its diagnosis. Opens an incident if none is open.
    pub fn add_failure(&mut self, subject: &str, task: &StoppedTask, diagnosis: Diagnosis, now: Timestamp) -> Added {
        let at = task.stopped_at.or(task.stopping_at).unwrap_or(now);
        match self.would_add(task, now) {
            Added::New => {}
            known @ (Added::Seen | Added::Old) => return known,
        }
        let counted = self.tasks.contains_key(&task.task_arn);
        self.remember(task, at);
        if !counted {
            let incident = self.open.get_or_insert_with(|| Incident::open(subject, at));
            incident.add_failure(task, diagnosis, at);
        }
        Added::New
    }

    /// What [`Self::add_failure`] would say: whoever looks closer at a stop does so for a new one only.
    pub fn would_add(&self, task: &StoppedTask, now: Timestamp) -> Added {
        let at = task.stopped_at.or(task.stopping_at).unwrap_or(now);
        match self.tasks.get(&task.task_arn) {
            Some(seen) if seen.version >= task.version => Added::Seen,
            _ if self.closed_at.is_some_and(|closed| at <= closed) => Added::Old,
            Some(_) | None => Added::New,
        }
    }

    /// Whether a task was counted already, in an older version of its event.
    pub fn has_counted(&self, task: &StoppedTask) -> bool {
        self.tasks.contains_key(&task.task_arn)
    }

    fn remember(&mut self, task: &StoppedTask, at: Timestamp) {
        self.tasks.insert(task.task_arn.clone(), SeenTask { version: task.version, at });
        while self.tasks.len() > TASKS_REMEMBERED {
            let oldest = self.tasks.iter().min_by_key(|(_, seen)| seen.at).map(|(arn, _)| arn.clone());
            match oldest {
                Some(arn) => self.tasks.remove(&arn),
                None => break,
            };
        }
    }

    /// Puts a message into the outbox, unless the open incident has already told it.
    pub fn tell(&mut self, key: &str, notice: impl FnOnce(&Incident, String) -> Notice) {
        let Some(incident) = self.open.as_mut() else { return };
        if incident.told.iter().any(|told| told == key) {
            return;
        }
        incident.told.push(key.to_owned());
        self.notices += 1;
        let id = format!("{}-{}", incident.id, self.notices);
        let notice = notice(incident, id);
        self.outbox.push(notice.into());
    }

    /// Closes the open incident and hands it over for the archive.
    pub fn close(&mut self, at: Timestamp) -> Option<Incident> {
        let mut incident = self.open.take()?;
        incident.resolved_at = Some(at);
        self.closed_at = Some(at);
        Some(incident)
    }
}

impl Incident {
    /// A new incident of a service (`cluster/name`) or a task family.
    pub fn open(subject: &str, at: Timestamp) -> Self {
        let name: String = subject.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect();
        Self {
            id: format!("{at}-{name}"),
            opened_at: at,
            causes: Vec::new(),
            launches: Vec::new(),
            act: None,
            pause: None,
            refusal: None,
            waiting: None,
            declined: Vec::new(),
            timeline: Vec::new(),
            quota_limit: None,
            log_calls: Spent::default(),
            told: Vec::new(),
            resolved_at: None,
        }
    }

    fn add_failure(&mut self, task: &StoppedTask, diagnosis: Diagnosis, at: Timestamp) {
        // Every try that Docker Hub answered with a manifest, or with 429, was a pull; what failed afterwards does not matter.
        let pulls = if diagnosis.registry == Some(Registry::DockerHub) { diagnosis.attempts.unwrap_or(1) } else { 0 };
        self.launches.push(Launch { at, pulls });
        if self.launches.len() > LAUNCHES_KEPT {
            self.launches.remove(0);
        }
        let container = diagnosis.container.as_deref();
        let digest =
            task.containers.iter().find(|found| Some(found.name.as_str()) == container).and_then(|found| found.image_digest.clone());
        let hidden_by = self.causes.last().map(|seen| seen.diagnosis.cause).filter(|cause| *cause != diagnosis.cause);
        self.log(at, format!("task {} stopped: {}", short_id(task), summary(&diagnosis)));
        let same = |seen: &&mut CauseSeen| seen.diagnosis.cause == diagnosis.cause && seen.diagnosis.container == diagnosis.container;
        match self.causes.iter_mut().find(same) {
            Some(seen) => {
                seen.first_at = seen.first_at.min(at);
                seen.tasks += 1;
                if at >= seen.last_at {
                    seen.last_at = at;
                    seen.diagnosis = diagnosis;
                    seen.task_definition.clone_from(&task.task_definition_arn);
                    seen.image_digest = digest.or(seen.image_digest.take());
                }
            }
            None => self.causes.push(CauseSeen {
                diagnosis,
                task_definition: task.task_definition_arn.clone(),
                image_digest: digest,
                first_at: at,
                last_at: at,
                tasks: 1,
                hidden_by,
            }),
        }
        self.causes.sort_by_key(|seen| seen.first_at);
    }

    /// The cause that stopped the latest task: the current blocker, which need not be the root of it all.
    pub fn blocker(&self) -> Option<&CauseSeen> {
        self.causes.iter().max_by_key(|seen| seen.last_at)
    }

    /// Writes a line into the timeline. A full timeline keeps its beginning and its newest end.
    pub fn log(&mut self, at: Timestamp, what: impl Into<String>) {
        if self.timeline.len() >= TIMELINE_KEPT {
            self.timeline.remove(TIMELINE_KEPT / 2);
        }
        self.timeline.push(Entry { at, what: what.into() });
    }

    /// Pulls of Docker Hub that failed launches spent since `from`.
    pub fn pulls_since(&self, from: Timestamp) -> u32 {
        let after = self.launches.iter().filter(|launch| launch.at > from);
        after.fold(0, |sum, launch| sum.saturating_add(launch.pulls))
    }

    /// Whether the blocker is only the echo of what an act has cured: tasks that were on their way when it was done.
    pub fn is_settling(&self) -> bool {
        /// A task that was being launched tries for some minutes before it gives up.
        const SECONDS: i64 = 15 * 60;
        match (&self.act, self.blocker()) {
            (Some(act), Some(blocker)) => {
                act.state == ActState::Done
                    && act.cause == blocker.diagnosis.cause
                    && blocker.last_at < act.decided_at.plus_seconds(SECONDS)
            }
            _ => false,
        }
    }

    /// The steps of the pause that was carried out, if one was.
    pub fn pause_steps(&self) -> &[Step] {
        let done = self.act.as_ref().filter(|act| act.state == ActState::Done && act.plan.is_pause()).map(|act| &act.plan);
        self.pause.as_ref().or(done).map_or(&[], |plan| plan.steps.as_slice())
    }

    /// Forgets a refused act, so that it is decided about again.
    pub fn try_again(&mut self) {
        if self.act.as_ref().is_some_and(|act| act.state == ActState::Refused) {
            self.act = None;
        }
    }

    /// Whether the latest task met what a refused act was for: nothing new is known since then.
    pub fn is_refused(&self) -> bool {
        match (&self.act, self.blocker()) {
            (Some(act), Some(blocker)) => act.state == ActState::Refused && act.cause == blocker.diagnosis.cause,
            _ => false,
        }
    }

    /// The remedy that was carried out or is under way, if any.
    pub fn acted(&self) -> Option<RemedyName> {
        self.act.as_ref().filter(|act| act.state != ActState::Observed).map(|act| act.plan.remedy)
    }
}

fn short_id(task: &StoppedTask) -> &str {
    let id = task.task_id();
    id.get(..8).unwrap_or(id)
}

/// A diagnosis in a few words: cause, and what makes it particular.
pub fn summary(diagnosis: &Diagnosis) -> String {
    let mut words = vec![diagnosis.cause.as_str().to_owned()];
    if let Some(registry) = diagnosis.registry {
        let kind = diagnosis.kind.map(|kind| format!(" {}", kind.as_str())).unwrap_or_default();
        words.push(format!("({}{kind})", registry.as_str()));
    }
    if let Some(image) = &diagnosis.image {
        words.push(image.clone());
    }
    if let Some(attempts) = diagnosis.attempts {
        words.push(format!("tried {attempts} times"));
    }
    words.join(" ")
}
