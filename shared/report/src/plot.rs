//! The quota's window as text: a curve of blocks, the limit, and the launches below it.

use super::when::When;
use pullsafe_incident::quota::QuotaWindow;

/// How many columns the curve has.
const COLUMNS: usize = 64;
/// How many rows the curve has.
const ROWS: u32 = 8;
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws the picture as lines of text, for any font of fixed width.
pub(super) fn draw(quota: &QuotaWindow, when: &When) -> String {
    let span = quota.until.seconds_since(quota.from).max(1);
    let columns = i64::try_from(COLUMNS).unwrap_or(1);
    let moment = |column: usize| quota.from.plus_seconds(span * i64::try_from(column).unwrap_or(0) / columns);
    let column = |at: pullsafe::timestamp::Timestamp| {
        let at = at.seconds_since(quota.from).clamp(0, span);
        usize::try_from(at * (columns - 1) / span).unwrap_or(0)
    };
    // The highest value of the window within the column, so that a short peak is not missed.
    let value = |index: usize| {
        let peak = quota
            .launches
            .iter()
            .filter(|used| column(used.at) == index)
            .map(|used| used.window)
            .max()
            .unwrap_or(0);
        peak.max(quota.window_at(moment(index)))
    };
    let values: Vec<u32> = (0..COLUMNS).map(value).collect();
    let top = quota.height();
    let limit_row = (u64::from(quota.limit) * u64::from(ROWS)).div_ceil(u64::from(top)).saturating_sub(1);
    let mut lines = Vec::new();
    for row in (0..ROWS).rev() {
        let label = match row {
            _ if u64::from(row) == limit_row => quota.limit.to_string(),
            0 => "0".to_owned(),
            _ => String::new(),
        };
        let cells: String = values
            .iter()
            .map(|value| {
                let eighths = u64::from(*value) * u64::from(ROWS) * 8 / u64::from(top);
                let height = usize::try_from(eighths.saturating_sub(u64::from(row) * 8).min(8)).unwrap_or(0);
                if height == 0 && u64::from(row) == limit_row { "┄" } else { EIGHTHS[height] }
            })
            .collect();
        lines.push(format!("{label:>10} ┤{}", cells.trim_end()));
    }
    lines.push(format!("{:>10} └{}", "", "─".repeat(COLUMNS)));
    let mut marks = vec![' '; COLUMNS];
    for used in &quota.launches {
        marks[column(used.at)] = '▲';
    }
    lines.push(format!("{:>10}  {}", "launches", marks.iter().collect::<String>().trim_end()));
    if let Some((refused, others)) = quota.refusal().filter(|(refused, _)| *refused >= quota.from) {
        let others = if others == 0 { String::new() } else { format!(" {others} used elsewhere") };
        lines.push(format!("{:>10}  {}▲{others}", "refused", " ".repeat(column(refused))));
    }
    if quota.at >= quota.from && quota.at <= quota.until {
        lines.push(format!("{:>10}  {}│", "as of", " ".repeat(column(quota.at))));
    }
    let (from, until) = (when.at(quota.from), when.at(quota.until));
    let gap = COLUMNS.saturating_sub(from.len() + until.len());
    lines.push(format!("{:>10}  {from}{}{until}", "", " ".repeat(gap)));
    lines.join("\n")
}
