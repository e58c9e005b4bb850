//! One world played from 19:17 to 20:10, and what could be seen in it.
//!
//! What made the tasks fail before the quota was used up is not in the case's record. Here the image's configuration
//! breaks off in transfer, exactly as often as there are pulls left; from then on Docker Hub refuses by itself. The 56
//! pulls of the deployments before are put into the window as used at the start, which is how the record counts them.

use http::Method;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::incident::Incident;
use pullsafe_report::Report;
use serde_json::{Value, json};

use scenarios::reported;
use scenarios::world::{CLUSTER, NAT, Setup, World};
use testkit::aws::service::FakeService as _;
use testkit::aws::sns::PublishedMessage;
use testkit::ecs::{Pacing, StackOutcome, StackWatch};
use testkit::registry::{FaultRule, RegistryFault, Sample};

/// The repository at Docker Hub.
pub const REPOSITORY: &str = "iseepatterns/court-case-backend";
/// The image of the service.
pub const IMAGE: &str = "iseepatterns/court-case-backend:latest";
/// Pulls used by the deployments before, in the same window.
pub const USED_BEFORE: u32 = 56;
/// Docker Hub's quota for one address.
pub const QUOTA: u32 = 100;
/// How long a person waited for the stack.
pub const PATIENCE_SECONDS: i64 = 53 * 60;

const SERVICE: &str = "web";
/// The steps of the model are multiples of this.
const STEP_SECONDS: i64 = 5;
/// Where requests come from that are not behind the NAT gateway.
const MIRROR_ADDRESS: &str = "lambda";

/// What a world went through.
#[derive(Debug, Clone)]
pub struct ReplayA {
    /// When the deployment started.
    pub start: Timestamp,
    /// When the person gave up, or would have.
    pub end: Timestamp,
    /// Every few seconds.
    pub samples: Vec<Sampled>,
    /// Every task, in the order of launch.
    pub tasks: Vec<Task>,
    /// What people were told.
    pub told: Vec<PublishedMessage>,
    /// The digest of the image at Docker Hub.
    pub digest: String,
    /// What the mirror announced.
    pub mirrored: Option<Value>,
    /// Pulls that the mirror spent from its own address.
    pub mirror_pulls: u32,
    /// The calls with which pullsafe changed something.
    pub writes: Vec<String>,
    /// What became of the stack, and when.
    pub stack: (StackOutcome, Timestamp),
    /// Tasks that run at the end, and how many should.
    pub running: (u64, u64),
    /// The image of the service's task definition at the end.
    pub image: String,
    /// When ECS would have done the next thing.
    pub next_due: Option<Timestamp>,
    /// The incident, as the table has it; none where nothing is deployed.
    pub incident: Option<Incident>,
}

/// A look at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sampled {
    /// When.
    pub at: Timestamp,
    /// Pulls used in the window by the tasks' address.
    pub used: u32,
    /// Tries that Docker Hub refused so far.
    pub refused: u32,
    /// Tasks that run.
    pub running: u64,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// When it was launched.
    pub created: Timestamp,
    /// When it ran, if it did.
    pub started: Option<Timestamp>,
    /// When it was over, and why.
    pub stopped: Option<(Timestamp, String)>,
}

impl Task {
    /// The number of tries that its stop reason names.
    pub fn tries(&self) -> Option<u32> {
        let (_, reason) = self.stopped.as_ref()?;
        reason.split_once("retried ")?.1.split_once(" time(s)")?.0.parse().ok()
    }

    /// Which of its tries it makes at a moment, if any.
    fn try_at(&self, moment: Timestamp) -> Option<i64> {
        let pacing = Pacing::case_a();
        let first = self.created.plus_seconds(pacing.provisioning_seconds + pacing.before_pull_seconds);
        let since = moment.seconds_since(first);
        let number = since / pacing.failing_attempt_seconds + 1;
        (since >= 0 && since % pacing.failing_attempt_seconds == 0 && number <= i64::from(pacing.pull_attempts))
            .then_some(number)
    }

    /// Whether Docker Hub's quota stopped it.
    pub fn met_the_quota(&self) -> bool {
        self.stopped.as_ref().is_some_and(|(_, reason)| reason.contains("429 Too Many Requests"))
    }
}

impl ReplayA {
    /// The report of its incident, as of the end.
    pub fn report(&self) -> Option<Report> {
        Some(Report::of(&reported::subject(), self.incident.as_ref()?, self.end))
    }

    /// When the last unit of the quota was used.
    pub fn used_up(&self) -> Option<Timestamp> {
        self.samples.iter().find(|sample| sample.used >= QUOTA).map(|sample| sample.at)
    }

    /// The number of the task that used it, and of its try.
    pub fn last_pull(&self) -> Option<(usize, i64)> {
        let at = self.used_up()?;
        self.tasks.iter().enumerate().find_map(|(index, task)| Some((index + 1, task.try_at(at)?)))
    }

    /// How many tasks were launched before the first that the quota stopped.
    pub fn before_quota(&self) -> usize {
        self.tasks.iter().position(Task::met_the_quota).unwrap_or(self.tasks.len())
    }

    /// What was left of the quota at a moment.
    pub fn left_at(&self, moment: Timestamp) -> u32 {
        let used = self
            .samples
            .iter()
            .take_while(|sample| sample.at <= moment)
            .last()
            .map_or(USED_BEFORE, |sample| sample.used);
        QUOTA.saturating_sub(used)
    }

    /// Tries that Docker Hub refused.
    pub fn refused(&self) -> u32 {
        self.samples.last().map_or(0, |sample| sample.refused)
    }

    /// When each task that ran began to.
    pub fn ran(&self) -> Vec<Timestamp> {
        self.tasks.iter().filter_map(|task| task.started).collect()
    }
}

/// The world without pullsafe.
pub async fn without_pullsafe() -> ReplayA {
    // Boxed, for the compiler gives up on a future with a world in it when it is nested further.
    Box::pin(play(Setup::new().without_pullsafe())).await
}

/// The same world with pullsafe in act mode; its mirror is empty.
pub async fn with_pullsafe() -> ReplayA {
    Box::pin(play(Setup::new())).await
}

async fn play(setup: Setup) -> ReplayA {
    let start = setup.start;
    let end = start.plus_seconds(PATIENCE_SECONDS);
    let mut world = setup.build();
    // Without an image index: a pull is then one request that counts, as in the case.
    let pushed = Sample::new(1).layers(&[3_400_000, 1_100_000]).build();
    pushed.push(world.hub.store(), REPOSITORY, "latest");
    world.hub.quota().spend(NAT, USED_BEFORE, start);
    world
        .hub
        .plant(FaultRule::get("/blobs/", RegistryFault::Reset { after: 0 }).times((QUOTA - USED_BEFORE) as usize));
    let definition = world.define("court", &[IMAGE]);
    world.create_service(SERVICE, &definition, 2, json!({}));
    let watch = StackWatch::begin(&world.service(SERVICE), start, PATIENCE_SECONDS);

    let mut samples = vec![sample(&world)];
    let mut stack = (StackOutcome::Waiting { seconds: 0 }, start);
    while world.clock.now() < end {
        world.run_for(STEP_SECONDS).await;
        samples.push(sample(&world));
        let now = world.clock.now();
        if matches!(stack.0, StackOutcome::Waiting { .. }) {
            stack = (watch.look(&world.service(SERVICE), now), now);
        }
    }
    let service = world.service(SERVICE);
    let count = |member: &str| service[member].as_u64().unwrap_or_default();
    ReplayA {
        start,
        end,
        samples,
        tasks: tasks(&world),
        told: world.told(),
        digest: pushed.digest().to_string(),
        mirrored: world
            .bus
            .events()
            .into_iter()
            .find(|event| event["detail-type"] == "Image Mirrored")
            .map(|event| event["detail"].clone()),
        mirror_pulls: world.hub.quota().used(MIRROR_ADDRESS),
        writes: world.writes(),
        stack,
        running: (count("runningCount"), count("desiredCount")),
        image: image(&world, &service),
        next_due: world.scheduler.next_due(),
        incident: reported::find_archived(&world),
    }
}

fn sample(world: &World) -> Sampled {
    let refused = world
        .hub
        .log()
        .iter()
        .filter(|access| access.source == NAT && access.method == Method::GET && access.status == 429)
        .count();
    Sampled {
        at: world.clock.now(),
        used: world.hub.quota().used(NAT),
        refused: u32::try_from(refused).unwrap_or(u32::MAX),
        running: world.service(SERVICE)["runningCount"].as_u64().unwrap_or_default(),
    }
}

fn tasks(world: &World) -> Vec<Task> {
    let mut arns = Vec::new();
    for status in ["RUNNING", "STOPPED"] {
        let answer = ask(world, "ListTasks", &json!({ "cluster": CLUSTER, "desiredStatus": status }));
        arns.extend(answer["taskArns"].as_array().cloned().unwrap_or_default());
    }
    let answer = ask(world, "DescribeTasks", &json!({ "cluster": CLUSTER, "tasks": arns }));
    let mut tasks: Vec<Task> = answer["tasks"].as_array().into_iter().flatten().filter_map(task).collect();
    tasks.sort_by_key(|task| task.created);
    tasks
}

fn task(task: &Value) -> Option<Task> {
    let moment = |member: &str| task[member].as_f64().map(Timestamp::from_epoch_seconds);
    let reason = task["stoppedReason"].as_str().unwrap_or_default().to_owned();
    Some(Task {
        created: moment("createdAt")?,
        started: moment("startedAt"),
        stopped: moment("stoppedAt").map(|at| (at, reason)),
    })
}

fn image(world: &World, service: &Value) -> String {
    let answer = ask(world, "DescribeTaskDefinition", &json!({ "taskDefinition": service["taskDefinition"] }));
    answer["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default().to_owned()
}

fn ask(world: &World, operation: &str, request: &Value) -> Value {
    world.ecs.call(operation, request).expect("the model of ECS answers a question")
}
