//! Delayed messages of the own queue, which wake the waker shortly before CloudFormation gives up.
//!
//! The sweep comes once a minute, which is too coarse for the end of a wait. Whoever parks a request, and each sweep
//! that sees one near its end, sends the messages that are due; one too many does no harm.

use std::collections::BTreeSet;

use crate::decide::hint::timer;
use crate::decide::wait::Wait;

use crate::gate::{GateInvocation, ImageGate};

impl ImageGate {
    /// Sends what is due for these requests. Why one of them will not be woken in time, where that is so.
    pub(crate) async fn set_timers(&self, waits: &[Wait], call: &GateInvocation) -> Result<(), String> {
        let now = self.now();
        let due = |wait: &Wait| {
            wait.patience
                .timers(now)
                .into_iter()
                .map(|delay| (wait.key.partition.clone(), delay))
                .collect::<Vec<_>>()
        };
        let due: BTreeSet<(String, i64)> = waits.iter().filter(|wait| wait.is_undecided()).flat_map(due).collect();
        if due.is_empty() {
            return Ok(());
        }
        let Some(queue) = &self.settings.stack.queue_url else {
            return Err("no queue is configured".to_owned());
        };
        for (partition, delay) in due {
            let delay = i32::try_from(delay).unwrap_or(i32::MAX);
            if let Err(failure) = self.stored(call, self.queues.send(queue, &timer(&partition), delay)).await {
                tracing::warn!(%failure, partition, "the end of a wait gets no timer: {failure}");
                return Err(failure.to_string());
            }
        }
        Ok(())
    }
}
