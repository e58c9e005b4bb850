//! Lambda in an account with limits: its own queue of asynchronous invocations, the concurrency of a new account, and
//! the events that arrive while the function is throttled.

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{TRIES, WORK_QUEUE, World, failures};

/// How many executions a new account has at once, and how many of them the queue's event source mapping may use
/// (`QueueConcurrency` of the template).
const EXECUTIONS: i64 = 10;
const OF_THE_QUEUE: i64 = 2;
/// How many seconds Lambda tries to get an execution for an event (`MaximumEventAgeInSeconds` of the template), and the
/// longest pause between two attempts.
const KEPT_SECONDS: i64 = 3600;
const LONGEST_PAUSE: i64 = 300;

/// The events that Lambda holds.
#[derive(Debug, Default)]
pub(super) struct Lambda {
    waiting: Vec<Waiting>,
    is_throttled: bool,
}

/// An event that waits to be handled, for the first time or again.
#[derive(Debug)]
struct Waiting {
    event: Value,
    id: String,
    failed: u32,
    throttled: u32,
    since: Timestamp,
    due: Timestamp,
}

impl World {
    /// Gives the account the limits of a new one. From now on time passes with every call.
    pub fn limit(&mut self) {
        self.aws.limit();
        self.lambda.get_or_insert_default();
    }

    /// Throttles the function: it gets no execution until this is called with `false`.
    pub fn throttle(&mut self, is_throttled: bool) {
        self.lambda.get_or_insert_default().is_throttled = is_throttled;
    }

    /// How many events Lambda holds.
    pub fn held(&self) -> usize {
        self.lambda.as_ref().map_or(0, |lambda| lambda.waiting.len())
    }

    pub(super) fn invoke_later(&mut self, event: &Value) -> bool {
        let now = self.clock.now();
        let Some(lambda) = &mut self.lambda else { return false };
        self.invocations += 1;
        let id = format!("invocation-{}", self.invocations);
        lambda.waiting.push(Waiting {
            event: event.clone(),
            id,
            failed: 0,
            throttled: 0,
            since: now,
            due: now,
        });
        true
    }

    /// The next moment at which a queue has something to deliver.
    pub(super) fn next_work(&self) -> Option<Timestamp> {
        let lambda = self.lambda.as_ref()?;
        let events = lambda.waiting.iter().map(|waiting| waiting.due).min();
        let messages = super::QUEUES.iter().filter_map(|queue| self.queues.next_visible(queue)).min();
        events.into_iter().chain(messages).min()
    }

    /// Handles the events that are due, oldest first. Returns whether there were any.
    pub(super) async fn invoke_due(&mut self) -> bool {
        let mut moved = false;
        loop {
            let now = self.clock.now();
            let (Some(lambda), Some(remediator)) = (&mut self.lambda, self.remediator.clone()) else {
                return moved;
            };
            let next = lambda
                .waiting
                .iter()
                .enumerate()
                .filter(|(_, waiting)| waiting.due <= now)
                .min_by_key(|(_, waiting)| waiting.due);
            let Some(next) = next.map(|(place, _)| place) else {
                return moved;
            };
            let mut event = lambda.waiting.remove(next);
            if lambda.is_throttled {
                event.throttled += 1;
                event.due =
                    now.plus_seconds(1_i64.checked_shl(event.throttled).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE));
                match now.seconds_since(event.since) < KEPT_SECONDS {
                    true => lambda.waiting.push(event),
                    false => self.give_up(&event.event, "EventAgeExceeded"),
                }
                continue;
            }
            moved = true;
            self.aws.share_among(EXECUTIONS);
            let answer = self.aws.run(remediator.handle(&event.event, &event.id)).await;
            match answer {
                Some(Ok(answer)) => self.answers.push(answer),
                // The first retry comes after a minute, the second after two more.
                Some(Err(_)) | None => {
                    event.failed += 1;
                    event.due = self.clock.now().plus_seconds(60 * i64::from(event.failed));
                    match (event.failed < TRIES, &mut self.lambda) {
                        (true, Some(lambda)) => lambda.waiting.push(event),
                        (_, _) => self.give_up(&event.event, "RetriesExhausted"),
                    }
                }
            }
        }
    }

    /// Sends an event to the failure destination.
    pub(super) fn give_up(&self, event: &Value, condition: &str) {
        let body = json!({ "version": "1.0", "requestContext": { "condition": condition }, "requestPayload": event });
        self.queues.send(WORK_QUEUE, &body);
    }

    /// Delivers the messages of the queue. A batch that meets the throttled function comes again after its visibility
    /// timeout, as if it had failed.
    pub(super) async fn work_off(&mut self) -> bool {
        let Some(remediator) = self.remediator.clone() else {
            return false;
        };
        let mut moved = false;
        while let Some(batch) = self.queues.deliver(WORK_QUEUE, 10) {
            moved = true;
            if let Some(lambda) = &self.lambda {
                if lambda.is_throttled {
                    continue;
                }
                self.aws.share_among(OF_THE_QUEUE);
            }
            self.invocations += 1;
            let id = format!("invocation-{}", self.invocations);
            if let Some(Ok(answer)) = self.aws.run(remediator.handle(&batch, &id)).await {
                self.queues.settle(WORK_QUEUE, &batch, &failures(&answer));
            }
        }
        moved
    }
}
