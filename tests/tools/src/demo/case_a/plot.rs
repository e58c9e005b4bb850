//! The quota's window and the running tasks over time, both worlds beside each other.

use std::io;

use super::replay::{QUOTA, ReplayA, Sampled, USED_BEFORE};
use crate::demo::stage::{DemoStage, Paint, clock};

/// Columns of one world.
const COLUMNS: usize = 33;
/// Rows of the curve.
const ROWS: u32 = 6;
/// The curve starts here, so that its slope can be seen.
const FLOOR: u32 = 40;
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws both.
pub(super) fn draw(stage: &mut DemoStage<'_>, left: &ReplayA, right: &ReplayA) -> io::Result<()> {
    stage.heading("3. Pulls used in the window, and tasks that run")?;
    let worlds = [columns(left), columns(right)];
    let titles = [("left alone", Paint::Red), ("with pullsafe", Paint::Green)]
        .map(|(title, paint)| (format!("{title:<COLUMNS$}"), paint));
    let [first, second] = titles.map(|(title, paint)| stage.paint(paint, &title));
    stage.line(&format!("      {first}    {second}"))?;
    for row in (0..ROWS).rev() {
        let label = if row == ROWS - 1 {
            QUOTA.to_string()
        } else if row == 0 {
            FLOOR.to_string()
        } else {
            String::new()
        };
        let [first, second] = worlds.each_ref().map(|columns| curve(stage, columns, row));
        stage.line(&format!(" {label:>3} ┤{first}   ┤{second}"))?;
        stage.beat(150);
    }
    let axis = "─".repeat(COLUMNS);
    stage.line(&format!("     └{axis}   └{axis}"))?;
    let [first, second] = [left, right].map(times);
    stage.line(&format!("      {first}    {second}"))?;
    for task in [2, 1] {
        let [first, second] = worlds.each_ref().map(|columns| running(stage, columns, task));
        let label = if task == 2 { "runs" } else { "" };
        stage.line(&format!(" {label:<4} {first}    {second}"))?;
    }
    stage.beat(2000);
    stage.line("")?;
    stage.say(&format!(
        "{USED_BEFORE} pulls at {}, {QUOTA} from {} on; a block below the axis is a task that runs. The curves are \
         alike: pullsafe gives no \
         pulls back, it takes the service to where none are needed.",
        clock(left.start),
        left.used_up().map(clock).unwrap_or_default()
    ))
}

/// The last look in each column's time.
fn columns(replay: &ReplayA) -> Vec<Sampled> {
    let span = replay.end.seconds_since(replay.start).max(1);
    let seconds = |column: usize| span * i64::try_from(column + 1).unwrap_or(i64::MAX) / COLUMNS as i64;
    let until = |column: usize| replay.start.plus_seconds(seconds(column));
    (0..COLUMNS)
        .filter_map(|column| replay.samples.iter().rev().find(|sample| sample.at <= until(column)).copied())
        .collect()
}

fn curve(stage: &DemoStage<'_>, columns: &[Sampled], row: u32) -> String {
    let cell = |sample: &Sampled| {
        let height = sample.used.saturating_sub(FLOOR) * ROWS * 8 / (QUOTA - FLOOR);
        let text = EIGHTHS[height.saturating_sub(row * 8).min(8) as usize];
        stage.paint(if sample.used >= QUOTA { Paint::Red } else { Paint::Plain }, text)
    };
    columns.iter().map(cell).collect()
}

fn running(stage: &DemoStage<'_>, columns: &[Sampled], task: u64) -> String {
    columns
        .iter()
        .map(|sample| {
            if sample.running >= task {
                stage.paint(Paint::Green, "█")
            } else {
                stage.paint(Paint::Dim, "·")
            }
        })
        .collect()
}

/// Start, the hundredth pull, end, each where it is on the axis.
fn times(replay: &ReplayA) -> String {
    let span = replay.end.seconds_since(replay.start).max(1);
    let mut text = clock(replay.start);
    if let Some(moment) = replay.used_up() {
        let column = usize::try_from(moment.seconds_since(replay.start) * COLUMNS as i64 / span).unwrap_or_default();
        let gap = column.saturating_sub(text.len());
        text = format!("{text}{}{}", " ".repeat(gap), clock(moment));
    }
    let end = clock(replay.end);
    let gap = COLUMNS.saturating_sub(text.len() + end.len());
    format!("{text}{}{end}", " ".repeat(gap))
}
