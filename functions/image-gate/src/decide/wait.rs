//! A request of CloudFormation from its first look to its answer, as the row that remembers it.
//!
//! Everything here is a function of a row and a moment. A transition gives the next row. The store takes it only if the
//! row is still the one that it was made from, so that of two transitions at once only one takes effect.

use serde::{Deserialize, Serialize};

use super::deadline::WaitWindow;
use super::key::RowKey;
use super::look::ImageLook;
use super::place::RepositoryPlace;
use super::properties::Properties;
use super::request::{Envelope, Requester};
use super::url::StoredResponseUrl;
use pullsafe::timestamp::Timestamp;

/// How long a claim lasts: longer than the delivery of an answer may take, so that nobody claims what another still
/// delivers.
pub const LEASE_SECONDS: i64 = 30;
/// How long a row is kept after CloudFormation has given up, for late duplicates of the request.
const KEPT_SECONDS: i64 = 24 * 3600;
/// After how many seconds the mirror is asked again; its own queue tries for an hour and a half at most.
const ASK_AGAIN_SECONDS: i64 = 600;
/// How often the mirror is asked at most.
const MOST_ASKED: u32 = 4;

/// The state of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum WaitState {
    /// Nothing is decided.
    Waiting,
    /// The answer is decided, and a run delivers it.
    Answering {
        /// What is sent, byte for byte.
        body: String,
        /// Who delivers it.
        owner: String,
        /// Until when nobody else delivers it.
        until: Timestamp,
    },
    /// CloudFormation took the answer, or refused it for good.
    Answered {
        /// When that was.
        at: Timestamp,
        /// Whether it was taken.
        taken: bool,
    },
    /// The resource was deleted: nobody waits for an answer.
    Cancelled {
        /// When that was.
        at: Timestamp,
    },
}

/// How often the mirror was asked for the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorAsked {
    pub times: u32,
    /// When it was asked last.
    pub last: Option<Timestamp>,
    /// Why it could not be asked at the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A request that waits, or was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    pub key: RowKey,
    pub requester: Requester,
    /// Where the image is expected.
    pub place: RepositoryPlace,
    /// What is asked for.
    pub asked: Properties,
    /// How long CloudFormation waits.
    pub patience: WaitWindow,
    #[serde(default)]
    pub mirror: MirrorAsked,
    /// Since when the gate may not look, as far as its looks tell; `None` if it may.
    #[serde(default)]
    pub denied_since: Option<Timestamp>,
    pub state: WaitState,
    /// Counts the transitions.
    pub version: u64,
    /// Where the answer goes; `None` once nobody waits for one. The table has it in an attribute of its own.
    #[serde(skip)]
    pub url: Option<StoredResponseUrl>,
}

/// How the delivery of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// CloudFormation's address took it.
    Taken,
    /// The address refuses for good.
    Refused,
}

/// The outcome of an attempt to claim an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerClaim {
    /// The row to store. The run that stores it delivers its body.
    Take(Box<Wait>),
    /// Somebody else delivers an answer until this moment.
    Busy(Timestamp),
    /// There is nothing left to answer.
    Over,
}

impl Wait {
    /// A request that begins to wait.
    pub fn new(envelope: &Envelope, asked: Properties, place: RepositoryPlace, now: Timestamp) -> Self {
        let since = envelope.response_url.signed_at(now).into_iter().chain(envelope.sent_at).min();
        Self {
            key: RowKey::of_wait(&place, &envelope.requester, &envelope.response_url),
            requester: envelope.requester.clone(),
            place,
            patience: WaitWindow::new(asked.timeout_seconds, since, now),
            asked,
            mirror: MirrorAsked::default(),
            denied_since: None,
            state: WaitState::Waiting,
            version: 1,
            url: Some(envelope.response_url.clone()),
        }
    }

    /// Whether it still has to be answered.
    pub const fn is_open(&self) -> bool {
        match self.state {
            WaitState::Waiting | WaitState::Answering { .. } => true,
            WaitState::Answered { .. } | WaitState::Cancelled { .. } => false,
        }
    }

    /// Whether nothing is decided yet.
    pub const fn is_undecided(&self) -> bool {
        matches!(self.state, WaitState::Waiting)
    }

    /// Until when the row is kept.
    pub fn expires_at(&self) -> Timestamp {
        self.patience.gives_up_at.plus_seconds(KEPT_SECONDS)
    }

    /// Takes the delivery over. What was decided before stands: `body` is called only if nothing was decided. Near the
    /// end a claim does not wait for another's lease to run out: it is better that the same bytes arrive twice than not
    /// at all.
    pub fn claim(&self, owner: &str, body: impl FnOnce() -> String, now: Timestamp) -> AnswerClaim {
        let body = match &self.state {
            WaitState::Waiting => body(),
            WaitState::Answering { body, owner: holder, until }
                if now >= *until || holder == owner || self.patience.has_to_end(now) =>
            {
                body.clone()
            }
            WaitState::Answering { until, .. } => return AnswerClaim::Busy(*until),
            WaitState::Answered { .. } | WaitState::Cancelled { .. } => return AnswerClaim::Over,
        };
        let until = now.plus_seconds(LEASE_SECONDS);
        AnswerClaim::Take(Box::new(self.next(WaitState::Answering { body, owner: owner.to_owned(), until })))
    }

    /// The row after the answer was taken, or refused for good. Its address is forgotten.
    #[must_use]
    pub fn answered(&self, delivery: Delivery, now: Timestamp) -> Self {
        Self {
            url: None,
            ..self.next(WaitState::Answered { at: now, taken: delivery == Delivery::Taken })
        }
    }

    /// The row after the resource was deleted; `None` if anything is decided already, for an answer that is under way
    /// is not stopped.
    pub fn cancelled(&self, now: Timestamp) -> Option<Self> {
        self.is_undecided().then(|| Self { url: None, ..self.next(WaitState::Cancelled { at: now }) })
    }

    /// Whether the mirror should be asked at this moment.
    pub fn should_ask_mirror(&self, now: Timestamp) -> bool {
        let due = self.mirror.last.is_none_or(|last| now.seconds_since(last) >= ASK_AGAIN_SECONDS);
        self.is_undecided() && self.asked.source.is_some() && self.mirror.times < MOST_ASKED && due
    }

    /// The row after the mirror was asked.
    #[must_use]
    pub fn asked_mirror(&self, now: Timestamp) -> Self {
        let mirror = MirrorAsked { times: self.mirror.times + 1, last: Some(now), refused: None };
        Self { mirror, ..self.next(self.state.clone()) }
    }

    /// The row after the mirror could not be asked; `None` if this reason is known already.
    pub fn mirror_refused(&self, why: String) -> Option<Self> {
        let is_news = self.mirror.refused.as_ref() != Some(&why);
        is_news.then(|| Self {
            mirror: MirrorAsked { refused: Some(why), ..self.mirror.clone() },
            ..self.next(self.state.clone())
        })
    }

    /// The row after a look; `None` unless the look changes what is known of the permission to look.
    pub fn seen(&self, look: &ImageLook, now: Timestamp) -> Option<Self> {
        let denied_since = matches!(look, ImageLook::Denied(_)).then(|| self.denied_since.unwrap_or(now));
        let is_news = self.is_undecided() && denied_since != self.denied_since;
        is_news.then(|| Self { denied_since, ..self.next(self.state.clone()) })
    }

    fn next(&self, state: WaitState) -> Self {
        Self { state, version: self.version + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-21T06:00:30Z").unwrap()
    }

    fn wait() -> Wait {
        let request = json!({
            "RequestType": "Create", "RequestId": "r-1", "LogicalResourceId": "Image", "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b",
            "ResponseURL": "https://bucket.s3.eu-west-1.amazonaws.com/x?X-Amz-Date=20261121T060000Z&X-Amz-Signature=secret",
            "ResourceProperties": {"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis:7"},
        });
        let envelope = Envelope::find(&request).pop().unwrap();
        let asked = Properties::parse(&envelope.properties).unwrap();
        let place = RepositoryPlace::of(&asked, &envelope.requester, None);
        Wait::new(&envelope, asked, place, now())
    }

    fn taken(claim: AnswerClaim) -> Wait {
        match claim {
            AnswerClaim::Take(wait) => *wait,
            AnswerClaim::Busy(_) | AnswerClaim::Over => panic!("{claim:?}"),
        }
    }

    #[test]
    fn whoever_answers_sends_what_was_decided_first() {
        let first = taken(wait().claim("a", || "A".to_owned(), now()));
        assert!(matches!(&first.state, WaitState::Answering { body, .. } if body == "A"));
        assert!(
            matches!(first.claim("b", || "B".to_owned(), now().plus_seconds(29)), AnswerClaim::Busy(until) if until == now().plus_seconds(30))
        );
        let second = taken(first.claim("b", || "B".to_owned(), now().plus_seconds(30)));
        assert!(matches!(&second.state, WaitState::Answering { body, owner, .. } if body == "A" && owner == "b"));
        let again = taken(first.claim("a", || "B".to_owned(), now().plus_seconds(1)));
        assert!(
            matches!(&again.state, WaitState::Answering { body, .. } if body == "A"),
            "a retry of the same invocation carries on"
        );
        let done = second.answered(Delivery::Taken, now());
        assert_eq!(
            (done.claim("c", || "C".to_owned(), now()), done.url.is_none(), done.is_open()),
            (AnswerClaim::Over, true, false)
        );
        assert_eq!([first.version, second.version, done.version], [2, 3, 4]);
    }

    #[test]
    fn a_delete_cancels_what_is_not_decided() {
        let cancelled = wait().cancelled(now()).unwrap();
        assert_eq!(cancelled.claim("a", || "A".to_owned(), now()), AnswerClaim::Over);
        let answering = taken(wait().claim("a", || "A".to_owned(), now()));
        assert_eq!((answering.cancelled(now()), cancelled.cancelled(now())), (None, None));
    }

    #[test]
    fn the_mirror_is_asked_a_few_times() {
        let mut wait = wait();
        let mut asked = Vec::new();
        for second in 0..3600 {
            let moment = now().plus_seconds(second);
            if wait.should_ask_mirror(moment) {
                asked.push(second);
                wait = wait.asked_mirror(moment);
            }
        }
        assert_eq!(asked, [0, 600, 1200, 1800]);
    }

    #[test]
    fn a_row_is_what_was_stored_but_for_the_address() {
        let wait = wait();
        assert_eq!(wait.patience.began_at, now().plus_seconds(-30));
        for state in [
            wait.clone(),
            taken(wait.claim("a", || "A".to_owned(), now())),
            wait.answered(Delivery::Refused, now()),
            wait.cancelled(now()).unwrap(),
        ] {
            let text = serde_json::to_string(&state).unwrap();
            assert!(!text.contains("secret") && !format!("{state:?}").contains("secret"), "{text}");
            assert_eq!(serde_json::from_str::<Wait>(&text).unwrap(), Wait { url: None, ..state });
        }
    }
}
