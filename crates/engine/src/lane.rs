//! One endpoint's lane: its queue, what it holds, and how many attempts it may have under way. No I/O in here.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId, Trigger};
use postrider_store::OpenDelivery;

use crate::held::{Held, HeldBytes, held_bytes};
use crate::limits::EngineLimits;
use crate::slots::{Answer, Slots};

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
    slots: Slots,
    workers: usize,
    window: usize,
    window_bytes: usize,
    /// Discoveries of due work that is in the store alone, counted, and up to which of them it has been claimed: a claim that
    /// began before a discovery does not settle it.
    marks: u64,
    claimed_marks: u64,
    /// Older work waits in the store, so that new work does not go past it.
    is_behind: bool,
    is_claiming: bool,
    /// The endpoint is not active: nothing is claimed, and only what a person asked for is sent.
    is_resting: bool,
    next_due: Option<Millis>,
    /// Kept from being claimed until the timer rings: an attempt could not be made.
    postponed: Vec<DeliveryId>,
    /// A person asked for one more attempt while one was under way.
    again: HashSet<DeliveryId>,
    is_closed: bool,
}

/// Whether a lane took note of a delivery that is about to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// It holds it and will be handed it.
    Held,
    /// It has no room: it will claim it.
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
        bytes_of_all_lanes: Arc<HeldBytes>,
    ) -> Self {
        let state = State {
            queue: VecDeque::new(),
            held: Held::new(bytes_of_all_lanes),
            slots: Slots::new(limits),
            workers: 0,
            window: limits.lane_window_deliveries,
            window_bytes: limits.lane_window_bytes,
            marks: 0,
            claimed_marks: 0,
            is_behind: false,
            is_claiming: false,
            is_resting: false,
            next_due: None,
            postponed: Vec::new(),
            again: HashSet::new(),
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
        if state.is_behind || !state.has_room(bytes) {
            return Reservation::Full;
        }
        state.held.insert(id, bytes);
        Reservation::Held
    }

    /// Forgets what was reserved or is recorded; says what to start.
    pub(crate) fn release(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.held.remove(id);
        state.start()
    }

    /// Hands over a reserved delivery that is committed.
    pub(crate) fn push(&self, delivery: Arc<OpenDelivery>) -> Start {
        let mut state = self.state.lock();
        state.queue.push_back(delivery);
        state.start()
    }

    /// Whether the lane will make an attempt of this delivery anyway: it waits in the queue, or one is under way and another follows.
    pub(crate) fn will_send_again(&self, id: DeliveryId) -> bool {
        let mut state = self.state.lock();
        if !state.held.contains(id) {
            return false;
        }
        if !state.queue.iter().any(|waiting| waiting.id == id) {
            state.again.insert(id);
        }
        true
    }

    /// Whether a person asked for one more attempt of a delivery that is recorded now.
    pub(crate) fn take_again(&self, id: DeliveryId) -> bool {
        self.state.lock().again.remove(&id)
    }

    /// Hands over a delivery that a person wants sent now; where there is no room it is claimed, since it is due. None when the
    /// lane was given up.
    pub(crate) fn push_first(&self, delivery: Arc<OpenDelivery>) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        let bytes = held_bytes(&delivery.event);
        if !state.has_room(bytes) {
            state.mark();
        } else if state.held.insert(delivery.id, bytes) {
            state.queue.push_front(delivery);
        }
        Some(state.start())
    }

    /// There is due work in the store that this lane does not hold. None when the lane was given up.
    pub(crate) fn mark_backlog(&self) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.mark();
        Some(state.start())
    }

    /// The next delivery for a worker; none ends the worker, who is no longer counted.
    pub(crate) fn take(&self) -> (Option<Arc<OpenDelivery>>, Start) {
        let mut state = self.state.lock();
        let is_over = state.workers > state.slots.now();
        let next = if is_over { None } else { state.queue.pop_front() };
        if next.is_none() {
            state.workers -= 1;
        }
        let start = state.start();
        (next, start)
    }

    /// A worker fell over its delivery, which waits for the timer now.
    pub(crate) fn lose_worker(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.workers -= 1;
        state.postponed.push(id);
        state.start()
    }

    /// An attempt could not be made; the delivery stays held, so that nothing claims it, until the timer rings.
    pub(crate) fn postpone(&self, id: DeliveryId) {
        self.state.lock().postponed.push(id);
    }

    pub(crate) fn plan_claim(&self, rows_max: usize) -> ClaimPlan {
        let state = self.state.lock();
        ClaimPlan { held: state.held.ids(), limit: state.room().clamp(1, rows_max), marks: state.marks }
    }

    /// Takes over what was claimed. True when nothing due is left in the store, as far as the claim could see.
    pub(crate) fn end_claim(&self, plan: &ClaimPlan, claimed: Vec<OpenDelivery>) -> (bool, Start) {
        let mut state = self.state.lock();
        state.is_claiming = false;
        let is_drained = claimed.len() < plan.limit;
        if is_drained {
            state.claimed_marks = plan.marks;
            state.is_behind = false;
        }
        for delivery in claimed {
            if state.held.insert(delivery.id, held_bytes(&delivery.event)) {
                state.queue.push_back(Arc::new(delivery));
            }
        }
        (is_drained, state.start())
    }

    /// A claim failed; it is made again when a timer rings.
    pub(crate) fn fail_claim(&self) {
        let mut state = self.state.lock();
        state.is_claiming = false;
        state.claimed_marks = state.marks;
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
            for id in std::mem::take(&mut state.postponed) {
                state.held.remove(id);
            }
        }
        is_due
    }

    /// How an attempt went, as far as the next ones are concerned.
    pub(crate) fn note_answer(&self, answer: Answer) {
        self.state.lock().slots.note(answer);
    }

    pub(crate) fn is_prompt(&self) -> bool {
        self.state.lock().slots.is_prompt()
    }

    /// The endpoint is not active: gives up what waits in memory, except what a person asked for. All of it stays open in the store.
    pub(crate) fn rest(&self) {
        let mut state = self.state.lock();
        state.is_resting = true;
        let (kept, dropped) = state.queue.drain(..).partition(|waiting| waiting.trigger != Trigger::Schedule);
        state.queue = kept;
        let dropped: VecDeque<Arc<OpenDelivery>> = dropped;
        for delivery in dropped {
            state.held.remove(delivery.id);
        }
    }

    /// The endpoint is active again: what is due is claimed.
    pub(crate) fn wake(&self) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.is_resting = false;
        state.mark();
        Some(state.start())
    }

    /// Closes the lane if nothing depends on it.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut state = self.state.lock();
        let is_idle = state.held.is_empty()
            && state.workers == 0
            && (state.is_resting || !state.has_backlog())
            && !state.is_claiming
            && state.next_due.is_none();
        state.is_closed |= is_idle;
        is_idle
    }
}

impl State {
    fn has_backlog(&self) -> bool {
        self.marks != self.claimed_marks
    }

    fn mark(&mut self) {
        self.marks += 1;
        self.is_behind = true;
    }

    /// Deliveries the lane may hold: few while its endpoint keeps silent.
    fn window(&self) -> usize {
        if self.slots.is_silent() { self.window.min(2 * self.slots.now()) } else { self.window }
    }

    /// Deliveries the lane may take on; a few always, so that no lane has to wait for what others hold.
    fn room(&self) -> usize {
        let is_short_of_bytes = self.held.bytes() >= self.window_bytes || self.held.is_full_everywhere();
        let window = if is_short_of_bytes { self.window().min(Held::ALWAYS) } else { self.window() };
        window.saturating_sub(self.held.len())
    }

    fn has_room(&self, bytes: usize) -> bool {
        let fits = self.held.len() < Held::ALWAYS || self.held.bytes() + bytes <= self.window_bytes;
        fits && self.room() > 0
    }

    fn start(&mut self) -> Start {
        let workers = self.queue.len().min(self.slots.now().saturating_sub(self.workers));
        self.workers += workers;
        let has_much_room = self.room() > 0 && self.held.len() <= self.window() / 2;
        let claim = self.has_backlog() && !self.is_claiming && !self.is_resting && has_much_room;
        self.is_claiming |= claim;
        Start { workers, claim }
    }
}

#[cfg(test)]
mod tests;
