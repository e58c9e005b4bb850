//! One incident: what failed, when, what was done about it, and whether it is over.
//!
//! Its size is bounded, however long it lasts: neighbouring launches are merged, stops for one reason share a line, and
//! lines that a full timeline drops are kept in rows of their own ([`crate::past`]).

use serde::{Deserialize, Serialize};

use super::happened::{Happened, TimelineEntry, is_false, is_zero};
use super::kept::CachedAnswers;
use super::plan::{Declined, Plan, Step};
use super::question::Question;
use super::refusal::StepRefusal;
use super::runs::Runs;
use super::spent::LogsRead;
use super::waiting::WaitingIncident;
use pullsafe::count::count;
use pullsafe::notice::Severity;
use pullsafe::reference::Registry;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, RemedyName};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_radar::Source;

/// How many lines the timeline keeps; the first ones tell the most.
const TIMELINE_KEPT: usize = 20;
/// How many of its first lines a full timeline always keeps, and how many of the lines after them it drops at a time.
const TIMELINE_FIRST: usize = 5;
const TIMELINE_GONE: usize = 10;
/// How many launches are kept apart, for the picture of the quota window.
const LAUNCHES_KEPT: usize = 20;
/// How many causes an incident lists, and how many of the newest keep their evidence.
pub(crate) const MOST_CAUSES: usize = 16;
const WITH_EVIDENCE: usize = 4;

/// One incident of a service: from the first failure until it is steady again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Unique, and sorts by time: the moment it opened, then the name of the service or task family.
    pub id: String,
    /// When the first task failed.
    pub opened_at: Timestamp,
    /// What failed, oldest first: one entry for each cause and container. Of several causes, one may have hidden
    /// another.
    pub causes: Vec<CauseSeen>,
    /// The failed launches: when each was, and how many Docker Hub pulls it spent. If there are too many, neighbours
    /// are merged.
    pub launches: Vec<FailedLaunch>,
    /// What pullsafe decided to do. One act per incident; after it, only advice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// How many questions were asked in this incident.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked: u32,
    /// The pause that was carried out. Restoring the service needs this plan; the tags on the service do not replace
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Plan>,
    /// Why the act was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<StepRefusal>,
    /// What the incident waits for, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingIncident>,
    /// The remedies that were declined at the last look, with the reasons.
    #[serde(default)]
    pub declined: Vec<Declined>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Lines that the timeline has dropped and that are not stored yet.
    #[serde(skip)]
    pub(crate) gone: Vec<TimelineEntry>,
    /// How many rows of the past hold what this incident has dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) parts: u32,
    /// The pull limit that Docker Hub's headers last named, per window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_limit: Option<u32>,
    /// What was spent on reading logs.
    #[serde(default)]
    pub log_calls: LogsRead,
    /// Answers of slow reads, which the looks of the next minutes use again.
    #[serde(default, skip_serializing_if = "CachedAnswers::is_empty")]
    pub kept: CachedAnswers,
    /// How much of the service ran at the last look, where that could be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Runs>,
    /// Whether the service looked steady at the last look, but had not yet been without a failure for long enough.
    #[serde(default, skip_serializing_if = "is_false")]
    pub looks_steady: bool,
    /// The outbreak whose digests tell people of this incident, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbreak: Option<String>,
    /// The address from which its tasks pull from Docker Hub, if a probe had read it before people were first told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The keys of what people were told already, so that each is told once.
    #[serde(default)]
    pub told: Vec<String>,
    /// Whether a message about this incident alone has gone out, which is what opens a ticket.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_opened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}

/// A cause, and the tasks that it stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseSeen {
    /// The diagnosis of the latest of these tasks.
    pub diagnosis: Diagnosis,
    /// The latest task's definition.
    pub task_definition: String,
    /// The digest that ECS pinned for the image, if the event showed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// The latest task's id; `None` where an event of the service stood in for a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
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

/// A failed launch, or several close ones merged into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedLaunch {
    /// When the task stopped; of merged launches, the last one.
    pub at: Timestamp,
    /// Pulls of Docker Hub that were spent.
    pub pulls: u32,
    /// How many more launches this stands for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

impl FailedLaunch {
    /// Returns a single launch.
    pub const fn one(at: Timestamp, pulls: u32) -> Self {
        Self { at, pulls, more: 0 }
    }

    /// Returns the average number of pulls per launch, rounded up.
    pub fn each(&self) -> u32 {
        self.pulls.div_ceil(self.more.saturating_add(1))
    }

    fn with(self, next: Self) -> Self {
        Self {
            at: self.at.max(next.at),
            pulls: self.pulls.saturating_add(next.pulls),
            more: self.more.saturating_add(next.more).saturating_add(1),
        }
    }
}

/// How far an act has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActState {
    /// In observe mode: this is what would have been done.
    Observed,
    /// It waits for a person's yes, or has it and is about to be carried out.
    Asked,
    /// A person said no.
    Declined,
    /// Its question ended without an answer: nobody answered in time, or it was overtaken or no longer needed.
    Expired,
    /// Decided, and under way; whoever holds the lease next carries on.
    Acting,
    /// Every step is done.
    Done,
    /// Given up, because something had changed meanwhile; the reason is in the timeline.
    Abandoned,
    /// Refused by AWS; [`Incident::refusal`] says why and what is missing.
    Refused,
}

/// What pullsafe decided to do, and how far it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// The cause that it is to cure.
    pub cause: Cause,
    /// The remedy and its steps.
    pub plan: Plan,
    pub decided_at: Timestamp,
    pub state: ActState,
    /// The question that asked for it, in mode `ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

impl Act {
    /// Returns until when tasks that were already being launched may still stop: a launch keeps trying for some
    /// minutes.
    pub const fn settled_at(&self) -> Timestamp {
        self.decided_at.plus_seconds(15 * 60)
    }
}

impl Incident {
    /// Opens an incident of a service (`cluster/name`) or a task family.
    pub fn open(subject: &str, at: Timestamp) -> Self {
        let name: String = subject
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
            .collect();
        Self {
            id: format!("{at}-{name}"),
            opened_at: at,
            causes: Vec::new(),
            launches: Vec::new(),
            act: None,
            asked: 0,
            pause: None,
            refusal: None,
            waiting: None,
            declined: Vec::new(),
            timeline: Vec::new(),
            gone: Vec::new(),
            parts: 0,
            quota_limit: None,
            log_calls: LogsRead::default(),
            kept: CachedAnswers::default(),
            runs: None,
            looks_steady: false,
            outbreak: None,
            source: None,
            told: Vec::new(),
            is_opened: false,
            resolved_at: None,
        }
    }

    pub(crate) fn add_failure(&mut self, task: &StoppedTask, diagnosis: Diagnosis, at: Timestamp) {
        // Every try that Docker Hub answered with a manifest, or with 429, was a pull; what failed afterwards does not
        // matter.
        let pulls = if diagnosis.registry == Some(Registry::DockerHub) {
            diagnosis.attempts.unwrap_or(1)
        } else {
            0
        };
        self.add_launch(FailedLaunch::one(at, pulls));
        self.looks_steady = false;
        let container = diagnosis.container.as_deref();
        let digest = task
            .containers
            .iter()
            .find(|found| Some(found.name.as_str()) == container)
            .and_then(|found| found.image_digest.clone());
        let hidden_by = self.causes.last().map(|seen| seen.diagnosis.cause).filter(|cause| *cause != diagnosis.cause);
        let stopped = Happened::Stopped {
            task: short_id(task).to_owned(),
            summary: summary(&diagnosis),
            more: 0,
            until: None,
        };
        self.log(at, stopped);
        let same = |seen: &&mut CauseSeen| {
            seen.diagnosis.cause == diagnosis.cause && seen.diagnosis.container == diagnosis.container
        };
        match self.causes.iter_mut().find(same) {
            Some(seen) => {
                seen.first_at = seen.first_at.min(at);
                seen.tasks += 1;
                if at >= seen.last_at {
                    seen.last_at = at;
                    seen.diagnosis = diagnosis;
                    seen.task_definition.clone_from(&task.task_definition_arn);
                    seen.task = id(task);
                    seen.image_digest = digest.or(seen.image_digest.take());
                }
            }
            None => self.causes.push(CauseSeen {
                diagnosis,
                task_definition: task.task_definition_arn.clone(),
                image_digest: digest,
                task: id(task),
                first_at: at,
                last_at: at,
                tasks: 1,
                hidden_by,
            }),
        }
        self.causes.sort_by_key(|seen| seen.first_at);
        self.bound_causes();
    }

    /// Bounds the list of causes: only the newest keep their evidence. Above [`MOST_CAUSES`], the one seen longest ago,
    /// except the first of all, becomes a line of the timeline.
    fn bound_causes(&mut self) {
        let mut newest: Vec<Timestamp> = self.causes.iter().map(|seen| seen.last_at).collect();
        newest.sort_by_key(|at| std::cmp::Reverse(*at));
        let Some(since) = newest.get(WITH_EVIDENCE - 1) else {
            return;
        };
        for seen in self.causes.iter_mut().filter(|seen| seen.last_at < *since) {
            seen.diagnosis.evidence.clear();
            seen.diagnosis.advice.clear();
            (seen.diagnosis.check, seen.diagnosis.settled_by) = (None, None);
        }
        if self.causes.len() > MOST_CAUSES
            && let Some((oldest, _)) = self.causes.iter().enumerate().skip(1).min_by_key(|(_, seen)| seen.last_at)
        {
            let seen = self.causes.remove(oldest);
            self.say(
                seen.last_at,
                format!("{} stopped {} since {}", summary(&seen.diagnosis), count(seen.tasks, "task"), seen.first_at),
            );
        }
    }

    /// Returns the cause that stopped the latest task: the current blocker, which need not be the root cause.
    pub fn blocker(&self) -> Option<&CauseSeen> {
        self.causes.iter().max_by_key(|seen| seen.last_at)
    }

    /// Adds a launch. If there are then too many, the two that are closest to each other are merged.
    pub fn add_launch(&mut self, launch: FailedLaunch) {
        let place = self.launches.partition_point(|known| known.at <= launch.at);
        self.launches.insert(place, launch);
        if self.launches.len() > LAUNCHES_KEPT {
            let gap = |pair: &[FailedLaunch]| {
                pair.last().zip(pair.first()).map_or(0, |(later, earlier)| later.at.seconds_since(earlier.at))
            };
            let closest =
                self.launches.windows(2).enumerate().min_by_key(|(_, pair)| gap(pair)).map_or(0, |(index, _)| index);
            let later = self.launches.remove(closest + 1);
            if let Some(earlier) = self.launches.get_mut(closest) {
                *earlier = earlier.with(later);
            }
        }
    }

    /// Writes a line into the timeline at the moment it happened, even if pullsafe hears of it late. A full timeline
    /// keeps its first and its newest lines; those between are dropped and stored in rows of their own.
    pub fn log(&mut self, at: Timestamp, what: Happened) {
        let place = self.timeline.partition_point(|entry| entry.at <= at);
        let mut beside = self.timeline.iter_mut().skip(place.saturating_sub(1)).take(2.min(place + 1));
        let Some(what) = beside.try_fold(what, |what, entry| entry.also(at, what)) else {
            return;
        };
        self.timeline.insert(place, TimelineEntry { at, what });
        if self.timeline.len() > TIMELINE_KEPT {
            self.gone.extend(self.timeline.drain(TIMELINE_FIRST..TIMELINE_FIRST + TIMELINE_GONE));
        }
    }

    /// Writes a line of plain text into the timeline.
    pub fn say(&mut self, at: Timestamp, words: impl Into<String>) {
        self.log(at, Happened::Said(words.into()));
    }

    /// Returns the most pulls that one launch tried; at least 1.
    pub fn pulls_per_launch(&self) -> u32 {
        self.launches.iter().map(FailedLaunch::each).max().unwrap_or(1).max(1)
    }

    /// Counts the Docker Hub pulls that failed launches have spent since `from`.
    pub fn pulls_since(&self, from: Timestamp) -> u32 {
        let after = self.launches.iter().filter(|launch| launch.at > from);
        after.fold(0, |sum, launch| sum.saturating_add(launch.pulls))
    }

    /// Whether the blocker is only the aftermath of a cause that the act has cured: its tasks were already being
    /// launched.
    pub fn is_settling(&self) -> bool {
        match (&self.act, self.blocker()) {
            (Some(act), Some(blocker)) => {
                act.state == ActState::Done
                    && act.cause == blocker.diagnosis.cause
                    && blocker.last_at < act.settled_at()
            }
            _ => false,
        }
    }

    /// Returns the steps of the pause that was carried out; none if there was no pause.
    pub fn pause_steps(&self) -> &[Step] {
        let done = self
            .act
            .as_ref()
            .filter(|act| act.state == ActState::Done && act.plan.is_pause())
            .map(|act| &act.plan);
        self.pause.as_ref().or(done).map_or(&[], |plan| plan.steps.as_slice())
    }

    /// Whether this plan is the act that is under way, or that was refused and is being tried again.
    pub fn has_begun(&self, plan: &Plan) -> bool {
        self.act
            .as_ref()
            .is_some_and(|act| matches!(act.state, ActState::Acting | ActState::Refused) && act.plan == *plan)
    }

    /// Notes what was declined. A reason that differs from the last time only in its numbers, such as how long ago
    /// something was, counts as unchanged.
    pub fn decline(&mut self, declined: Vec<Declined>) {
        let words = |all: &[Declined]| -> Vec<(RemedyName, String)> {
            let without_numbers = |one: &Declined| {
                one.reasons.join("; ").chars().filter(|character| !character.is_ascii_digit()).collect()
            };
            all.iter().map(|one| (one.remedy, without_numbers(one))).collect()
        };
        if words(&self.declined) != words(&declined) {
            self.declined = declined;
        }
    }

    /// Forgets a refused act, so that the next look decides again.
    pub fn try_again(&mut self) {
        if self.act.as_ref().is_some_and(|act| act.state == ActState::Refused) {
            self.act = None;
        }
    }

    /// Whether the latest task failed of the cause that a refused act was for, so that nothing new is known.
    pub fn is_refused(&self) -> bool {
        match (&self.act, self.blocker()) {
            (Some(act), Some(blocker)) => act.state == ActState::Refused && act.cause == blocker.diagnosis.cause,
            _ => false,
        }
    }

    /// Returns how bad it is, judged by how much of the service runs.
    pub fn severity(&self) -> Severity {
        match self.runs {
            Some(Runs::Nothing) => Severity::Critical,
            Some(Runs::Some) | None => Severity::Degraded,
            Some(Runs::All) => Severity::NextLaunch,
        }
    }

    /// The remedy that was carried out or is under way, if any.
    pub fn acted(&self) -> Option<RemedyName> {
        let has_begun = |act: &&Act| match act.state {
            ActState::Observed | ActState::Asked | ActState::Declined | ActState::Expired => false,
            ActState::Acting | ActState::Done | ActState::Abandoned | ActState::Refused => true,
        };
        self.act.as_ref().filter(has_begun).map(|act| act.plan.remedy)
    }
}

/// Returns the id of a task; `None` where an event of the service stands in for a task.
fn id(task: &StoppedTask) -> Option<String> {
    task.task_arn.contains(":task/").then(|| task.task_id().to_owned())
}

fn short_id(task: &StoppedTask) -> &str {
    let id = task.task_id();
    id.get(..8).unwrap_or(id)
}

/// Sums up a diagnosis in a few words: the cause, the registry, the image and the number of tries.
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
