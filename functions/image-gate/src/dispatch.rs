//! Which work an event asks for.

use std::sync::Arc;

use crate::decide::hint::{Hint, hint};
use crate::decide::request::Envelope;
use pullsafe_aws::telemetry::trace_event;
use pullsafe_events as event;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::gate::{GateError, GateInvocation, ImageGate};
use crate::response_url::UndeliveredResponse;

impl ImageGate {
    /// Handles one event. `owner` names the invocation, the same for every try of it. It is an error if an answer could
    /// not be delivered, or if it is not known who waits: then a repetition may help.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn handle(self: Arc<Self>, event: Value, owner: &str, deadline: Instant) -> Result<Value, GateError> {
        trace_event(&event);
        let call = GateInvocation { owner: owner.to_owned(), deadline };
        if let Some(records) = event::records(&event) {
            return Ok(Box::pin(self.messages(records, &call)).await);
        }
        if Envelope::is_unanswerable(&event) {
            let reason = "a request without a ResponseURL cannot be answered";
            tracing::error!("{reason}");
            return Ok(json!({"answered": false, "reason": reason}));
        }
        // Boxed, for the types of these futures are deep and their values large.
        match <[Envelope; 1]>::try_from(Envelope::find(&event)) {
            Ok([only]) => Ok(Box::pin(self.requested(only, &call)).await?),
            Err(none) if none.is_empty() => Box::pin(self.wake(hint(&event, self.now()), &call)).await,
            Err(several) => Ok(Box::pin(self.requested_together(several, &call)).await?),
        }
    }

    /// Several requests in one event. One that stays unanswered makes the event come again, which the others do not
    /// mind.
    async fn requested_together(
        self: &Arc<Self>,
        envelopes: Vec<Envelope>,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        let mut outcomes = Vec::new();
        for envelope in envelopes {
            outcomes.push(self.requested(envelope, call).await);
        }
        let outcomes: Vec<Value> = outcomes.into_iter().collect::<Result<_, _>>()?;
        Ok(json!({"requests": outcomes}))
    }

    /// What comes through the own queue: timers, and what Lambda gave up. A request is taken up as if it had just come;
    /// the ids of those that should come again are what SQS expects.
    async fn messages(self: &Arc<Self>, records: Vec<event::QueueRecord>, call: &GateInvocation) -> Value {
        let mut failures = Vec::new();
        for record in records {
            let envelopes = record.body.as_ref().map(Envelope::find).unwrap_or_default();
            if envelopes.is_empty() {
                self.hinted(&record, call).await;
            } else if let Err(error) = self.requested_together(envelopes, call).await {
                tracing::error!(message_id = record.message_id, %error, "a request is still unanswered: {error}");
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// A timer, or a hint that its first run failed at. The next sweep finds what is missed here, so that it never
    /// comes again.
    async fn hinted(self: &Arc<Self>, record: &event::QueueRecord, call: &GateInvocation) {
        match record.body.as_ref().map(|body| hint(body, self.now())) {
            Ok(hint @ Hint::Repository(_)) => {
                if let Err(error) = Box::pin(self.wake(hint, call)).await {
                    tracing::warn!(message_id = record.message_id, %error, "a hint is left to the next sweep: {error}");
                }
            }
            Ok(Hint::Sweep | Hint::Nothing(_)) | Err(_) => {
                tracing::info!(message_id = record.message_id, "a failed event that is no request needs no answer");
            }
        }
    }
}
