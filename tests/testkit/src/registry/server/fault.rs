//! Faults that a test plants, each for certain requests.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use pullsafe::timestamp::Timestamp;
use tokio::sync::watch;

/// What goes wrong.
///
/// The last five spoil a body, so answers without one (a redirect, an error, HEAD) are left alone.
#[derive(Debug, Clone)]
pub enum RegistryFault {
    /// Answers this status instead, with an error body in the registry's form.
    Status(u16),
    /// 401, as for a token that has just expired.
    Unauthorized,
    /// 429 with a JSON body in the registry's form.
    TooManyRequests(RetryAfter),
    /// 429 of Docker Hub's abuse limit: plain text and `Retry-After: 60`.
    Abuse,
    /// Cuts the connection without an answer, after reading this much of the request's body.
    Cut {
        /// How many bytes of the request's body are read first.
        after: u64,
    },
    /// Waits for the gate, then answers as usual.
    Hold(Gate),
    /// Redirects to the other host for the blob.
    Redirect,
    /// Sends a well-formed answer whose body is too short.
    Truncate {
        /// How many bytes are sent.
        after: u64,
    },
    /// Flips one bit of the first byte, so that the digest no longer matches.
    Corrupt,
    /// Cuts the connection in the middle of the body.
    Reset {
        /// How many bytes are sent first.
        after: u64,
    },
    /// Sends a part of the body, then waits for the gate.
    HoldBody {
        /// How many bytes are sent first.
        after: u64,
        gate: Gate,
    },
    /// Sends the body no faster than this, in real time. For benchmarks; tests use [`RegistryFault::HoldBody`].
    Trickle {
        /// The most bytes that are sent in a second.
        bytes_per_second: u64,
    },
}

impl RegistryFault {
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

/// How a 429 says when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Without a header.
    Absent,
    /// After some seconds.
    Seconds(u64),
    /// At a moment, given as an HTTP date.
    Date(Timestamp),
    /// At a moment, given as seconds since the Unix epoch. hub.docker.com does this, against the standard.
    Epoch(Timestamp),
}

/// A fault and the requests that it strikes. By default: once, the next `GET` whose path contains the text.
#[derive(Debug, Clone)]
pub struct FaultRule {
    method: Method,
    path: String,
    skip: usize,
    times: usize,
    fault: RegistryFault,
}

impl FaultRule {
    /// Strikes the next request of this method whose path (with its query) contains this text.
    pub fn new(method: Method, path: &str, fault: RegistryFault) -> Self {
        Self { method, path: path.to_owned(), skip: 0, times: 1, fault }
    }

    /// [`FaultRule::new`] for `GET`.
    pub fn get(path: &str, fault: RegistryFault) -> Self {
        Self::new(Method::GET, path, fault)
    }

    /// [`FaultRule::new`] for `POST`.
    pub fn post(path: &str, fault: RegistryFault) -> Self {
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

/// The planted faults.
#[derive(Debug, Default)]
pub(super) struct WaitingFaults(Mutex<Vec<FaultRule>>);

impl WaitingFaults {
    pub(super) fn plant(&self, rule: FaultRule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The fault for this request, if there is one. Every matching rule counts the request; the first rule that is due
    /// strikes.
    pub(super) fn strike(&self, method: &Method, path: &str, spoils_body: bool) -> Option<RegistryFault> {
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

/// A gate at which requests wait until the test opens it. Clones share one state.
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

    /// Lets all requests pass, now and later.
    pub fn open(&self) {
        self.0.send_modify(|gate| gate.open = true);
    }

    /// Returns once this many requests have come to the gate.
    pub async fn reached_by(&self, requests: usize) {
        self.until(|gate| gate.arrived >= requests).await;
    }

    pub(super) async fn pass(&self) {
        self.0.send_modify(|gate| gate.arrived += 1);
        self.until(|gate| gate.open).await;
    }

    async fn until(&self, condition: impl FnMut(&GateState) -> bool) {
        // The sender lives as long as this gate, so the channel cannot close during the wait.
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
        let faults = WaitingFaults::default();
        faults.plant(FaultRule::get("/blobs/", RegistryFault::Status(500)).nth(2).times(2));
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
