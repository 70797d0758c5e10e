//! How a lane becomes this node's, and how it is given away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_store::LaneId;
use tokio::time::Instant;

use super::{Lane, Start, State};

/// Whether a draining lane can be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Nothing of it is under way, and nothing begins before it is released or stays.
    Now,
    /// Something is under way.
    NotYet,
    /// It does not drain any more: it was lost with its lease.
    Never,
}

impl Lane {
    /// The store says that the lane is attached to this node's lease: its due work is claimed.
    pub(crate) fn attach(&self) -> Start {
        let mut state = self.state.lock();
        state.attach();
        state.start()
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.state.lock().is_ours
    }

    pub(crate) fn id(&self) -> LaneId {
        LaneId { organization: self.organization.clone(), endpoint: self.endpoint }
    }

    /// Whether it is being released at the moment.
    pub(crate) fn is_leaving(&self) -> bool {
        let state = self.state.lock();
        state.is_leaving && !state.is_closed
    }

    /// Begins nothing any more and gives up what waits in memory: it stays open in the store.
    pub(crate) fn drain(&self) {
        let mut state = self.state.lock();
        state.is_draining = true;
        state.forget_waiting();
    }

    /// Asks whether a draining lane can be released now. Once all that is left are commits under way, new ones wait.
    pub(crate) fn leave(&self) -> Leave {
        let mut state = self.state.lock();
        if state.is_closed || !state.is_draining {
            return Leave::Never;
        }
        state.is_leaving |= state.held.is_empty() && state.workers == 0 && !state.is_claiming;
        if state.is_leaving && state.unheld_commits == 0 { Leave::Now } else { Leave::NotYet }
    }

    /// The lane is not given away after all.
    pub(crate) fn stay(&self) -> Start {
        let mut state = self.state.lock();
        state.is_draining = false;
        state.is_leaving = false;
        state.mark_if_ours();
        state.start()
    }

    /// The lane is ours no more; what still goes on with it finds it closed.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.detach();
        state.forget_waiting();
        for id in state.held.ids() {
            state.held.remove(id);
        }
    }

    /// Closes the lane if nothing depends on it.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut state = self.state.lock();
        let is_idle = if state.is_ours { state.is_idle() } else { state.has_nothing_under_way() };
        if is_idle {
            state.is_closed = true;
            state.detach();
        }
        is_idle
    }

    /// The endpoint of a resting lane was deleted: no timer keeps it any more.
    pub(crate) fn retire(&self) {
        let mut state = self.state.lock();
        if state.is_resting {
            state.is_retired = true;
            state.next_due = None;
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.state.lock().is_retired
    }

    /// Whether the lane has been ours without any work for as long as that.
    pub(crate) fn is_idle_for(&self, idle_max: Duration, now: Instant) -> bool {
        let mut state = self.state.lock();
        // A lane that rests may have work that is due: it would be taken again at once.
        let may_rest = state.is_resting && !state.is_retired;
        let is_idle = state.is_ours && !may_rest && !state.is_draining && state.is_idle();
        if std::mem::take(&mut state.is_touched) || !is_idle {
            state.idle_since = None;
        }
        is_idle && now.saturating_duration_since(*state.idle_since.get_or_insert(now)) >= idle_max
    }

    /// How much giving the lane away would disturb, less first; none when it is not ours to give.
    pub(crate) fn burden(&self) -> Option<usize> {
        let state = self.state.lock();
        let is_free = state.is_ours && !state.is_draining && !state.is_closed;
        is_free.then(|| state.held.len() + state.workers + state.unheld_commits + usize::from(state.is_claiming))
    }

    /// Whether work that is due at this time is news: neither a timer nor a claim will find it anyway.
    pub(crate) fn is_unaware_of_due_work(&self) -> bool {
        let state = self.state.lock();
        state.is_ours && !state.is_resting && !state.has_backlog()
    }
}

impl State {
    /// The lane is ours. Where it was not, there may be older work in the store.
    pub(super) fn attach(&mut self) {
        self.elsewhere_count = 0;
        if self.is_ours || self.is_closed {
            return;
        }
        self.is_ours = true;
        self.of_all.ours.fetch_add(1, Ordering::Relaxed);
        if !self.of_all.is_alone {
            self.mark_if_ours();
        }
    }

    /// A commit found that another node has the lane. It may have become ours since the commit looked, and have claimed all but what was reserved;
    /// but what several commits say on end is so: a release came through whose answer was lost.
    pub(super) fn note_elsewhere(&mut self) {
        const BELIEVED: u32 = 3;
        self.mark_if_ours();
        self.elsewhere_count += 1;
        if self.elsewhere_count >= BELIEVED && self.has_nothing_under_way() {
            self.detach();
        }
    }

    fn detach(&mut self) {
        if std::mem::take(&mut self.is_ours) {
            self.of_all.ours.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn forget_waiting(&mut self) {
        for delivery in self.queue.drain(..) {
            self.held.remove(delivery.id);
        }
        for id in self.postponed.drain(..) {
            self.held.remove(id);
        }
    }

    fn has_nothing_under_way(&self) -> bool {
        self.held.is_empty() && self.workers == 0 && !self.is_claiming && self.unheld_commits == 0
    }

    fn is_idle(&self) -> bool {
        let has_work = (self.has_backlog() && !self.is_resting) || self.next_due.is_some();
        self.has_nothing_under_way() && !has_work
    }
}
