//! The way out where a request cannot be parked: look again and again, for as long as the function may run.

use std::time::Duration;

use crate::decide::answer::{CustomResourceResponse, DigestOrigin};
use crate::decide::look::{ImageLook, WhyNot};
use crate::decide::reason::WaitEnding;
use crate::decide::verdict::{GateVerdict, verdict};
use crate::decide::wait::Wait;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

use crate::gate::{GateInvocation, ImageGate};

impl ImageGate {
    /// When a function that looks itself has to stop, to have time for an answer.
    pub(crate) fn last_look(&self, call: &GateInvocation) -> Instant {
        call.deadline.checked_sub(self.settings.time_to_answer).unwrap_or(call.deadline)
    }

    /// Waits for the image and decides. `not_parked` says why the request waits here.
    pub(crate) async fn poll(&self, wait: &Wait, not_parked: &str, call: &GateInvocation) -> CustomResourceResponse {
        let by_function = self.last_look(call);
        let left = wait.patience.last_moment().millis().saturating_sub(self.now().millis()).max(0).unsigned_abs();
        let end = by_function.min(Instant::now() + Duration::from_millis(left));
        let mut wait = wait.clone();
        let mut why_not = WhyNot::NotKnown("ECR did not answer in time".to_owned());
        loop {
            let look = timeout_at(end, self.look_settled(&wait)).await.unwrap_or(ImageLook::NotYet(why_not));
            let now = self.now();
            wait = wait.seen(&look, now).unwrap_or(wait);
            why_not = match &look {
                ImageLook::NotYet(why_not) => why_not.clone(),
                ImageLook::Denied(reason) | ImageLook::Never(reason) => WhyNot::NotKnown(reason.clone()),
                ImageLook::Present(_) => WhyNot::NoImage,
            };
            match verdict(&wait, look, now) {
                GateVerdict::Succeed(image) => {
                    return CustomResourceResponse::present(
                        *image,
                        &DigestOrigin::Look(now),
                        wait.patience.waited(now),
                    );
                }
                GateVerdict::Fail(reason) => return CustomResourceResponse::failed(&reason),
                GateVerdict::GiveUp(_) | GateVerdict::Wait => {}
            }
            if Instant::now() + self.settings.pause >= end {
                let ending = if end == by_function {
                    WaitEnding::Function { not_parked: not_parked.to_owned() }
                } else {
                    WaitEnding::Patience
                };
                return self.given_up(&wait, &why_not, &ending, &OnceCell::new()).await;
            }
            sleep(self.settings.pause).await;
        }
    }
}
