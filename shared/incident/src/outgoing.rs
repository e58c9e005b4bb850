//! A message on its two ways: to people (the topic) and to programs (the bus).
//!
//! The ways do not wait for each other, and a message that went one way is not sent that way again. A way that fails
//! stays open: a passing failure is retried with every look, and a denial until its grace period is over, because a new
//! permission takes a while to count. A message that is refused for good is given up, and the other way says so, so
//! that no incident waits for a topic that is gone.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::incident::Incident;
use super::joins::Joins;
use super::refusal::GRACE_SECONDS;
use super::sight::Sight;
use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Author;

/// A message that still has to go out, and how far it has come on each way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    #[serde(flatten)]
    pub notice: Notice,
    /// How far it has come on the event bus.
    #[serde(default, skip_serializing_if = "Way::is_new")]
    pub programs: Way,
    /// How far it has come on the topic.
    #[serde(default, skip_serializing_if = "Way::is_new")]
    pub people: Way,
    /// What it takes to tell it with an outbreak, where it may be told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joins>,
    /// What it links to besides its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sight: Option<Sight>,
    /// The author that it counts for, where its subject does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
}

/// How far a message has come on one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Not tried yet.
    #[default]
    New,
    /// Tried without success, and tried again with the next look.
    Waiting {
        /// When it failed first.
        since: Timestamp,
        /// How it failed last.
        why: String,
    },
    /// It has arrived.
    Told,
    /// It is told with others, by an outbreak's digest.
    Together,
    /// It will not arrive.
    GivenUp {
        /// The call's failure, and what is missing.
        why: String,
    },
}

/// What kind of failure a way met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The same call may succeed later.
    Passing,
    /// A permission is missing, or is too new to count everywhere.
    Denial,
    /// The same call would be refused again.
    Refusal,
}

impl From<Notice> for Outgoing {
    fn from(notice: Notice) -> Self {
        Self {
            notice,
            programs: Way::New,
            people: Way::New,
            joins: None,
            sight: None,
            author: None,
        }
    }
}

impl Outgoing {
    /// Whether nothing was tried yet.
    pub fn is_new(&self) -> bool {
        self.programs.is_new() && self.people.is_new()
    }

    /// Leaves it to the digests of an outbreak to tell people.
    pub fn goes_with(&mut self, outbreak: &str) {
        self.people = Way::Together;
        self.notice.detail["outbreak"] = json!(outbreak);
        self.notice.detail["to_people"] = json!(false);
    }

    /// Says in the event whether it is the first message of its incident that is told by itself. A message that was
    /// tried before keeps what it said.
    pub fn opens(&mut self, incident: &mut Incident) {
        let is_of_it = self.notice.detail.get("incident").is_some_and(|id| *id == incident.id);
        if is_of_it && self.notice.detail.get("opens").is_none() {
            self.notice.detail["opens"] = json!(!incident.is_opened);
            incident.is_opened = true;
        }
    }

    /// Whether there is something left to try.
    pub fn is_on_its_way(&self) -> bool {
        self.programs.is_open() || self.people.is_open()
    }
}

impl Way {
    /// Whether it is still to be tried.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::New | Self::Waiting { .. })
    }

    fn is_new(&self) -> bool {
        *self == Self::New
    }

    /// Returns why the message has not arrived, if that is known.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Waiting { why, .. } | Self::GivenUp { why } => Some(why),
            Self::New | Self::Told | Self::Together => None,
        }
    }

    /// Returns how far the message has come on this way after a failure.
    #[must_use]
    pub fn after(&self, met: Met, why: String, now: Timestamp) -> Self {
        let since = match self {
            Self::Waiting { since, .. } => *since,
            Self::New | Self::Told | Self::Together | Self::GivenUp { .. } => now,
        };
        let in_time = now.seconds_since(since) < GRACE_SECONDS;
        match met {
            Met::Passing => Self::Waiting { since, why },
            Met::Denial if in_time => Self::Waiting { since, why },
            Met::Denial | Met::Refusal => Self::GivenUp { why },
        }
    }

    /// Whether it has waited for so long, 15 minutes, that somebody should know.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        const SECONDS: i64 = 15 * 60;
        matches!(self, Self::Waiting { since, .. } if now.seconds_since(*since) >= SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_passes_is_never_given_up_and_a_denial_after_its_grace() {
        let begin = Timestamp::from_millis(1_768_504_620_000);
        let later = begin.plus_seconds(GRACE_SECONDS);
        let why = || "no".to_owned();
        let rows = [
            (Met::Passing, begin, true),
            (Met::Passing, later, true),
            (Met::Denial, begin, true),
            (Met::Denial, later, false),
            (Met::Refusal, begin, false),
        ];
        for (met, at, open) in rows {
            let way = Way::New.after(Met::Passing, why(), begin).after(met, why(), at);
            assert_eq!((way.is_open(), way.why()), (open, Some("no")), "{met:?}");
        }
        let waiting = Way::New.after(Met::Passing, why(), begin);
        assert!(!waiting.is_overdue(later) && waiting.is_overdue(begin.plus_seconds(900)));
    }

    #[test]
    fn a_message_of_an_older_version_is_read() {
        let old = json!({"id": "1", "detail_type": "Diagnosis", "subject": "s", "text": "t", "detail": {"a": 1}});
        let read: Outgoing = serde_json::from_value(old.clone()).unwrap();
        assert!(read.is_on_its_way());
        assert_eq!(serde_json::to_value(&read).unwrap(), old, "a message that was not tried looks the same");
        let told = Outgoing {
            programs: Way::Told,
            people: Way::GivenUp { why: "no".to_owned() },
            ..read
        };
        let value: Value = serde_json::to_value(&told).unwrap();
        assert_eq!(serde_json::from_value::<Outgoing>(value).unwrap(), told);
        assert!(!told.is_on_its_way());
    }
}
