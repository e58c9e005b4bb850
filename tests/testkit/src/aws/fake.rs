//! The fake itself: its services by name, the log of calls, the faults, and the end of a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::Value;
use tokio::sync::watch;

use super::call::{Call, CallOutcome};
use super::dynamodb::DynamoDb;
use super::fault::{AwsFault, FaultKind, FaultQueue};
use super::limits::{Limits, TooSoon};
use super::service::{AwsError, FakeService};
use super::wire::{ErrorAnswer, Said};
use super::{config, names, record};
use crate::clock::VirtualClock;
use crate::rounds::Rounds;

/// How long a call takes, in milliseconds, where calls take time.
const CALL_MILLIS: i64 = 20;

/// A whole AWS for one test. Clones share one state.
#[derive(Clone)]
pub struct FakeAws(Arc<FakeShared>);

struct FakeShared {
    clock: VirtualClock,
    state: Mutex<FakeState>,
    died: watch::Sender<bool>,
}

#[derive(Default)]
struct FakeState {
    services: BTreeMap<String, Backend>,
    calls: Vec<Call>,
    faults: FaultQueue,
    die_after: Option<u64>,
    hooks: Vec<BeforeCall>,
    rounds: Option<Rounds>,
    limits: Option<Limits>,
    executions: Option<i64>,
}

/// Something that happens in the world outside just before a call.
struct BeforeCall {
    when: HookMoment,
    happens: Box<dyn FnOnce() + Send>,
}

/// The call before which it happens.
enum HookMoment {
    Operation(String, String),
    Number(u64),
}

#[derive(Clone)]
enum Backend {
    Plain(Arc<dyn FakeService>),
    // Kept apart because its errors carry more than a code and a message.
    DynamoDb(DynamoDb),
}

impl Backend {
    fn call(&self, operation: &str, request: &Value) -> Said {
        match self {
            Self::Plain(service) => service.call(operation, request).map_err(ErrorAnswer::from),
            Self::DynamoDb(tables) => tables.call(operation, request),
        }
    }
}

/// What goes back to the SDK.
pub(super) enum FakeReply {
    /// The service answered, or refused.
    Answer(Said),
    /// The connection broke or timed out.
    Lost(ConnectorError),
    /// No answer, ever: the process that asked has died.
    Never,
}

impl FakeAws {
    /// An AWS without services.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(FakeShared {
            clock,
            state: Mutex::default(),
            died: watch::Sender::new(false),
        }))
    }

    /// Sets up a service under its IAM prefix: `ecs`, `ecr`, `sqs`, `sns`, `events`, `iam`, `application-autoscaling`,
    /// `cloudformation`, `elasticloadbalancing`, `logs`, `scheduler`, `secretsmanager`, `ssm`. A service must not call
    /// this fake while it answers: the fake is locked.
    ///
    /// # Panics
    /// On a name that no request would be routed to.
    #[must_use]
    pub fn with_service(self, name: &str, service: Arc<dyn FakeService>) -> Self {
        assert!(names::is_service(name), "no request is routed to a service called `{name}`");
        assert_ne!(name, "dynamodb", "use with_dynamodb, which keeps what its errors carry");
        self.lock().services.insert(name.to_owned(), Backend::Plain(service));
        self
    }

    /// Sets up DynamoDB.
    #[must_use]
    pub fn with_dynamodb(self, tables: DynamoDb) -> Self {
        self.lock().services.insert("dynamodb".to_owned(), Backend::DynamoDb(tables));
        self
    }

    /// The clock that the services read.
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// A configuration whose clients call this AWS and try three times, without pauses.
    ///
    /// The SDK limits retries by a budget that all clients of a service in a process share: about fifty operations that
    /// fail every time use it up. A matrix of faults should use [`Self::sdk_config_with_attempts`] with one attempt.
    pub fn sdk_config(&self) -> SdkConfig {
        self.sdk_config_with_attempts(3)
    }

    /// A configuration whose clients try this many times; with 1, every fault reaches the caller.
    pub fn sdk_config_with_attempts(&self, attempts: u32) -> SdkConfig {
        config::sdk_config(self.clone(), attempts)
    }

    /// Makes every call of a client in this process wait for its latency, and counts how many calls follow one another.
    pub fn count_rounds(&self, rounds: &Rounds) {
        self.lock().rounds = Some(rounds.clone());
    }

    pub(super) fn rounds(&self) -> Option<Rounds> {
        self.lock().rounds.clone()
    }

    /// Turns on the limits of a new account: the request rates here, and the limits of the tables' partitions.
    pub fn limit(&self) {
        let mut state = self.lock();
        state.limits = Some(Limits::default());
        if let Some(Backend::DynamoDb(tables)) = state.services.get("dynamodb") {
            tables.limit();
        }
    }

    /// What the limits have refused so far.
    pub fn refused(&self) -> Vec<TooSoon> {
        self.lock().limits.as_ref().map(|limits| limits.refused().to_vec()).unwrap_or_default()
    }

    /// Moves the clock with every call, and with the pauses between the attempts at one. The account is shared by
    /// `executions` at once: while one waits for its answer the others go on, so each call moves the clock by only its
    /// share of the time.
    pub fn share_among(&self, executions: i64) {
        self.lock().executions = Some(executions.max(1));
    }

    /// Moves the clock by one execution's share of a pause between two attempts.
    pub(super) fn pause(&self, pause: Duration) {
        if let Some(executions) = self.lock().executions {
            self.0.clock.advance_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX) / executions);
        }
    }

    pub fn inject(&self, fault: AwsFault) {
        self.lock().faults.push(fault);
    }

    /// Runs `happens` once, just before the next call of this operation: for a person who acts between a read and the
    /// write that follows.
    pub fn before(&self, service: &str, operation: &str, happens: impl FnOnce() + Send + 'static) {
        let when = HookMoment::Operation(service.to_owned(), operation.to_owned());
        self.lock().hooks.push(BeforeCall { when, happens: Box::new(happens) });
    }

    /// Runs `happens` once, just before the call with this number.
    pub fn before_call(&self, number: u64, happens: impl FnOnce() + Send + 'static) {
        self.lock().hooks.push(BeforeCall { when: HookMoment::Number(number), happens: Box::new(happens) });
    }

    /// Takes back all faults that have not struck, and [`Self::die_after`].
    pub fn clear_faults(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.die_after = None;
    }

    /// Ends the caller's process right after the call with this number took effect. That call and all later ones get no
    /// answer, and the later ones have no effect, until [`Self::revive`].
    pub fn die_after(&self, number: u64) {
        self.lock().die_after = Some(number);
    }

    /// Waits until the process has died.
    pub async fn died(&self) {
        // The sender lives as long as the fake, so the wait cannot end in an error.
        let _ = self.0.died.subscribe().wait_for(|died| *died).await;
    }

    /// A new process starts: calls are answered again.
    pub fn revive(&self) {
        self.lock().die_after = None;
        self.0.died.send_replace(false);
    }

    /// Runs a process until it ends, or until it dies by [`Self::die_after`]. If it dies, the process is dropped, calls
    /// are answered again, and the result is `None`.
    pub async fn run<F: Future>(&self, process: F) -> Option<F::Output> {
        let result = tokio::select! {
            biased;
            result = process => Some(result),
            () = self.died() => None,
        };
        self.revive();
        result
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The calls of one operation.
    pub fn calls_of(&self, operation: &str) -> Vec<Call> {
        self.lock().calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// How often an operation was called, failed attempts included.
    pub fn count(&self, operation: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// The calls that ask for a change to something of the user, successful or not. Calls to pullsafe's own table,
    /// queue, topic and bus are not among them.
    pub fn writes(&self) -> Vec<Call> {
        self.lock().calls.iter().filter(|call| call.is_write()).cloned().collect()
    }

    /// The IAM actions that all calls so far need.
    pub fn actions(&self) -> BTreeSet<String> {
        self.lock()
            .calls
            .iter()
            .flat_map(|call| names::actions(&call.service, &call.operation, &call.request))
            .collect()
    }

    /// Empties the log; the next call is number 1.
    pub fn clear_log(&self) {
        self.lock().calls.clear();
    }

    /// Takes one request through hooks, faults, service and log.
    pub(super) fn handle(&self, service: &str, operation: &str, request: Value) -> FakeReply {
        record::call(service, operation, &request);
        for hook in self.due_hooks(service, operation) {
            (hook.happens)();
        }
        let mut state = self.lock();
        let number = state.calls.len() as u64 + 1;
        let already_dead = *self.0.died.borrow();
        let fault = if already_dead {
            None
        } else {
            state.faults.strike(number, service, operation)
        };
        let backend = state.services.get(service).cloned();
        if let Some(executions) = state.executions {
            self.0.clock.advance_millis(CALL_MILLIS / executions);
        }
        let now = self.0.clock.now();
        let throttled = state.limits.as_mut().filter(|_| !already_dead && fault.is_none());
        let throttled = throttled.and_then(|limits| limits.take(service, operation, now));
        let dies = already_dead || state.die_after == Some(number);

        let reaches = !already_dead && fault.is_none_or(|kind| kind == FaultKind::ConnectionCutAfter);
        let effect = match throttled {
            Some(error) => Some(Err(error.into())),
            None => backend.as_ref().filter(|_| reaches).map(|backend| backend.call(operation, &request)),
        };
        if let (Some(Err(failure)), Some(limits)) = (&effect, &mut state.limits)
            && service == "dynamodb"
            && failure.error.code == "ThrottlingException"
        {
            limits.refuse(service, operation, now);
        }
        let logged = effect.clone().map(|said| said.map_err(|failure| failure.error));

        let (outcome, reply) = if backend.is_none() {
            (
                CallOutcome::Unserved,
                FakeReply::Lost(ConnectorError::user(format!("the test set up no service `{service}`").into())),
            )
        } else if dies {
            (CallOutcome::Died { effect: logged }, FakeReply::Never)
        } else if let Some(kind) = fault {
            (CallOutcome::Faulted { kind, effect: logged }, broken(kind, service, operation))
        } else {
            match effect {
                Some(Ok(answer)) => (CallOutcome::Answered(answer.clone()), FakeReply::Answer(Ok(answer))),
                Some(Err(failure)) => (CallOutcome::Refused(failure.error.clone()), FakeReply::Answer(Err(failure))),
                None => (CallOutcome::Unserved, FakeReply::Never),
            }
        };
        state.calls.push(Call {
            number,
            service: service.to_owned(),
            operation: operation.to_owned(),
            request,
            outcome,
        });
        drop(state);
        if dies {
            self.0.died.send_replace(true);
        }
        reply
    }

    fn due_hooks(&self, service: &str, operation: &str) -> Vec<BeforeCall> {
        let mut state = self.lock();
        let next = state.calls.len() as u64 + 1;
        let due = |hook: &BeforeCall| match &hook.when {
            HookMoment::Operation(of, name) => of == service && name == operation,
            HookMoment::Number(number) => *number == next,
        };
        let (due, waiting) = state.hooks.drain(..).partition(due);
        state.hooks = waiting;
        due
    }

    fn lock(&self) -> MutexGuard<'_, FakeState> {
        // A test that panicked while it held the lock has failed already.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FakeAws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FakeAws")
    }
}

/// What the caller gets for a fault.
fn broken(kind: FaultKind, service: &str, operation: &str) -> FakeReply {
    match (kind.error(service, operation), kind) {
        (Some(error), _) => FakeReply::Answer(Err(AwsError::into(error))),
        (None, FaultKind::Timeout) => {
            FakeReply::Lost(ConnectorError::timeout("no answer within the time allowed".into()))
        }
        (None, _) => FakeReply::Lost(ConnectorError::io("connection reset by peer".into())),
    }
}
