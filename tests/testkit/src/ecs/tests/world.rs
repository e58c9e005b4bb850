//! A small ECS for the tests: cluster `prod`, service `web`.

use std::sync::Arc;

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::aws::service::{AwsError, FakeService as _};
use crate::clock::VirtualClock;
use crate::ecs::{EcsApi, Pacing, Scheduler, ScriptedPuller};

pub(super) const HUB: &str = "iseepatterns/court-case-backend:latest";
pub(super) const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:3f2c1d";
pub(super) const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/backend/6d0ecf831eec9f09";

pub(super) struct EcsWorld {
    pub(super) clock: VirtualClock,
    pub(super) api: EcsApi,
    pub(super) puller: ScriptedPuller,
    pub(super) scheduler: Scheduler,
}

impl EcsWorld {
    pub(super) fn at(start: &str, pacing: Pacing) -> Self {
        let clock = VirtualClock::at(time(start));
        let api = EcsApi::new(clock.clone());
        let puller = ScriptedPuller::new(clock.clone());
        let scheduler = Scheduler::new(&api, pacing, Arc::new(puller.clone()));
        let world = Self { clock, api, puller, scheduler };
        world.ok("CreateCluster", &json!({"clusterName": "prod"}));
        world
    }

    /// A world without stagger, so that the tasks of one batch move together.
    pub(super) fn even() -> Self {
        Self::at("2026-01-15T12:00:00Z", Pacing { launch_stagger_seconds: 0, ..Pacing::default() })
    }

    pub(super) fn ok(&self, operation: &str, request: &Value) -> Value {
        self.api.call(operation, request).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    pub(super) fn refused(&self, operation: &str, request: &Value) -> AwsError {
        self.api.call(operation, request).expect_err(operation)
    }

    /// Registers a revision of `web` with one container `app`. Returns its ARN.
    pub(super) fn register(&self, image: &str) -> String {
        let answer = self.ok("RegisterTaskDefinition", &definition(image));
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// Creates the service `web` with these further members.
    pub(super) fn create(&self, definition: &str, desired: usize, more: Value) -> Value {
        let mut request =
            json!({"cluster": "prod", "serviceName": "web", "taskDefinition": definition, "launchType": "FARGATE"});
        if desired > 0 || more.get("schedulingStrategy").is_none() {
            request["desiredCount"] = json!(desired);
        }
        for (member, value) in more.as_object().unwrap() {
            request[member] = value.clone();
        }
        self.ok("CreateService", &request)["service"].clone()
    }

    pub(super) fn update(&self, more: Value) -> Value {
        self.ok("UpdateService", &with_service(more))["service"].clone()
    }

    pub(super) fn service(&self) -> Value {
        self.api.service("prod", "web")
    }

    pub(super) async fn pass(&self, seconds: i64) -> Vec<Value> {
        self.scheduler.run_until(self.clock.now().plus_seconds(seconds)).await;
        self.scheduler.drain_events()
    }

    pub(super) async fn until(&self, moment: &str) -> Vec<Value> {
        self.scheduler.run_until(time(moment)).await;
        self.scheduler.drain_events()
    }

    /// Creates a service that runs this image steadily, its deployment completed.
    pub(super) async fn steady(&self, image: &str, desired: usize, more: Value) {
        self.puller.push(image, &digest(1));
        let definition = self.register(image);
        self.create(&definition, desired, more);
        self.pass(600).await;
        assert_eq!(self.service()["deployments"][0]["rolloutState"], "COMPLETED");
    }
}

pub(super) fn with_service(mut request: Value) -> Value {
    request["cluster"] = json!("prod");
    request["service"] = json!("web");
    request
}

pub(super) fn definition(image: &str) -> Value {
    json!({
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "2048",
        "memory": "4096",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{
            "name": "app",
            "image": image,
            "portMappings": [{"containerPort": 8000}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "ecs", "awslogs-region": "eu-west-1"}},
        }],
    })
}

pub(super) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(super) fn digest(number: u8) -> String {
    format!("sha256:{}", format!("{number:02x}").repeat(32))
}

/// The events of one `detail-type`.
pub(super) fn of_type<'a>(events: &'a [Value], detail_type: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["detail-type"] == detail_type).collect()
}

/// The `detail` of the task events with this `lastStatus`.
pub(super) fn tasks<'a>(events: &'a [Value], status: &str) -> Vec<&'a Value> {
    of_type(events, "ECS Task State Change")
        .into_iter()
        .map(|event| &event["detail"])
        .filter(|detail| detail["lastStatus"] == status)
        .collect()
}

/// The `eventName` of deployment and service events, in order.
pub(super) fn names(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["detail"]["eventName"].as_str()).collect()
}

/// The messages in DescribeServices, newest first.
pub(super) fn messages(service: &Value) -> Vec<String> {
    service["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}
