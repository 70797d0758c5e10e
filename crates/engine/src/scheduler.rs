//! Wakes lanes when their next delivery is due. One timer a lane, however many deliveries wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{EndpointId, Millis};
use tokio::sync::Notify;

use crate::engine::Inner;

/// The timers of all lanes.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    timers: Mutex<BinaryHeap<Reverse<(Millis, EndpointId)>>>,
    is_earlier: Notify,
}

impl Scheduler {
    pub(crate) fn add(&self, due_at: Millis, endpoint: EndpointId) {
        let mut timers = self.timers.lock();
        let is_first = timers.peek().is_none_or(|Reverse((first, _))| due_at < *first);
        timers.push(Reverse((due_at, endpoint)));
        drop(timers);
        if is_first {
            self.is_earlier.notify_one();
        }
    }

    fn first(&self) -> Option<Millis> {
        self.timers.lock().peek().map(|Reverse((due_at, _))| *due_at)
    }

    fn pop_due(&self, now: Millis) -> Vec<EndpointId> {
        let mut timers = self.timers.lock();
        let mut due = Vec::new();
        while timers.peek().is_some_and(|Reverse((due_at, _))| *due_at <= now) {
            due.extend(timers.pop().map(|Reverse((_, endpoint))| endpoint));
        }
        due
    }
}

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_scheduler(self: Arc<Self>) {
        while !self.is_stopping() {
            let first = self.scheduler.first();
            tokio::select! {
                () = self.clock.sleep_until(first.unwrap_or_default()), if first.is_some() => self.ring_due(),
                () = self.scheduler.is_earlier.notified() => {}
                () = self.stopping.cancelled() => {}
            }
        }
    }

    fn ring_due(self: &Arc<Self>) {
        let now = self.clock.now();
        for endpoint in self.scheduler.pop_due(now) {
            if let Some(lane) = self.lanes.existing(endpoint)
                && lane.ring(now)
            {
                self.mark_backlog(&lane.organization, endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn lanes_ring_in_the_order_they_are_due() {
        let scheduler = Scheduler::default();
        let endpoint = |n| EndpointId(Uuid::from_u128(n));
        for (due, n) in [(30, 3), (10, 1), (20, 2)] {
            scheduler.add(Millis(due), endpoint(n));
        }
        assert_eq!(scheduler.first(), Some(Millis(10)));
        assert_eq!(scheduler.pop_due(Millis(20)), [endpoint(1), endpoint(2)]);
        assert_eq!(scheduler.pop_due(Millis(20)), []);
        assert_eq!(scheduler.first(), Some(Millis(30)));
    }
}
