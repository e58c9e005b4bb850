//! Services: created, described, deleted.

use std::collections::VecDeque;

use pullsafe::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use super::arguments::{epoch, invalid, list, required, text, texts, wants_tags};
use super::deployment::FakeDeployment;
use super::state::{EcsState, ScheduledWork};
use crate::aws::service::AwsError;

/// How many events DescribeServices shows at most.
const MOST_EVENTS: usize = 100;
/// Within this time the same message is not repeated.
const REPEAT_SECONDS: i64 = 6 * 60 * 60;

/// The start throttle of a service. It applies to one task definition.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle {
    /// The current round of launches.
    pub(super) round: u32,
    /// Nothing is launched before this moment.
    pub(super) not_before: Option<Timestamp>,
}

/// A message of a service for people: an entry of `events`.
#[derive(Debug, Clone)]
pub(super) struct ServiceMessage {
    id: String,
    at: Timestamp,
    text: String,
}

/// A service. `record` holds the members of the requests that created and updated it, unchanged.
#[derive(Debug, Clone)]
pub(super) struct ServiceRecord {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) cluster_arn: String,
    pub(super) record: Map<String, Value>,
    pub(super) active: bool,
    pub(super) desired: usize,
    pub(super) created_at: Timestamp,
    /// The deployments that DescribeServices shows, the PRIMARY one first.
    pub(super) deployments: Vec<FakeDeployment>,
    /// Deployments that DescribeServices no longer shows, but ListServiceDeployments does.
    pub(super) past: Vec<FakeDeployment>,
    /// The id and the task definition of the last deployment that completed.
    pub(super) last_completed: Option<(String, String)>,
    pub(super) throttle: Throttle,
    /// When the next task of a batch may be launched.
    pub(super) next_of_batch: Option<Timestamp>,
    pub(super) steady: bool,
    pub(super) messages: VecDeque<ServiceMessage>,
}

impl ServiceRecord {
    /// The deployment controller: `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub(super) fn controller(&self) -> &str {
        self.record
            .get("deploymentController")
            .and_then(|controller| text(controller, "type"))
            .unwrap_or("ECS")
    }

    /// The scheduling strategy: `REPLICA` or `DAEMON`.
    pub(super) fn strategy(&self) -> &str {
        self.record.get("schedulingStrategy").and_then(Value::as_str).unwrap_or("REPLICA")
    }

    pub(super) fn launch_type(&self) -> &str {
        self.record.get("launchType").and_then(Value::as_str).unwrap_or("FARGATE")
    }

    /// Every deployment so far.
    pub(super) fn all_deployments(&self) -> impl Iterator<Item = &FakeDeployment> {
        self.deployments.iter().chain(&self.past)
    }

    /// A percentage of `deploymentConfiguration`.
    pub(super) fn percent(&self, member: &str, default: usize) -> usize {
        let given = self
            .record
            .get("deploymentConfiguration")
            .and_then(|configuration| configuration.get(member))
            .and_then(Value::as_u64);
        given.and_then(|value| usize::try_from(value).ok()).unwrap_or(default)
    }
}

impl EcsState {
    pub(super) fn create_service(&mut self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_name(request)?;
        let name = required(request, "serviceName")?.to_owned();
        let arn = self.arn(&format!("service/{cluster}/{name}"));
        if self.services.get(&arn).is_some_and(|service| service.active) {
            return Err(invalid("Creation of service was not idempotent."));
        }
        let external = request["deploymentController"]["type"] == "EXTERNAL";
        let definition = match text(request, "taskDefinition") {
            Some(name) => Some(self.usable_definition(name)?),
            None if external => None,
            None => return Err(invalid("TaskDefinition can not be blank.")),
        };
        let daemon = text(request, "schedulingStrategy") == Some("DAEMON");
        if daemon && request.get("desiredCount").is_some_and(|count| !count.is_null()) {
            return Err(daemon_count());
        }
        self.set_tags(&arn, list(request, "tags"))?;
        let mut record = request.as_object().cloned().unwrap_or_default();
        for member in ["tags", "clientToken", "cluster", "desiredCount", "taskDefinition", "serviceName"] {
            record.remove(member);
        }
        // A daemon runs once on every container instance, and the model has one instance.
        let desired = if daemon { 1 } else { count(request)?.unwrap_or(1) };
        let service = ServiceRecord {
            arn: arn.clone(),
            name,
            cluster_arn: self.cluster_arn(&cluster),
            record,
            active: true,
            desired,
            created_at: self.now(),
            deployments: Vec::new(),
            past: Vec::new(),
            last_completed: None,
            throttle: Throttle::default(),
            next_of_batch: None,
            steady: false,
            messages: VecDeque::new(),
        };
        self.services.insert(arn.clone(), service);
        if let Some(definition) = definition {
            self.start_deployment(&arn, definition);
        }
        Ok(json!({"service": self.service_json(&arn, true)}))
    }

    pub(super) fn describe_services(&self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_name(request)?;
        let wanted = texts(request, "services");
        if wanted.is_empty() {
            return Err(invalid("Services cannot be empty."));
        }
        if wanted.len() > 10 {
            return Err(invalid("Services cannot have more than 10 elements"));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for service in wanted {
            let arn = if service.starts_with("arn:") {
                service
            } else {
                self.arn(&format!("service/{cluster}/{service}"))
            };
            if self.services.contains_key(&arn) {
                found.push(self.service_json(&arn, wants_tags(request)));
            } else {
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
        Ok(json!({"services": found, "failures": failures}))
    }

    pub(super) fn delete_service(&mut self, request: &Value) -> Result<Value, AwsError> {
        let arn = self.service_arn(request, "service")?;
        let forced = request["force"] == true;
        if let Some(service) = self.services.get_mut(&arn) {
            if service.desired > 0 && !forced && service.strategy() != "DAEMON" {
                return Err(invalid("The service cannot be stopped while it is scaled above 0."));
            }
            service.active = false;
            service.desired = 0;
        }
        self.after(0, ScheduledWork::Reconcile(arn.clone()));
        Ok(json!({"service": self.service_json(&arn, false)}))
    }

    /// The ARN of the service that a request names. Fails if the service does not exist.
    pub(super) fn service_arn(&self, request: &Value, member: &str) -> Result<String, AwsError> {
        let given = required(request, member)?;
        let arn = if given.starts_with("arn:") {
            given.to_owned()
        } else {
            self.arn(&format!("service/{}/{given}", self.cluster_name(request)?))
        };
        if self.services.contains_key(&arn) {
            Ok(arn)
        } else {
            Err(AwsError::client("ServiceNotFoundException", "Service not found."))
        }
    }

    /// Adds a message for people.
    pub(super) fn say(&mut self, service: &str, text: String) {
        let (id, at) = (self.next_uuid(), self.now());
        if let Some(service) = self.services.get_mut(service) {
            let text = format!("(service {}) {text}", service.name);
            service.messages.push_front(ServiceMessage { id, at, text });
            service.messages.truncate(MOST_EVENTS);
        }
    }

    /// Adds a message for people, unless the same message came within six hours.
    pub(super) fn say_once(&mut self, service: &str, text: String) {
        let now = self.now();
        let said = self.services.get(service).is_some_and(|service| {
            let full = format!("(service {}) {text}", service.name);
            service
                .messages
                .iter()
                .any(|known| known.text == full && now.seconds_since(known.at) < REPEAT_SECONDS)
        });
        if !said {
            self.say(service, text);
        }
    }

    /// A service as DescribeServices shows it.
    pub(super) fn service_json(&self, arn: &str, with_tags: bool) -> Value {
        let Some(service) = self.services.get(arn) else {
            return Value::Null;
        };
        let deployments = self.deployments_json(service);
        let counts =
            |member: &str| deployments.iter().filter_map(|deployment| deployment[member].as_u64()).sum::<u64>();
        let mut json = service.record.clone();
        let mut set = |member: &str, value: Value| json.insert(member.to_owned(), value);
        set("serviceArn", json!(arn));
        set("serviceName", json!(service.name));
        set("clusterArn", json!(service.cluster_arn));
        set("status", json!(status(service, counts("runningCount") + counts("pendingCount"))));
        set("desiredCount", json!(service.desired));
        set("runningCount", json!(counts("runningCount")));
        set("pendingCount", json!(counts("pendingCount")));
        set("createdAt", epoch(service.created_at));
        set("createdBy", json!(format!("arn:aws:iam::{}:role/deployer", self.account)));
        set("schedulingStrategy", json!(service.strategy()));
        set("launchType", json!(service.launch_type()));
        set("deploymentController", json!({"type": service.controller()}));
        if let Some(primary) = service.deployments.first() {
            set("taskDefinition", json!(primary.definition));
        }
        let events: Vec<Value> = service
            .messages
            .iter()
            .map(|message| json!({"id": message.id, "createdAt": epoch(message.at), "message": message.text}))
            .collect();
        set("events", json!(events));
        // With other controllers, `taskSets` shows the deployments.
        if service.controller() == "ECS" {
            set("deployments", json!(deployments));
        } else {
            set("deployments", json!([]));
            set("taskSets", task_sets(service, &deployments));
        }
        if with_tags {
            set("tags", self.tags_json(arn));
        } else {
            json.remove("tags");
        }
        for (member, value) in defaults(service) {
            json.entry(member).or_insert(value);
        }
        Value::Object(json)
    }
}

/// The desired count that a request gives.
pub(super) fn count(request: &Value) -> Result<Option<usize>, AwsError> {
    match request.get("desiredCount") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
            count.map(Some).ok_or_else(|| invalid("DesiredCount can not be negative."))
        }
    }
}

/// The refusal of a desired count for a daemon service.
pub(super) fn daemon_count() -> AwsError {
    invalid(
        "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value \
         and try again",
    )
}

fn status(service: &ServiceRecord, tasks: u64) -> &'static str {
    match (service.active, tasks) {
        (true, _) => "ACTIVE",
        (false, 0) => "INACTIVE",
        (false, _) => "DRAINING",
    }
}

fn task_sets(service: &ServiceRecord, deployments: &[Value]) -> Value {
    deployments
        .iter()
        .map(|deployment| {
            json!({
                "id": deployment["id"],
                "taskSetArn": service.arn.replacen(":service/", ":task-set/", 1),
                "status": deployment["status"],
                "taskDefinition": deployment["taskDefinition"],
                "computedDesiredCount": deployment["desiredCount"],
                "runningCount": deployment["runningCount"],
                "pendingCount": deployment["pendingCount"],
                "scale": {"value": 100.0, "unit": "PERCENT"},
                "stabilityStatus": if deployment["rolloutState"] == "COMPLETED" { "STEADY_STATE" } else { "STABILIZING" },
                "createdAt": deployment["createdAt"],
                "updatedAt": deployment["updatedAt"],
            })
        })
        .collect()
}

fn defaults(service: &ServiceRecord) -> Vec<(String, Value)> {
    let daemon = service.strategy() == "DAEMON";
    let configuration = json!({
        "deploymentCircuitBreaker": {"enable": false, "rollback": false},
        "maximumPercent": if daemon { 100 } else { 200 },
        "minimumHealthyPercent": if daemon { 0 } else { 100 },
        "strategy": "ROLLING",
    });
    let mut members = vec![
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("deploymentConfiguration", configuration),
        ("placementConstraints", json!([])),
        ("placementStrategy", json!([])),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("enableECSManagedTags", json!(false)),
        ("propagateTags", json!("NONE")),
        ("enableExecuteCommand", json!(false)),
        ("availabilityZoneRebalancing", json!("DISABLED")),
    ];
    if service.launch_type() == "FARGATE" {
        members.push(("platformVersion", json!("LATEST")));
        members.push(("platformFamily", json!("Linux")));
    }
    members.into_iter().map(|(member, value)| (member.to_owned(), value)).collect()
}
