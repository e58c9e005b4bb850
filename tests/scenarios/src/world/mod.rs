//! The world of a scenario: one account with ECS, ECR and everything else, Docker Hub outside, and pullsafe deployed
//! into the account. Everything is on one virtual clock. Only the registries use real sockets.
//!
//! The functions are the real ones. What Lambda, EventBridge and SQS do between them is modelled here: asynchronous
//! invocation with two retries and a failure destination, rules, queues with batches, a sweep every minute.

mod lambda;
mod setup;

use std::time::Duration;

use aws_config::SdkConfig;
use mirror::MirrorFunction;
use pullsafe::settings::MirrorSettings;
use pullsafe::timestamp::Timestamp;
use remediator::Remediator;
use serde_json::{Value, json};
use tokio::time::Instant;

use testkit::aws::FakeAws;
use testkit::aws::autoscaling::AutoScaling;
use testkit::aws::cloudformation::CloudFormation;
use testkit::aws::dynamodb::DynamoDb;
use testkit::aws::eventbridge::EventBridge;
use testkit::aws::iam::Iam;
use testkit::aws::load_balancing::FakeTargetGroups;
use testkit::aws::logs::FakeLogs;
use testkit::aws::parameters::Parameters;
use testkit::aws::schedules::FakeSchedules;
use testkit::aws::secrets::Secrets;
use testkit::aws::service::FakeService as _;
use testkit::aws::sns::{PublishedMessage, Sns};
use testkit::aws::sqs::Sqs;
use testkit::aws::sts::Sts;
use testkit::clock::VirtualClock;
use testkit::ecr;
use testkit::ecr::ecr_push_event;
use testkit::ecs::{EcsApi, Scheduler};
use testkit::registry::RegistryServer;

pub use setup::{NAT, Setup};

/// The cluster of every scenario.
pub const CLUSTER: &str = "prod";
/// The execution role that may pull from the mirror.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/pull";
/// The table of incidents.
pub const TABLE: &str = "pullsafe";
/// The table of another stack of pullsafe in the same region, or of this one after its table was lost.
pub const OTHER_TABLE: &str = "pullsafe-other";
/// The name of the deployed stack.
pub const STACK: &str = "pullsafe";
/// The name of the remediator's function.
pub const FUNCTION: &str = "pullsafe-RemediatorFunction-1A2B3C4D5E6F";
/// The remediator's queue.
pub const WORK_QUEUE: &str = "pullsafe-work";
/// The remediator's dead-letter queue.
pub const DEAD_LETTERS: &str = "pullsafe-dead";
/// The queue of the mirror's jobs that somebody asked for.
pub const MIRROR_QUEUE: &str = "pullsafe-mirror";
/// The queue of the mirror's jobs that a scheduled run planned.
pub const PLAN_QUEUE: &str = "pullsafe-mirror-plan";
/// Every queue that a function takes messages from.
const QUEUES: [&str; 3] = [WORK_QUEUE, MIRROR_QUEUE, PLAN_QUEUE];
/// The name of the parameter with the mirror's configuration.
pub const MIRROR_CONFIG: &str = "/pullsafe/mirror";
/// The name of the secret with Docker Hub's credentials, where a setup has them.
pub const HUB_SECRET: &str = "ecr-pullthroughcache/docker-hub";
/// The name of the topic for people.
pub const TOPIC: &str = "pullsafe";

/// How often Lambda tries an asynchronous invocation before it sends the event to the failure destination.
const TRIES: u32 = 3;
const SWEEP_SECONDS: i64 = 60;

/// One account, what is outside it, and pullsafe in it.
pub struct World {
    /// The clock of everything.
    pub clock: VirtualClock,
    /// The fake AWS that the functions call.
    pub aws: FakeAws,
    /// ECS's control plane.
    pub ecs: EcsApi,
    /// ECS's scheduler.
    pub scheduler: Scheduler,
    /// Docker Hub.
    pub hub: RegistryServer,
    /// The API of the account's private registry.
    pub images: ecr::EcrApi,
    /// The data plane of the account's private registry.
    pub ecr: RegistryServer,
    /// ECR Public.
    pub public: RegistryServer,
    pub queues: Sqs,
    pub topic: Sns,
    pub bus: EventBridge,
    pub tables: DynamoDb,
    pub iam: Iam,
    pub scaling: AutoScaling,
    pub stacks: CloudFormation,
    pub balancers: FakeTargetGroups,
    /// The log groups of tasks and builds.
    pub logs: FakeLogs,
    /// Who signed which request.
    pub sts: Sts,
    /// pullsafe's remediator; `None` where it is not deployed.
    pub remediator: Option<Remediator>,
    /// pullsafe's mirror.
    pub mirror: MirrorFunction,
    /// The schedules of EventBridge Scheduler.
    pub schedules: FakeSchedules,
    /// Parameters. The mirror's configuration is one of them.
    pub parameters: Parameters,
    /// Secrets. Docker Hub's credentials are one of them.
    pub secrets: Secrets,
    /// The remediator's answers, oldest first.
    pub answers: Vec<Value>,
    config: SdkConfig,
    mirror_settings: MirrorSettings,
    next_sweep: Timestamp,
    events_seen: usize,
    pushes_seen: usize,
    invocations: u64,
    /// Present if the account has limits. Without it, every event is handled at once.
    lambda: Option<lambda::Lambda>,
}

impl World {
    /// Plays on until a moment: ECS does what is due, its events reach pullsafe, queues are emptied, and sweeps run.
    pub async fn run_until(&mut self, moment: Timestamp) {
        while self.clock.now() < moment {
            let until = moment.min(self.next_sweep);
            let until = self.next_work().map_or(until, |work| until.min(work)).max(self.clock.now());
            let events = self.scheduler.next_events(until).await;
            for line in self.scheduler.drain_logs() {
                self.logs.write_at(&line.group, &line.stream, line.at, &line.message);
            }
            for event in events {
                self.deliver(&event).await;
            }
            self.settle().await;
            if self.clock.now() >= self.next_sweep {
                self.next_sweep = self.next_sweep.plus_seconds(SWEEP_SECONDS);
                self.deliver(&json!({ "pullsafe": "sweep" })).await;
                self.settle().await;
            }
        }
    }

    /// Plays on for some seconds.
    pub async fn run_for(&mut self, seconds: i64) {
        self.run_until(self.clock.now().plus_seconds(seconds)).await;
    }

    /// Delivers everything that is in queues and on buses, until nothing is left. No time passes.
    pub async fn settle(&mut self) {
        loop {
            let mut moved = false;
            let events = self.bus.events_after(self.events_seen);
            self.events_seen += events.len();
            for event in &events {
                // As in the rule of the template: of its own source's events the remediator gets only those about the
                // mirror's copies.
                if event["detail-type"] == "Image Mirrored" {
                    moved = true;
                    self.deliver(event).await;
                }
            }
            let pushes = self.images.store().pushes_after(self.pushes_seen);
            self.pushes_seen += pushes.len();
            for push in pushes.iter().filter(|push| push.tag.is_some()) {
                moved = true;
                self.deliver(&ecr_push_event(&push.repository, push.tag.as_deref(), &push.digest, push.time)).await;
            }
            for queue in [MIRROR_QUEUE, PLAN_QUEUE] {
                while let Some(batch) = self.queues.deliver(queue, 1) {
                    moved = true;
                    let work = self.mirror.handle(&batch, Instant::now() + Duration::from_secs(900));
                    if let Some(answer) = self.aws.run(work).await {
                        self.queues.settle(queue, &batch, &failures(&answer));
                    }
                }
            }
            moved |= self.invoke_due().await;
            moved |= self.work_off().await;
            if !moved {
                return;
            }
        }
    }

    /// Delivers one event to the remediator as EventBridge and Lambda do: up to three attempts, then the failure
    /// destination.
    pub async fn deliver(&mut self, event: &Value) {
        let Some(remediator) = self.remediator.clone() else {
            return;
        };
        if self.invoke_later(event) {
            return;
        }
        self.invocations += 1;
        let id = format!("invocation-{}", self.invocations);
        for _ in 0..TRIES {
            // A process that dies leaves only what it has written.
            if let Some(Ok(answer)) = self.aws.run(remediator.handle(event, &id)).await {
                self.answers.push(answer);
                return;
            }
        }
        self.give_up(event, "RetriesExhausted");
    }

    /// Invokes the remediator as a person would, and returns its answer; null if the process died.
    ///
    /// # Panics
    /// If pullsafe is not deployed, or the function fails.
    pub async fn ask(&mut self, event: &Value) -> Value {
        let remediator = self.remediator.clone().expect("it is deployed");
        self.invocations += 1;
        let id = format!("invocation-{}", self.invocations);
        let answer = self.aws.run(remediator.handle(event, &id)).await;
        answer.map_or(Value::Null, |answer| answer.expect("an answer is never an error of the function"))
    }

    /// Invokes the mirror as its schedule does. Returns its answer, or `None` if the process died. The planned jobs are
    /// in its queue.
    pub async fn plan_mirror(&mut self) -> Option<Value> {
        self.invocations += 1;
        let event = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "id": format!("schedule-{}", self.invocations) });
        let run = self.mirror.handle(&event, Instant::now() + Duration::from_secs(900));
        self.aws.run(run).await
    }

    /// One more instance of the mirror, for several jobs at a time.
    pub fn another_mirror(&self) -> MirrorFunction {
        setup::mirror(&self.config, self)
    }

    /// How often the functions were invoked.
    pub const fn invocations(&self) -> u64 {
        self.invocations
    }

    /// The SDK configuration with which the functions reach the account.
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Replaces the mirror by a new instance, as after a cold start.
    pub fn restart_mirror(&mut self) {
        self.mirror = self.another_mirror();
    }

    /// Replaces the remediator by a new instance with these settings, as after a cold start.
    pub fn restart(&mut self, settings: &[(&str, &str)]) {
        self.remediator = Some(setup::remediator(&self.config, self, settings));
    }

    /// The remediator of another stack of pullsafe in this account and region.
    pub fn another_stack(&self, name: &str) -> Remediator {
        setup::remediator(
            &self.config,
            self,
            &[("PULLSAFE_STACK", name), ("PULLSAFE_TABLE", OTHER_TABLE), ("PULLSAFE_PAUSE_AFTER", "1")],
        )
    }

    /// The service, as DescribeServices shows it.
    pub fn service(&self, name: &str) -> Value {
        self.ecs.service(CLUSTER, name)
    }

    /// The state of the hooks of a service's newest deployment.
    pub fn hooks(&self, name: &str) -> Vec<Value> {
        let ask = |operation: &str, request: &Value| {
            self.ecs.call(operation, request).expect("the model of ECS answers a question")
        };
        let brief = ask("ListServiceDeployments", &json!({ "cluster": CLUSTER, "service": name }));
        let brief = brief["serviceDeployments"].as_array().into_iter().flatten();
        let newest = brief.max_by_key(|brief| (brief["createdAt"].as_f64().unwrap_or_default() * 1000.0) as i64);
        let newest = &newest.expect("there is a deployment")["serviceDeploymentArn"];
        let whole = ask("DescribeServiceDeployments", &json!({ "serviceDeploymentArns": [newest] }));
        let details = whole["serviceDeployments"][0]["lifecycleHookDetails"].as_array().into_iter().flatten();
        details.map(|hook| hook["status"].clone()).collect()
    }

    /// The value of a tag of a service; null if the service has no tag with this key.
    pub fn service_tag(&self, name: &str, key: &str) -> Value {
        let service = self.service(name);
        let tag = service["tags"].as_array().into_iter().flatten().find(|tag| tag["key"] == key);
        tag.map_or(Value::Null, |tag| tag["value"].clone())
    }

    /// The messages that people got.
    pub fn told(&self) -> Vec<PublishedMessage> {
        self.topic.published()
    }

    /// The documents of all rows in the table: states and incidents.
    pub fn records(&self) -> Vec<Value> {
        let rows = self.tables.items(TABLE);
        rows.iter().filter_map(|row| serde_json::from_str(row.get("doc")?.as_str()?).ok()).collect()
    }

    /// The calls that changed something of the user, such as `ecs:UpdateService`.
    pub fn writes(&self) -> Vec<String> {
        self.aws
            .writes()
            .iter()
            .filter(|call| call.took_effect())
            .map(|call| format!("{}:{}", call.service, call.operation))
            .collect()
    }
}

fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    failures.filter_map(|failure| failure["itemIdentifier"].as_str()).map(str::to_owned).collect()
}
