//! Faults that a test plants, and the requests they wait for.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use pullsafe::timestamp::Timestamp;
use tokio::sync::watch;

/// What goes wrong.
///
/// The last five spoil a body, and therefore pass over answers without one (a redirect, an error, HEAD).
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers this status instead (with an error body of the registry's kind).
    Status(u16),
    /// 401, as for a token that has just expired.
    Unauthorized,
    /// 429 with the registry's own JSON body.
    TooManyRequests(RetryAfter),
    /// 429 of Docker Hub's abuse limit: plain text, `Retry-After: 60`.
    Abuse,
    /// Cuts the connection without an answer, after reading this much of the request's body.
    Cut {
        /// Bytes of the request's body to read first.
        after: u64,
    },
    /// Waits for the gate, then answers as usual.
    Hold(Gate),
    /// Sends the blob from the other host, by a redirect.
    Redirect,
    /// A well-formed answer whose body is too short.
    Truncate {
        /// The bytes that are sent.
        after: u64,
    },
    /// Flips one bit of the first byte: the digest no longer matches.
    Corrupt,
    /// Cuts the connection in the middle of the body.
    Reset {
        /// The bytes that are sent before.
        after: u64,
    },
    /// Sends a part of the body, then waits for the gate.
    HoldBody {
        /// The bytes that are sent before.
        after: u64,
        /// What it waits for.
        gate: Gate,
    },
    /// Sends the body no faster than this, in real time. For benches; tests use [`Fault::HoldBody`].
    Trickle {
        /// The rate.
        bytes_per_second: u64,
    },
}

impl Fault {
    pub(super) fn spoils_body(&self) -> bool {
        match self {
            Self::Truncate { .. }
            | Self::Corrupt
            | Self::Reset { .. }
            | Self::HoldBody { .. }
            | Self::Trickle { .. } => true,
            Self::Status(_)
            | Self::Unauthorized
            | Self::TooManyRequests(_)
            | Self::Abuse
            | Self::Cut { .. }
            | Self::Hold(_)
            | Self::Redirect => false,
        }
    }
}

/// How a 429 says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not at all.
    Absent,
    /// After some seconds.
    Seconds(u64),
    /// At a moment, as an HTTP date.
    Date(Timestamp),
    /// At a moment, as seconds since the Unix epoch, as hub.docker.com does against the standard.
    Epoch(Timestamp),
}

/// A fault and which request it strikes: by default the next `GET` whose path contains the text, once.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Method,
    path: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

impl Rule {
    /// Strikes the next request of this method whose path (with its query) contains this text.
    pub fn new(method: Method, path: &str, fault: Fault) -> Self {
        Self { method, path: path.to_owned(), skip: 0, times: 1, fault }
    }

    /// [`Rule::new`] for `GET`.
    pub fn get(path: &str, fault: Fault) -> Self {
        Self::new(Method::GET, path, fault)
    }

    /// [`Rule::new`] for `POST`.
    pub fn post(path: &str, fault: Fault) -> Self {
        Self::new(Method::POST, path, fault)
    }

    /// Strikes the nth such request (from 1) instead of the first.
    pub fn nth(mut self, n: usize) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// Strikes this many requests in a row instead of one.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Strikes every such request.
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(super) fn plant(&self, rule: Rule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The fault for this request, if one waits. Every rule that matches counts the request; the first one due strikes.
    pub(super) fn strike(&self, method: &Method, path: &str, spoils_body: bool) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut struck = None;
        for rule in rules.iter_mut() {
            let matches = rule.fault.spoils_body() == spoils_body && rule.method == method && path.contains(&rule.path);
            if matches && rule.skip > 0 {
                rule.skip -= 1;
            } else if matches && struck.is_none() {
                rule.times = rule.times.saturating_sub(usize::from(rule.times != usize::MAX));
                struck = Some(rule.fault.clone());
            }
        }
        rules.retain(|rule| rule.times > 0);
        struck
    }
}

/// Something that requests wait at until the test opens it. Clones share one state.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<GateState>>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(GateState::default())))
    }

    /// Lets everything pass, now and later.
    pub fn open(&self) {
        self.0.send_modify(|gate| gate.open = true);
    }

    /// Returns as soon as this many requests have come to the gate.
    pub async fn reached_by(&self, requests: usize) {
        self.until(|gate| gate.arrived >= requests).await;
    }

    pub(super) async fn pass(&self) {
        self.0.send_modify(|gate| gate.arrived += 1);
        self.until(|gate| gate.open).await;
    }

    async fn until(&self, condition: impl FnMut(&GateState) -> bool) {
        // The sender lives as long as this gate, so the channel cannot close meanwhile.
        let _ = self.0.subscribe().wait_for(condition).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_the_request_it_names() {
        let faults = Faults::default();
        faults.plant(Rule::get("/blobs/", Fault::Status(500)).nth(2).times(2));
        let strikes = |path: &str| faults.strike(&Method::GET, path, false).is_some();
        assert!(!strikes("/v2/a/blobs/1"), "the first one passes");
        assert!(!strikes("/v2/a/manifests/1"), "another path");
        assert!(faults.strike(&Method::HEAD, "/v2/a/blobs/1", false).is_none(), "another method");
        assert!(strikes("/v2/a/blobs/2"));
        assert!(strikes("/v2/a/blobs/3"));
        assert!(!strikes("/v2/a/blobs/4"), "used up");
        assert_eq!(faults.waiting(), 0);
    }
}
