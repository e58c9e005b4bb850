//! What must have happened: the numbers of the case's record, and the cure.

use pullsafe::timestamp::Timestamp;

use super::replay::ReplayA;
use crate::demo::stage::clock;
use testkit::ecs::StackOutcome;

/// Everything that did not go as it should; nothing if all is well.
pub(super) fn faults(left: &ReplayA, right: &ReplayA) -> Vec<String> {
    let mut faults = CheckFaults::default();
    alone(left, &mut faults);
    cured(right, &mut faults);
    faults.0
}

fn alone(replay: &ReplayA, faults: &mut CheckFaults) {
    let used_up = replay.used_up();
    faults.unless(used_up.map(clock).as_deref() == Some("19:47"), || {
        format!("the 100th pull came at {}, not at 19:47", shown(used_up))
    });
    faults.unless(replay.last_pull() == Some((7, 2)), || {
        format!("the 100th pull was not the seventh task's second but (task, try) {:?}", replay.last_pull())
    });
    faults.unless(replay.tasks.iter().all(|task| task.tries() == Some(7)), || {
        "a task did not try seven times".to_owned()
    });
    faults.unless(replay.tasks.iter().take(6).all(|task| !task.met_the_quota()), || {
        "the quota stopped one of the first six tasks".to_owned()
    });
    let later = replay.tasks.get(6..).unwrap_or_default();
    faults.unless(!later.is_empty() && later.iter().all(|task| task.met_the_quota()), || {
        "from the seventh task on, not every one stopped with 429".to_owned()
    });
    faults.unless(replay.ran().is_empty(), || "a task ran although nothing cured the service".to_owned());
    let timed_out = replay.stack.0 == StackOutcome::TimedOut && clock(replay.stack.1) == "20:10";
    faults.unless(timed_out, || {
        format!("the stack was not given up at 20:10 but is {:?} at {}", replay.stack.0, clock(replay.stack.1))
    });
}

fn cured(replay: &ReplayA, faults: &mut CheckFaults) {
    let (running, desired) = replay.running;
    faults.unless(running == desired && desired == 2, || {
        format!("{running} of {desired} tasks are RUNNING at the end")
    });
    faults.unless(replay.image.contains(".dkr.ecr.") && replay.image.contains("/docker-hub/"), || {
        format!("the service was not moved to the mirror but has {}", replay.image)
    });
    faults.unless(replay.stack.0 == StackOutcome::Complete, || {
        format!("the stack is not complete but {:?}", replay.stack.0)
    });
    faults.unless(replay.mirrored.is_some() && replay.mirror_pulls > 0, || "the mirror copied nothing".to_owned());
    let copied = replay.mirrored.as_ref().and_then(|mirrored| mirrored["digest"].as_str());
    faults.unless(copied == Some(replay.digest.as_str()), || {
        format!("the copy is {copied:?}, the image {}", replay.digest)
    });
    let acts = replay.writes.iter().filter(|write| *write == "ecs:UpdateService").count();
    faults.unless(acts == 1, || format!("the service was updated {acts} times instead of once"));
    let moved = replay
        .told
        .iter()
        .rfind(|notice| notice.subject.as_deref().is_some_and(|subject| subject.contains("moved to the mirror")));
    let tried_since = moved.is_none_or(|notice| {
        // The sample that saw the move is at most one step later.
        let then = replay.samples.iter().find(|sample| sample.at > notice.at);
        then.is_none_or(|then| {
            (then.used, then.refused) != replay.samples.last().map_or((0, 0), |last| (last.used, last.refused))
        })
    });
    faults.unless(!tried_since, || "the tasks asked Docker Hub again after the move".to_owned());
    let resolved = replay
        .told
        .last()
        .and_then(|notice| notice.subject.as_deref())
        .is_some_and(|subject| subject.ends_with("resolved"));
    faults.unless(resolved, || "the incident is not resolved".to_owned());
}

#[derive(Default)]
struct CheckFaults(Vec<String>);

impl CheckFaults {
    fn unless(&mut self, right: bool, fault: impl FnOnce() -> String) {
        if !right {
            self.0.push(fault());
        }
    }
}

fn shown(moment: Option<Timestamp>) -> String {
    moment.map_or_else(|| "no time".to_owned(), clock)
}
