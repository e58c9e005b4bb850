//! Case D, chicken and egg: the service is created before its image is pushed.

use std::collections::BTreeSet;
use std::io;

use pullsafe::timestamp::Timestamp;
use pullsafe_report::Report;
use serde_json::{Value, json};
use testkit::aws::sns::PublishedMessage;
use testkit::ecs::Pacing;
use testkit::registry::{Mutability, Sample};

use scenarios::reported;
use scenarios::world::{CLUSTER, Setup, World};
use testkit::aws::service::FakeService as _;

use super::stage::{Paint, section};
use super::{CaseReport, DemoError, DemoStage};

const REPOSITORY: &str = "app-mp";
const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:3f2c1ab";
const SERVICE: &str = "web";
const TASKS: i64 = 2;
/// When the pipeline pushes the image, in minutes after the service was created.
const PUSHED_AFTER: i64 = 90;
/// How long is looked on, in minutes.
const WATCHED: i64 = 120;

/// One world, and what could be seen in it.
struct ReplayD {
    start: Timestamp,
    pushed: Timestamp,
    /// Launches that failed before the image was pushed.
    failed: usize,
    told: Vec<PublishedMessage>,
    /// When every task ran.
    ran: Option<Timestamp>,
    world: World,
}

pub(super) async fn tell(stage: &mut DemoStage<'_>) -> CaseReport {
    opening(stage)?;
    stage.working("two hours without pullsafe");
    let left = Box::pin(play(Setup::new().without_pullsafe())).await;
    stage.working("the same two hours with pullsafe");
    let right = Box::pin(play(Setup::new().with("PULLSAFE_PAUSE_AFTER_MINUTES", "30"))).await;
    stage.done_working();
    left_alone(stage, &left)?;
    with_pullsafe(stage, &right)?;
    let faults = faults(&left, &right);
    if !faults.is_empty() {
        return Err(DemoError::Wrong(faults));
    }
    closing(stage, &left, &right)?;
    Ok(reported::find_archived(&right.world)
        .map(|incident| Report::of(&reported::subject(), &incident, right.world.clock.now())))
}

async fn play(setup: Setup) -> ReplayD {
    let mut world = setup.paced(Pacing::default()).build();
    let start = world.clock.now();
    world.images.store().create_repository(REPOSITORY, Mutability::Mutable);
    let definition = world.define("app", &[IMAGE]);
    world.create_service(SERVICE, &definition, TASKS, json!({}));
    let pushed = start.plus_seconds(PUSHED_AFTER * 60);
    // ECS forgets a stopped task after an hour.
    let mut stopped = BTreeSet::new();
    while world.clock.now() < pushed {
        world.run_for(60).await;
        stopped.extend(stopped_tasks(&world));
    }
    let failed = stopped.len();
    Sample::multi_arch(4).build().push(world.images.store(), REPOSITORY, "3f2c1ab");
    world.settle().await;
    let mut ran = None;
    while world.clock.now() < start.plus_seconds(WATCHED * 60) {
        world.run_for(5).await;
        if ran.is_none() && world.service(SERVICE)["runningCount"] == TASKS {
            ran = Some(world.clock.now());
        }
    }
    ReplayD { start, pushed, failed, told: world.told(), ran, world }
}

fn stopped_tasks(world: &World) -> Vec<String> {
    let answer = world.ecs.call("ListTasks", &json!({ "cluster": CLUSTER, "desiredStatus": "STOPPED" }));
    let answer = answer.expect("the model of ECS answers a question");
    answer["taskArns"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|arn| arn.as_str().map(str::to_owned))
        .collect()
}

fn opening(stage: &mut DemoStage<'_>) -> io::Result<()> {
    stage.line("")?;
    let title = stage.paint(Paint::Bold, "pullsafe: chicken and egg, replayed");
    stage.line(&format!(" {title}"))?;
    stage.line("")?;
    stage.say(&format!(
        "The service prod/web wants {TASKS} tasks of {IMAGE}. Its stack is deployed first, and the pipeline that \
         builds the image pushes it \
         {PUSHED_AFTER} minutes later."
    ))
}

fn left_alone(stage: &mut DemoStage<'_>, replay: &ReplayD) -> io::Result<()> {
    stage.heading("1. Left alone")?;
    stage.moment(replay.start, Paint::Plain, "the service is created")?;
    stage.moment(replay.pushed, Paint::Red, &format!("{} tasks have failed: the image is not there", replay.failed))?;
    stage.detail(
        Paint::Plain,
        "Each was placed, given an address, and stopped. ECS waits longer after every round of them.",
    )?;
    stage.moment(replay.pushed, Paint::Plain, "the image is pushed; ECS does not hear of it")?;
    match replay.ran {
        Some(at) => stage.moment(at, Paint::Plain, &format!("{TASKS} tasks RUNNING, by the next launch that was due")),
        None => stage.moment(
            replay.start.plus_seconds(WATCHED * 60),
            Paint::Red,
            "no task runs yet: the next launch is not due",
        ),
    }
}

fn with_pullsafe(stage: &mut DemoStage<'_>, replay: &ReplayD) -> io::Result<()> {
    stage.heading("2. The same, with pullsafe in act mode")?;
    stage.moment(replay.start, Paint::Plain, "the service is created")?;
    let mut pushed = false;
    for notice in &replay.told {
        if notice.at >= replay.pushed && !std::mem::replace(&mut pushed, true) {
            stage.moment(
                replay.pushed,
                Paint::Plain,
                &format!("the image is pushed; until now {} tasks have failed", replay.failed),
            )?;
        }
        let subject = notice.subject.as_deref().unwrap_or_default();
        let subject = subject.strip_prefix("pullsafe: prod/web: ").unwrap_or(subject);
        stage.moment(notice.at, Paint::Cyan, &format!("> pullsafe: {subject}"))?;
        for line in ["Done:", "What to do:"].iter().flat_map(|heading| section(&notice.message, heading)).take(4) {
            stage.detail(Paint::Dim, &line)?;
        }
        if let Some(at) = replay.ran.filter(|at| subject.starts_with("restored") && *at >= notice.at) {
            stage.moment(at, Paint::Green, &format!("{TASKS} tasks RUNNING"))?;
        }
    }
    Ok(())
}

fn closing(stage: &mut DemoStage<'_>, left: &ReplayD, right: &ReplayD) -> io::Result<()> {
    let after = |replay: &ReplayD| match replay.ran {
        Some(at) => format!("{} s after the push", at.seconds_since(replay.pushed)),
        None => format!("not yet, {} minutes after the push", WATCHED - PUSHED_AFTER),
    };
    stage.line("")?;
    stage.say(&format!(
        "Left alone: {} failed tasks, RUNNING {}. With pullsafe: {} failed tasks, RUNNING {}.",
        left.failed,
        after(left),
        right.failed,
        after(right)
    ))
}

/// What has to be so.
fn faults(left: &ReplayD, right: &ReplayD) -> Vec<String> {
    let mut faults = Vec::new();
    let subjects: Vec<&str> = right.told.iter().filter_map(|notice| notice.subject.as_deref()).collect();
    for word in ["paused", "restored", "resolved"] {
        if !subjects.iter().any(|subject| subject.contains(word)) {
            faults.push(format!("nobody was told that it is {word}: {subjects:?}"));
        }
    }
    if right.ran.is_none_or(|at| left.ran.is_some_and(|alone| at >= alone)) {
        faults.push("the service did not run sooner than it would have alone".to_owned());
    }
    if right.failed >= left.failed {
        faults.push(format!("{} tasks failed, and {} without pullsafe", right.failed, left.failed));
    }
    if right.world.service(SERVICE)["tags"].as_array().is_some_and(|tags| tags.iter().any(is_mark)) {
        faults.push("marks are left on the service".to_owned());
    }
    faults
}

fn is_mark(tag: &Value) -> bool {
    tag["key"].as_str().is_some_and(|key| key.starts_with("pullsafe:paused"))
}
