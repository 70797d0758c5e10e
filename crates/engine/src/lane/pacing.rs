//! How a lane keeps its endpoint's rate limit: an attempt takes a token, and without one nothing begins until a timer rings.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use postrider_domain::Millis;
use postrider_store::OpenDelivery;

use super::{Lane, Start, State};
use crate::held::Held;
use crate::pace::Pace;

/// How long what a lane holds in memory lasts at its rate, in seconds.
const WINDOW_S: usize = 2;

/// Deliveries that a lane with a rate limit may hold: what it can not send soon stays in the store.
pub(super) fn window(pace: Pace) -> usize {
    (WINDOW_S * pace.rate().get() as usize).max(Held::ALWAYS)
}

impl Lane {
    /// Takes a token for an attempt under this rate limit, the endpoint's of this moment, or says when there will be one.
    pub(crate) fn take_token(&self, rate: NonZeroU32, now: Millis) -> Result<(), Millis> {
        let mut state = self.state.lock();
        self.is_paced.store(true, Ordering::Relaxed);
        let pace = state.pace.get_or_insert_with(|| Pace::new(rate, now));
        if pace.rate() != rate {
            pace.change(rate, now);
        }
        pace.take(now)
    }

    /// The endpoint has no rate limit any more.
    pub(crate) fn go_unpaced(&self) {
        // Asked at every attempt of every lane: those without a limit take no lock for it.
        if self.is_paced.load(Ordering::Relaxed) {
            let mut state = self.state.lock();
            self.is_paced.store(false, Ordering::Relaxed);
            state.pace = None;
        }
    }

    /// Takes back what can not begin before `at`. True when a timer is to be set for that.
    pub(crate) fn put_back(&self, delivery: Arc<OpenDelivery>, at: Millis) -> (bool, Start) {
        let mut state = self.state.lock();
        if state.is_closed || state.is_draining {
            state.held.remove(delivery.id);
            state.mark_if_ours();
            return (false, state.start());
        }
        // Who asked for one more while it was on its way gets this one.
        state.again.remove(&delivery.id);
        state.queue.push_front(delivery);
        let needs_timer = state.paced_until.is_none();
        if needs_timer {
            state.paced_until = Some(at);
        }
        (needs_timer, state.start())
    }
}

impl State {
    /// Workers that may be started: one that finds no token sets the timer.
    pub(super) fn may_begin(&self) -> usize {
        match (self.paced_until, self.pace) {
            (Some(_), _) => 0,
            (None, Some(pace)) => pace.tokens().max(1),
            (None, None) => usize::MAX,
        }
    }

    pub(super) fn end_wait_for_token(&mut self, now: Millis) {
        if self.paced_until.is_some_and(|at| at <= now) {
            self.paced_until = None;
            if let Some(pace) = &mut self.pace {
                pace.fill(now);
            }
        }
    }
}
