//! Compares what a service should run with what it runs; then stops or launches tasks, or completes the deployment.

use super::deployment::{FakeDeployment, Rollout};
use super::state::{EcsState, ScheduledWork};

impl EcsState {
    pub(super) fn reconcile(&mut self, service: &str) {
        self.stop_excess(service);
        // While a hook holds the new deployment, nothing is launched for it and the old one stays as it is.
        if self
            .services
            .get(service)
            .and_then(|record| record.deployments.first())
            .is_some_and(|primary| primary.is_held())
        {
            return;
        }
        self.stop_replaced(service);
        self.launch_missing(service);
        self.complete(service);
    }

    /// Stops tasks of the PRIMARY deployment beyond the desired count: first those that do not run yet, then the
    /// newest.
    fn stop_excess(&mut self, service: &str) {
        let Some(record) = self.services.get(service) else {
            return;
        };
        let Some(primary) = record.deployments.first() else {
            return;
        };
        let desired = if primary.rollout == Rollout::Failed { 0 } else { record.desired };
        let id = primary.id.clone();
        let mut tasks: Vec<(bool, String)> = self
            .wanted_tasks(&id)
            .iter()
            .map(|task| (task.last_status == "RUNNING", task.arn.clone()))
            .collect();
        tasks.sort_by_key(|(running, _)| !running);
        let excess: Vec<String> = tasks.into_iter().skip(desired).map(|(_, arn)| arn).collect();
        self.scale_in(service, &id, &excess);
    }

    /// Stops tasks of older deployments that the new deployment has replaced.
    fn stop_replaced(&mut self, service: &str) {
        let Some(record) = self.services.get(service) else {
            return;
        };
        let Some(primary) = record.deployments.first() else {
            return;
        };
        let healthy = self.wanted_tasks(&primary.id).iter().filter(|task| task.healthy).count();
        let least = (record.desired * record.percent("minimumHealthyPercent", 100)).div_ceil(100);
        // A deployment that stalled leaves the tasks of its predecessor running, up to the desired count.
        let mut keep = if primary.rollout == Rollout::Failed {
            record.desired
        } else {
            least.saturating_sub(healthy)
        };
        let older: Vec<String> = record.deployments.iter().skip(1).map(|deployment| deployment.id.clone()).collect();
        for id in older {
            let mut stop = Vec::new();
            for task in self.wanted_tasks(&id) {
                if task.last_status == "RUNNING" && keep > 0 {
                    keep -= 1;
                } else {
                    stop.push(task.arn.clone());
                }
            }
            self.scale_in(service, &id, &stop);
        }
        self.forget_empty(service);
    }

    fn scale_in(&mut self, service: &str, deployment: &str, tasks: &[String]) {
        if tasks.is_empty() {
            return;
        }
        for arn in tasks {
            self.begin_stop(
                arn,
                "ServiceSchedulerInitiated",
                format!("Scaling activity initiated by (deployment {deployment})"),
                Some(143),
            );
        }
        self.say(service, format!("has stopped {} running tasks: {}.", tasks.len(), named(tasks)));
    }

    /// Forgets older deployments without tasks. A failed one is kept until the next one completes.
    fn forget_empty(&mut self, service: &str) {
        let Some(record) = self.services.get(service) else {
            return;
        };
        let kept: Vec<String> = record
            .deployments
            .iter()
            .enumerate()
            .filter(|(index, known)| {
                *index == 0 || known.rollout == Rollout::Failed || self.counts(&known.id).wanted > 0
            })
            .map(|(_, known)| known.id.clone())
            .collect();
        if let Some(record) = self.services.get_mut(service) {
            let gone = record.deployments.extract_if(.., |known| !kept.contains(&known.id));
            record.past.extend(gone);
        }
    }

    /// Launches the missing tasks, as far as the throttle and the maximum percentage allow.
    fn launch_missing(&mut self, service: &str) {
        let now = self.now();
        let Some(record) = self.services.get(service) else {
            return;
        };
        let Some(primary) = record.deployments.first().filter(|primary| primary.rollout != Rollout::Failed) else {
            return;
        };
        let of_primary = self.counts(&primary.id).wanted;
        let of_all: usize = record.deployments.iter().map(|deployment| self.counts(&deployment.id).wanted).sum();
        let most = record.desired * record.percent("maximumPercent", 200) / 100;
        let missing = record.desired.saturating_sub(of_primary).min(most.max(1).saturating_sub(of_all));
        if missing == 0 {
            return;
        }
        if let Some(moment) = record.throttle.not_before.max(record.next_of_batch).filter(|moment| *moment > now) {
            self.at(moment, ScheduledWork::Reconcile(service.to_owned()));
            return;
        }
        let stagger = self.pacing.launch_stagger_seconds;
        let batch = if stagger > 0 { 1 } else { missing };
        let record = record.clone();
        let cluster = record.cluster_arn.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(primary) = record.deployments.first() else {
            return;
        };
        let launched: Vec<String> = (0..batch)
            .map(|_| {
                let owner = (record.arn.clone(), record.throttle.round);
                let group = format!("service:{}", record.name);
                let launch_type = record.launch_type().to_owned();
                self.new_task(&cluster, Some(owner), &primary.definition, group, primary.id.clone(), launch_type)
            })
            .collect();
        self.say(service, format!("has started {} tasks: {}.", launched.len(), named(&launched)));
        if let Some(record) = self.services.get_mut(service) {
            record.steady = false;
            record.next_of_batch = Some(now.plus_seconds(stagger));
        }
        if missing > batch {
            self.after(stagger, ScheduledWork::Reconcile(service.to_owned()));
        }
    }

    /// Completes the deployment and makes the service steady, once every wanted task is healthy and nothing older runs.
    fn complete(&mut self, service: &str) {
        let now = self.now();
        let Some(record) = self.services.get(service).filter(|record| record.active && !record.steady) else {
            return;
        };
        let Some(primary) = record.deployments.first().filter(|primary| primary.rollout != Rollout::Failed) else {
            return;
        };
        let tasks = self.wanted_tasks(&primary.id);
        let others = record.deployments.iter().skip(1).any(|older| self.counts(&older.id).wanted > 0);
        if others || tasks.len() != record.desired || !tasks.iter().all(|task| task.healthy) {
            return;
        }
        let (id, in_progress) = (primary.id.clone(), primary.rollout == Rollout::InProgress);
        let uses_ecs = record.controller() == "ECS";
        let reason = format!("ECS deployment {id} completed.");
        if let Some(record) = self.services.get_mut(service) {
            record.steady = true;
            let gone: Vec<FakeDeployment> = record.deployments.drain(1..).collect();
            record.past.extend(gone);
            if let Some(primary) = record.deployments.first_mut().filter(|_| in_progress) {
                primary.move_to(Rollout::Completed, reason.clone(), now);
                record.last_completed = Some((id.clone(), primary.definition.clone()));
            }
        }
        if in_progress && uses_ecs {
            self.say(service, format!("(deployment {id}) deployment completed."));
            self.emit_deployment(service, &id, Rollout::Completed, &reason);
        }
        self.say(service, "has reached a steady state.".to_owned());
        self.emit_service(service, "INFO", "SERVICE_STEADY_STATE");
    }
}

/// Names tasks as messages do: `(task a) (task b)`.
fn named(tasks: &[String]) -> String {
    let names: Vec<String> =
        tasks.iter().map(|arn| format!("(task {})", arn.rsplit('/').next().unwrap_or_default())).collect();
    names.join(" ")
}
