//! The fallback for a request that cannot be parked: looks again and again, for as long as the function may run.

use std::time::Duration;

use crate::decide::answer::{Answer, Origin};
use crate::decide::look::{Look, WhyNot};
use crate::decide::reason::Ending;
use crate::decide::verdict::{Verdict, verdict};
use crate::decide::wait::Wait;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

use crate::gate::{Call, Gate};

impl Gate {
    /// When a function that waits by itself has to stop looking, to have time for an answer.
    pub(crate) fn last_look(&self, call: &Call) -> Instant {
        call.deadline.checked_sub(self.settings.time_to_answer).unwrap_or(call.deadline)
    }

    /// Waits for the image and decides. `not_parked` says why the request waits here.
    pub(crate) async fn poll(&self, wait: &Wait, not_parked: &str, call: &Call) -> Answer {
        let by_function = self.last_look(call);
        let left = wait.patience.last_moment().millis().saturating_sub(self.now().millis()).max(0).unsigned_abs();
        let end = by_function.min(Instant::now() + Duration::from_millis(left));
        let mut wait = wait.clone();
        let mut why_not = WhyNot::NotKnown("ECR did not answer in time".to_owned());
        loop {
            let look = timeout_at(end, self.look_settled(&wait)).await.unwrap_or(Look::NotYet(why_not));
            let now = self.now();
            wait = wait.seen(&look, now).unwrap_or(wait);
            why_not = match &look {
                Look::NotYet(why_not) => why_not.clone(),
                Look::Denied(reason) | Look::Never(reason) => WhyNot::NotKnown(reason.clone()),
                Look::Present(_) => WhyNot::NoImage,
            };
            match verdict(&wait, look, now) {
                Verdict::Succeed(image) => {
                    return Answer::present(*image, &Origin::Look(now), wait.patience.waited(now));
                }
                Verdict::Fail(reason) => return Answer::failed(&reason),
                Verdict::GiveUp(_) | Verdict::Wait => {}
            }
            if Instant::now() + self.settings.pause >= end {
                let ending = if end == by_function {
                    Ending::Function { not_parked: not_parked.to_owned() }
                } else {
                    Ending::Patience
                };
                return self.given_up(&wait, &why_not, &ending, &OnceCell::new()).await;
            }
            sleep(self.settings.pause).await;
        }
    }
}
