//! What a failed task does to its deployment: ECS may give up on digests, the start throttle grows, the circuit breaker
//! may trip.

use super::deployment::{FakeDeployment, Rollout};
use super::services::{ServiceRecord, Throttle};
use super::state::{EcsState, ScheduledWork};
use super::task::TaskRecord;

/// How many failures to resolve a tag it takes until ECS goes on without a digest.
const MOST_RESOLUTIONS: u32 = 3;

impl EcsState {
    /// The deployment that a task belongs to, if it still exists.
    pub(super) fn deployment_of(&self, task: &TaskRecord) -> Option<&FakeDeployment> {
        let service = self.services.get(task.service.as_ref()?)?;
        service.deployments.iter().find(|deployment| deployment.id == task.started_by)
    }

    /// Counts a failed task. Has to be called once per task, when it begins to stop.
    pub(super) fn task_failed(&mut self, arn: &str) {
        let Some(task) = self.tasks.get(arn) else { return };
        let Some(service) = task.service.clone() else { return };
        let (id, round, started) = (task.started_by.clone(), task.round, task.times.started.is_some());
        let unresolved = !started
            && task
                .containers
                .iter()
                .any(|container| container.versioned && !container.image.contains('@') && container.digest.is_none());
        let reason = task.stop.as_ref().map(|(_, reason)| reason.clone()).unwrap_or_default();

        let breaker = self.services.get(&service).and_then(breaker);
        let mut trips = false;
        let record = self.services.get_mut(&service);
        if let Some(record) = record {
            record.steady = false;
            let (desired, primary) = (record.desired, record.deployments.first().is_some_and(|first| first.id == id));
            if let Some(deployment) = record.deployments.iter_mut().find(|known| known.id == id) {
                deployment.failed_tasks += 1;
                if unresolved && deployment.pinned.is_empty() {
                    deployment.failed_resolutions += 1;
                    deployment.unpinned = deployment.failed_resolutions >= MOST_RESOLUTIONS;
                }
                let in_progress = primary && deployment.rollout == Rollout::InProgress;
                // Where there is a breaker, tags that cannot be resolved fail the deployment at once.
                trips = breaker.is_some()
                    && in_progress
                    && (deployment.failed_tasks >= threshold(desired) || deployment.unpinned);
            }
        }
        if !started {
            self.say_once(&service, format!("was unable to place a task. Reason: {reason}."));
            self.slow_down(&service, round);
        }
        if trips {
            self.trip(&service, breaker == Some(OnTrip::RollsBack));
        }
        self.after(0, ScheduledWork::Reconcile(service));
    }

    /// Lengthens the pause after a round of launches that failed. Tasks of one round count once.
    fn slow_down(&mut self, service: &str, round: u32) {
        let now = self.now();
        let Some(record) = self.services.get_mut(service).filter(|record| record.throttle.round == round) else {
            return;
        };
        record.throttle.round += 1;
        let pause = self.pacing.pause_after(record.throttle.round);
        record.throttle.not_before = Some(now.plus_seconds(pause));
        if pause > 0 {
            self.say_once(
                service,
                "is unable to consistently start tasks successfully. For more information, see the Troubleshooting \
                 section."
                    .to_owned(),
            );
            self.emit_service(service, "WARN", "SERVICE_TASK_START_IMPAIRED");
        }
    }

    fn trip(&mut self, service: &str, rolls_back: bool) {
        self.fail_deployment(service, "ECS deployment circuit breaker: tasks failed to start.", rolls_back);
    }

    /// Fails the PRIMARY deployment. With rollback, the last completed deployment takes its place. A failed deployment
    /// launches nothing.
    pub(super) fn fail_deployment(&mut self, service: &str, reason: &str, rolls_back: bool) {
        let now = self.now();
        let Some(record) = self.services.get_mut(service) else {
            return;
        };
        let candidate = record.last_completed.clone();
        let Some(primary) = record.deployments.first_mut() else {
            return;
        };
        let failed = primary.id.clone();
        let candidate = candidate.filter(|(id, _)| *id != failed);
        let mut reason = reason.to_owned();
        if rolls_back && candidate.is_none() {
            reason.push_str(" No rollback candidate was found to run the rollback.");
        }
        primary.move_to(Rollout::Failed, reason, now);
        self.say(service, format!("(deployment {failed}) deployment failed: tasks failed to start."));
        // The event's text differs from the deployment's by one letter.
        self.emit_deployment(
            service,
            &failed,
            Rollout::Failed,
            "ECS deployment circuit breaker: task failed to start.",
        );
        if let Some((id, definition)) = candidate.filter(|_| rolls_back) {
            self.roll_back(service, id, definition);
        }
    }

    fn roll_back(&mut self, service: &str, id: String, definition: String) {
        let now = self.now();
        let Some(record) = self.services.get_mut(service) else {
            return;
        };
        let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.");
        let known = record.deployments.iter().position(|deployment| deployment.id == id);
        let mut target = match known {
            Some(index) => record.deployments.remove(index),
            None => FakeDeployment::new(id.clone(), definition, now, String::new()),
        };
        target.failed_tasks = 0;
        target.move_to(Rollout::InProgress, reason.clone(), now);
        record.deployments.insert(0, target);
        record.throttle = Throttle::default();
        self.say(service, format!("rolling back to (deployment {id})."));
        self.emit_deployment(service, &id, Rollout::InProgress, &reason);
    }
}

/// What the circuit breaker does when it trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnTrip {
    Stalls,
    RollsBack,
}

/// What the breaker of a service does, if it has one. Only ECS's own controller has a breaker.
fn breaker(service: &ServiceRecord) -> Option<OnTrip> {
    let configuration = service.record.get("deploymentConfiguration")?.get("deploymentCircuitBreaker")?;
    let enabled = configuration["enable"] == true && service.controller() == "ECS";
    enabled.then_some(if configuration["rollback"] == true {
        OnTrip::RollsBack
    } else {
        OnTrip::Stalls
    })
}

/// How many failed tasks trip the breaker: half of the desired count, at least 3, at most 200.
fn threshold(desired: usize) -> u32 {
    u32::try_from(desired.div_ceil(2)).unwrap_or(u32::MAX).clamp(3, 200)
}
