//! One endpoint's lane: its queue, what it holds, and how many attempts it may have under way. No I/O in here.
//!
//! Where there are many nodes, a lane claims and sends only while it is *ours*: attached to this node's lease. One that is to be given to
//! another node *drains*: it begins nothing any more, and *leaves* once nothing of it is under way.

mod entering;
mod failing;
mod giving;
mod pacing;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use parking_lot::Mutex;
use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OrganizationId, Trigger};
use postrider_store::{LeaseNo, OpenDelivery};
use tokio::time::Instant;

pub(crate) use entering::{Asked, Reservation};
pub(crate) use failing::DueStep;
pub(crate) use giving::Leave;

use crate::held::{Held, HeldBytes, held_bytes};
use crate::limits::EngineLimits;
use crate::pace::Pace;
use crate::slots::{Answer, Slots};

/// The lane of one endpoint, as long as this node has one lease.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) organization: OrganizationId,
    pub(crate) endpoint: EndpointId,
    /// The lease that it is attached to when it is ours.
    pub(crate) lease: LeaseNo,
    /// Whether its endpoint had a rate limit at its latest attempt.
    is_paced: AtomicBool,
    state: Mutex<State>,
}

/// What all lanes of a node share.
#[derive(Clone, Debug)]
pub(crate) struct OfAllLanes {
    pub(crate) held_bytes: Arc<HeldBytes>,
    /// Lanes that are ours.
    pub(crate) ours: Arc<AtomicUsize>,
    /// The store has one node alone: every lane is ours.
    pub(crate) is_alone: bool,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Arc<OpenDelivery>>,
    held: Held,
    slots: Slots,
    /// Where its endpoint has a rate limit.
    pace: Option<Pace>,
    /// Nothing begins before: there is no token. A timer is set.
    paced_until: Option<Millis>,
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
    /// Recorded since the claim under way was planned: it may still bring them, as they were before.
    recorded_meanwhile: HashSet<DeliveryId>,
    /// The endpoint is not active: nothing is claimed, and only what a person asked for is sent.
    is_resting: bool,
    /// The endpoint was deleted: what it had to send ends in the store.
    is_retired: bool,
    next_due: Option<Millis>,
    /// Kept from being claimed until the timer rings: an attempt could not be made.
    postponed: Vec<DeliveryId>,
    /// A person asked for one more attempt while one was under way, and what the audit trail will tell of that.
    again: HashMap<DeliveryId, AuditEntry>,
    /// What workers held when the lane was to be read anew: it is not sent before it was.
    doubtful: HashSet<DeliveryId>,
    is_closed: bool,
    of_all: OfAllLanes,
    is_ours: bool,
    is_draining: bool,
    /// It is being given away: what is to be committed waits until that is done.
    is_leaving: bool,
    /// Deliveries that are about to be committed and are not held.
    unheld_commits: usize,
    /// Commits on end that found the lane another node's, though it is ours by all that is known here.
    elsewhere_count: u32,
    failing: failing::Failing,
    /// Used since the last look at it; without work since then.
    is_touched: bool,
    idle_since: Option<Instant>,
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
        lease: LeaseNo,
        limits: &EngineLimits,
        of_all: OfAllLanes,
    ) -> Self {
        let mut state = State {
            queue: VecDeque::new(),
            held: Held::new(Arc::clone(&of_all.held_bytes)),
            slots: Slots::new(limits),
            pace: None,
            paced_until: None,
            workers: 0,
            window: limits.lane_window_deliveries,
            window_bytes: limits.lane_window_bytes,
            marks: 0,
            claimed_marks: 0,
            is_behind: false,
            is_claiming: false,
            recorded_meanwhile: HashSet::new(),
            is_resting: false,
            is_retired: false,
            next_due: None,
            postponed: Vec::new(),
            again: HashMap::new(),
            doubtful: HashSet::new(),
            is_closed: false,
            is_ours: false,
            is_draining: false,
            is_leaving: false,
            unheld_commits: 0,
            elsewhere_count: 0,
            failing: failing::Failing::default(),
            is_touched: false,
            idle_since: None,
            of_all,
        };
        if state.of_all.is_alone {
            state.attach();
        }
        Lane { organization, endpoint, lease, is_paced: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Forgets what is recorded; says what to start.
    pub(crate) fn release(&self, id: DeliveryId) -> Start {
        let mut state = self.state.lock();
        state.held.remove(id);
        if state.is_claiming {
            state.recorded_meanwhile.insert(id);
        }
        state.start()
    }

    /// Set when a person asked for one more attempt of a delivery that is recorded now.
    pub(crate) fn take_again(&self, id: DeliveryId) -> Option<AuditEntry> {
        self.state.lock().again.remove(&id)
    }

    /// There is due work in the store that this lane does not hold. None when the lane was given up.
    pub(crate) fn mark_backlog(&self) -> Option<Start> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.mark_if_ours();
        Some(state.start())
    }

    /// Another node has made work for this lane just now: it is claimed. What comes on this node meanwhile need not wait for that.
    pub(crate) fn hear_of_work(&self) -> Start {
        let mut state = self.state.lock();
        let was_behind = state.is_behind;
        // A person may have asked for it, which a lane that rests would not find.
        state.is_resting = false;
        state.mark_if_ours();
        state.is_behind = was_behind;
        state.start()
    }

    /// What the lane holds may have ended in the store: what waits is claimed anew, what workers have is not sent without that.
    pub(crate) fn read_anew(&self) -> Start {
        let mut state = self.state.lock();
        if state.is_closed || state.held.is_empty() {
            return Start::default();
        }
        for delivery in std::mem::take(&mut state.queue) {
            state.held.remove(delivery.id);
        }
        state.doubtful = state.held.ids().into_iter().collect();
        let was_behind = state.is_behind;
        state.is_resting = false;
        state.mark_if_ours();
        state.is_behind = was_behind;
        state.start()
    }

    /// Whether a delivery that is about to be sent is to be read anew instead.
    pub(crate) fn is_doubtful(&self, id: DeliveryId) -> bool {
        self.state.lock().doubtful.remove(&id)
    }

    /// The next delivery for a worker; none ends the worker, who is no longer counted.
    pub(crate) fn take(&self) -> (Option<Arc<OpenDelivery>>, Start) {
        let mut state = self.state.lock();
        let is_over = state.workers > state.slots.now() || state.is_draining || state.paced_until.is_some();
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
        let mut state = self.state.lock();
        state.recorded_meanwhile.clear();
        ClaimPlan { held: state.held.ids(), limit: state.room().clamp(1, rows_max), marks: state.marks }
    }

    /// Takes over what was claimed. True when nothing due is left in the store, as far as the claim could see.
    pub(crate) fn end_claim(&self, plan: &ClaimPlan, claimed: Vec<OpenDelivery>) -> (bool, Start) {
        let mut state = self.state.lock();
        state.is_claiming = false;
        let is_drained = claimed.len() < plan.limit;
        state.is_behind = !is_drained;
        if is_drained {
            state.claimed_marks = plan.marks;
        }
        // What a lane has claimed that drains, or is ours no more, stays in the store.
        let is_kept = !state.is_closed && !state.is_draining;
        let recorded = std::mem::take(&mut state.recorded_meanwhile);
        for delivery in claimed.into_iter().filter(|delivery| is_kept && !recorded.contains(&delivery.id)) {
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
        state.recorded_meanwhile.clear();
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

    /// A timer rang: whether work is due now. What waited for a token goes on.
    pub(crate) fn ring(&self, now: Millis) -> (bool, Start) {
        let mut state = self.state.lock();
        state.end_wait_for_token(now);
        let is_due = state.next_due.is_some_and(|due_at| due_at <= now);
        if is_due {
            state.next_due = None;
            for id in std::mem::take(&mut state.postponed) {
                state.held.remove(id);
            }
        }
        (is_due, state.start())
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
        state.slots.begin_anew();
        state.mark_if_ours();
        Some(state.start())
    }
}

impl State {
    fn has_backlog(&self) -> bool {
        self.marks != self.claimed_marks
    }

    /// There is due work in the store that this lane does not hold. A lane that is not ours finds it when it becomes so.
    fn mark_if_ours(&mut self) {
        if self.is_ours {
            self.marks += 1;
            self.is_behind = true;
            self.is_touched = true;
        }
    }

    /// Deliveries the lane may hold: few while its endpoint keeps silent.
    fn window(&self) -> usize {
        let window = if self.slots.is_silent() { self.window.min(2 * self.slots.now()) } else { self.window };
        self.pace.map_or(window, |pace| window.min(pacing::window(pace)))
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
        if self.is_closed || !self.is_ours || self.is_draining {
            return Start::default();
        }
        let workers = self.queue.len().min(self.slots.now().saturating_sub(self.workers)).min(self.may_begin());
        self.workers += workers;
        let has_much_room = self.room() > 0 && self.held.len() <= self.window() / 2;
        let claim = self.has_backlog() && !self.is_claiming && !self.is_resting && has_much_room;
        self.is_claiming |= claim;
        Start { workers, claim }
    }
}

#[cfg(test)]
mod tests;
