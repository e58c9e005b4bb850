//! Decides which work an event asks for.

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
    /// Handles one event. `owner` names the invocation and is the same for every try of it. Fails if an answer could
    /// not be delivered, or if it is not known who waits: a repetition may then help.
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
        // Boxed, because the types of these futures are deep and their values large.
        match <[Envelope; 1]>::try_from(Envelope::find(&event)) {
            Ok([only]) => Ok(Box::pin(self.requested(only, &call)).await?),
            Err(none) if none.is_empty() => Box::pin(self.wake(hint(&event, self.now()), &call)).await,
            Err(several) => Ok(Box::pin(self.requested_together(several, &call)).await?),
        }
    }

    /// Handles several requests in one event. If one stays unanswered, the event comes again, which does no harm to the
    /// others.
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

    /// Handles messages of the gate's own queue: timers, and events that Lambda gave up on. A request among them is
    /// handled as if it had just come. Returns the answer that SQS expects: the ids of the messages that should come
    /// again.
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

    /// Handles a timer, or a hint whose first run failed. The message never comes again: the next sweep finds what is
    /// missed here.
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
