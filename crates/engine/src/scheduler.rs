//! Wakes lanes when their next delivery is due. One timer a lane, however many deliveries wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{EndpointId, Millis};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::engine::Inner;

/// The timers of all lanes.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    timers: Mutex<BTreeSet<(Millis, EndpointId)>>,
    is_earlier: Notify,
}

impl Scheduler {
    pub(crate) fn add(&self, due_at: Millis, endpoint: EndpointId) {
        let mut timers = self.timers.lock();
        let is_first = timers.first().is_none_or(|(first, _)| due_at < *first);
        timers.insert((due_at, endpoint));
        drop(timers);
        if is_first {
            self.is_earlier.notify_one();
        }
    }

    fn first(&self) -> Option<Millis> {
        self.timers.lock().first().map(|(due_at, _)| *due_at)
    }

    fn pop_due(&self, now: Millis) -> Vec<EndpointId> {
        let mut timers = self.timers.lock();
        let first_later = (Millis(now.0.saturating_add(1)), EndpointId(Uuid::nil()));
        let later = timers.split_off(&first_later);
        std::mem::replace(&mut *timers, later).into_iter().map(|(_, endpoint)| endpoint).collect()
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
            let Some(lane) = self.lanes.existing(endpoint) else { continue };
            let (is_due, start) = lane.ring(now);
            self.start(&lane, start);
            if is_due {
                self.mark_backlog(&lane.organization, endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
