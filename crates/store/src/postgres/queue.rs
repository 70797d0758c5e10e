//! A bounded queue between callers and the writers: what does not fit is refused at once, and a writer takes all that waits.

use std::collections::VecDeque;
use std::pin::pin;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::{Result, StoreError};
use crate::limits::{GROUP_BYTES_MAX, GROUP_WRITES_MAX, WRITES_WAITING_BYTES_MAX, WRITES_WAITING_MAX};

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_closed: bool,
}

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Notify,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, is_closed: false };
        Queue { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// Puts an item at the end. One that is larger than everything allowed together still fits an empty queue.
    pub(super) fn push(&self, item: T, bytes: usize) -> Result<()> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(StoreError::Unavailable { reason: "the store is closed".to_owned() });
        }
        let has_room = state.items.len() < WRITES_WAITING_MAX && state.bytes + bytes <= WRITES_WAITING_BYTES_MAX;
        if !has_room && !state.items.is_empty() {
            return Err(StoreError::Unavailable { reason: "too many writes are waiting; ask again later".to_owned() });
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        drop(state);
        // A few writers, each of which has its own idea of how many are enough.
        self.arrived.notify_waiters();
        Ok(())
    }

    /// Waits until so many items wait and takes what makes a group; none once the queue is closed and empty.
    pub(super) async fn take(&self, at_least: usize) -> Option<Vec<T>> {
        loop {
            let mut arrived = pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if let Some(taken) = self.take_now(at_least) {
                return taken;
            }
            arrived.await;
        }
    }

    /// None while there are fewer.
    fn take_now(&self, at_least: usize) -> Option<Option<Vec<T>>> {
        let mut state = self.state.lock();
        if state.is_closed && state.items.is_empty() {
            return Some(None);
        }
        if state.items.len() < at_least && !state.is_closed {
            return None;
        }
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        while let Some((_, bytes)) = state.items.front() {
            let fits = taken.len() < GROUP_WRITES_MAX && taken_bytes + bytes <= GROUP_BYTES_MAX;
            if !fits && !taken.is_empty() {
                break;
            }
            taken_bytes += bytes;
            taken.extend(state.items.pop_front().map(|(item, _)| item));
        }
        state.bytes -= taken_bytes;
        Some(Some(taken))
    }

    /// Refuses what comes from now on; what waits is still taken.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.arrived.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_stays_within_its_limits_and_in_order() {
        let queue = Queue::new();
        for i in 0..3 {
            queue.push(i, GROUP_BYTES_MAX / 2).unwrap();
        }
        assert_eq!(queue.take(1).await, Some(vec![0, 1]));
        assert_eq!(queue.take(1).await, Some(vec![2]));
        queue.push(3, 2 * WRITES_WAITING_BYTES_MAX).unwrap();
        assert!(queue.push(4, 1).is_err(), "what does not fit is refused at once");
        assert_eq!(queue.take(1).await, Some(vec![3]));
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new();
        queue.push(1, 1).unwrap();
        queue.close();
        assert!(queue.push(2, 1).is_err());
        assert_eq!(queue.take(1).await, Some(vec![1]));
        assert_eq!(queue.take(1).await, None);
    }

    #[tokio::test]
    async fn whoever_wants_many_waits_until_there_are_as_many_or_no_more_come() {
        let queue = Queue::new();
        let (taken, ()) = tokio::join!(queue.take(2), async {
            queue.push(1, 1).unwrap();
            tokio::task::yield_now().await;
            queue.push(2, 1).unwrap();
        });
        assert_eq!(taken, Some(vec![1, 2]));
        queue.push(3, 1).unwrap();
        queue.close();
        assert_eq!(queue.take(2).await, Some(vec![3]));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_an_item_and_by_the_end() {
        let queue = Queue::new();
        let (taken, ()) = tokio::join!(queue.take(1), async { queue.push(1, 1).unwrap() });
        assert_eq!(taken, Some(vec![1]));
        let (ends, ()) = tokio::join!(async { (queue.take(1).await, queue.take(1).await) }, async { queue.close() });
        assert_eq!(ends, (None, None));
    }
}
