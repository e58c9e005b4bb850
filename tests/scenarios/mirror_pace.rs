//! PutImage's quota, which all workers share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mirror::aws::shared_allowance::{SharedAllowance, WORKERS};
use pullsafe::clock::Clock;
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::Allowance as _;
use pullsafe_registry::decide::limiter::{Admission, Ended, Limiter, Rate, RequestKind};
use scenarios::world::{PLAN_QUEUE, Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Sample;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

const QUOTA: usize = 10;
const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// An ECR that records when each PutImage came.
#[derive(Debug, Clone, Default)]
struct Counting(Arc<Mutex<Vec<Instant>>>);

impl Counting {
    fn put_image(&self) {
        self.0.lock().unwrap().push(Instant::now());
    }

    fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().clone()
    }

    /// The most calls within any one second.
    fn most_in_a_second(&self) -> usize {
        let times = self.times();
        let within = |first: &Instant| {
            times
                .iter()
                .filter(|time| *time >= first && time.duration_since(*first) < Duration::from_secs(1))
                .count()
        };
        times.iter().map(within).max().unwrap_or_default()
    }

    fn took(&self) -> Duration {
        let times = self.times();
        times.last().zip(times.first()).map(|(last, first)| *last - *first).unwrap_or_default()
    }
}

/// A clock that shows the runtime's time, starting from the world's current time.
fn clock(world: &World) -> Clock {
    let (start, begin) = (world.clock.now(), Instant::now());
    Arc::new(move || Timestamp::from_millis(start.millis() + i64::try_from(begin.elapsed().as_millis()).unwrap()))
}

/// Lets `workers` processes put `manifests` manifests each, as fast as they may.
async fn put(world: &World, workers: usize, manifests: usize) -> Counting {
    let ecr = Counting::default();
    let mut all = JoinSet::new();
    for _ in 0..workers {
        let allowance = Arc::new(SharedAllowance::new(&world.aws.sdk_config(), TABLE, clock(world)));
        for _ in 0..manifests {
            let (allowance, ecr) = (Arc::clone(&allowance), ecr.clone());
            all.spawn(async move {
                allowance.admit(REGISTRY, RequestKind::WriteManifest).await;
                ecr.put_image();
            });
        }
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    ecr
}

fn pace_rows(world: &World) -> Vec<Value> {
    let rows = world.tables.items(TABLE);
    rows.iter()
        .filter(|row| row["sk"].as_str().is_some_and(|key| key.starts_with("pace#")))
        .map(|row| json!(row))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn three_workers_together_stay_within_the_quota_and_use_it() {
    let world = Setup::new().build();
    let ecr = put(&world, 3, 20).await;
    assert_eq!((ecr.times().len(), ecr.most_in_a_second()), (60, QUOTA));
    let ideal = Duration::from_secs(5);
    assert!(ecr.took() >= ideal && ecr.took() < ideal + Duration::from_millis(500), "{:?}", ecr.took());
    let rows = pace_rows(&world);
    assert!(rows.len() == 1 && !rows[0]["expires_at"].is_null(), "{rows:?}");
    let writes = world.aws.calls().iter().filter(|call| call.operation == "UpdateItem").count();
    assert!(writes <= 32, "{writes} writes for 60 manifests");
}

/// A worker that knows nothing of the others. It has its own limiter and makes as many attempts as the client.
struct Lone {
    limiter: Mutex<Limiter>,
    freed: Notify,
    begin: Instant,
}

impl Lone {
    fn new(rate: Rate) -> Arc<Self> {
        Arc::new(Self {
            limiter: Mutex::new(Limiter::new(Some(rate), 16)),
            freed: Notify::new(),
            begin: Instant::now(),
        })
    }

    async fn admitted(&self) {
        loop {
            let admission = self.limiter.lock().unwrap().admit(self.begin.elapsed());
            match admission {
                Admission::Go => return,
                Admission::At(moment) => tokio::time::sleep_until(self.begin + moment).await,
                Admission::Full => self.freed.notified().await,
            }
        }
    }

    /// Puts a manifest. Returns whether ECR took it within four attempts.
    async fn put(&self, ecr: &Mutex<Limiter>) -> bool {
        for attempt in 0..4 {
            self.admitted().await;
            tokio::time::sleep(Duration::from_millis(40)).await;
            let taken = {
                let mut ecr = ecr.lock().unwrap();
                let taken = matches!(ecr.admit(self.begin.elapsed()), Admission::Go);
                ecr.ended(Ended::Well, self.begin.elapsed());
                taken
            };
            self.limiter
                .lock()
                .unwrap()
                .ended(if taken { Ended::Well } else { Ended::Throttled(None) }, self.begin.elapsed());
            self.freed.notify_one();
            if taken {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
        }
        false
    }
}

/// How many manifests are given up, and how long it takes, if each worker keeps only to this rate.
async fn put_alone(workers: usize, manifests: usize, per_second: f64) -> (usize, Duration) {
    let published = Rate::published(REGISTRY, RequestKind::WriteManifest).unwrap();
    let ecr = Arc::new(Mutex::new(Limiter::new(Some(published), 1000)));
    let (begin, mut all) = (Instant::now(), JoinSet::new());
    for _ in 0..workers {
        let worker = Lone::new(Rate { per_second, burst: per_second.max(1.0) });
        for _ in 0..manifests {
            let (worker, ecr) = (Arc::clone(&worker), Arc::clone(&ecr));
            all.spawn(async move { worker.put(&ecr).await });
        }
    }
    let mut given_up = 0;
    while let Some(taken) = all.join_next().await {
        given_up += usize::from(!taken.unwrap());
    }
    (given_up, begin.elapsed())
}

/// Why the quota is shared: the result of the same workers without sharing.
#[tokio::test(start_paused = true)]
async fn without_sharing_six_give_manifests_up_and_one_that_keeps_to_its_sixth_takes_six_times_as_long() {
    let (given_up, _) = put_alone(WORKERS, 50, 10.0).await;
    assert!(given_up > 50 * WORKERS / 10, "{given_up} of {} given up", 50 * WORKERS);
    let (given_up, took) = put_alone(1, 50, 10.0 / 6.0).await;
    assert!(given_up == 0 && took > Duration::from_secs(25), "{took:?}");
    let world = Setup::new().build();
    let shared = put(&world, 1, 50).await;
    assert!(shared.took() < Duration::from_secs(5), "{:?}", shared.took());
}

#[tokio::test(start_paused = true)]
async fn one_worker_alone_has_full_speed_from_the_start() {
    let world = Setup::new().build();
    let begin = Instant::now();
    let ecr = put(&world, 1, QUOTA).await;
    assert_eq!(ecr.times().len(), QUOTA);
    assert!(begin.elapsed() < Duration::from_millis(10), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_died_takes_half_a_second_of_the_quota_with_it() {
    let world = Setup::new().build();
    let dead = SharedAllowance::new(&world.aws.sdk_config(), TABLE, clock(&world));
    for _ in 0..4 {
        let admitted: Vec<_> = (0..5).map(|_| dead.admit(REGISTRY, RequestKind::WriteManifest)).collect();
        // The process takes its grants and dies before it has used the later ones.
        let _ = tokio::time::timeout(Duration::from_millis(1), futures_util::future::join_all(admitted)).await;
    }
    let ecr = put(&world, 2, 5).await;
    assert_eq!(ecr.times().len(), 10);
    assert!(ecr.took() < Duration::from_secs(3), "{:?}", ecr.took());
}

#[tokio::test(start_paused = true)]
async fn without_the_table_each_keeps_to_its_share() {
    for kind in [FaultKind::InternalError, FaultKind::AccessDenied] {
        let world = Setup::new().build();
        world.aws.inject(AwsFault::on("dynamodb", "UpdateItem", kind).always());
        let ecr = put(&world, WORKERS, 10).await;
        assert_eq!(ecr.times().len(), 10 * WORKERS);
        assert!(ecr.most_in_a_second() <= 2 * WORKERS, "{}", ecr.most_in_a_second());
        assert!(ecr.took() < Duration::from_secs(8), "it goes on all the same: {:?}", ecr.took());
    }
}

#[tokio::test(start_paused = true)]
async fn only_put_image_of_ecr_is_shared() {
    let world = Setup::new().build();
    let allowance = SharedAllowance::new(&world.aws.sdk_config(), TABLE, clock(&world));
    for action in [RequestKind::ReadManifest, RequestKind::ReadBlob, RequestKind::OpenUpload, RequestKind::WriteBlob] {
        allowance.admit(REGISTRY, action).await;
    }
    for registry in ["docker.io", "ghcr.io", "public.ecr.aws", "127.0.0.1:5000"] {
        allowance.admit(registry, RequestKind::WriteManifest).await;
    }
    assert_eq!(world.aws.calls().len(), 0);
}

/// Three processes of the function at once. Another test shows that the granted times are far enough apart; this one
/// shows that every PutImage has a grant.
#[tokio::test]
async fn every_manifest_that_the_function_puts_has_its_moment() {
    let world = Setup::new().build();
    for image in 0..6_u64 {
        Sample::multi_arch(image).build().push(world.hub.store(), &format!("acme/app{image}"), "1");
    }
    let job = |image: u64| json!({"source": format!("acme/app{image}:1"), "target": format!("{}/docker-hub/acme/app{image}:1", world.images.host())});
    for worker in 0..3 {
        world.queues.send(PLAN_QUEUE, &json!({"images": [job(2 * worker), job(2 * worker + 1)]}));
    }
    let deadline = Instant::now() + Duration::from_secs(900);
    let work = (0..3).map(|_| {
        let (mirror, batch) = (world.another_mirror(), world.queues.deliver(PLAN_QUEUE, 1).unwrap());
        async move { mirror.handle(&batch, deadline).await }
    });
    let answers = futures_util::future::join_all(work).await;
    assert!(answers.iter().all(|answer| *answer == json!({"batchItemFailures": []})), "{answers:?}");
    let puts = world
        .ecr
        .log()
        .iter()
        .filter(|access| access.method == "PUT" && access.path.contains("/manifests/"))
        .count();
    assert!(puts > QUOTA, "{puts}");
    let granted = grants(&world);
    assert!(granted.len() >= puts, "{puts} manifests, {granted:?}");
}

/// Every time that was granted, from the writes to the table.
fn grants(world: &World) -> Vec<i64> {
    let calls = world.aws.calls().into_iter().filter(|call| call.operation == "UpdateItem" && call.took_effect());
    let rows: Vec<Vec<i64>> = calls
        .filter_map(|call| {
            serde_json::from_str(call.request["ExpressionAttributeValues"][":granted"]["S"].as_str()?).ok()
        })
        .collect();
    // A write holds the latest ten grants. Those that the write before it lacks are new.
    let mut seen: Vec<i64> = Vec::new();
    for row in rows {
        let known = (0..=row.len()).rev().find(|known| seen.ends_with(&row[..*known])).unwrap_or_default();
        seen.extend(&row[known..]);
    }
    seen
}
