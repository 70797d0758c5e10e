//! One endpoint's lane: its queue, what it holds, and how many attempts it may have under way. No I/O in here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId};
use postrider_store::OpenDelivery;

use crate::limits::EngineLimits;

/// The lane of one endpoint.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) organization: OrganizationId,
    pub(crate) endpoint: EndpointId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Arc<OpenDelivery>>,
    held: Held,
    window: usize,
    workers: usize,
    slots: Slots,
    /// Due work that is in the store alone, counted up at each discovery, so that a claim that began before one does not clear it.
    backlog_marks: u64,
    has_backlog: bool,
    is_claiming: bool,
    next_due: Option<Millis>,
    is_closed: bool,
}

/// What is reserved, queued, under way, or sent and not yet recorded: never claimed from the store. Its bytes count towards
/// what all lanes hold together.
#[derive(Debug)]
struct Held {
    bytes_of: HashMap<DeliveryId, usize>,
    bytes_of_all_lanes: Arc<AtomicUsize>,
}

impl Held {
    fn insert(&mut self, id: DeliveryId, bytes: usize) -> bool {
        let is_new = self.bytes_of.insert(id, bytes).is_none();
        if is_new {
            self.bytes_of_all_lanes.fetch_add(bytes, Ordering::Relaxed);
        }
        is_new
    }

    fn remove(&mut self, id: DeliveryId) {
        if let Some(bytes) = self.bytes_of.remove(&id) {
            self.bytes_of_all_lanes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    fn len(&self) -> usize {
        self.bytes_of.len()
    }
}

/// What a held delivery counts for, in bytes: its event's text and a fixed share for the rest.
pub(crate) fn held_bytes(event: &postrider_store::Event) -> usize {
    const FIXED_BYTES: usize = 512;
    FIXED_BYTES + event.data.len() + event.changes.as_ref().map_or(0, |text| text.len())
}

/// How many attempts may be under way: more with every answer, half with every silence.
#[derive(Clone, Copy, Debug)]
struct Slots {
    now: usize,
    max: usize,
    is_proven: bool,
}

/// Whether a lane took note of a delivery that is about to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// It holds it and will be handed it.
    Held,
    /// Its window is full: it will claim it.
    Full,
    /// The lane was given up; ask for a fresh one.
    Closed,
}

/// What the floor above should start now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// Workers to start; they are counted already.
    pub(crate) workers: usize,
    /// Whether to start a claim; it is marked already.
    pub(crate) claim: bool,
}

/// What a claim asks the store for.
#[derive(Debug)]
pub(crate) struct ClaimPlan {
    pub(crate) held: Vec<DeliveryId>,
    pub(crate) limit: usize,
    marks: u64,
}

impl Lane {
    pub(crate) fn new(
        organization: OrganizationId,
        endpoint: EndpointId,
        limits: &EngineLimits,
        bytes_of_all_lanes: Arc<AtomicUsize>,
    ) -> Self {
        let state = State {
            queue: VecDeque::new(),
            held: Held { bytes_of: HashMap::new(), bytes_of_all_lanes },
            window: limits.lane_window_deliveries,
            workers: 0,
            slots: Slots { now: limits.lane_slots_initial, max: limits.lane_slots_max, is_proven: false },
            backlog_marks: 0,
            has_backlog: false,
            is_claiming: false,
            next_due: None,
            is_closed: false,
        };
        Lane { organization, endpoint, state: Mutex::new(state) }
    }

    /// Takes note of a delivery before it is committed, so that a claim that sees the commit first leaves it alone.
    pub(crate) fn reserve(&self, id: DeliveryId, bytes: usize) -> Reservation {
        let mut state = self.state.lock();
        if state.is_closed {
            return Reservation::Closed;
        }
        if state.has_backlog || state.held.len() >= state.window {
            return Reservation::Full;
        }
        state.held.insert(id, bytes);
        Reservation::Held
    }

    /// Forgets what was reserved or is recorded; says what to start.
    pub(crate) fn release(&self, ids: impl IntoIterator<Item = DeliveryId>) -> Start {
        let mut state = self.state.lock();
        for id in ids {
            state.held.remove(id);
        }
        state.start()
    }

    /// Hands over a reserved delivery that is committed.
    pub(crate) fn push(&self, delivery: Arc<OpenDelivery>) -> Start {
        let mut state = self.state.lock();
        state.queue.push_back(delivery);
        state.start()
    }

    /// Hands over a delivery that a person wants sent now; nothing to start when the lane holds it already. None when the lane was given up.
    pub(crate) fn push_first(&self, delivery: Arc<OpenDelivery>) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        if !state.held.insert(delivery.id, held_bytes(&delivery.event)) {
            return Some(Start::default());
        }
        state.queue.push_front(delivery);
        Some(state.start())
    }

    /// There is due work in the store that this lane does not hold. None when the lane was given up.
    pub(crate) fn mark_backlog(&self) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.has_backlog = true;
        state.backlog_marks += 1;
        Some(state.start())
    }

    /// The next delivery for a worker; none ends the worker, who is no longer counted.
    pub(crate) fn take(&self) -> (Option<Arc<OpenDelivery>>, Start) {
        let mut state = self.state.lock();
        let is_over = state.workers > state.slots.now;
        let next = if is_over { None } else { state.queue.pop_front() };
        if next.is_none() {
            state.workers -= 1;
        }
        let start = state.start();
        (next, start)
    }

    /// A worker fell over its delivery.
    pub(crate) fn lose_worker(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.workers -= 1;
        state.held.remove(id);
        state.start()
    }

    pub(crate) fn plan_claim(&self, rows_max: usize) -> ClaimPlan {
        let state = self.state.lock();
        let room = state.window.saturating_sub(state.held.len()).max(1);
        ClaimPlan {
            held: state.held.bytes_of.keys().copied().collect(),
            limit: room.min(rows_max),
            marks: state.backlog_marks,
        }
    }

    /// Takes over what was claimed. True when nothing due is left in the store, as far as the claim could see.
    pub(crate) fn end_claim(&self, plan: &ClaimPlan, claimed: Vec<OpenDelivery>) -> (bool, Start) {
        let mut state = self.state.lock();
        state.is_claiming = false;
        let is_drained = claimed.len() < plan.limit && state.backlog_marks == plan.marks;
        state.has_backlog = !is_drained;
        for delivery in claimed {
            if state.held.insert(delivery.id, held_bytes(&delivery.event)) {
                state.queue.push_back(Arc::new(delivery));
            }
        }
        (is_drained, state.start())
    }

    /// A claim failed; the backlog stays, and is asked for again when somebody marks it.
    pub(crate) fn fail_claim(&self) {
        self.state.lock().is_claiming = false;
    }

    /// Work is due later. True when that is earlier than what was known, so that a timer is needed. None when the lane was given up.
    pub(crate) fn note_due(&self, due_at: Millis) -> Option<bool> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        let is_earlier = state.next_due.is_none_or(|known| due_at < known);
        if is_earlier {
            state.next_due = Some(due_at);
        }
        Some(is_earlier)
    }

    /// A timer rang: whether work is due now.
    pub(crate) fn ring(&self, now: Millis) -> bool {
        let mut state = self.state.lock();
        let is_due = state.next_due.is_some_and(|due_at| due_at <= now);
        if is_due {
            state.next_due = None;
        }
        is_due
    }

    /// The receiver answered, or kept silent until the deadline.
    pub(crate) fn note_answer(&self, answered: bool) {
        let slots = &mut self.state.lock().slots;
        slots.now = if answered { (slots.now + 1).min(slots.max) } else { (slots.now / 2).max(1) };
        slots.is_proven = answered;
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.state.lock().slots.is_proven
    }

    /// Gives up what waits in memory, e.g. when the endpoint is paused; it stays open in the store. Returns what was dropped.
    pub(crate) fn drop_queue(&self) -> Vec<Arc<OpenDelivery>> {
        let mut state = self.state.lock();
        let dropped: Vec<_> = state.queue.drain(..).collect();
        for delivery in &dropped {
            state.held.remove(delivery.id);
        }
        state.has_backlog = false;
        dropped
    }

    /// Closes the lane if nothing depends on it.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut state = self.state.lock();
        let is_idle = state.held.bytes_of.is_empty()
            && state.workers == 0
            && !state.has_backlog
            && !state.is_claiming
            && state.next_due.is_none();
        state.is_closed |= is_idle;
        is_idle
    }
}

impl State {
    fn start(&mut self) -> Start {
        let wanted = self.queue.len().min(self.slots.now.saturating_sub(self.workers));
        self.workers += wanted;
        let claim = self.has_backlog && !self.is_claiming && self.held.len() <= self.window / 2;
        self.is_claiming |= claim;
        Start { workers: wanted, claim }
    }
}

#[cfg(test)]
mod tests;
