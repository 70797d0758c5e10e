//! How deliveries come into a lane: reserved before they are committed, handed over when they are, or let go.

use std::sync::Arc;

use postrider_domain::{AuditEntry, DeliveryId};
use postrider_store::OpenDelivery;

use super::{Lane, Start, State};

/// Whether a lane took note of a delivery that is about to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// It holds it and will be handed it.
    Held,
    /// It has no room: it will claim it.
    Full,
    /// It is being given away; ask again when that is done.
    Leaving,
    /// The lane was given up; ask for a fresh one.
    Closed,
}

/// What became of a person's wish for one more attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The lane makes one anyway, and nothing tells of who asked.
    WillSend,
    /// The lane makes one after the one under way; the entry is written with it.
    Noted,
    /// The delivery is to be made due, under this reservation.
    ToMake(Reservation),
}

impl Lane {
    /// Takes note of a delivery before it is committed, so that a claim that sees the commit first leaves it alone.
    pub(crate) fn reserve(&self, id: DeliveryId, bytes: usize) -> Reservation {
        let mut state = self.state.lock();
        let is_behind = state.is_behind;
        state.reserve(id, bytes, is_behind)
    }

    /// Takes note of a delivery that is about to be committed and to be claimed then, however much room there is.
    pub(crate) fn reserve_unheld(&self) -> Reservation {
        self.state.lock().reserve_unheld()
    }

    /// What was reserved is not committed.
    pub(crate) fn let_go(&self, id: DeliveryId, is_held: bool) -> Start {
        let mut state = self.state.lock();
        state.unreserve(id, is_held);
        state.start()
    }

    /// What was reserved is committed, and another node's to send.
    pub(crate) fn leave_elsewhere(&self, id: DeliveryId, is_held: bool) -> Start {
        let mut state = self.state.lock();
        state.unreserve(id, is_held);
        state.note_elsewhere();
        state.start()
    }

    /// An attempt's outcome was not recorded: the delivery is not as it was. Where it is still open, it is claimed as it is now.
    pub(crate) fn look_again(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.unreserve(id, true);
        state.mark_if_ours();
        state.start()
    }

    /// Hands over a reserved delivery that is committed and ours to send.
    pub(crate) fn push(&self, delivery: Arc<OpenDelivery>) -> Start {
        let mut state = self.state.lock();
        state.attach();
        if state.is_closed || state.is_draining {
            state.unreserve(delivery.id, true);
            state.mark_if_ours();
        } else {
            state.queue.push_back(delivery);
        }
        state.start()
    }

    /// A delivery that is committed and ours to send was not reserved for lack of room: it is claimed.
    pub(crate) fn push_unheld(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.attach();
        state.unreserve(id, false);
        state.mark_if_ours();
        state.start()
    }

    /// A person wants one more attempt: none is to be made when the delivery waits in the queue, and another when one is under way.
    pub(crate) fn ask_again(&self, id: DeliveryId, bytes: usize, audit: &AuditEntry) -> Asked {
        let mut state = self.state.lock();
        if !state.held.contains(id) {
            return Asked::ToMake(state.reserve(id, bytes, false));
        }
        if state.again.contains_key(&id) || state.queue.iter().any(|waiting| waiting.id == id) {
            return Asked::WillSend;
        }
        state.again.insert(id, audit.clone());
        Asked::Noted
    }

    /// Hands over a reserved delivery that a person wants sent now. Whoever asked since it was reserved asked for this attempt: what is to be told of them
    /// comes back.
    pub(crate) fn push_first(&self, delivery: Arc<OpenDelivery>) -> (Start, Option<AuditEntry>) {
        let mut state = self.state.lock();
        let asked_since = state.again.remove(&delivery.id);
        state.attach();
        if state.is_closed || state.is_draining {
            state.unreserve(delivery.id, true);
            state.mark_if_ours();
        } else {
            state.queue.push_front(delivery);
        }
        (state.start(), asked_since)
    }
}

impl State {
    fn reserve(&mut self, id: DeliveryId, bytes: usize, is_behind: bool) -> Reservation {
        let is_full = self.is_draining || is_behind || !self.has_room(bytes);
        if is_full || self.is_closed || self.is_leaving {
            return self.reserve_unheld();
        }
        self.is_touched = true;
        self.held.insert(id, bytes);
        Reservation::Held
    }

    fn reserve_unheld(&mut self) -> Reservation {
        if self.is_closed {
            return Reservation::Closed;
        }
        if self.is_leaving {
            return Reservation::Leaving;
        }
        self.is_touched = true;
        self.unheld_commits += 1;
        Reservation::Full
    }

    fn unreserve(&mut self, id: DeliveryId, is_held: bool) {
        self.again.remove(&id);
        if is_held {
            self.held.remove(id);
        } else {
            self.unheld_commits = self.unheld_commits.saturating_sub(1);
        }
    }
}
