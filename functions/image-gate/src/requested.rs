//! A request of CloudFormation: answered at once, or parked.

use std::sync::Arc;

use crate::decide::answer::{CustomResourceResponse, DigestOrigin};
use crate::decide::look::{ImageLook, WhyNot};
use crate::decide::mirrored;
use crate::decide::place::RepositoryPlace;
use crate::decide::properties::Properties;
use crate::decide::reason::{WaitEnding, quote_it};
use crate::decide::refusal::InvalidProperties;
use crate::decide::request::{Envelope, RequestType};
use crate::decide::verdict::{GateVerdict, verdict};
use crate::decide::wait::Wait;
use crate::table::Inserted;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

use crate::gate::{GateInvocation, ImageGate};
use crate::response_url::UndeliveredResponse;

impl ImageGate {
    pub(crate) async fn requested(
        self: &Arc<Self>,
        envelope: Envelope,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        match envelope.request_type {
            // First of all, and with nothing that could fail.
            Some(RequestType::Delete) => {
                let answered = self.send(&envelope, &CustomResourceResponse::deleted(), call).await?;
                // Whoever made this Delete up could not have had its answer taken.
                if answered["answered"] == true {
                    self.cancel(&envelope, call).await;
                }
                return Ok(answered);
            }
            Some(RequestType::Create | RequestType::Update) => {}
            None => {
                return self
                    .send(
                        &envelope,
                        &CustomResourceResponse::failed("RequestType is none of Create, Update and Delete"),
                        call,
                    )
                    .await;
            }
        }
        // A panic is an answer too, at once, and not after CloudFormation's patience.
        let (gate, own, whose) = (Arc::clone(self), envelope.clone(), call.clone());
        match tokio::spawn(async move { gate.decided(&own, &whose).await }).await {
            Ok(outcome) => outcome,
            Err(_panic) => {
                let (gate, own, whose) = (Arc::clone(self), envelope.clone(), call.clone());
                let answer = CustomResourceResponse::failed(&format!(
                    "the gate met a fault of its own; its log group {} says where",
                    self.settings.log_group
                ));
                let failed = answer.clone();
                match tokio::spawn(async move { gate.answer_by_row(&own, &failed, &whose).await }).await {
                    Ok(outcome) => outcome,
                    Err(_panic) => self.send(&envelope, &answer, call).await,
                }
            }
        }
    }

    /// Answers with this, unless the row says something else.
    async fn answer_by_row(
        &self,
        envelope: &Envelope,
        answer: &CustomResourceResponse,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        match self.wait_of(envelope) {
            Ok(wait) => self.answer_fresh(&wait, answer, call).await,
            Err(_) => self.send(envelope, answer, call).await,
        }
    }

    /// What a request waits for, if it can be waited for.
    fn wait_of(&self, envelope: &Envelope) -> Result<Wait, InvalidProperties> {
        let asked = Properties::parse(&envelope.properties)?;
        let place = RepositoryPlace::of(&asked, &envelope.requester, self.own_region.as_deref());
        mirrored::check(&asked, &place, self.settings.stack.mirror.as_ref())
            .map_err(|refusal| InvalidProperties(vec![refusal]))?;
        Ok(Wait::new(envelope, asked, place, self.now()))
    }

    async fn decided(&self, envelope: &Envelope, call: &GateInvocation) -> Result<Value, UndeliveredResponse> {
        // Whoever cannot be answered is no stack: nothing is looked up, asked of the mirror or kept for them.
        if self.response_url(&envelope.response_url, &envelope.requester).is_err() {
            return self
                .send(envelope, &CustomResourceResponse::failed("there is nowhere to send an answer to"), call)
                .await;
        }
        let wait = match self.wait_of(envelope) {
            Ok(wait) => wait,
            Err(error) => return self.send(envelope, &CustomResourceResponse::failed(&error.to_string()), call).await,
        };
        if let Some(failed) = &envelope.failed_before {
            tracing::warn!(
                stack = wait.requester.stack_id,
                condition = failed.condition,
                log_group = failed.log_group,
                "a request that the gate failed at is taken up"
            );
        }
        // An ECR that does not answer must not use up the time for an answer.
        let first = Box::pin(self.first_look(&wait, envelope.request_type == Some(RequestType::Update), call));
        match timeout_at(self.last_look(call), first).await {
            Ok(FirstLook::Answer(answer)) => self.answer_fresh(&wait, &answer, call).await,
            Ok(FirstLook::Wait(wait)) => Box::pin(self.park(*wait, envelope, call)).await,
            Err(_) => Box::pin(self.park(wait, envelope, call)).await,
        }
    }

    /// An answer, if there can be one now: of a rollback what the resource had, else what ECR has.
    async fn first_look(&self, wait: &Wait, is_update: bool, call: &GateInvocation) -> FirstLook {
        if is_update && let Some(answer) = self.rolled_back(wait, call).await {
            return FirstLook::Answer(answer);
        }
        let look = self.look_settled(wait).await;
        let now = self.now();
        if look == ImageLook::NotYet(WhyNot::NoImage) && wait.asked.tag_was_a_fraction {
            return FirstLook::Answer(CustomResourceResponse::failed(&quote_it(wait.asked.wanted.tag())));
        }
        let seen = wait.seen(&look, now);
        match verdict(wait, look, now) {
            GateVerdict::Succeed(image) => FirstLook::Answer(CustomResourceResponse::present(
                *image,
                &DigestOrigin::Look(now),
                wait.patience.waited(now),
            )),
            GateVerdict::Fail(reason) => FirstLook::Answer(CustomResourceResponse::failed(&reason)),
            GateVerdict::GiveUp(why_not) => {
                FirstLook::Answer(self.given_up(wait, &why_not, &WaitEnding::Patience, &OnceCell::new()).await)
            }
            GateVerdict::Wait => FirstLook::Wait(Box::new(seen.unwrap_or_else(|| wait.clone()))),
        }
    }

    /// Parks the request and looks once more, for a push may have come between the first look and the parking.
    async fn park(
        &self,
        mut wait: Wait,
        envelope: &Envelope,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        if let Some(next) = self.ask_mirror(&wait, call).await {
            wait = next;
        }
        let Some(table) = &self.table else {
            return self.wait_here(&wait, "no table is configured", envelope, call).await;
        };
        let row = match self.stored(call, table.insert(&wait)).await {
            Ok(Inserted::New) => wait,
            Ok(Inserted::Known(row)) if row.is_undecided() => *row,
            // What was decided is sent again, should whoever decided it have died.
            Ok(Inserted::Known(row)) => {
                return self
                    .answer_known(&row, &CustomResourceResponse::failed("the request was decided before"), call)
                    .await;
            }
            Err(failure) => {
                tracing::error!(%failure, "a request could not be parked: {failure}");
                return self.wait_here(&wait, &failure.to_string(), envelope, call).await;
            }
        };
        if let Err(why) = self.set_timers(std::slice::from_ref(&row), call).await
            && row.patience.ends_before_another_sweep(self.now())
        {
            let answer = self.poll(&row, &format!("it could not be woken in time: {why}"), call).await;
            return self.answer_known(&row, &answer, call).await;
        }
        let look = self.look_settled(&row).await;
        let now = self.now();
        match verdict(&row, look, now) {
            GateVerdict::Succeed(image) => {
                let answer =
                    CustomResourceResponse::present(*image, &DigestOrigin::Look(now), row.patience.waited(now));
                self.answer_known(&row, &answer, call).await
            }
            GateVerdict::Fail(reason) => self.answer_known(&row, &CustomResourceResponse::failed(&reason), call).await,
            GateVerdict::GiveUp(why_not) => {
                let answer = self.given_up(&row, &why_not, &WaitEnding::Patience, &OnceCell::new()).await;
                self.answer_known(&row, &answer, call).await
            }
            GateVerdict::Wait => {
                let (requester, image) = (&row.requester, row.asked.image_at(&row.place.uri()));
                tracing::info!(
                    state = "parked", stack = requester.stack_id, logical_resource_id = requester.logical_resource_id, request_id = requester.request_id,
                    image, until = %row.patience.gives_up_at, "parked: waits for {image}"
                );
                Ok(json!({"answered": false, "parked": true}))
            }
        }
    }

    /// Parking is impossible: the function waits by itself. One that was started for what another failed at does not
    /// hold its queue up for so long; it has looked, and answers.
    async fn wait_here(
        &self,
        wait: &Wait,
        not_parked: &str,
        envelope: &Envelope,
        call: &GateInvocation,
    ) -> Result<Value, UndeliveredResponse> {
        let answer = match &envelope.failed_before {
            Some(failed) => CustomResourceResponse::failed(&format!(
                "The gate function could not handle this request ({}; its log group {} says more), and it cannot be \
                 parked: {not_parked}. The image was looked for and is not there. Deploy again.",
                failed.condition, failed.log_group
            )),
            None => self.poll(wait, not_parked, call).await,
        };
        self.answer_fresh(wait, &answer, call).await
    }
}

/// What the first look led to.
enum FirstLook {
    Answer(CustomResourceResponse),
    /// The request, with what the look said of it.
    Wait(Box<Wait>),
}
