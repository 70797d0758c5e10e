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
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for items and takes what makes a group, at least one; none once the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Vec<T>> {
        loop {
            let mut arrived = pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if let Some(taken) = self.take_now() {
                return taken;
            }
            arrived.await;
        }
    }

    /// None while there is nothing.
    fn take_now(&self) -> Option<Option<Vec<T>>> {
        let mut state = self.state.lock();
        if state.items.is_empty() {
            return state.is_closed.then_some(None);
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
        let has_more = !state.items.is_empty();
        drop(state);
        if has_more {
            self.arrived.notify_one();
        }
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
        assert_eq!(queue.take().await, Some(vec![0, 1]));
        assert_eq!(queue.take().await, Some(vec![2]));
        queue.push(3, 2 * WRITES_WAITING_BYTES_MAX).unwrap();
        assert!(queue.push(4, 1).is_err(), "what does not fit is refused at once");
        assert_eq!(queue.take().await, Some(vec![3]));
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new();
        queue.push(1, 1).unwrap();
        queue.close();
        assert!(queue.push(2, 1).is_err());
        assert_eq!(queue.take().await, Some(vec![1]));
        assert_eq!(queue.take().await, None);
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_an_item_and_by_the_end() {
        let queue = Queue::new();
        let (taken, ()) = tokio::join!(queue.take(), async { queue.push(1, 1).unwrap() });
        assert_eq!(taken, Some(vec![1]));
        let (ends, ()) = tokio::join!(async { (queue.take().await, queue.take().await) }, async { queue.close() });
        assert_eq!(ends, (None, None));
    }
}
