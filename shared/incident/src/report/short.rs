//! The short form, for a message: the telling lines of the timeline, and the quota in two sentences.

use super::quota::Quota;
use super::{cut, entry_line};
use crate::incident::Incident;
use pullsafe::foreign::visible;
use pullsafe::timestamp::Timestamp;

/// Lines of the beginning and of the end.
const FIRST: usize = 2;
const LAST: usize = 4;
/// Longest line, in characters.
const SHORT: usize = 200;

/// The beginning and the end of the timeline, with how much was left out between them.
pub fn timeline(incident: &Incident) -> Vec<String> {
    let all = &incident.timeline;
    // Saying that one line was left out would take as much room as the line.
    let left_out = Some(all.len().saturating_sub(FIRST + LAST)).filter(|left_out| *left_out > 1).unwrap_or(0);
    let mut lines = Vec::new();
    for (index, entry) in all.iter().enumerate() {
        if left_out > 0 && index == FIRST {
            lines.push(format!("... {left_out} more"));
        }
        if left_out == 0 || index < FIRST || index >= FIRST + left_out {
            lines.push(format!("{} {}", entry.at, cut(&visible(&entry_line(incident, &entry.what)), SHORT)));
        }
    }
    lines
}

/// The quota's estimate as of the incident's newest line; nothing where no launch tried a pull of Docker Hub.
pub fn quota(incident: &Incident) -> Vec<String> {
    let newest = incident.timeline.iter().map(|entry| entry.at).max().unwrap_or(incident.opened_at);
    Quota::of(incident, newest).map(|quota| brief(&quota, newest)).unwrap_or_default()
}

fn brief(quota: &Quota, at: Timestamp) -> Vec<String> {
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
