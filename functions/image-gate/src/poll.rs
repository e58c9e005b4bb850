//! The way out where a request cannot be parked: look again and again, for as long as the function may run.

use std::time::Duration;

use crate::decide::answer::Answer;
use crate::decide::look::{Look, PERMISSION_GRACE_SECONDS};
use crate::decide::reason::reason;
use crate::decide::wait::Wait;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::Gate;
use crate::flow::Call;

impl Gate {
    /// When a function that looks itself has to stop, to have time for an answer.
    pub(crate) fn last_look(&self, call: &Call) -> Instant {
        call.deadline.checked_sub(self.settings.time_to_answer).unwrap_or(call.deadline)
    }

    /// Waits for the image and decides. `why_here` says why the request is not parked, where that is a fault.
    pub(crate) async fn poll(&self, wait: &Wait, why_here: Option<&str>, call: &Call) -> Answer {
        let by_function = self.last_look(call);
        let left = wait.patience.last_moment().millis().saturating_sub(self.now().millis()).max(0).unsigned_abs();
        let by_stack = Instant::now() + Duration::from_millis(left);
        let begin = Instant::now();
        let mut why_not = "ECR did not answer in time".to_owned();
        loop {
            let look = timeout_at(by_function.min(by_stack), self.look_settled(&wait.place, &wait.asked)).await;
            why_not = match look.unwrap_or(Look::NotYet(why_not)) {
                Look::Present(image) => return Answer::present(*image, wait.patience.waited(self.now())),
                Look::Never(reason) => return Answer::failed(&reason),
                Look::Denied(reason) if begin.elapsed().as_secs() >= PERMISSION_GRACE_SECONDS => return Answer::failed(&reason),
                Look::Denied(reason) | Look::NotYet(reason) => reason,
            };
            if Instant::now() + self.settings.pause >= by_function.min(by_stack) {
                let ended_by = match why_here {
                    Some(why) if by_function < by_stack => {
                        format!("the time that the gate function may run (the request could not be parked: {why})")
                    }
                    None if by_function < by_stack => "the time that the gate function may run".to_owned(),
                    Some(_) | None => format!("ServiceTimeout ({} s)", wait.patience.total()),
                };
                // A help for people, for which the answer does not wait.
                let tags = timeout(self.settings.time_to_answer / 5, self.tags(&wait.place)).await.unwrap_or_default();
                return Answer::failed(&reason(wait, &why_not, &ended_by, &tags, self.now()));
            }
            sleep(self.settings.pause).await;
        }
    }
}
