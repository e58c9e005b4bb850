//! The words. Every number and every time in them is read from the replay.

use std::io;

use pullsafe::timestamp::Timestamp;
use pullsafe_report::{Report, markdown};

use super::replay::{IMAGE, QUOTA, ReplayA, Task, USED_BEFORE};
use crate::demo::stage::{DemoStage, Paint, WIDTH, clock, section, wrap};
use testkit::aws::sns::PublishedMessage;

/// What is to be seen, and what of it is real.
pub(super) fn opening(stage: &mut DemoStage<'_>) -> io::Result<()> {
    stage.line("")?;
    let title = stage.paint(Paint::Bold, "pullsafe: the rate-limit loop, replayed");
    stage.line(&format!(" {title}"))?;
    stage.line("")?;
    stage.say(&format!(
        "Service prod/web on Fargate wants 2 tasks of {IMAGE}, a Docker Hub image, pulled anonymously from behind one \
         NAT address. \
         Docker Hub gives one address {QUOTA} pulls in its window of six hours."
    ))?;
    stage.line("")?;
    stage.say(
        "Real: the functions' code, the registry client, every request to Docker Hub and ECR (HTTP, to registries in \
         this process). \
         Modelled: ECS and the APIs of AWS. The clock is virtual.",
    )
}

/// Part 1.
pub(super) fn left_alone(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    stage.heading("1. Left alone")?;
    the_start(stage, replay)?;
    let mut said = false;
    before_the_quota_is_gone(stage, replay, |stage, _| {
        if std::mem::replace(&mut said, true) {
            return Ok(());
        }
        stage.detail(
            Paint::Plain,
            "What stopped these tasks is not on record; here a transfer breaks off. Each try is a pull all the same.",
        )
    })?;
    the_hundredth(stage, replay)?;
    let mut told = false;
    for (index, task) in replay.tasks.iter().enumerate().skip(replay.before_quota()) {
        stopped(stage, replay, index, task, Paint::Red)?;
        if !told && let Some((_, reason)) = &task.stopped {
            stage.detail(Paint::Dim, reason)?;
        }
        told = true;
    }
    if let Some(next) = replay.next_due {
        let text = "PROVISIONING, PENDING, STOPPED, and again. ECS pauses longer after each round;";
        stage.detail(Paint::Plain, &format!("{text} the next launch is due at {}.", clock(next)))?;
    }
    let minutes = replay.stack.1.seconds_since(replay.start) / 60;
    stage.row(
        replay.stack.1,
        Paint::Red,
        &format!("{minutes} minutes in, a person gives the stack up"),
        replay.left_at(replay.stack.1),
    )?;
    let tries: u32 = replay.tasks.iter().filter_map(Task::tries).sum();
    let refused = replay.refused();
    stage.detail(
        Paint::Plain,
        &format!(
            "CloudFormation still waits. {} tasks, {tries} tries: {} pulls, {refused} refusals, {} of {} tasks \
             RUNNING.",
            replay.tasks.len(),
            tries - refused,
            replay.running.0,
            replay.running.1
        ),
    )
}

/// Part 2.
pub(super) fn with_pullsafe(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    stage.heading("2. The same evening, with pullsafe in act mode")?;
    stage.say(
        "AheadOfFailure is off here, so that the failure happens. By default (`warn`) pullsafe fills the mirror and \
         says so when such a \
         deployment starts; with `move`, it moves the service then. Here the mirror is empty.",
    )?;
    stage.line("")?;
    the_start(stage, replay)?;
    let mut notices = replay.told.iter().peekable();
    before_the_quota_is_gone(stage, replay, |stage, moment| {
        while let Some(notice) = notices.next_if(|notice| notice.at <= moment) {
            spoken(stage, replay, notice)?;
            for line in section(&notice.message, "What to do:") {
                stage.detail(Paint::Plain, &line)?;
            }
            stage.detail(
                Paint::Dim,
                "Advice only: where a connection breaks, moving an image is a guess, and pullsafe does not guess.",
            )?;
        }
        Ok(())
    })?;
    the_hundredth(stage, replay)?;
    let Some(task) = replay.tasks.get(replay.before_quota()) else {
        return Ok(());
    };
    stopped(stage, replay, replay.before_quota(), task, Paint::Red)?;
    if let Some((_, reason)) = &task.stopped {
        stage.detail(Paint::Dim, reason)?;
    }
    while let Some(notice) = notices.next_if(|notice| !is_resolved(notice)) {
        spoken(stage, replay, notice)?;
        if is_of(notice, "queued for the mirror") {
            asked(stage, replay, notice)?;
        } else {
            moved(stage, notice)?;
        }
    }
    started(stage, replay)?;
    for notice in notices {
        spoken(stage, replay, notice)?;
        let first = notice.message.lines().next().unwrap_or_default();
        stage.detail(Paint::Green, first)?;
    }
    Ok(())
}

/// The last two messages, whole.
pub(super) fn notices(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    stage.heading("4. What people got")?;
    let skip = replay.told.len().saturating_sub(2);
    if skip > 0 {
        stage.say(&format!("{} messages in all; these are the last two, as they were sent.", replay.told.len()))?;
    }
    for notice in replay.told.iter().skip(skip) {
        stage.line("")?;
        let subject = stage
            .paint(Paint::Bold, &format!("{}  {}", clock(notice.at), notice.subject.as_deref().unwrap_or_default()));
        stage.line(&format!(" ┌ {subject}"))?;
        for line in wrap(notice.message.trim_end(), WIDTH - 3) {
            stage.line(&format!(" │ {line}"))?;
        }
        stage.line(" └")?;
        stage.beat(1500);
    }
    Ok(())
}

/// The report of the incident, to where it says what to change.
pub(super) fn report(stage: &mut DemoStage<'_>, report: &Report) -> io::Result<()> {
    stage.heading("5. The report of the incident")?;
    let text = markdown::report(report);
    let mut in_block = false;
    let shown = text
        .lines()
        .take_while(|line| *line != "## What to do")
        .filter(|line| !line.starts_with("|---") && *line != "| | |");
    for line in shown {
        in_block ^= line.starts_with("```");
        // What is drawn, or is to be copied, stays as it is.
        let lines = if in_block { vec![line.to_owned()] } else { wrap(line, WIDTH - 1) };
        for line in lines {
            stage.line(&format!(" {line}"))?;
        }
    }
    stage.beat(1500);
    Ok(())
}

/// The sum of it.
pub(super) fn closing(stage: &mut DemoStage<'_>, left: &ReplayA, right: &ReplayA) -> io::Result<()> {
    let failed = right
        .tasks
        .iter()
        .find(|task| task.met_the_quota())
        .and_then(|task| task.stopped.as_ref())
        .map(|(at, _)| *at);
    let ran = right.ran().into_iter().max();
    let Some(seconds) = failed.zip(ran).map(|(failed, ran)| ran.seconds_since(failed)) else {
        return Ok(());
    };
    stage.line("")?;
    let text = format!(
        "Left alone: {} of {} tasks after {} minutes. With pullsafe: all RUNNING {seconds} s after the quota stopped \
         the first.",
        left.running.0,
        left.running.1,
        left.stack.1.seconds_since(left.start) / 60
    );
    stage.say(&text)?;
    let right = stage.paint(Paint::Green, "The replay went as the record of the case says, and the cure held.");
    stage.line(&format!(" {right}"))
}

fn the_start(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    let head = stage.paint(Paint::Dim, &format!(" {:<5}  {:<49} {}", "time", "what happens", "pulls left"));
    stage.line(&head)?;
    stage.row(replay.start, Paint::Plain, "Deployment 77 starts", replay.left_at(replay.start))?;
    let text = format!(
        "{USED_BEFORE} of {QUOTA} pulls are used, as the record counts: deployment 75, 6 tasks x 7 = 42; deployment \
         76, 2 x 7 = 14."
    );
    stage.detail(Paint::Plain, &text)
}

/// The first six tasks. What stopped them is told once; `then` tells what else there is to say at each stop.
fn before_the_quota_is_gone(
    stage: &mut DemoStage<'_>,
    replay: &ReplayA,
    mut then: impl FnMut(&mut DemoStage<'_>, Timestamp) -> io::Result<()>,
) -> io::Result<()> {
    let mut told = false;
    for (index, task) in replay.tasks.iter().enumerate().take(replay.before_quota()) {
        stopped(stage, replay, index, task, Paint::Plain)?;
        let Some((at, reason)) = &task.stopped else { continue };
        if !told {
            stage.detail(Paint::Dim, reason)?;
            told = true;
        }
        then(stage, *at)?;
    }
    Ok(())
}

fn stopped(stage: &mut DemoStage<'_>, replay: &ReplayA, index: usize, task: &Task, paint: Paint) -> io::Result<()> {
    let Some((at, _)) = &task.stopped else { return Ok(()) };
    let tries = task.tries().unwrap_or_default();
    let why = if task.met_the_quota() { ": 429" } else { ", each a pull" };
    stage.row(*at, paint, &format!("task {} STOPPED after {tries} tries{why}", index + 1), replay.left_at(*at))
}

fn the_hundredth(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    let Some((at, (task, number))) = replay.used_up().zip(replay.last_pull()) else {
        return Ok(());
    };
    let text = format!("try {number} of task {task} is the {QUOTA}th pull");
    stage.row(at, Paint::Red, &text, 0)?;
    stage.detail(
        Paint::Plain,
        &format!("{} launches of 7 tries empty a quota of {QUOTA}. From here on, every pull fails.", QUOTA / 7),
    )
}

/// What pullsafe says, in its own words.
fn spoken(stage: &mut DemoStage<'_>, replay: &ReplayA, notice: &PublishedMessage) -> io::Result<()> {
    let subject = notice.subject.as_deref().unwrap_or_default();
    let text = subject.strip_prefix("pullsafe: prod/web: ").unwrap_or(subject);
    let text = text.split(" (").next().unwrap_or_default();
    stage.row(notice.at, Paint::Cyan, &format!("> pullsafe: {text}"), replay.left_at(notice.at))
}

fn asked(stage: &mut DemoStage<'_>, replay: &ReplayA, notice: &PublishedMessage) -> io::Result<()> {
    for line in notice.message.lines().take(2) {
        stage.detail(Paint::Plain, line)?;
    }
    for line in section(&notice.message, "Done:").iter().take(1) {
        stage.detail(Paint::Plain, line)?;
    }
    let Some(mirrored) = &replay.mirrored else {
        return Ok(());
    };
    stage.row(notice.at, Paint::Cyan, "> the mirror copies the image into ECR", replay.left_at(notice.at))?;
    let bytes = mirrored["bytes_copied"].as_u64().unwrap_or_default();
    stage.detail(Paint::Plain, mirrored["digest"].as_str().unwrap_or_default())?;
    stage.detail(
        Paint::Plain,
        &format!(
            "{bytes} bytes, byte-identical; {} pull from the mirror's own address, none from the tasks'.",
            replay.mirror_pulls
        ),
    )
}

fn moved(stage: &mut DemoStage<'_>, notice: &PublishedMessage) -> io::Result<()> {
    for line in section(&notice.message, "Done:").iter().skip(1).take(1) {
        stage.detail(Paint::Plain, line)?;
    }
    stage.detail(
        Paint::Dim,
        "A copy of the task definition, every field kept, read back and compared; same digest, platform and role \
         checked.",
    )
}

fn started(stage: &mut DemoStage<'_>, replay: &ReplayA) -> io::Result<()> {
    for (index, task) in replay.tasks.iter().enumerate().skip(replay.before_quota() + 1) {
        match (&task.stopped, task.started) {
            (Some((at, _)), _) => {
                let text = format!("task {} STOPPED: replaced", index + 1);
                stage.row(*at, Paint::Plain, &text, replay.left_at(*at))?;
            }
            (None, Some(at)) => stage.row(
                at,
                Paint::Green,
                &format!("task {} RUNNING, from the mirror", index + 1),
                replay.left_at(at),
            )?,
            (None, None) => {}
        }
    }
    if replay.stack.0 == testkit::ecs::StackOutcome::Complete {
        stage.row(
            replay.stack.1,
            Paint::Green,
            "the service is steady, the stack complete",
            replay.left_at(replay.stack.1),
        )?;
    }
    Ok(())
}

fn is_of(notice: &PublishedMessage, remedy: &str) -> bool {
    notice.subject.as_deref().is_some_and(|subject| subject.contains(remedy))
}

fn is_resolved(notice: &PublishedMessage) -> bool {
    notice.subject.as_deref().is_some_and(|subject| subject.ends_with("resolved"))
}
