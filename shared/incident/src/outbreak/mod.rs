//! An outbreak: incidents with the same cause at the same registry, which people are told as one story.
//!
//! The first incidents of a cause are told one by one. Once there are enough for an outbreak, what a digest can say is
//! left to the digests, which come at growing intervals, and to one message at the end. Only services count. Tasks
//! without a service and builds make no outbreak: whoever may start them can name them as they like, so that their
//! messages have a limit of their own ([`crate::held`]).
//!
//! No state of an incident is kept here: each digest is made from the incidents in the table. So nothing has to be kept
//! up to date, and a late digest tells what is true by then.

pub mod digest;
pub mod need;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::incident::Incident;
use super::outgoing::Outgoing;
use pullsafe::digest::Digest;
use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;

pub use super::joins::{Common, Joins};

/// Minutes from the beginning to each digest; after the last, one comes every 60 minutes.
const DIGEST_MINUTES: [i64; 3] = [5, 15, 60];
/// How often the incidents are looked at between two digests, so that the end is told soon: in the first hour, and
/// later.
const LOOK_SECONDS: i64 = 300;
const LATER_LOOK_SECONDS: i64 = 900;
/// For how long no incident may be open before the end is told. This is longer than a function runs, so that an
/// invocation which joined the outbreak has stored its incident by then.
const CALM_SECONDS: i64 = 120;
/// How many messages wait while people cannot be reached.
const MOST_KEPT: usize = 3;

/// An incident that is told with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The subject of the incident.
    pub subject: Subject,
    /// The incident's id.
    pub incident: String,
    /// When the incident was first told, or joined.
    pub at: Timestamp,
}

/// When incidents become an outbreak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutbreakRules {
    /// How many services it takes.
    pub after: usize,
    /// Within how many seconds.
    pub window_seconds: i64,
}

impl OutbreakRules {
    /// The rules of a stack that sets none.
    pub const USUAL: Self = Self { after: 3, window_seconds: 30 * 60 };
}

/// What the table knows of a cause: the incidents that were told one by one, and the outbreak if it is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outbreak {
    /// What its incidents have in common.
    pub common: Common,
    /// The incidents that were told one by one, oldest first, and then the one that made it an outbreak.
    pub alone: Vec<Member>,
    /// When it became an outbreak, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// How many times for a digest have passed.
    #[serde(default)]
    pub digests: usize,
    /// The fingerprint of the last digest: one that would say the same is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Digest>,
    /// Since when no incident is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm_since: Option<Timestamp>,
    /// When its end was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The messages that still have to go out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Outgoing>,
}

/// How a message is told, and the outbreak to write before that, if it has changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Telling {
    /// By itself.
    Alone(Option<Outbreak>),
    /// With others, by the digests of the outbreak of this id.
    Together(String, Option<Outbreak>),
}

impl Outbreak {
    /// Decides how a message of a member is told. The same member gets the same answer however often it asks, until the
    /// outbreak begins or ends.
    pub fn admit(known: Option<&Self>, common: &Common, member: &Member, rules: OutbreakRules) -> Telling {
        let outbox = known.map(|known| known.outbox.clone()).unwrap_or_default();
        let known = known.filter(|known| known.ended_at.is_none());
        if let Some(lasting) = known.filter(|known| known.began.is_some()) {
            let revived = lasting.calm_since.map(|_| Self { calm_since: None, ..lasting.clone() });
            return Telling::Together(lasting.id(), revived);
        }
        let mut alone = known.map(|known| known.alone.clone()).unwrap_or_default();
        if known.is_some_and(|known| known.lists(member)) {
            return Telling::Alone(None);
        }
        alone.retain(|told| told.subject != member.subject && member.at.seconds_since(told.at) < rules.window_seconds);
        let begins = alone.len() + 1 >= rules.after;
        alone.push(member.clone());
        let outbreak = Self {
            common: common.clone(),
            alone,
            began: begins.then_some(member.at),
            digests: 0,
            said: None,
            calm_since: None,
            ended_at: None,
            // The end of the last outbreak may still have to be told.
            outbox,
        };
        if begins {
            Telling::Together(outbreak.id(), Some(outbreak))
        } else {
            Telling::Alone(Some(outbreak))
        }
    }

    /// Whether a member is one of those that were told one by one, or the one that made it an outbreak.
    pub fn lists(&self, member: &Member) -> bool {
        self.alone.iter().any(|told| told.subject == member.subject && told.incident == member.incident)
    }

    /// Returns an id that tells outbreaks of one cause apart.
    pub fn id(&self) -> String {
        let began = self.began.map(|began| began.to_string()).unwrap_or_default();
        format!("{began}-{}", self.common.key())
    }

    /// Returns when it is to be looked at next; `None` where nothing is left to be told.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.outbox.is_empty() {
            return Some(now.plus_seconds(60));
        }
        let began = self.began.filter(|_| self.ended_at.is_none())?;
        if let Some(since) = self.calm_since {
            return Some(since.plus_seconds(CALM_SECONDS));
        }
        let seconds = if now.seconds_since(began) < 3600 { LOOK_SECONDS } else { LATER_LOOK_SECONDS };
        Some(now.plus_seconds(seconds).min(self.next_digest(began)))
    }

    fn next_digest(&self, began: Timestamp) -> Timestamp {
        let minutes = DIGEST_MINUTES.get(self.digests).copied().unwrap_or_else(|| {
            let further = i64::try_from(self.digests + 1 - DIGEST_MINUTES.len()).unwrap_or(i64::MAX / 3600);
            DIGEST_MINUTES.last().map_or(60, |last| last.saturating_mul(further.saturating_add(1)))
        });
        began.plus_seconds(minutes.saturating_mul(60))
    }

    /// Takes a look at the members' incidents, and puts what is to be told of them into the outbox.
    pub fn look(&mut self, members: &[(Member, Option<Incident>)], now: Timestamp) {
        let Some(began) = self.began.filter(|_| self.ended_at.is_none()) else {
            return;
        };
        let story = digest::Story::of(&self.common, members);
        if story.open > 0 {
            self.calm_since = None;
            if now < self.next_digest(began) {
                return;
            }
            // Digests whose time has passed meanwhile become one.
            while self.next_digest(began) <= now {
                self.digests += 1;
            }
            let said = story.fingerprint();
            if self.said.as_ref() == Some(&said) {
                return;
            }
            let opens = self.said.replace(said).is_none();
            let id = format!("{}-{}", self.id(), self.digests);
            let mut notice = story.notice(&self.id(), id, None);
            notice.detail["opens"] = json!(opens);
            self.put(notice);
            return;
        }
        match self.calm_since {
            None => self.calm_since = Some(now),
            Some(since) if now.seconds_since(since) >= CALM_SECONDS => {
                self.ended_at = Some(now);
                self.put(story.notice(&self.id(), format!("{}-end", self.id()), Some(since)));
            }
            Some(_) => {}
        }
    }

    /// Puts a message into the outbox. Of those that could not be told, the newest [`MOST_KEPT`] stay: each has the
    /// numbers of those before it.
    fn put(&mut self, notice: Notice) {
        self.outbox.push(notice.into());
        let surplus = self.outbox.len().saturating_sub(MOST_KEPT);
        self.outbox.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
