//! From a decision to the answer that CloudFormation has: claim the row, send what it says, mark it.

use std::time::Duration;

use crate::decide::answer::CustomResourceResponse;
use crate::decide::look::WhyNot;
use crate::decide::reason::{Surroundings, WaitEnding, reason};
use crate::decide::request::{Envelope, Requester};
use crate::decide::url::StoredResponseUrl as Signed;
use crate::decide::wait::{AnswerClaim, Delivery, Wait, WaitState};
use crate::table::{GateTable, Inserted};
use pullsafe_aws::Failure;
use pullsafe_aws::telemetry::{Unit, emf};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::gate::{GateInvocation, ImageGate};
use crate::response_url::{ResponseUrl, UndeliveredResponse};

impl ImageGate {
    /// The answer of a request whose time is over. The repository's tags, read once for all who wait there, are a help
    /// for people, for which it does not wait for long; a stack of another account is told of its own repositories
    /// only.
    pub(crate) async fn given_up(
        &self,
        wait: &Wait,
        why_not: &WhyNot,
        ending: &WaitEnding,
        tags: &OnceCell<Result<Vec<String>, String>>,
    ) -> CustomResourceResponse {
        let is_own = wait.requester.stack().map(|stack| stack.account) == wait.place.account.as_deref();
        let left = wait.patience.gives_up_at.millis().saturating_sub(self.now().millis()).max(0).unsigned_abs();
        let budget = (self.settings.time_to_answer / 3).min(Duration::from_millis(left / 4));
        let known = async || {
            timeout(budget, self.tags(&wait.place))
                .await
                .unwrap_or_else(|_| Err("ECR did not answer in time".to_owned()))
        };
        let tags = if is_own {
            tags.get_or_init(known).await.as_deref().map_err(String::as_str)
        } else {
            Ok(&[][..])
        };
        let around = Surroundings {
            tags,
            mirror_log: self.settings.stack.mirror_log_group.as_deref(),
        };
        CustomResourceResponse::failed(&reason(wait, why_not, ending, around, self.now()))
    }

    /// Answers a request that has no row yet, as far as is known. A row that is there after all decides.
    pub(crate) async fn answer_fresh(
        &self,
        fresh: &Wait,
        answer: &CustomResourceResponse,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        let AnswerClaim::Take(claimed) = fresh.claim(&call.owner, || answer.body(&fresh.requester), self.now()) else {
            return Ok(json!({"answered": false, "reason": "the request is over"}));
        };
        let stored = match &self.table {
            Some(table) => self.stored(call, table.insert(&claimed)).await,
            None => Err(Failure::unexpected("dynamodb", "no table is configured")),
        };
        match stored {
            Ok(Inserted::New) => self.deliver(&claimed, call).await,
            Ok(Inserted::Known(row)) => self.answer_known(&row, answer, call).await,
            Err(failure) => {
                tracing::warn!(%failure, "an answer goes out without a row: {failure}");
                self.deliver(&claimed, call).await
            }
        }
    }

    /// Answers a request by its row, with what the row says if anything was decided before.
    pub(crate) async fn answer_known(
        &self,
        row: &Wait,
        answer: &CustomResourceResponse,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        let now = self.now();
        let claimed = match row.claim(&call.owner, || answer.body(&row.requester), now) {
            AnswerClaim::Take(claimed) => claimed,
            AnswerClaim::Busy(_) => return Ok(json!({"answered": false, "reason": "another invocation answers"})),
            AnswerClaim::Over => return Ok(json!({"answered": false, "reason": "the request is over"})),
        };
        let Some(table) = &self.table else {
            return self.deliver(&claimed, call).await;
        };
        match self.stored(call, table.replace(&claimed)).await {
            Ok(true) => self.deliver(&claimed, call).await,
            Ok(false) => Ok(json!({"answered": false, "reason": "another invocation was faster"})),
            // Towards the end an answer without a claim is better than none.
            Err(failure) if row.patience.has_to_end(now) => {
                tracing::warn!(%failure, "an answer goes out without a claim: {failure}");
                self.deliver(&claimed, call).await
            }
            Err(failure) => {
                tracing::warn!(%failure, "an answer could not be claimed; the next sweep tries again: {failure}");
                Ok(json!({"answered": false, "reason": "the table does not take the claim"}))
            }
        }
    }

    /// Sends the answer of a claimed row. Sending and remembering what the image is do not wait for each other.
    async fn deliver(&self, claimed: &Wait, call: &GateInvocation) -> Result<Value, UndeliveredResponse> {
        let WaitState::Answering { body, .. } = &claimed.state else {
            return Ok(json!({"answered": false}));
        };
        let Some(url) = &claimed.url else {
            return Ok(json!({"answered": false, "reason": "the address is gone"}));
        };
        let image = CustomResourceResponse::image_of(body);
        let remember = async {
            if let (Some(table), Some(image)) = (&self.table, &image)
                && let Err(failure) = self
                    .stored(call, table.remember(&claimed.requester, &claimed.asked.identity(), image, self.now()))
                    .await
            {
                tracing::warn!(%failure, "a rollback to this image would not find it again: {failure}");
            }
        };
        let send = async {
            match self.response_url(url, &claimed.requester) {
                Ok(url) => url.put(&self.http, body, self.delivery_deadline(call)).await,
                Err(error) => Err(error),
            }
        };
        let ((), sent) = tokio::join!(remember, send);
        let (delivery, why) = match sent {
            Ok(()) => (Delivery::Taken, None),
            Err(error) if error.refused => (Delivery::Refused, Some(error.to_string())),
            // The claim runs out, and the row says what to send again.
            Err(error) => return Err(error),
        };
        let now = self.now();
        if let Some(table) = &self.table
            && let Err(failure) = self.stored(call, table.replace(&claimed.answered(delivery, now))).await
        {
            tracing::warn!(%failure, "an answer will be sent once more: {failure}");
        }
        let (success, waited) = (image.is_some(), claimed.patience.waited(now));
        let requester = &claimed.requester;
        if let Some(why) = &why {
            tracing::error!(
                state = "answered",
                stack = requester.stack_id,
                logical_resource_id = requester.logical_resource_id,
                request_id = requester.request_id,
                why,
                "a request cannot be answered any more: {why}"
            );
        } else {
            let outcome = if success { "success" } else { "failed" };
            tracing::info!(
                state = "answered",
                stack = requester.stack_id,
                logical_resource_id = requester.logical_resource_id,
                request_id = requester.request_id,
                success,
                waited_seconds = waited,
                image = claimed.asked.image_at(&claimed.place.uri()),
                "answered: {outcome}"
            );
            emf(
                now,
                &[("Outcome", outcome)],
                &[("GateAnswers", Unit::Count, 1), ("GateWaitSeconds", Unit::Seconds, waited)],
            );
        }
        Ok(json!({"answered": delivery == Delivery::Taken, "success": success}))
    }

    /// Sends an answer that needs no row: always the same for the same request.
    pub(crate) async fn send(
        &self,
        envelope: &Envelope,
        answer: &CustomResourceResponse,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        let requester = &envelope.requester;
        let (success, reason) = (answer.is_success(), answer.reason());
        let sent = match self.response_url(&envelope.response_url, requester) {
            Ok(url) => url.put(&self.http, &answer.body(requester), self.delivery_deadline(call)).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => {
                tracing::info!(
                    stack = requester.stack_id,
                    request_id = requester.request_id,
                    success,
                    reason,
                    "answered at once"
                );
                Ok(json!({"answered": true, "success": success}))
            }
            Err(error) if error.refused => {
                tracing::error!(stack = requester.stack_id, request_id = requester.request_id, %error, "a request cannot be answered: {error}");
                Ok(json!({"answered": false, "reason": error.to_string()}))
            }
            Err(error) => Err(error),
        }
    }

    /// A Delete is answered; what waits for its resource need not be. Best effort: an answer to a deleted resource does
    /// no harm.
    pub(crate) async fn cancel(&self, envelope: &Envelope, call: &GateInvocation) {
        let Some(table) = &self.table else { return };
        match self.stored(call, table.open_of(&envelope.requester)).await {
            Ok(waits) => {
                for cancelled in waits.iter().filter_map(|wait| wait.cancelled(self.now())) {
                    self.cancel_one(table, &cancelled, call).await;
                }
            }
            Err(failure) => tracing::info!(%failure, "what waits for a deleted resource waits on: {failure}"),
        }
    }

    async fn cancel_one(&self, table: &GateTable, cancelled: &Wait, call: &GateInvocation) {
        match self.stored(call, table.replace(cancelled)).await {
            Ok(done) => {
                let requester = &cancelled.requester;
                tracing::info!(
                    state = "cancelled",
                    stack = requester.stack_id,
                    logical_resource_id = requester.logical_resource_id,
                    request_id = requester.request_id,
                    done,
                    "the resource was deleted while it waited"
                );
            }
            Err(failure) => tracing::info!(%failure, "what waits for a deleted resource waits on: {failure}"),
        }
    }

    pub(crate) fn response_url(&self, url: &Signed, requester: &Requester) -> Result<ResponseUrl, UndeliveredResponse> {
        let allow_local = self.settings.stack.allow_local_response_url;
        ResponseUrl::parse(url, requester, allow_local)
            .map_err(|error| UndeliveredResponse::impossible(error.to_string()))
    }

    /// Within the lease, and within the function's life.
    fn delivery_deadline(&self, call: &GateInvocation) -> Instant {
        let life = call.deadline.checked_sub(Duration::from_millis(100)).unwrap_or(call.deadline);
        life.min(Instant::now() + self.settings.delivery_budget)
    }
}
