//! Limits how many blobs move at once, and picks the next: the largest that waits, of any image. The last blob to
//! arrive decides when everything is done, so a large one must not begin last.

use std::collections::BinaryHeap;
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::lock;

/// How many blobs move at a time, each over connections of its own.
const FLOWS: usize = 32;

/// The flows of one run.
#[derive(Debug)]
pub(crate) struct Flows(Mutex<FlowsState>);

#[derive(Debug)]
struct FlowsState {
    free: usize,
    waiting: BinaryHeap<WaitingFlow>,
    arrivals: u64,
}

#[derive(Debug)]
struct WaitingFlow {
    size: u64,
    /// Among blobs of the same size, the first to arrive goes first.
    arrival: std::cmp::Reverse<u64>,
    go: oneshot::Sender<()>,
}

/// The right to move a blob, given back when dropped.
#[derive(Debug)]
pub(crate) struct Flow<'a>(&'a Flows);

impl Default for Flows {
    fn default() -> Self {
        Self(Mutex::new(FlowsState { free: FLOWS, waiting: BinaryHeap::new(), arrivals: 0 }))
    }
}

impl Flows {
    /// Waits for a flow for a blob of this size.
    pub(crate) async fn take(&self, size: u64) -> Flow<'_> {
        let told = {
            let mut state = lock(&self.0);
            if state.free > 0 {
                state.free -= 1;
                return Flow(self);
            }
            let (go, told) = oneshot::channel();
            state.arrivals += 1;
            let arrival = std::cmp::Reverse(state.arrivals);
            state.waiting.push(WaitingFlow { size, arrival, go });
            told
        };
        // If this future is dropped while it waits, its place gives the flow back: see `give`.
        let mut place = QueuePlace { flows: self, told: Some(told) };
        if let Some(told) = &mut place.told {
            // The sender is never dropped unused: it is in the heap until it sends.
            let _ = told.await;
        }
        place.told = None;
        Flow(self)
    }

    fn give(&self) {
        let mut state = lock(&self.0);
        while let Some(next) = state.waiting.pop() {
            if next.go.send(()).is_ok() {
                return;
            }
        }
        state.free += 1;
    }
}

struct QueuePlace<'a> {
    flows: &'a Flows,
    told: Option<oneshot::Receiver<()>>,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        if let Some(told) = &mut self.told {
            told.close();
            if told.try_recv().is_ok() {
                self.flows.give();
            }
        }
    }
}

impl Drop for Flow<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

impl PartialEq for WaitingFlow {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for WaitingFlow {}

impl PartialOrd for WaitingFlow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WaitingFlow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.size, self.arrival).cmp(&(other.size, other.arrival))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};

    use super::*;

    #[tokio::test]
    async fn the_largest_is_next_and_who_gives_up_takes_nothing() {
        let flows = Flows::default();
        let mut taken: Vec<Flow<'_>> = Vec::new();
        for _ in 0..FLOWS {
            taken.push(flows.take(1).await);
        }
        let mut given_up = Box::pin(flows.take(99));
        assert!(given_up.as_mut().now_or_never().is_none());
        let mut waiting: FuturesUnordered<_> =
            [5, 50, 7].into_iter().map(|size| flows.take(size).map(move |flow| (size, flow))).collect();
        assert!(waiting.next().now_or_never().is_none());
        drop(given_up);
        let mut order = Vec::new();
        for _ in 0..3 {
            taken.pop();
            let (size, flow) = waiting.next().await.unwrap();
            order.push(size);
            taken.push(flow);
        }
        assert_eq!(order, [50, 7, 5]);
    }
}
