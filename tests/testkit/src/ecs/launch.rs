//! One task's life: PROVISIONING, PENDING, pull, RUNNING or STOPPED. The pull itself is asynchronous and happens in the
//! scheduler; the steps around it are here.

use super::pull_texts;
use super::puller::PullOutcome;
use super::scheduler::{Behaviour, LogLine};
use super::state::{EcsState, ScheduledWork};
use super::task::TaskRecord;

/// What one attempt asks the puller for.
pub(super) struct PullRequest {
    pub(super) image: String,
    pub(super) platform: String,
    pub(super) role: Option<String>,
}

impl EcsState {
    /// Moves a task from PROVISIONING to PENDING.
    pub(super) fn provisioned(&mut self, arn: &str) {
        let now = self.now();
        if self.change(arn, |task| {
            task.last_status = "PENDING";
            task.times.connectivity = Some(now);
        }) {
            self.after(
                self.pacing.before_pull_seconds,
                ScheduledWork::Pull { task: arn.to_owned(), container: 0, attempt: 1 },
            );
        }
    }

    /// What the next attempt asks for: the image of the task definition, by its pinned digest if there is one.
    pub(super) fn pull_request(&mut self, arn: &str, container: usize) -> Option<PullRequest> {
        let now = self.now();
        let task = self.tasks.get_mut(arn).filter(|task| !task.is_stopping())?;
        task.times.pull_started.get_or_insert(now);
        let task = &self.tasks[arn];
        let wanted = task.containers.get(container)?;
        let pinned = self.deployment_of(task).and_then(|deployment| deployment.pinned.get(&wanted.name));
        let image = match pinned {
            Some(digest) if wanted.versioned && !wanted.image.contains('@') => {
                format!("{}@{digest}", with_tag(&wanted.image))
            }
            Some(_) | None => wanted.image.clone(),
        };
        Some(PullRequest {
            image,
            platform: task.platform.clone(),
            role: task.role.clone(),
        })
    }

    /// Takes the next step after an attempt to pull.
    pub(super) fn pulled(&mut self, arn: &str, container: usize, attempt: u32, outcome: PullOutcome) {
        match outcome {
            PullOutcome::Pulled { digest } => {
                self.pin(arn, container, &digest);
                let Some(task) = self.tasks.get_mut(arn).filter(|task| !task.is_stopping()) else {
                    return;
                };
                let containers = task.containers.len();
                if let Some(container) = task.containers.get_mut(container) {
                    container.digest = Some(digest);
                }
                let task = arn.to_owned();
                let next = container + 1;
                let work = if next < containers {
                    ScheduledWork::Pull { task, container: next, attempt: 1 }
                } else {
                    ScheduledWork::PullEnded(task)
                };
                self.after(self.pacing.pull_seconds, work);
            }
            PullOutcome::Failed { message } => {
                let most = self.pacing.attempts_for(&message);
                if attempt < most {
                    let work = ScheduledWork::Pull { task: arn.to_owned(), container, attempt: attempt + 1 };
                    self.after(self.pacing.failing_attempt_seconds, work);
                } else {
                    self.cannot_pull(arn, container, pull_texts::cannot_pull(attempt, &message));
                }
            }
        }
    }

    /// Pins the digest of a tag for the deployment when its first task resolves the tag.
    fn pin(&mut self, arn: &str, container: usize, digest: &str) {
        let Some(task) = self.tasks.get(arn) else { return };
        let Some(container) = task.containers.get(container).filter(|container| container.versioned).cloned() else {
            return;
        };
        let (service, id) = (task.service.clone(), task.started_by.clone());
        let deployment = service
            .and_then(|service| self.services.get_mut(&service))
            .and_then(|service| service.deployments.iter_mut().find(|known| known.id == id));
        if let Some(deployment) = deployment.filter(|deployment| !deployment.unpinned && !container.image.contains('@'))
        {
            deployment.pinned.entry(container.name).or_insert_with(|| digest.to_owned());
        }
    }

    /// Stops a task whose image cannot be pulled. On Fargate the reason is the task's, on EC2 the container's.
    fn cannot_pull(&mut self, arn: &str, container: usize, reason: String) {
        let Some(task) = self.tasks.get_mut(arn) else { return };
        let stopped_reason = if task.launch_type == "FARGATE" {
            reason
        } else {
            if let Some(container) = task.containers.get_mut(container) {
                container.reason = Some(reason);
            }
            "Task failed to start".to_owned()
        };
        self.begin_stop(arn, "TaskFailedToStart", stopped_reason, None);
        self.task_failed(arn);
    }

    /// Schedules the start of a task whose images are all there.
    pub(super) fn pull_ended(&mut self, arn: &str) {
        let now = self.now();
        if let Some(task) = self.tasks.get_mut(arn).filter(|task| !task.is_stopping()) {
            task.times.pull_stopped = Some(now);
            self.after(self.pacing.start_seconds, ScheduledWork::Run(arn.to_owned()));
        }
    }

    /// Moves a task from PENDING to RUNNING. The behaviour of its containers says what follows.
    pub(super) fn run(&mut self, arn: &str, behaviour: &Behaviour) {
        let now = self.now();
        let ids: Vec<String> =
            (0..self.tasks.get(arn).map_or(0, |task| task.containers.len())).map(|_| self.next_id()).collect();
        let ran = self.change(arn, |task| {
            task.last_status = "RUNNING";
            task.times.started = Some(now);
            for (container, id) in task.containers.iter_mut().zip(&ids) {
                container.last_status = "RUNNING";
                container.runtime_id = Some(id.clone());
            }
        });
        if !ran {
            return;
        }
        // A task that reaches RUNNING ends the throttle, however the task ends.
        if let Some(service) = self.tasks[arn].service.clone() {
            if let Some(service) = self.services.get_mut(&service) {
                service.throttle = super::services::Throttle::default();
            }
            self.after(0, ScheduledWork::Reconcile(service));
        }
        let task = arn.to_owned();
        match behaviour {
            Behaviour::Healthy => self.after(self.pacing.healthy_seconds, ScheduledWork::Healthy(task)),
            Behaviour::Exits { after_seconds, .. } => self.after(*after_seconds, ScheduledWork::Crash(task)),
            Behaviour::FailsHealthChecks { after_seconds, .. } => {
                self.after(*after_seconds, ScheduledWork::FailChecks(task))
            }
        }
    }

    /// Marks a running task as healthy, which counts for its deployment.
    pub(super) fn healthy(&mut self, arn: &str) {
        let Some(task) = self.tasks.get_mut(arn).filter(|task| !task.is_stopping()) else {
            return;
        };
        task.healthy = true;
        let (service, id) = (task.service.clone(), task.started_by.clone());
        let Some(service) = service else { return };
        let deployments = self.services.get_mut(&service).map(|service| &mut service.deployments);
        if let Some(deployment) = deployments.and_then(|all| all.iter_mut().find(|known| known.id == id)) {
            deployment.failed_tasks = 0;
        }
        self.after(0, ScheduledWork::Reconcile(service));
    }

    /// Stops a task because an essential container exits by itself.
    pub(super) fn crash(&mut self, arn: &str, container: usize, exit_code: i64) {
        let running = self.tasks.get(arn).is_some_and(|task| !task.is_stopping());
        if !running {
            return;
        }
        if let Some(container) = self.tasks.get_mut(arn).and_then(|task| task.containers.get_mut(container)) {
            container.exit_code = Some(exit_code);
            container.last_status = "STOPPED";
        }
        self.begin_stop(arn, "EssentialContainerExited", "Essential container in task exited".to_owned(), Some(137));
        self.task_failed(arn);
    }

    /// Stops a task because its health checks at the load balancer have failed.
    pub(super) fn fail_checks(&mut self, arn: &str, target_group: &str) {
        let Some(task) = self.tasks.get(arn).filter(|task| !task.is_stopping()) else {
            return;
        };
        let (id, service) = (task.id().to_owned(), task.service.clone());
        if let Some(service) = service {
            self.say(
                &service,
                format!("(task {id}) is unhealthy in (target-group {target_group}) due to (reason Request timed out)."),
            );
        }
        self.begin_stop(
            arn,
            "ServiceSchedulerInitiated",
            format!("Task failed ELB health checks in (target-group {target_group})"),
            Some(137),
        );
        self.task_failed(arn);
    }

    /// Begins to stop a task. Its running containers get this exit code.
    pub(super) fn begin_stop(&mut self, arn: &str, code: &'static str, reason: String, killed_with: Option<i64>) {
        let now = self.now();
        let changed = self.change(arn, |task| {
            for container in task.containers.iter_mut().filter(|container| container.last_status == "RUNNING") {
                container.exit_code = killed_with;
            }
            task.last_status = "DEPROVISIONING";
            task.healthy = false;
            task.stop = Some((code, reason));
            task.times.stopping = Some(now);
        });
        if changed {
            self.after(self.pacing.stopping_seconds, ScheduledWork::Stopped(arn.to_owned()));
        }
    }

    /// Moves a stopping task to STOPPED.
    pub(super) fn stopped(&mut self, arn: &str) {
        let now = self.now();
        let Some(task) = self.tasks.get_mut(arn) else { return };
        task.last_status = "STOPPED";
        task.version += 1;
        task.updated_at = now;
        task.times.execution_stopped = Some(now);
        task.times.stopped = Some(now);
        for container in &mut task.containers {
            container.last_status = "STOPPED";
        }
        let service = task.service.clone();
        self.emit_task(arn);
        if let Some(service) = service {
            self.after(0, ScheduledWork::Reconcile(service));
        }
    }

    /// The log lines of a container, if its task definition sends them to CloudWatch Logs.
    pub(super) fn log_lines(&self, arn: &str, container: usize, lines: &[String]) -> Vec<LogLine> {
        let Some(task) = self.tasks.get(arn) else {
            return Vec::new();
        };
        let definition = self.definition(&task.definition).cloned().unwrap_or_default();
        let logging = &definition["containerDefinitions"][container]["logConfiguration"];
        let (Some("awslogs"), Some(group)) =
            (logging["logDriver"].as_str(), logging["options"]["awslogs-group"].as_str())
        else {
            return Vec::new();
        };
        let Some(container) = task.containers.get(container) else {
            return Vec::new();
        };
        let stream = match logging["options"]["awslogs-stream-prefix"].as_str() {
            Some(prefix) => format!("{prefix}/{}/{}", container.name, task.id()),
            // Without a prefix, Docker names the stream by the container's id.
            None => container.runtime_id.clone().unwrap_or_default(),
        };
        let line = |message: &String| LogLine {
            group: group.to_owned(),
            stream: stream.clone(),
            at: self.now(),
            message: message.clone(),
        };
        lines.iter().map(line).collect()
    }

    /// Changes a task that is not stopping and emits an event. Returns whether there was such a task.
    fn change(&mut self, arn: &str, change: impl FnOnce(&mut TaskRecord)) -> bool {
        let now = self.now();
        let Some(task) = self.tasks.get_mut(arn).filter(|task| !task.is_stopping()) else {
            return false;
        };
        change(task);
        task.version += 1;
        task.updated_at = now;
        self.emit_task(arn);
        true
    }
}

/// The image with its tag, or with `latest` if it has none: a digest is appended to this.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    if name.contains(':') { image.to_owned() } else { format!("{image}:latest") }
}
