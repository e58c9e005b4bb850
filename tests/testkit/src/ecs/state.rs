//! What the control plane and the scheduler know in common, and the queue of what is due.

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

/// Something that the scheduler does at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScheduledWork {
    /// Compare a service with what runs of it.
    Reconcile(String),
    /// A task's network interface is there.
    Provisioned(String),
    /// One attempt to pull one container's image.
    Pull { task: String, container: usize, attempt: u32 },
    /// The last image is there.
    PullEnded(String),
    /// The containers begin to run.
    Run(String),
    /// A running task proves healthy.
    Healthy(String),
    /// A running container exits.
    Crash(String),
    /// The load balancer gives a running task up.
    FailChecks(String),
    /// The time of a hook is over.
    HookExpires { service: String, hook: String },
    /// A stopping task has stopped.
    Stopped(String),
}

/// Everything that ECS knows in one account and region.
pub(super) struct EcsState {
    pub(super) clock: VirtualClock,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) pacing: Pacing,
    /// By name: the request that created it.
    pub(super) clusters: BTreeMap<String, Value>,
    /// By family: every revision, the first at index 0.
    pub(super) definitions: BTreeMap<String, Vec<Value>>,
    /// By ARN.
    pub(super) services: BTreeMap<String, ServiceRecord>,
    /// By ARN.
    pub(super) tasks: BTreeMap<String, TaskRecord>,
    /// By ARN, in the order they were set.
    pub(super) tags: BTreeMap<String, Vec<(String, String)>>,
    /// What EventBridge would have been given, oldest first.
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

    /// Puts work into the queue. Work of one moment is done in the order it came.
    pub(super) fn after(&mut self, seconds: i64, work: ScheduledWork) {
        self.at(self.now().plus_seconds(seconds), work);
    }

    /// Looking at a service twice in one moment is looking once.
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

    /// Thirty-two hexadecimal digits, the next of a fixed series.
    pub(super) fn next_id(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_be_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same digits grouped as in a UUID.
    pub(super) fn next_uuid(&mut self) -> String {
        let id = self.next_id();
        format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
    }

    /// `ecs-svc/` and nineteen digits.
    pub(super) fn next_deployment_id(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_be_bytes());
        let digits: String = digest.iter().take(19).map(|byte| char::from(b'0' + byte % 10)).collect();
        format!("ecs-svc/{digits}")
    }

    /// The name of the cluster that a request means: by name, by ARN, or `default`.
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

    /// The revision that an ARN, `family:revision` or `family` (its latest ACTIVE one) names.
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

    /// The ARN of a revision that a service or a task may be started from.
    pub(super) fn usable_definition(&self, name: &str) -> Result<String, AwsError> {
        let found = self.definition(name).ok_or_else(|| client("TaskDefinition not found."))?;
        if found["status"] != "ACTIVE" {
            return Err(client("TaskDefinition is inactive"));
        }
        Ok(text(found, "taskDefinitionArn").unwrap_or_default().to_owned())
    }

    /// The tasks of one deployment that ECS still wants to run, in the order they were created.
    pub(super) fn wanted_tasks(&self, deployment: &str) -> Vec<&TaskRecord> {
        let mut tasks: Vec<&TaskRecord> = self
            .tasks
            .values()
            .filter(|task| task.started_by == deployment && task.is_service_task() && !task.is_stopping())
            .collect();
        tasks.sort_by_key(|task| task.number);
        tasks
    }

    /// A number that grows, to keep the order of creation.
    pub(super) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
