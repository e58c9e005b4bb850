//! The short form for a message: the lines of the timeline that tell the most, and the quota in two sentences.

use crate::happened::Happened;
use crate::incident::Incident;
use crate::line::{cut, entry_line};
use crate::quota::QuotaWindow;
use pullsafe::foreign::visible;
use pullsafe::timestamp::Timestamp;

/// How many lines of the beginning and of the end are always told.
const FIRST: usize = 2;
const LAST: usize = 4;
/// How many lines a message has before even news in the middle is left out; the report has every line.
const MOST: usize = 24;
/// Longest line, in characters.
const SHORT: usize = 200;

/// Returns the timeline for a message. Its middle leaves out stops for a reason that is told already, and what ECS
/// itself says. What pullsafe did or decided is left out only once the message has 24 lines.
pub fn timeline(incident: &Incident) -> Vec<String> {
    let all = &incident.timeline;
    let mut told: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    let mut left_out = Vec::new();
    for (index, entry) in all.iter().enumerate() {
        let is_news = match &entry.what {
            Happened::Stopped { summary, .. } => !told.contains(&summary.as_str()),
            Happened::Decided(_)
            | Happened::Asked { .. }
            | Happened::Approved { .. }
            | Happened::Declined { .. }
            | Happened::Expired(_)
            | Happened::Done(_)
            | Happened::GivenUp(_)
            | Happened::Refused(_)
            | Happened::Ended(_) => true,
            Happened::Said(_) => false,
        };
        if let Happened::Stopped { summary, .. } = &entry.what {
            told.push(summary);
        }
        let line = format!("{} {}", entry.at, cut(&visible(&entry_line(incident, &entry.what)), SHORT));
        if is_news && lines.len() < MOST || index < FIRST || index + LAST >= all.len() {
            lines.extend(skipped(&mut left_out));
            lines.push(line);
        } else {
            left_out.push(line);
        }
    }
    lines
}

/// Says how many lines are left out. A single line is told after all: saying that it was left out would take as much
/// room.
fn skipped(left_out: &mut Vec<String>) -> Option<String> {
    let lines = std::mem::take(left_out);
    match lines.len() {
        0 => None,
        1 => lines.into_iter().next(),
        number => Some(format!("... {number} more stops and events of ECS")),
    }
}

/// Returns the estimate of the quota as of the incident's newest line; empty where no launch tried to pull from Docker
/// Hub.
pub fn quota(incident: &Incident) -> Vec<String> {
    let newest = incident.timeline.iter().map(|entry| entry.at).max().unwrap_or(incident.opened_at);
    QuotaWindow::of(incident, newest).map(|quota| brief(&quota, newest)).unwrap_or_default()
}

fn brief(quota: &QuotaWindow, at: Timestamp) -> Vec<String> {
    let known = if quota.limit_known { "" } else { " (assumed)" };
    let left = match quota.refused_at {
        Some(refused) => format!("nothing was left at {refused}, when Docker Hub refused"),
        None => format!("at most {} were left", quota.left_at_most),
    };
    let mut lines = vec![format!(
        "{} of {}{known} pulls were tried by failed launches in the six hours before {at}; {left}.",
        quota.tried, quota.limit
    )];
    if let Some(all) = quota.all_back_at {
        lines.push(format!("By {all} the window has given them all back, if nothing tries again."));
    }
    lines
}
