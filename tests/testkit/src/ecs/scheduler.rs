//! The scheduler: takes the next work that is due, moves the virtual clock to its time, does it, and keeps the events
//! for the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::Value;

use super::api::EcsApi;
use super::pacing::Pacing;
use super::puller::Puller;
use super::state::{EcsState, ScheduledWork};
use crate::clock::VirtualClock;

/// What a container does once it is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Runs and is healthy.
    Healthy,
    /// Writes these lines, then exits.
    Exits {
        /// How long it runs.
        after_seconds: i64,
        exit_code: i64,
        /// What it writes when it starts.
        log: Vec<String>,
    },
    /// Writes these lines and keeps running, but its health checks fail, and the scheduler stops the task.
    FailsHealthChecks {
        /// From RUNNING to the stop: the grace period and the failing checks.
        after_seconds: i64,
        /// The ARN of the target group.
        target_group: String,
        /// What it writes when it starts.
        log: Vec<String>,
    },
}

impl Behaviour {
    fn log(&self) -> &[String] {
        match self {
            Self::Healthy => &[],
            Self::Exits { log, .. } | Self::FailsHealthChecks { log, .. } => log,
        }
    }
}

/// A line of a container's log, and where it goes in CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The option `awslogs-group`.
    pub group: String,
    /// The stream: `awslogs-stream-prefix/container/task-id`.
    pub stream: String,
    pub at: Timestamp,
    pub message: String,
}

/// The ECS scheduler of one [`EcsApi`]. Clones share one state.
#[derive(Clone)]
pub struct Scheduler {
    api: EcsApi,
    clock: VirtualClock,
    puller: Arc<dyn Puller>,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    /// What a container does, by family and container.
    behaviours: BTreeMap<(String, String), Behaviour>,
    /// What a container writes besides that, by family and container.
    chatter: BTreeMap<(String, String), Vec<String>>,
    logs: Vec<LogLine>,
}

impl Scheduler {
    /// A scheduler for everything that is created through this API. It uses the API's clock.
    pub fn new(api: &EcsApi, pacing: Pacing, puller: Arc<dyn Puller>) -> Self {
        let clock = {
            let mut state = api.lock();
            state.pacing = pacing;
            state.clock.clone()
        };
        Self { api: api.clone(), clock, puller, inside: Arc::default() }
    }

    /// Says what one container of a family does, from the next start of a task on. By default it is healthy.
    pub fn set_behaviour(&self, family: &str, container: &str, behaviour: Behaviour) {
        self.inside().behaviours.insert((family.to_owned(), container.to_owned()), behaviour);
    }

    /// Says what one container of a family writes when it starts, whatever else it does.
    pub fn set_log(&self, family: &str, container: &str, lines: Vec<String>) {
        self.inside().chatter.insert((family.to_owned(), container.to_owned()), lines);
    }

    /// When the next thing is due; `None` if nothing will ever happen by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.api.lock().next_due()
    }

    /// Moves to the next work that is due and does it. Returns `false` if there is none.
    pub async fn step(&self) -> bool {
        self.step_until(Timestamp::from_millis(i64::MAX)).await
    }

    /// Does everything that is due up to a moment, and moves the clock there.
    pub async fn run_until(&self, moment: Timestamp) {
        while self.step_until(moment).await {}
        self.clock.advance_to(moment);
    }

    /// Goes on until there are events, and returns them. If nothing emits any up to the moment, returns none, with the
    /// clock at that moment.
    pub async fn next_events(&self, until: Timestamp) -> Vec<Value> {
        loop {
            let events = self.drain_events();
            if !events.is_empty() {
                return events;
            }
            if !self.step_until(until).await {
                self.clock.advance_to(until);
                return self.drain_events();
            }
        }
    }

    /// Takes the events since the last call, oldest first.
    pub fn drain_events(&self) -> Vec<Value> {
        self.api.lock().events.drain(..).collect()
    }

    /// Takes the log lines since the last call, oldest first.
    pub fn drain_logs(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.inside().logs)
    }

    async fn step_until(&self, moment: Timestamp) -> bool {
        let work = {
            let mut state = self.api.lock();
            let Some((due, work)) = state.take_due(moment) else {
                return false;
            };
            state.clock.advance_to(due);
            work
        };
        match work {
            ScheduledWork::Pull { task, container, attempt } => self.pull(&task, container, attempt).await,
            ScheduledWork::Run(task) => self.start(&task),
            ScheduledWork::Crash(task) | ScheduledWork::FailChecks(task) => self.end(&task),
            ScheduledWork::Reconcile(service) => self.api.lock().reconcile(&service),
            ScheduledWork::HookExpires { service, hook } => self.api.lock().hook_expires(&service, &hook),
            ScheduledWork::Provisioned(task) => self.api.lock().provisioned(&task),
            ScheduledWork::PullEnded(task) => self.api.lock().pull_ended(&task),
            ScheduledWork::Healthy(task) => self.api.lock().healthy(&task),
            ScheduledWork::Stopped(task) => self.api.lock().stopped(&task),
        }
        true
    }

    /// Makes one attempt to pull. The state is not locked while the registry answers.
    async fn pull(&self, task: &str, container: usize, attempt: u32) {
        let Some(request) = self.api.lock().pull_request(task, container) else {
            return;
        };
        let outcome = self.puller.pull(&request.image, &request.platform, request.role.as_deref()).await;
        self.api.lock().pulled(task, container, attempt, outcome);
    }

    fn start(&self, task: &str) {
        let mut state = self.api.lock();
        let Some((container, behaviour)) = self.decisive(&state, task) else {
            return;
        };
        state.run(task, &behaviour);
        let (family, names) = match state.tasks.get(task) {
            Some(task) => {
                (task.family().to_owned(), task.containers.iter().map(|container| container.name.clone()).collect())
            }
            None => (String::new(), Vec::new()),
        };
        let mut inside = self.inside();
        for (index, name) in names.into_iter().enumerate() {
            let chatter = inside.chatter.get(&(family.clone(), name)).cloned().unwrap_or_default();
            inside.logs.extend(state.log_lines(task, index, &chatter));
        }
        inside.logs.extend(state.log_lines(task, container, behaviour.log()));
    }

    fn end(&self, task: &str) {
        let mut state = self.api.lock();
        match self.decisive(&state, task) {
            Some((container, Behaviour::Exits { exit_code, .. })) => state.crash(task, container, exit_code),
            Some((_, Behaviour::FailsHealthChecks { target_group, .. })) => state.fail_checks(task, &target_group),
            // The behaviour was changed to healthy while the task ran.
            Some((_, Behaviour::Healthy)) => state.healthy(task),
            None => {}
        }
    }

    /// The first essential container that is not healthy, and its behaviour.
    fn decisive(&self, state: &EcsState, task: &str) -> Option<(usize, Behaviour)> {
        let task = state.tasks.get(task)?;
        let inside = self.inside();
        let behaviour = |name: &str| inside.behaviours.get(&(task.family().to_owned(), name.to_owned())).cloned();
        let found = task.containers.iter().enumerate().filter(|(_, container)| container.essential).find_map(
            |(index, container)| {
                behaviour(&container.name)
                    .filter(|behaviour| *behaviour != Behaviour::Healthy)
                    .map(|behaviour| (index, behaviour))
            },
        );
        Some(found.unwrap_or((0, Behaviour::Healthy)))
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
