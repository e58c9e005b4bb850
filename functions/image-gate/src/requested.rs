//! A request of CloudFormation: answered at once, or parked.

use std::sync::Arc;

use crate::decide::answer::{Answer, Attributes};
use crate::decide::look::{Verdict, verdict};
use crate::decide::place::Place;
use crate::decide::reason::reason;
use crate::decide::request::{Envelope, Properties, RequestType};
use crate::decide::wait::Wait;
use crate::table::Inserted;
use serde_json::{Value, json};
use tokio::time::timeout_at;

use crate::flow::Call;
use crate::{Gate, Unanswered};

impl Gate {
    pub(crate) async fn requested(self: &Arc<Self>, envelope: Envelope, call: &Call) -> Result<Value, Unanswered> {
        match envelope.request_type {
            // First of all, and with nothing that could fail.
            Some(RequestType::Delete) => {
                let answered = self.send(&envelope, &Answer::deleted(), call).await?;
                self.cancel(&envelope, call).await;
                return Ok(answered);
            }
            Some(RequestType::Create | RequestType::Update) => {}
            None => return self.send(&envelope, &Answer::failed("RequestType is none of Create, Update and Delete"), call).await,
        }
        // A panic is an answer too, at once, and not after CloudFormation's patience.
        let (gate, own, whose) = (Arc::clone(self), envelope.clone(), call.clone());
        match tokio::spawn(async move { gate.decided(&own, &whose).await }).await {
            Ok(outcome) => outcome,
            Err(_panic) => {
                let (gate, own, whose) = (Arc::clone(self), envelope.clone(), call.clone());
                let answer = Answer::failed("the gate met a fault of its own; its log says where");
                let failed = answer.clone();
                match tokio::spawn(async move { gate.answer_by_row(&own, &failed, &whose).await }).await {
                    Ok(outcome) => outcome,
                    Err(_panic) => self.send(&envelope, &answer, call).await,
                }
            }
        }
    }

    /// Answers with this, unless the row says something else.
    async fn answer_by_row(&self, envelope: &Envelope, answer: &Answer, call: &Call) -> Result<Value, Unanswered> {
        match Properties::parse(&envelope.properties) {
            Ok(asked) => self.answer_fresh(&self.wait_of(envelope, asked), answer, call).await,
            Err(_) => self.send(envelope, answer, call).await,
        }
    }

    fn wait_of(&self, envelope: &Envelope, asked: Properties) -> Wait {
        let place = Place::of(&asked, &envelope.requester, self.own_region.as_deref());
        Wait::new(envelope, asked, place, self.now())
    }

    async fn decided(&self, envelope: &Envelope, call: &Call) -> Result<Value, Unanswered> {
        let asked = match Properties::parse(&envelope.properties) {
            Ok(asked) => asked,
            Err(error) => return self.send(envelope, &Answer::failed(&error.to_string()), call).await,
        };
        let wait = self.wait_of(envelope, asked);
        if let Some(condition) = &envelope.failed_before {
            return self.given_up_by_lambda(&wait, condition, call).await;
        }
        // An ECR that does not answer must not use up the time for an answer.
        let first = Box::pin(self.first_look(&wait, envelope.request_type == Some(RequestType::Update), call));
        match timeout_at(self.last_look(call), first).await.unwrap_or_default() {
            Some(answer) => self.answer_fresh(&wait, &answer, call).await,
            None => Box::pin(self.park(wait, call)).await,
        }
    }

    /// Lambda has given an invocation up. A request that it had parked is not lost: it is swept like the others.
    async fn given_up_by_lambda(&self, wait: &Wait, condition: &str, call: &Call) -> Result<Value, Unanswered> {
        if let Some(table) = &self.table
            && let Ok(open) = self.stored(call, table.open_at(&wait.key.partition)).await
            && open.iter().any(|row| row.key == wait.key && row.is_undecided())
        {
            return Ok(json!({"answered": false, "reason": "the request is parked"}));
        }
        let answer = Answer::failed(&format!("the gate function could not handle this request ({condition}); its log says why"));
        self.answer_fresh(wait, &answer, call).await
    }

    /// An answer, if there can be one now: by what is in ECR, or where the tag of a rollback is gone, by what it was.
    async fn first_look(&self, wait: &Wait, is_update: bool, call: &Call) -> Option<Answer> {
        let look = self.look_settled(&wait.place, &wait.asked).await;
        if let Some(answer) = self.answer_of(wait, verdict(wait, look, self.now())) {
            return Some(answer);
        }
        let image = if is_update { self.recalled(wait, call).await? } else { return None };
        tracing::info!(
            stack = wait.requester.stack_id,
            digest = image.digest,
            "the tag is gone, and the resource is given what it had: {}",
            image.digest
        );
        Some(Answer::present(image, wait.patience.waited(self.now())))
    }

    async fn recalled(&self, wait: &Wait, call: &Call) -> Option<Attributes> {
        let table = self.table.as_ref()?;
        match self.stored(call, table.recall(&wait.requester, &wait.asked.identity())).await {
            Ok(image) => image,
            Err(failure) => {
                tracing::warn!(%failure, "what the tag meant before is not known: {failure}");
                None
            }
        }
    }

    /// An answer where one is due at once; the end of the wait is for the sweep, or for the function that waits itself.
    fn answer_of(&self, wait: &Wait, verdict: Verdict) -> Option<Answer> {
        match verdict {
            Verdict::Succeed(image) => Some(Answer::present(*image, wait.patience.waited(self.now()))),
            Verdict::Fail(reason) => Some(Answer::failed(&reason)),
            Verdict::GiveUp(_) | Verdict::Wait => None,
        }
    }

    /// Parks the request and looks once more, for a push may have come between the first look and the parking.
    async fn park(&self, mut wait: Wait, call: &Call) -> Result<Value, Unanswered> {
        if wait.should_ask_mirror(self.now()) && self.ask_mirror(&wait, call).await {
            wait = wait.asked_mirror(self.now());
        }
        if !wait.patience.can_be_parked(self.now()) {
            let answer = self.poll(&wait, None, call).await;
            return self.answer_fresh(&wait, &answer, call).await;
        }
        let Some(table) = &self.table else {
            let answer = self.poll(&wait, Some("no table is configured"), call).await;
            return self.answer_fresh(&wait, &answer, call).await;
        };
        let row = match self.stored(call, table.insert(&wait)).await {
            Ok(Inserted::New) => wait,
            Ok(Inserted::Known(row)) if row.is_undecided() => *row,
            // What was decided is sent again, should whoever decided it have died.
            Ok(Inserted::Known(row)) => return self.answer_known(&row, &Answer::failed("the request was decided before"), call).await,
            Err(failure) => {
                tracing::error!(%failure, "a request could not be parked: {failure}");
                let answer = self.poll(&wait, Some(&failure.to_string()), call).await;
                return self.answer_fresh(&wait, &answer, call).await;
            }
        };
        let look = self.look_settled(&row.place, &row.asked).await;
        match verdict(&row, look, self.now()) {
            Verdict::Succeed(image) => {
                let answer = Answer::present(*image, row.patience.waited(self.now()));
                self.answer_known(&row, &answer, call).await
            }
            Verdict::Fail(reason) => self.answer_known(&row, &Answer::failed(&reason), call).await,
            Verdict::GiveUp(why_not) => {
                let answer = self.given_up(&row, &why_not, &[]);
                self.answer_known(&row, &answer, call).await
            }
            Verdict::Wait => {
                let (requester, image) = (&row.requester, row.asked.image_at(&row.place.uri()));
                tracing::info!(
                    stack = requester.stack_id, logical_resource_id = requester.logical_resource_id, request_id = requester.request_id, image,
                    until = %row.patience.gives_up_at, "parked: waits for {image}"
                );
                Ok(json!({"answered": false, "parked": true}))
            }
        }
    }

    /// The answer of a request whose time is over.
    pub(crate) fn given_up(&self, wait: &Wait, why_not: &str, tags: &[String]) -> Answer {
        let ended_by = format!("ServiceTimeout ({} s)", wait.patience.total());
        Answer::failed(&reason(wait, why_not, &ended_by, tags, self.now()))
    }
}
