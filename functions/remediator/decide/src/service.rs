//! A service of ECS as DescribeServices shows it, and what its state means.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::state::{Controller, RolloutState, ServiceStatus, Strategy};
use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;

/// Tags with which pullsafe says on the service itself what it did.
pub mod marks {
    /// Overrides the mode: `off`, `observe`, `ask` or `act`.
    pub const MODE: &str = "pullsafe:mode";
    /// The desired count before a pause.
    pub const PAUSED_COUNT: &str = "pullsafe:paused-count";
    /// When the service was paused.
    pub const PAUSED_AT: &str = "pullsafe:paused-at";
    /// The image that a paused service waits for.
    pub const PAUSED_FOR: &str = "pullsafe:paused-for";
    /// Autoscaling's suspended state before the pause.
    pub const PAUSED_SCALING: &str = "pullsafe:paused-scaling";
    /// The stack that paused the service, and that alone brings it back.
    pub const PAUSED_BY: &str = "pullsafe:paused-by";
    /// The cause that pullsafe acted upon.
    pub const CAUSE: &str = "pullsafe:cause";
    /// The task definition before a move to the mirror.
    pub const MOVED_FROM: &str = "pullsafe:moved-from";
    /// When the service was moved.
    pub const MOVED_AT: &str = "pullsafe:moved-at";
    /// The stack that moved the service.
    pub const MOVED_BY: &str = "pullsafe:moved-by";
    /// Who said yes to what was done, where a person was asked.
    pub const APPROVED_BY: &str = "pullsafe:approved-by";
    /// The tags that a pause writes, and a restore removes.
    pub const OF_A_PAUSE: &[&str] =
        &[PAUSED_COUNT, PAUSED_AT, PAUSED_FOR, PAUSED_SCALING, PAUSED_BY, CAUSE, APPROVED_BY];
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/<number>`.
    pub id: String,
    /// Whether this is the newest one (`PRIMARY`).
    pub primary: bool,
    /// The task definition's ARN.
    pub task_definition: String,
    /// Tasks wanted.
    pub desired: i64,
    /// Tasks running.
    pub running: i64,
    /// Tasks not yet running.
    pub pending: i64,
    /// Tasks that failed to start, as the circuit breaker counts them.
    pub failed: i64,
    /// Absent for other controllers than ECS.
    pub rollout_state: Option<RolloutState>,
    /// Why it is in that state.
    pub rollout_reason: String,
    /// When it began.
    pub created_at: Option<Timestamp>,
}

/// A service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub id: ServiceId,
    pub status: ServiceStatus,
    /// Tasks wanted.
    pub desired: i64,
    /// Tasks running, of all deployments.
    pub running: i64,
    /// Tasks not yet running, of all deployments.
    pub pending: i64,
    /// The task definition's ARN.
    pub task_definition: String,
    pub controller: Controller,
    /// The ECS controller's strategy: rolling unless it says otherwise.
    pub strategy: Strategy,
    /// Whether it runs one task on every container instance.
    pub daemon: bool,
    /// Whether ECS owns its configuration (an Express service).
    pub managed_by_ecs: bool,
    /// Whether hooks can stop its deployments.
    pub has_hooks: bool,
    /// The hook that a deployment waits at now, if one does: until it goes on, nothing else is done to the service.
    pub held: Lookup<String>,
    /// Its deployments, the newest first.
    pub deployments: Vec<Deployment>,
    /// The task definitions of its task sets, where another controller deploys it.
    pub task_sets: Vec<String>,
    /// The subnets of its tasks, where each task has an address of its own (`awsvpc`).
    pub subnets: Vec<String>,
    /// Whether its tasks have public addresses.
    pub public_ip: bool,
    /// The ARNs of its target groups.
    pub target_groups: Vec<String>,
    /// Its events, the newest first.
    pub events: Vec<ServiceEvent>,
    pub tags: BTreeMap<String, String>,
}

/// An event of a service, of which ECS keeps the last hundred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEvent {
    pub at: Timestamp,
    pub message: String,
}

impl Service {
    /// Reads one service of DescribeServices' answer; `None` if it has no name.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| value.get(key).and_then(Value::as_i64).unwrap_or_default();
        let nested = |outer: &str, key: &str| value.get(outer).and_then(|inner| inner.get(key)).and_then(Value::as_str);
        let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
        let tags = value.get("tags").and_then(Value::as_array);
        let deployments = value.get("deployments").and_then(Value::as_array);
        let name = text("serviceName");
        if name.is_empty() {
            return None;
        }
        Some(Self {
            id: ServiceId { cluster_arn: text("clusterArn"), name },
            status: text("status").as_str().into(),
            desired: number("desiredCount"),
            running: number("runningCount"),
            pending: number("pendingCount"),
            task_definition: text("taskDefinition"),
            controller: nested("deploymentController", "type").map_or(Controller::Ecs, Controller::from),
            strategy: nested("deploymentConfiguration", "strategy").map_or(Strategy::Rolling, Strategy::from),
            daemon: text("schedulingStrategy") == "DAEMON",
            managed_by_ecs: text("resourceManagementType") == "ECS",
            has_hooks: value
                .pointer("/deploymentConfiguration/lifecycleHooks")
                .and_then(Value::as_array)
                .is_some_and(|hooks| !hooks.is_empty()),
            held: Lookup::Absent,
            deployments: deployments.into_iter().flatten().map(deployment).collect(),
            task_sets: list("taskSets")
                .filter_map(|set| Some(set.get("taskDefinition")?.as_str()?.to_owned()))
                .collect(),
            subnets: value
                .pointer("/networkConfiguration/awsvpcConfiguration/subnets")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|subnet| subnet.as_str().map(str::to_owned))
                .collect(),
            public_ip: value
                .pointer("/networkConfiguration/awsvpcConfiguration/assignPublicIp")
                .and_then(Value::as_str)
                == Some("ENABLED"),
            target_groups: list("loadBalancers")
                .filter_map(|group| Some(group.get("targetGroupArn")?.as_str()?.to_owned()))
                .collect(),
            events: list("events")
                .filter_map(|event| {
                    Some(ServiceEvent {
                        at: moment(event.get("createdAt"))?,
                        message: event.get("message")?.as_str()?.to_owned(),
                    })
                })
                .collect(),
            tags: tags
                .into_iter()
                .flatten()
                .filter_map(|tag| Some((tag.get("key")?.as_str()?.to_owned(), tag.get("value")?.as_str()?.to_owned())))
                .collect(),
        })
    }

    /// The newest deployment.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.primary)
    }

    /// Whether the circuit breaker is at work: a deployment failed, or ECS is rolling back.
    pub fn is_rolling_back(&self) -> bool {
        self.deployments.iter().any(|deployment| {
            let reason = deployment.rollout_reason.to_ascii_lowercase();
            deployment.rollout_state == Some(RolloutState::Failed)
                || reason.contains("rolling back")
                || reason.contains("rollback") && deployment.rollout_state == Some(RolloutState::InProgress)
        })
    }

    /// Whether a deployment may be waiting at a hook. DescribeServices does not say whether one does.
    pub fn may_be_held(&self) -> bool {
        let under_way = |deployment: &Deployment| deployment.rollout_state == Some(RolloutState::InProgress);
        self.has_hooks && self.deployments.iter().any(under_way)
    }

    /// The CloudFormation stack that the service belongs to, by id where it is known, else by name.
    pub fn stack(&self) -> Option<&str> {
        self.tags
            .get("aws:cloudformation:stack-id")
            .or_else(|| self.tags.get("aws:cloudformation:stack-name"))
            .map(String::as_str)
    }

    /// The mode that the service's own tag sets.
    pub fn mode_tag(&self) -> Option<&str> {
        self.tags.get(marks::MODE).map(String::as_str)
    }

    /// The desired count before pullsafe's pause, if the service carries the marks of one.
    pub fn paused_count(&self) -> Option<i64> {
        self.tags.get(marks::PAUSED_COUNT)?.parse().ok()
    }

    /// The other stack of pullsafe that has paused the service, or is about to, if there is one: what that stack has
    /// under way is left to it.
    pub fn paused_by_another(&self, stack: &str) -> Option<&str> {
        let by = self.tags.get(marks::PAUSED_BY).map(String::as_str).filter(|by| !by.is_empty());
        by.filter(|by| !stack.is_empty() && *by != stack)
    }

    /// Whether the service runs what it should, at rest: one finished deployment and every task of it running.
    pub fn is_steady(&self) -> bool {
        let finished = |deployment: &Deployment| {
            deployment.rollout_state.as_ref().is_none_or(|state| *state == RolloutState::Completed)
        };
        self.status == ServiceStatus::Active
            && self.desired > 0
            && self.pending == 0
            && self.deployments.len() == 1
            && self.deployments.iter().all(|deployment| finished(deployment) && deployment.running >= self.desired)
    }
}

/// What the tag with the mode may do (the parameter `AllowTagToAct`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagPower {
    /// Only lower the mode.
    MayLower,
    /// Lower the mode and raise it.
    MayRaise,
}

/// The mode for a service: that of its own tag, else of its cluster's, else of the stack. A tag can always lower the
/// mode, and raises it only where tags may: then the nearest tag wins.
pub fn mode(service_tag: Option<&str>, cluster_tag: Option<&str>, stack: Mode, tags: TagPower) -> Mode {
    let (service, cluster) = (said(service_tag, tags), said(cluster_tag, tags));
    match service.or(cluster) {
        Some(mode) if tags == TagPower::MayRaise => mode,
        // A service's tag `ask` leaves something to be done: then the cluster's tag counts as well, and the lower mode
        // wins.
        Some(mode) if !settles(service_tag, tags) => mode.min(cluster.unwrap_or(Mode::Act)).min(stack),
        Some(mode) => mode.min(stack),
        None => stack,
    }
}

/// Whether a service's own tag settles the mode, whatever its cluster's tag says.
pub fn settles(service_tag: Option<&str>, tags: TagPower) -> bool {
    said(service_tag, tags).is_some_and(|mode| tags == TagPower::MayRaise || mode < Mode::Ask)
}

/// The mode that a tag says; `act` says nothing where tags may not raise the mode. A value that is no mode counts as
/// `observe`: somebody meant something, but did not say `act`.
pub fn said(tag: Option<&str>, tags: TagPower) -> Option<Mode> {
    let mode = tag.map(|tag| Mode::from_name(tag.trim()).unwrap_or(Mode::Observe));
    mode.filter(|mode| tags == TagPower::MayRaise || *mode < Mode::Act)
}

fn deployment(value: &Value) -> Deployment {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| value.get(key).and_then(Value::as_i64).unwrap_or_default();
    Deployment {
        id: text("id"),
        primary: text("status") == "PRIMARY",
        task_definition: text("taskDefinition"),
        desired: number("desiredCount"),
        running: number("runningCount"),
        pending: number("pendingCount"),
        failed: number("failedTasks"),
        rollout_state: value.get("rolloutState").and_then(Value::as_str).map(RolloutState::from),
        rollout_reason: text("rolloutStateReason"),
        created_at: moment(value.get("createdAt")),
    }
}

fn moment(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::Number(seconds) => seconds.as_f64().map(Timestamp::from_epoch_seconds),
        Value::String(text) => Timestamp::parse(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_lowers_the_mode_and_raises_it_only_where_tags_may() {
        let (off, observe, ask, act) = (Mode::Off, Mode::Observe, Mode::Ask, Mode::Act);
        for (service, cluster, stack, held, raised) in [
            (None, None, observe, observe, observe),
            (None, None, act, act, act),
            (Some("act"), None, observe, observe, act),
            (Some("act"), None, act, act, act),
            (Some("off"), None, act, off, off),
            (Some("observe"), None, act, observe, observe),
            (Some("ACT!"), None, act, observe, observe),
            (None, Some("act"), observe, observe, act),
            (None, Some("off"), act, off, off),
            // `act` on the service does not outdo the cluster's tag, unless tags may raise the mode.
            (Some("act"), Some("off"), act, off, act),
            (Some("observe"), Some("act"), act, observe, observe),
            (Some("observe"), None, off, off, observe),
            (None, None, ask, ask, ask),
            (Some("ask"), None, observe, observe, ask),
            (Some("ask"), None, act, ask, ask),
            (Some("act"), None, ask, ask, act),
            (Some("observe"), None, ask, observe, observe),
            (None, Some("ask"), act, ask, ask),
            (None, Some("ask"), observe, observe, ask),
            // Nor does `ask`.
            (Some("ask"), Some("off"), act, off, ask),
            (Some("ask"), Some("act"), act, ask, ask),
            (Some("observe"), Some("ask"), act, observe, observe),
        ] {
            assert_eq!(mode(service, cluster, stack, TagPower::MayLower), held, "{service:?} {cluster:?} {stack:?}");
            assert_eq!(mode(service, cluster, stack, TagPower::MayRaise), raised, "{service:?} {cluster:?} {stack:?}");
        }
    }
}
