//! A bounded queue between async tasks and the store's threads: what does not fit is refused at once, and one taker can take all that waits.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// How much a queue holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    pub(super) items_max: usize,
    pub(super) bytes_max: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    takers_waiting: usize,
    is_closed: bool,
}

impl<T> State<T> {
    /// Items from the front within the limits, at least one if there is one.
    fn move_into(&mut self, into: &mut Vec<T>, limits: QueueLimits) {
        let mut taken_bytes = 0;
        while let Some((_, bytes)) = self.items.front() {
            let fits = into.len() < limits.items_max && taken_bytes + bytes <= limits.bytes_max;
            if !fits && !into.is_empty() {
                break;
            }
            taken_bytes += bytes;
            into.extend(self.items.pop_front().map(|(item, _)| item));
        }
        self.bytes -= taken_bytes;
    }
}

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    limits: QueueLimits,
}

/// Why an item was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(limits: QueueLimits) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, takers_waiting: 0, is_closed: false };
        Queue { state: Mutex::new(state), arrived: Condvar::new(), limits }
    }

    /// Puts an item at the end. One that is larger than everything allowed together still fits an empty queue.
    pub(super) fn push(&self, item: T, bytes: usize) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        let has_room = state.items.len() < self.limits.items_max && state.bytes + bytes <= self.limits.bytes_max;
        if !has_room && !state.items.is_empty() {
            return Err(Refused::Full);
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        let is_waited_for = state.takers_waiting > 0;
        drop(state);
        if is_waited_for {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for items and takes what there is within the limits, at least one. False once the queue is closed and empty.
    pub(super) fn take(&self, into: &mut Vec<T>, limits: QueueLimits) -> bool {
        let mut state = self.state.lock();
        while state.items.is_empty() {
            if state.is_closed {
                return false;
            }
            state.takers_waiting += 1;
            self.arrived.wait(&mut state);
            state.takers_waiting -= 1;
        }
        state.move_into(into, limits);
        true
    }

    /// Takes what there is within the limits, without waiting. False once the queue is closed and empty.
    pub(super) fn take_waiting(&self, into: &mut Vec<T>, limits: QueueLimits) -> bool {
        let mut state = self.state.lock();
        state.move_into(into, limits);
        !(into.is_empty() && state.is_closed)
    }

    /// Refuses what comes from now on; what waits is still taken.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.arrived.notify_all();
    }

    /// Lets go of what waits.
    fn clear(&self) {
        let mut state = self.state.lock();
        state.bytes = 0;
        let items = std::mem::take(&mut state.items);
        drop(state);
        drop(items);
    }
}

/// Held by a queue's takers: once it is dropped nobody takes, by a panic maybe. So that nobody waits for an answer that cannot come, what
/// waits is dropped, and what comes is refused.
pub(super) struct ClosedAtEnd<T>(pub(super) Arc<Queue<T>>);

impl<T> Drop for ClosedAtEnd<T> {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: QueueLimits = QueueLimits { items_max: 100, bytes_max: 1_000 };

    #[test]
    fn what_does_not_fit_is_refused_at_once() {
        let queue = Queue::new(QueueLimits { items_max: 2, bytes_max: 10 });
        assert_eq!(queue.push(1, 4), Ok(()));
        assert_eq!(queue.push(2, 7), Err(Refused::Full));
        assert_eq!(queue.push(3, 6), Ok(()));
        assert_eq!(queue.push(4, 0), Err(Refused::Full));
    }

    #[test]
    fn an_item_larger_than_all_room_fits_an_empty_queue() {
        let queue = Queue::new(QueueLimits { items_max: 2, bytes_max: 10 });
        assert_eq!(queue.push(1, 50), Ok(()));
        let mut taken = vec![];
        assert!(queue.take(&mut taken, QueueLimits { items_max: 5, bytes_max: 10 }));
        assert_eq!(taken, [1]);
        assert_eq!(queue.push(2, 1), Ok(()));
    }

    #[test]
    fn a_group_stays_within_its_limits_and_in_order() {
        let queue = Queue::new(ALL);
        for i in 0..10 {
            queue.push(i, 10).unwrap();
        }
        let mut taken = vec![];
        assert!(queue.take(&mut taken, QueueLimits { items_max: 100, bytes_max: 35 }));
        assert_eq!(taken, [0, 1, 2]);
        taken.clear();
        assert!(queue.take(&mut taken, QueueLimits { items_max: 4, bytes_max: 1_000 }));
        assert_eq!(taken, [3, 4, 5, 6]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new(ALL);
        queue.push(1, 1).unwrap();
        queue.close();
        assert_eq!(queue.push(2, 1), Err(Refused::Closed));
        let mut taken = vec![];
        assert!(queue.take(&mut taken, ALL));
        assert!(!queue.take(&mut taken, ALL));
    }

    #[test]
    fn once_nobody_takes_what_waits_is_dropped_and_what_comes_is_refused() {
        let queue = Arc::new(Queue::new(ALL));
        let takers = Arc::new(ClosedAtEnd(Arc::clone(&queue)));
        let other_taker = Arc::clone(&takers);
        let (reply, answer) = std::sync::mpsc::channel::<()>();
        queue.push(reply.clone(), 1).unwrap();
        drop(takers);
        assert!(queue.push(reply, 1).is_ok());
        drop(other_taker);
        assert!(answer.recv().is_err());
        assert_eq!(queue.push(std::sync::mpsc::channel().0, 1), Err(Refused::Closed));
    }
}
