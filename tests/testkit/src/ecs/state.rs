//! The state that the control plane and the scheduler share, and the queue of due work.

use std::collections::{BTreeMap, VecDeque};

use pullsafe::timestamp::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::arguments::{client, text};
use super::pacing::Pacing;
use super::services::ServiceRecord;
use super::task::TaskRecord;
use crate::aws::service::AwsError;
use crate::clock::VirtualClock;

/// Work that the scheduler does at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScheduledWork {
    /// Compare a service with its tasks.
    Reconcile(String),
    /// The network interface of a task is ready.
    Provisioned(String),
    /// Make one attempt to pull one container's image.
    Pull { task: String, container: usize, attempt: u32 },
    /// All images of a task are there.
    PullEnded(String),
    /// The containers of a task start to run.
    Run(String),
    /// A running task becomes healthy.
    Healthy(String),
    /// A running container exits.
    Crash(String),
    /// The health checks of a running task fail.
    FailChecks(String),
    /// A hook times out.
    HookExpires { service: String, hook: String },
    /// A stopping task has stopped.
    Stopped(String),
}

/// The whole state of ECS in one account and region.
pub(super) struct EcsState {
    pub(super) clock: VirtualClock,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) pacing: Pacing,
    /// The request that created each cluster, by name.
    pub(super) clusters: BTreeMap<String, Value>,
    /// Every revision of each family; the first revision is at index 0.
    pub(super) definitions: BTreeMap<String, Vec<Value>>,
    pub(super) services: BTreeMap<String, ServiceRecord>,
    pub(super) tasks: BTreeMap<String, TaskRecord>,
    /// By the ARN of the resource, in the order in which they were set.
    pub(super) tags: BTreeMap<String, Vec<(String, String)>>,
    /// The events for EventBridge, oldest first.
    pub(super) events: VecDeque<Value>,
    timers: BTreeMap<(i64, u64), ScheduledWork>,
    counter: u64,
}

impl EcsState {
    pub(super) fn new(clock: VirtualClock, account: &str, region: &str) -> Self {
        Self {
            clock,
            account: account.to_owned(),
            region: region.to_owned(),
            pacing: Pacing::default(),
            clusters: BTreeMap::new(),
            definitions: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            tags: BTreeMap::new(),
            events: VecDeque::new(),
            timers: BTreeMap::new(),
            counter: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts work into the queue. Work for the same moment is done in the order in which it was added.
    pub(super) fn after(&mut self, seconds: i64, work: ScheduledWork) {
        self.at(self.now().plus_seconds(seconds), work);
    }

    /// Puts work into the queue for a moment. A service needs to be compared only once per moment.
    pub(super) fn at(&mut self, moment: Timestamp, work: ScheduledWork) {
        let millis = moment.millis();
        let queued =
            |work: &ScheduledWork| self.timers.range((millis, 0)..=(millis, u64::MAX)).any(|(_, known)| known == work);
        if matches!(work, ScheduledWork::Reconcile(_)) && queued(&work) {
            return;
        }
        self.counter += 1;
        self.timers.insert((millis, self.counter), work);
    }

    /// When the next work is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.keys().next().map(|(millis, _)| Timestamp::from_millis(*millis))
    }

    /// Takes the next work if it is due by this moment.
    pub(super) fn take_due(&mut self, until: Timestamp) -> Option<(Timestamp, ScheduledWork)> {
        self.next_due().filter(|due| *due <= until)?;
        let ((millis, _), work) = self.timers.pop_first()?;
        Some((Timestamp::from_millis(millis), work))
    }

    /// An ARN of ECS in this account and region.
    pub(super) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.region, self.account)
    }

    /// The next id of a fixed series: thirty-two hexadecimal digits.
    pub(super) fn next_id(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_be_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The next id, grouped like a UUID.
    pub(super) fn next_uuid(&mut self) -> String {
        let id = self.next_id();
        format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
    }

    /// The next id of a deployment: `ecs-svc/` and nineteen digits.
    pub(super) fn next_deployment_id(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_be_bytes());
        let digits: String = digest.iter().take(19).map(|byte| char::from(b'0' + byte % 10)).collect();
        format!("ecs-svc/{digits}")
    }

    /// The name of the cluster of a request, given by name, by ARN, or as `default` if the request names none.
    pub(super) fn cluster_name(&self, request: &Value) -> Result<String, AwsError> {
        let given = text(request, "cluster").unwrap_or("default");
        let name = given.rsplit('/').next().unwrap_or_default();
        if self.clusters.contains_key(name) {
            Ok(name.to_owned())
        } else {
            Err(AwsError::client("ClusterNotFoundException", "Cluster not found."))
        }
    }

    pub(super) fn cluster_arn(&self, name: &str) -> String {
        self.arn(&format!("cluster/{name}"))
    }

    /// The task definition that an ARN, `family:revision` or `family` (its latest ACTIVE revision) names.
    pub(super) fn definition(&self, name: &str) -> Option<&Value> {
        let short = match name.strip_prefix(&self.arn("task-definition/")) {
            Some(short) => short,
            None if name.starts_with("arn:") => return None,
            None => name,
        };
        match short.split_once(':') {
            Some((family, revision)) => {
                let index = revision.parse::<usize>().ok()?.checked_sub(1)?;
                self.definitions.get(family)?.get(index)
            }
            None => self.definitions.get(short)?.iter().rev().find(|revision| revision["status"] == "ACTIVE"),
        }
    }

    /// The ARN of a revision that services and tasks may be started from.
    pub(super) fn usable_definition(&self, name: &str) -> Result<String, AwsError> {
        let found = self.definition(name).ok_or_else(|| client("TaskDefinition not found."))?;
        if found["status"] != "ACTIVE" {
            return Err(client("TaskDefinition is inactive"));
        }
        Ok(text(found, "taskDefinitionArn").unwrap_or_default().to_owned())
    }

    /// The tasks of one deployment that are not stopping, in the order of their creation.
    pub(super) fn wanted_tasks(&self, deployment: &str) -> Vec<&TaskRecord> {
        let mut tasks: Vec<&TaskRecord> = self
            .tasks
            .values()
            .filter(|task| task.started_by == deployment && task.is_service_task() && !task.is_stopping())
            .collect();
        tasks.sort_by_key(|task| task.number);
        tasks
    }

    /// A growing number, to keep the order of creation.
    pub(super) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
