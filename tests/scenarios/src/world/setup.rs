//! Builds a [`World`].

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use mirror::MirrorFunction;
use pullsafe::clock::Clock;
use pullsafe::settings::{MirrorSettings, Settings};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe_registry::http::Timeouts;
use pullsafe_registry::{Client, Config, Endpoints};
use remediator::Remediator;
use serde_json::{Value, json};

use super::{
    CLUSTER, DEAD_LETTERS, FUNCTION, HUB_SECRET, MIRROR_CONFIG, MIRROR_QUEUE, OTHER_TABLE, PLAN_QUEUE, ROLE, STACK,
    SWEEP_SECONDS, TABLE, TOPIC, WORK_QUEUE, World,
};
use testkit::aws::FakeAws;
use testkit::aws::autoscaling::AutoScaling;
use testkit::aws::cloudformation::CloudFormation;
use testkit::aws::dynamodb::{DynamoDb, Projection, Schema, numeric, text};
use testkit::aws::eventbridge::EventBridge;
use testkit::aws::iam::Iam;
use testkit::aws::load_balancing::FakeTargetGroups;
use testkit::aws::logs::FakeLogs;
use testkit::aws::parameters::Parameters;
use testkit::aws::schedules::FakeSchedules;
use testkit::aws::secrets::Secrets;
use testkit::aws::service::FakeService as _;
use testkit::aws::sns::Sns;
use testkit::aws::sqs::Sqs;
use testkit::aws::sts::Sts;
use testkit::aws::tagging::FakeTagging;
use testkit::clock::VirtualClock;
use testkit::ecr::EcrApi;
use testkit::ecs::{EcsApi, HttpPuller, Pacing, Scheduler};
use testkit::registry::{EcrOptions, HubAccount, HubOptions, ImageStore, OpenOptions, RegistryServer};

/// The address that all tasks share, as from behind a NAT gateway.
pub const NAT: &str = "203.0.113.7";

/// The registries answer over real sockets. On a busy machine that can take long, and a request that is repeated after
/// a timeout would be one too many.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(300),
    first_byte: Duration::from_secs(300),
    stall: Duration::from_secs(300),
    upload_answer: Duration::from_secs(300),
    small_answer: Duration::from_secs(300),
};

/// What a world should be like.
#[derive(Debug, Clone)]
pub struct Setup {
    /// When it begins.
    pub start: Timestamp,
    /// How fast ECS does things.
    pub pacing: Pacing,
    /// Whether pullsafe is deployed.
    pub pullsafe: bool,
    /// Settings that differ from those of a stack in act mode.
    pub settings: Vec<(String, String)>,
    /// How often the SDK tries a call.
    pub attempts: u32,
    /// The mirror's configuration, if there is a mirror to fill.
    pub mirror_config: Option<String>,
    /// How many pulls Docker Hub allows an address without an account.
    pub anonymous_pulls: u32,
    /// An account at Docker Hub with its password and its pulls. Its secret is in Secrets Manager.
    pub hub_account: Option<HubAccount>,
}

impl Setup {
    /// A world with pullsafe deployed in act mode, at the time of case A.
    pub fn new() -> Self {
        let start = Timestamp::from_millis(1_768_504_620_000); // 2026-01-15T19:17:00Z
        Self {
            start,
            pacing: Pacing::case_a(),
            pullsafe: true,
            settings: Vec::new(),
            attempts: 3,
            mirror_config: None,
            anonymous_pulls: 100,
            hub_account: None,
        }
    }

    /// Leaves pullsafe out.
    #[must_use]
    pub fn without_pullsafe(mut self) -> Self {
        self.pullsafe = false;
        self
    }

    /// Sets another value for a setting (`PULLSAFE_MODE`, ...).
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets another pacing of ECS.
    #[must_use]
    pub fn paced(mut self, pacing: Pacing) -> Self {
        self.pacing = pacing;
        self
    }

    /// Makes SDK clients try every call once, so that every fault reaches the function.
    #[must_use]
    pub fn without_sdk_retries(mut self) -> Self {
        self.attempts = 1;
        self
    }

    /// Configures the mirror like this. `{registry}` means the account's registry.
    #[must_use]
    pub fn mirroring(mut self, config: &str) -> Self {
        self.mirror_config = Some(config.to_owned());
        self
    }

    /// Sets another quota of Docker Hub.
    #[must_use]
    pub fn with_pulls(mut self, pulls: u32) -> Self {
        self.anonymous_pulls = pulls;
        self
    }

    /// Adds an account at Docker Hub. The mirror gets its credentials.
    #[must_use]
    pub fn with_hub_account(mut self, pulls: Option<u32>) -> Self {
        self.hub_account = Some(HubAccount {
            name: "acme".to_owned(),
            password: "hunter2".to_owned(),
            pulls,
        });
        self
    }

    /// Builds the world.
    pub fn build(self) -> World {
        let clock = VirtualClock::at(self.start);
        let ecs = EcsApi::new(clock.clone());
        let store = ImageStore::new(clock.clone());
        let accounts = self.hub_account.iter().cloned().collect();
        let hub_options = HubOptions {
            anonymous_pulls: Some(self.anonymous_pulls),
            accounts,
            ..HubOptions::default()
        };
        let hub = RegistryServer::hub(&ImageStore::new(clock.clone()), hub_options);
        let ecr = RegistryServer::ecr(&store, EcrOptions::default());
        let public = RegistryServer::open(
            &ImageStore::new(clock.clone()),
            OpenOptions { anonymous_token: true, ..OpenOptions::default() },
        );
        let images = EcrApi::new(&store).downloads_from(&ecr);

        let queues = Sqs::new(clock.clone())
            .with_queue(WORK_QUEUE, 360)
            .with_queue(DEAD_LETTERS, 30)
            .with_queue(MIRROR_QUEUE, 960)
            .with_queue(PLAN_QUEUE, 960);
        let parameters = Parameters::new(clock.clone());
        if let Some(text) = &self.mirror_config {
            parameters.set(MIRROR_CONFIG, &text.replace("{registry}", &images.host()));
        }
        let schedules = FakeSchedules::new();
        let secrets = Secrets::new();
        if let Some(account) = &self.hub_account {
            secrets.set(HUB_SECRET, &json!({"username": account.name, "accessToken": account.password}).to_string());
        }
        let queues = queues.with_redrive(WORK_QUEUE, DEAD_LETTERS, 20);
        let topic = Sns::new(clock.clone()).with_topic(TOPIC);
        let bus = EventBridge::new(clock.clone());
        let incidents = |name: &str| {
            let schema = Schema::new(name, text("pk")).sort(text("sk"));
            let schema = schema.index("open-index", text("open"), Some(text("sk")), Projection::All);
            let projected = ["subject", "quiet", "wakes"].map(str::to_owned).to_vec();
            schema.index("due-index", text("shard"), Some(numeric("due_at")), Projection::Include(projected))
        };
        let tables = DynamoDb::new(clock.clone()).with_table(incidents(TABLE)).with_table(incidents(OTHER_TABLE));
        let iam = Iam::new().with_role("pull").allow("pull", "ecr:*", "*").with_role("bare");
        let scaling = AutoScaling::new(clock.clone());
        let stacks = CloudFormation::new(clock.clone());
        let balancers = FakeTargetGroups::new();
        let logs = FakeLogs::new(clock.clone());
        let sts = Sts::default();
        let aws = FakeAws::new(clock.clone())
            .with_service("ecs", Arc::new(ecs.clone()))
            .with_service("ecr", Arc::new(images.clone()))
            .with_service("sqs", Arc::new(queues.clone()))
            .with_service("sns", Arc::new(topic.clone()))
            .with_service("events", Arc::new(bus.clone()))
            .with_service("iam", Arc::new(iam.clone()))
            .with_service("application-autoscaling", Arc::new(scaling.clone()))
            .with_service("cloudformation", Arc::new(stacks.clone()))
            .with_service("ssm", Arc::new(parameters.clone()))
            .with_service("scheduler", Arc::new(schedules.clone()))
            .with_service("secretsmanager", Arc::new(secrets.clone()))
            .with_service("elasticloadbalancing", Arc::new(balancers.clone()))
            .with_service("logs", Arc::new(logs.clone()))
            .with_service("sts", Arc::new(sts.clone()))
            .with_service("tag", Arc::new(FakeTagging::new(ecs.clone())))
            .with_dynamodb(tables.clone());

        let scheduler =
            Scheduler::new(&ecs, self.pacing.clone(), Arc::new(puller(&hub, &ecr, &public, &images, &store)));
        ecs.call("CreateCluster", &json!({ "clusterName": CLUSTER })).expect("a new ECS takes a cluster");
        let config = aws.sdk_config_with_attempts(self.attempts);
        let mirror_settings = MirrorSettings {
            config_parameter: self.mirror_config.is_some().then(|| MIRROR_CONFIG.to_owned()),
            hub_secret: self.hub_account.is_some().then(|| Secrets::arn(HUB_SECRET)),
            registry: Some(images.host()),
            ..mirror_settings()
        };
        let mirror = MirrorFunction::new(
            mirror_settings.clone(),
            config.clone(),
            endpoints(&hub, &ecr, &public, &images),
            reading(&clock),
        );
        let mirror = mirror.with_timeouts(PATIENT);
        let mut world = World {
            next_sweep: self.start.plus_seconds(SWEEP_SECONDS),
            clock,
            aws,
            ecs,
            scheduler,
            hub,
            images,
            ecr,
            public,
            queues,
            topic,
            bus,
            tables,
            iam,
            scaling,
            stacks,
            balancers,
            logs,
            sts,
            remediator: None,
            mirror,
            schedules,
            parameters,
            secrets,
            mirror_settings,
            answers: Vec::new(),
            config: config.clone(),
            events_seen: 0,
            pushes_seen: 0,
            invocations: 0,
            lambda: None,
        };
        if self.pullsafe {
            let settings: Vec<(&str, &str)> =
                self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            world.remediator = Some(remediator(&config, &world, &settings));
        }
        world
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Registers a task definition whose containers are named `app`, `side`, ... in order, with these images.
    ///
    /// # Panics
    /// If ECS refuses it.
    pub fn define(&self, family: &str, images: &[&str]) -> String {
        self.define_with_role(family, images, ROLE)
    }

    /// Like [`Self::define`], with another execution role.
    ///
    /// # Panics
    /// If ECS refuses it.
    pub fn define_with_role(&self, family: &str, images: &[&str], role: &str) -> String {
        let names = ["app", "side", "third"];
        let containers: Vec<Value> = images
            .iter()
            .zip(names)
            .map(|(image, name)| json!({ "name": name, "image": image, "essential": true }))
            .collect();
        let definition = json!({
            "family": family, "executionRoleArn": role, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "2048", "memory": "4096",
            "containerDefinitions": containers,
        });
        let answer = self.ecs.call("RegisterTaskDefinition", &definition).expect("ECS takes the definition");
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap_or_default().to_owned()
    }

    /// Registers a task definition with these containers, exactly as given.
    ///
    /// # Panics
    /// If ECS refuses it.
    pub fn define_containers(&self, family: &str, containers: Value) -> String {
        let definition = json!({
            "family": family, "executionRoleArn": ROLE, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "2048", "memory": "4096",
            "containerDefinitions": containers,
        });
        let answer = self.ecs.call("RegisterTaskDefinition", &definition).expect("ECS takes the definition");
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap_or_default().to_owned()
    }

    /// Creates a service of a task definition; `more` is merged into the request.
    ///
    /// # Panics
    /// If ECS refuses it.
    pub fn create_service(&self, name: &str, definition: &str, count: i64, more: Value) {
        let mut request = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": definition, "desiredCount": count, "launchType": "FARGATE",
        });
        if let (Value::Object(request), Value::Object(more)) = (&mut request, more) {
            request.extend(more);
            // A DAEMON service has no desired count of its own.
            if request.get("schedulingStrategy").is_some_and(|strategy| strategy == "DAEMON") {
                request.remove("desiredCount");
            }
        }
        self.ecs.call("CreateService", &request).expect("ECS takes the service");
    }

    /// Makes Application Auto Scaling scale a service between these counts.
    pub fn scale(&mut self, resource: &str, minimum: i64, maximum: i64) {
        self.scaling = self.scaling.clone().with_service(resource, minimum, maximum);
    }

    /// Suspends scaling in, as a person would.
    ///
    /// # Panics
    /// If Application Auto Scaling does not know the service.
    pub fn suspend_scale_in(&self, resource: &str) {
        let request = json!({
            "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": "ecs:service:DesiredCount",
            "SuspendedState": { "DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false },
        });
        self.scaling.call("RegisterScalableTarget", &request).expect("the service is scaled");
    }

    /// Makes a service part of a stack in this status.
    pub fn in_stack(&mut self, service: &str, stack: &str, status: &str) {
        self.stacks = self.stacks.clone().with_stack(stack, status);
        let arn = self.service(service)["serviceArn"].as_str().unwrap_or_default().to_owned();
        self.ecs.set_aws_tag(&arn, "aws:cloudformation:stack-name", stack);
    }

    /// Loses the push events that have not been delivered yet: ECR sends events on a best-effort basis.
    pub fn lose_push_events(&mut self) {
        self.pushes_seen = self.images.store().pushes().len();
    }

    /// Calls UpdateService as a person would.
    ///
    /// # Panics
    /// If ECS refuses it.
    pub fn update_service(&self, name: &str, change: Value) {
        let mut request = json!({ "cluster": CLUSTER, "service": name });
        if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
            request.extend(change);
        }
        self.ecs.call("UpdateService", &request).expect("ECS takes the change");
    }
}

pub(super) fn remediator(config: &SdkConfig, world: &World, settings: &[(&str, &str)]) -> Remediator {
    let registry_host = world.images.host();
    let lookup = |name: &str| {
        if let Some((_, value)) = settings.iter().rev().find(|(key, _)| *key == name) {
            return Some((*value).to_owned());
        }
        match name {
            "PULLSAFE_MODE" => Some("act".to_owned()),
            // A scenario about a failure needs the failure to happen.
            "PULLSAFE_AHEAD" => Some("off".to_owned()),
            // Only the scenarios about young deployments wait until they are old enough.
            "PULLSAFE_PAUSE_AFTER_MINUTES" => Some("0".to_owned()),
            "AWS_LAMBDA_FUNCTION_NAME" => Some(FUNCTION.to_owned()),
            "PULLSAFE_STACK" => Some(STACK.to_owned()),
            "PULLSAFE_TABLE" => Some(TABLE.to_owned()),
            "PULLSAFE_TOPIC_ARN" => Some(Sns::arn(TOPIC)),
            "PULLSAFE_QUEUE_URL" => Some(Sqs::url(WORK_QUEUE)),
            "PULLSAFE_MIRROR_QUEUE_URL" => Some(Sqs::url(MIRROR_QUEUE)),
            "PULLSAFE_MIRROR_REGISTRY" => Some(registry_host.clone()),
            _ => None,
        }
    };
    let settings = Settings::read(lookup).expect("the scenario's settings are right");
    let clock = reading(&world.clock);
    let endpoints = endpoints(&world.hub, &world.ecr, &world.public, &world.images);
    let credentials = Arc::new(EcrCredentials::new(EcrRegions::new(config.clone()), clock.clone()));
    let registry = Client::new(Config { endpoints, credentials, ..Config::new(clock.clone()) });
    Remediator::new(settings, config, registry, clock)
}

pub(super) fn mirror(config: &SdkConfig, world: &World) -> MirrorFunction {
    let endpoints = endpoints(&world.hub, &world.ecr, &world.public, &world.images);
    MirrorFunction::new(world.mirror_settings.clone(), config.clone(), endpoints, reading(&world.clock))
        .with_timeouts(PATIENT)
}

/// The settings of the mirror, as the stack sets them.
fn mirror_settings() -> MirrorSettings {
    MirrorSettings {
        table: Some(TABLE.to_owned()),
        topic_arn: Some(Sns::arn(TOPIC)),
        queue_url: Some(Sqs::url(MIRROR_QUEUE)),
        plan_queue_url: Some(Sqs::url(PLAN_QUEUE)),
        ..MirrorSettings::default()
    }
}

fn reading(clock: &VirtualClock) -> Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

fn endpoints(hub: &RegistryServer, ecr: &RegistryServer, public: &RegistryServer, images: &EcrApi) -> Endpoints {
    let (hub, host) = (hub.url(), images.host());
    let text = format!("docker.io={hub},hub.docker.com={hub},{host}={},public.ecr.aws={}", ecr.url(), public.url());
    text.parse().expect("addresses of local servers are well-formed")
}

/// The tasks' access to the registries: one NAT address, and ECR's password only for a role that may have it.
fn puller(
    hub: &RegistryServer,
    ecr: &RegistryServer,
    public: &RegistryServer,
    images: &EcrApi,
    store: &ImageStore,
) -> HttpPuller {
    let (host, store) = (images.host(), store.clone());
    HttpPuller::new(NAT)
        .endpoint("docker.io", hub.url())
        .endpoint("public.ecr.aws", public.url())
        .endpoint(&images.host(), ecr.url())
        .login(Arc::new(move |registry: &str, role: Option<&str>| {
            (registry == host && role == Some(ROLE))
                .then(|| ("AWS".to_owned(), store.credentials().issue(store.clock().now()).0))
        }))
}
