//! What happened, in a few sentences, which a person reads first.

use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;

use super::when::When;
use super::{CauseLine, Report};

/// How many causes are told one by one; if there are more, only the first and the latest are.
const TOLD: usize = 3;

/// Returns the sentences, each of which can stand by itself.
pub(super) fn story(report: &Report, when: &When) -> Vec<String> {
    let mut sentences: Vec<String> = match report.causes.as_slice() {
        [] => vec![super::NO_CAUSE.to_owned()],
        [first, between @ .., last] if report.causes.len() > TOLD => {
            let others = format!("Then {} other causes, below.", between.len() + report.causes_left_out);
            vec![failed(first, when), others, failed(last, when)]
        }
        causes => causes.iter().map(|cause| failed(cause, when)).collect(),
    };
    sentences.extend(report.blocker.as_ref().and_then(|blocker| blocker.likely.clone()));
    if let Some(act) = &report.act {
        sentences.push(format!(
            "pullsafe at {}: {} for {}, {}.",
            when.at(act.decided_at),
            act.remedy,
            act.cause,
            act.words()
        ));
    }
    if let Some(waiting) = &report.waiting {
        sentences.push(format!("Since {} pullsafe waits: {}.", when.at(waiting.at), when.text(&waiting.what)));
    }
    sentences
}

fn failed(cause: &CauseLine, when: &When) -> String {
    let (first, last) = (when.at(cause.first_at), when.at(cause.last_at));
    let time = if first == last {
        format!("At {first}")
    } else {
        format!("From {first} to {last}")
    };
    let hidden = cause.hidden_by.map_or_else(String::new, |by| format!(" {}", super::hidden(by)));
    format!("{time} {} failed: {}.{hidden}", count(cause.tasks, "task"), cause.summary)
}

impl Report {
    /// Says in one line when it was.
    pub(super) fn span(&self, when: &When) -> String {
        span(self.opened_at, self.resolved_at, self.as_of, when)
    }
}

/// Says in one line when something was: the day, from when to when, and how long.
pub(super) fn span(began: Timestamp, over: Option<Timestamp>, as_of: Timestamp, when: &When) -> String {
    let (day, from) = (when.day(), when.at(began));
    let lasted = duration(over.unwrap_or(as_of).seconds_since(began).max(0));
    match over {
        Some(over) => format!("{day}, {from} to {} UTC ({lasted})", when.at(over)),
        None => format!("since {day}, {from} UTC ({lasted} until {})", when.at(as_of)),
    }
}

/// Says a length of time in the unit that people would choose.
pub(super) fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => count(seconds, "second"),
        120..7_200 => count(seconds / 60, "minute"),
        7_200..172_800 => count(seconds / 3_600, "hour"),
        172_800.. => count(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_unit_that_people_would_choose() {
        for (seconds, written) in [
            (1, "1 second"),
            (119, "119 seconds"),
            (2_075, "34 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(duration(seconds), written);
        }
    }
}
