//! An account with ECR, the table and the mirror's queue on one virtual clock, CloudFormation's address for answers,
//! and the real gate and waker.

use std::sync::Arc;
use std::time::Duration;

use image_gate::{GateContext, GateError, ImageGate};
use pullsafe::settings::{GateSettings, MirrorLocation};
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::Endpoints;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Answers;
use testkit::aws::cloudformation::CloudFormation;
use testkit::aws::dynamodb::{DynamoDb, Projection, Schema, text};
use testkit::aws::sqs::Sqs;
use testkit::aws::{ACCOUNT, FakeAws, REGION};
use testkit::clock::VirtualClock;
use testkit::ecr::{EcrApi, ecr_push_event};
use testkit::registry::mutability::Mutability;
use testkit::registry::sample::Sample;
use testkit::registry::{EcrOptions, ImageStore, RegistryServer};

/// The name of the table.
pub const TABLE: &str = "pullsafe";
/// The name of the queue for the mirror's jobs.
pub const MIRROR_QUEUE: &str = "pullsafe-mirror";
/// The name of the gate's own queue.
pub const GATE_QUEUE: &str = "pullsafe-gate";

/// The account, CloudFormation's address, and the gate.
pub struct GateStage {
    /// The clock of everything.
    pub clock: VirtualClock,
    /// The fake AWS that the gate calls.
    pub aws: FakeAws,
    /// The account's registry.
    pub ecr: EcrApi,
    pub tables: DynamoDb,
    pub queues: Sqs,
    /// The stacks that a test knows by name. Requests carry ids of unknown stacks until [`GateStage::set_stack`] is
    /// called.
    pub stacks: CloudFormation,
    /// The address for answers.
    pub answers: Answers,
    /// Both functions, gate and waker. The event says which of them it is for.
    pub gate: Arc<ImageGate>,
    /// How long an invocation may run.
    pub life: Duration,
    calls: std::sync::atomic::AtomicU64,
    _registry: RegistryServer,
}

impl GateStage {
    /// A stage with an empty repository `web`.
    ///
    /// # Panics
    /// If no port can be had.
    pub async fn new() -> Self {
        Self::answering(true).await
    }

    /// A stage whose gate is configured as when deployed: it answers CloudFormation's own hosts only, and not this
    /// machine.
    ///
    /// # Panics
    /// If no port can be had.
    pub async fn as_deployed() -> Self {
        Self::answering(false).await
    }

    async fn answering(allow_local_response_url: bool) -> Self {
        let clock = VirtualClock::at(Timestamp::from_millis(1_768_504_620_000)); // 2026-01-15T19:17:00Z
        let store = ImageStore::new(clock.clone());
        let registry = RegistryServer::ecr(&store, EcrOptions::default());
        let ecr = EcrApi::new(&store).downloads_from(&registry);
        let queues = Sqs::new(clock.clone()).with_queue(MIRROR_QUEUE, 960).with_queue(GATE_QUEUE, 60);
        let stacks = CloudFormation::new(clock.clone());
        let schema = Schema::new(TABLE, text("pk")).sort(text("sk")).index(
            "open-index",
            text("open"),
            Some(text("sk")),
            Projection::All,
        );
        let tables = DynamoDb::new(clock.clone()).with_table(schema);
        let aws = FakeAws::new(clock.clone())
            .with_service("ecr", Arc::new(ecr.clone()))
            .with_service("sqs", Arc::new(queues.clone()))
            .with_service("cloudformation", Arc::new(stacks.clone()))
            .with_dynamodb(tables.clone());
        let endpoints: Endpoints =
            format!("{}={}", ecr.host(), registry.url()).parse().expect("an address of a local server");
        let settings = GateContext {
            stack: GateSettings {
                table: TABLE.to_owned(),
                mirror_queue_url: Some(Sqs::url(MIRROR_QUEUE)),
                mirror: Some(MirrorLocation { registry: ecr.host(), prefix: "docker-hub".to_owned() }),
                mirror_log_group: Some("/aws/lambda/pullsafe-mirror".to_owned()),
                queue_url: Some(Sqs::url(GATE_QUEUE)),
                allow_local_response_url,
            },
            endpoints,
            log_group: "/aws/lambda/pullsafe-image-gate".to_owned(),
            pause: Duration::from_millis(5),
            settle_index: Duration::from_millis(1),
            settle_image: Duration::from_millis(1),
            look_budget: Duration::from_secs(2),
            table_budget: Duration::from_secs(2),
            delivery_budget: Duration::from_millis(600),
            time_to_answer: Duration::from_millis(800),
        };
        let reading = clock.clone();
        let gate = Arc::new(ImageGate::new(aws.sdk_config_with_attempts(1), settings, Arc::new(move || reading.now())));
        let stage = Self {
            clock,
            aws,
            ecr,
            tables,
            queues,
            stacks,
            answers: Answers::start().await.expect("a port"),
            gate,
            life: Duration::from_secs(5),
            calls: std::sync::atomic::AtomicU64::default(),
            _registry: registry,
        };
        stage.create_repository("web");
        stage
    }

    /// Creates a repository whose tags can be moved.
    pub fn create_repository(&self, name: &str) {
        self.ecr.store().create_repository(name, Mutability::Mutable);
    }

    /// Pushes an image for amd64 and arm64 with the content of this seed. Returns ECR's event.
    ///
    /// # Panics
    /// If there is no such repository.
    pub fn push(&self, repository: &str, tag: &str, seed: u64) -> Value {
        let image = Sample::multi_arch(seed).build();
        image.push(self.ecr.store(), repository, tag);
        ecr_push_event(repository, Some(tag), image.digest(), self.clock.now())
    }

    /// The digest of the image of this seed.
    pub fn digest(seed: u64) -> String {
        Sample::multi_arch(seed).build().digest().to_string()
    }

    /// A request of the stack of this name for a tag of `web`.
    pub fn request(&self, request_type: &str, stack: &str, tag: &str) -> Value {
        self.request_with(request_type, stack, json!({ "RepositoryName": "web", "ImageTag": tag }))
    }

    /// A request of the stack of this name with these properties. Its answers are found by type and stack.
    pub fn request_with(&self, request_type: &str, stack: &str, properties: Value) -> Value {
        let mut request = json!({
            "RequestType": request_type, "RequestId": format!("{request_type}-{stack}"), "LogicalResourceId": "Image",
            "ResourceType": "Custom::PullsafeImage", "ResponseURL": self.answers.url(&format!("{request_type}-{stack}")),
            "StackId": stack_id(stack), "ResourceProperties": properties,
        });
        if request_type != "Create" {
            request["PhysicalResourceId"] = json!(format!("pullsafe-image/{stack}/0a1b/Image"));
        }
        request
    }

    /// Makes one invocation. Returns `None` if its process dies.
    pub async fn invoke(&self, event: &Value) -> Option<Result<Value, GateError>> {
        let number = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.invoke_as(&format!("invocation-{number}"), event).await
    }

    /// Makes one invocation under this name. A retry has the name of the first attempt.
    pub async fn invoke_as(&self, owner: &str, event: &Value) -> Option<Result<Value, GateError>> {
        let deadline = Instant::now() + self.life;
        self.aws.run(Arc::clone(&self.gate).handle(event.clone(), owner, deadline)).await
    }

    /// Makes one invocation, which has to succeed.
    ///
    /// # Panics
    /// If it does not succeed.
    pub async fn handle(&self, event: &Value) -> Value {
        self.invoke(event).await.expect("the process lives").expect("it succeeds")
    }

    /// One sweep.
    pub async fn sweep(&self) -> Value {
        self.handle(&json!({"pullsafe": "sweep"})).await
    }

    /// Lets time pass, and delivers the messages of the gate's own queue when they are due.
    pub async fn pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(1);
            self.deliver().await;
        }
    }

    /// Delivers the messages of the gate's own queue that are due now. A message whose run dies comes again.
    pub async fn deliver(&self) {
        while let Some(event) = self.queues.deliver(GATE_QUEUE, 1) {
            let Some(Ok(outcome)) = self.invoke(&event).await else {
                continue;
            };
            let failed = outcome["batchItemFailures"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| item["itemIdentifier"].as_str());
            let failed: Vec<String> = failed.map(str::to_owned).collect();
            self.queues.settle(GATE_QUEUE, &event, &failed);
        }
    }

    /// Sets the status of the stack of this name.
    pub fn set_stack(&self, stack: &str, status: &str) {
        self.stacks.set(&stack_id(stack), stack, status);
    }

    /// The answer to a request: the one that was taken.
    ///
    /// # Panics
    /// If there is none, or if there are different ones.
    pub fn answer(&self, request_type: &str, stack: &str) -> Value {
        let taken = self.answers.taken(&format!("{request_type}-{stack}"));
        assert!(!taken.is_empty(), "no answer to {request_type} of {stack}");
        assert!(taken.iter().all(|answer| answer.body == taken[0].body), "different answers: {taken:?}");
        taken[0].json()
    }

    /// Whether a request was answered.
    pub fn is_answered(&self, request_type: &str, stack: &str) -> bool {
        !self.answers.taken(&format!("{request_type}-{stack}")).is_empty()
    }

    /// The rows of requests in the table.
    pub fn rows(&self) -> Vec<Map<String, Value>> {
        self.tables.items(TABLE).into_iter().filter(|row| row.contains_key("version")).collect()
    }
}

fn stack_id(stack: &str) -> String {
    format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/0a1b")
}
