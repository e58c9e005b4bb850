//! Case A, the rate-limit loop: `replay.rs` plays both worlds, `check.rs` holds them to the case's record, `story.rs`
//! tells them.

mod check;
mod plot;
pub mod replay;
mod story;

#[cfg(test)]
mod tests;

use super::{CaseReport, DemoError, DemoStage};

pub use replay::ReplayA;

/// Plays and tells it.
pub(super) async fn tell(stage: &mut DemoStage<'_>) -> CaseReport {
    story::opening(stage)?;
    stage.working("an evening without pullsafe");
    let left = replay::without_pullsafe().await;
    stage.working("the same evening with pullsafe");
    let right = replay::with_pullsafe().await;
    stage.done_working();
    story::left_alone(stage, &left)?;
    story::with_pullsafe(stage, &right)?;
    plot::draw(stage, &left, &right)?;
    story::notices(stage, &right)?;
    let report = right.report();
    if let Some(report) = &report {
        story::report(stage, report)?;
    }
    let mut faults = check::faults(&left, &right);
    faults.extend(report.is_none().then(|| "there is no incident to report".to_owned()));
    if !faults.is_empty() {
        return Err(DemoError::Wrong(faults));
    }
    story::closing(stage, &left, &right)?;
    Ok(report)
}

/// Plays the evening with pullsafe, and tells the course of it and nothing else.
pub(super) async fn tell_shortly(stage: &mut DemoStage<'_>) -> Result<(), DemoError> {
    let left = replay::without_pullsafe().await;
    let right = replay::with_pullsafe().await;
    let faults = check::faults(&left, &right);
    if !faults.is_empty() {
        return Err(DemoError::Wrong(faults));
    }
    story::opening(stage)?;
    story::with_pullsafe(stage, &right)?;
    Ok(story::closing(stage, &left, &right)?)
}
