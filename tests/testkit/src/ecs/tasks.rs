//! Tasks in the control plane: created from a task definition, run, described, stopped.

use serde_json::{Value, json};

use super::arguments::{invalid, list, required, text, texts};
use super::state::{EcsState, ScheduledWork};
use super::task::{TaskContainer, TaskRecord, TaskTimes, Times};
use crate::aws::service::AwsError;

/// How long a stopped task is still shown.
const VISIBLE_SECONDS: i64 = 60 * 60;

impl EcsState {
    pub(super) fn run_task(&mut self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_name(request)?;
        let definition = self.usable_definition(required(request, "taskDefinition")?)?;
        let family = definition.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default();
        let group = text(request, "group").map_or_else(|| format!("family:{family}"), str::to_owned);
        let starter = text(request, "startedBy").unwrap_or_default().to_owned();
        let launch_type = text(request, "launchType").unwrap_or("FARGATE").to_owned();
        let count = request.get("count").and_then(Value::as_u64).unwrap_or(1).clamp(1, 10);
        let mut tasks = Vec::new();
        for _ in 0..count {
            let arn = self.new_task(&cluster, None, &definition, group.clone(), starter.clone(), launch_type.clone());
            self.set_tags(&arn, list(request, "tags"))?;
            tasks.push(self.tasks[&arn].json(Times::Epoch));
        }
        Ok(json!({"tasks": tasks, "failures": []}))
    }

    pub(super) fn describe_tasks(&self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_name(request)?;
        let wanted = texts(request, "tasks");
        if wanted.is_empty() {
            return Err(invalid("Tasks cannot be empty."));
        }
        if wanted.len() > 100 {
            return Err(invalid("Tasks cannot have more than 100 elements"));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for task in wanted {
            let arn = self.task_arn(&cluster, &task);
            match self.tasks.get(&arn).filter(|task| self.is_visible(task)) {
                Some(task) => {
                    let mut json = task.json(Times::Epoch);
                    json["tags"] = if super::arguments::wants_tags(request) {
                        self.tags_json(&arn)
                    } else {
                        json!([])
                    };
                    found.push(json);
                }
                None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
            }
        }
        Ok(json!({"tasks": found, "failures": failures}))
    }

    pub(super) fn stop_task(&mut self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_name(request)?;
        let arn = self.task_arn(&cluster, required(request, "task")?);
        if !self.tasks.get(&arn).is_some_and(|task| self.is_visible(task)) {
            return Err(invalid("The referenced task was not found."));
        }
        let reason = text(request, "reason").unwrap_or("Task stopped by user").to_owned();
        self.begin_stop(&arn, "UserInitiated", reason, Some(137));
        if let Some(service) = self.tasks[&arn].service.clone() {
            self.after(0, ScheduledWork::Reconcile(service));
        }
        Ok(json!({"task": self.tasks[&arn].json(Times::Epoch)}))
    }

    pub(super) fn is_visible(&self, task: &TaskRecord) -> bool {
        task.times.stopped.is_none_or(|at| self.now().seconds_since(at) <= VISIBLE_SECONDS)
    }

    fn task_arn(&self, cluster: &str, task: &str) -> String {
        if task.starts_with("arn:") {
            task.to_owned()
        } else {
            self.arn(&format!("task/{cluster}/{task}"))
        }
    }

    /// Creates a task in PROVISIONING and queues its next step.
    pub(super) fn new_task(
        &mut self,
        cluster: &str,
        service: Option<(String, u32)>,
        definition: &str,
        group: String,
        started_by: String,
        launch_type: String,
    ) -> String {
        let id = self.next_id();
        let arn = self.arn(&format!("task/{cluster}/{id}"));
        let json = self.definition(definition).cloned().unwrap_or_default();
        let containers = list(&json, "containerDefinitions")
            .iter()
            .map(|container| self.new_container(cluster, &id, container))
            .collect();
        let arm = json["runtimePlatform"]["cpuArchitecture"] == "ARM64";
        let now = self.now();
        let (service, round) = service.map_or((None, 0), |(service, round)| (Some(service), round));
        let task = TaskRecord {
            number: self.next_number(),
            arn: arn.clone(),
            cluster_arn: self.cluster_arn(cluster),
            service,
            definition: definition.to_owned(),
            group,
            started_by,
            launch_type,
            role: text(&json, "executionRoleArn").map(str::to_owned),
            platform: if arm { "linux/arm64" } else { "linux/amd64" }.to_owned(),
            cpu: text(&json, "cpu").unwrap_or("256").to_owned(),
            memory: text(&json, "memory").unwrap_or("512").to_owned(),
            last_status: "PROVISIONING",
            stop: None,
            healthy: false,
            version: 1,
            created_at: now,
            updated_at: now,
            times: TaskTimes::default(),
            containers,
            round,
        };
        self.tasks.insert(arn.clone(), task);
        self.emit_task(&arn);
        self.after(self.pacing.provisioning_seconds, ScheduledWork::Provisioned(arn.clone()));
        arn
    }

    fn new_container(&self, cluster: &str, task: &str, container: &Value) -> TaskContainer {
        let name = text(container, "name").unwrap_or_default().to_owned();
        TaskContainer {
            arn: self.arn(&format!("container/{cluster}/{task}/{name}")),
            name,
            image: text(container, "image").unwrap_or_default().to_owned(),
            digest: None,
            last_status: "PENDING",
            exit_code: None,
            reason: None,
            runtime_id: None,
            cpu: container["cpu"].to_string(),
            memory: container.get("memory").map(Value::to_string),
            essential: container["essential"] != json!(false),
            versioned: container["versionConsistency"] != "disabled",
        }
    }
}
