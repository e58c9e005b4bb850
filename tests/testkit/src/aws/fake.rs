//! The fake itself: services by name, the call log, the faults, and the end of a process.

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

/// What a call takes where time passes, in milliseconds.
const CALL_MILLIS: i64 = 20;

/// A whole AWS for one test. Clones are the same AWS.
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

/// Something that happens in the outside world just before a call.
struct BeforeCall {
    when: HookMoment,
    happens: Box<dyn FnOnce() + Send>,
}

/// Just before which call.
enum HookMoment {
    Operation(String, String),
    Number(u64),
}

#[derive(Clone)]
enum Backend {
    Plain(Arc<dyn FakeService>),
    // Its errors carry more than a code and a message.
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
    /// An answer of the service.
    Answer(Said),
    /// No answer.
    Lost(ConnectorError),
    /// Nothing, ever: the process that asked is gone.
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
    /// `cloudformation`, `elasticloadbalancing`, `logs`, `scheduler`, `secretsmanager`, `ssm`. A service must not ask
    /// the fake that calls it: it is locked meanwhile.
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

    /// The clock that its services read.
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// A configuration whose clients call this AWS and try three times, without pauses.
    ///
    /// The SDK bounds retries by a budget that all clients of a service in a process share: some fifty operations that
    /// fail for good use it up. A matrix of faults is better off with [`Self::sdk_config_with_attempts`] and one
    /// attempt.
    pub fn sdk_config(&self) -> SdkConfig {
        self.sdk_config_with_attempts(3)
    }

    /// A configuration whose clients try this many times; with 1, every fault reaches the caller.
    pub fn sdk_config_with_attempts(&self, attempts: u32) -> SdkConfig {
        config::sdk_config(self.clone(), attempts)
    }

    /// Lets every call of a client in this process wait for its latency, and counts how deep the calls go.
    pub fn count_rounds(&self, rounds: &Rounds) {
        self.lock().rounds = Some(rounds.clone());
    }

    pub(super) fn rounds(&self) -> Option<Rounds> {
        self.lock().rounds.clone()
    }

    /// Turns the limits of a new account on: request rates here, and those of the tables' partitions.
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

    /// Lets the clock go on with every call, and with the pauses between the attempts at one. So many executions share
    /// the account: while one waits for its answer the others go on, so that each call takes only its part of the time
    /// from all of them.
    pub fn share_among(&self, executions: i64) {
        self.lock().executions = Some(executions.max(1));
    }

    /// Lets the time of a pause between two attempts pass.
    pub(super) fn pause(&self, pause: Duration) {
        if let Some(executions) = self.lock().executions {
            self.0.clock.advance_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX) / executions);
        }
    }

    /// Makes a call fail.
    pub fn inject(&self, fault: AwsFault) {
        self.lock().faults.push(fault);
    }

    /// Lets something happen once, just before the next call of this operation: a person acts between what was read and
    /// what is written.
    pub fn before(&self, service: &str, operation: &str, happens: impl FnOnce() + Send + 'static) {
        let when = HookMoment::Operation(service.to_owned(), operation.to_owned());
        self.lock().hooks.push(BeforeCall { when, happens: Box::new(happens) });
    }

    /// The same, just before the call with this number.
    pub fn before_call(&self, number: u64, happens: impl FnOnce() + Send + 'static) {
        self.lock().hooks.push(BeforeCall { when: HookMoment::Number(number), happens: Box::new(happens) });
    }

    /// Takes back all faults that have not struck, and the death.
    pub fn clear_faults(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.die_after = None;
    }

    /// Lets the process of the caller end right after the effect of the call with this number: that call and all later
    /// ones never answer, and the later ones have no effect, until [`Self::revive`].
    pub fn die_after(&self, number: u64) {
        self.lock().die_after = Some(number);
    }

    /// Waits until the process has died.
    pub async fn died(&self) {
        // The sender lives as long as the fake, so waiting cannot end otherwise.
        let _ = self.0.died.subscribe().wait_for(|died| *died).await;
    }

    /// A new process starts: calls are answered again.
    pub fn revive(&self) {
        self.lock().die_after = None;
        self.0.died.send_replace(false);
    }

    /// Runs a process to its end, or to its death by [`Self::die_after`]: then it is dropped, calls are answered again,
    /// and there is no result.
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

    /// The calls that ask for a change to something of the user's, successful or not. What goes to pullsafe's own
    /// table, queue, topic and bus is not among them.
    pub fn writes(&self) -> Vec<Call> {
        self.lock().calls.iter().filter(|call| call.is_write()).cloned().collect()
    }

    /// The IAM actions that the calls so far need.
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

    /// Takes one request through fault, service and log.
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

/// What the caller sees of a fault.
fn broken(kind: FaultKind, service: &str, operation: &str) -> FakeReply {
    match (kind.error(service, operation), kind) {
        (Some(error), _) => FakeReply::Answer(Err(AwsError::into(error))),
        (None, FaultKind::Timeout) => {
            FakeReply::Lost(ConnectorError::timeout("no answer within the time allowed".into()))
        }
        (None, _) => FakeReply::Lost(ConnectorError::io("connection reset by peer".into())),
    }
}
