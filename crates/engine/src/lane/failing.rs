//! What a lane knows of its endpoint's streak of failures, so that the store is asked to end one only where there may be one.

use std::time::Duration;

use postrider_domain::{Millis, Streak, StreakChange, StreakLimit, StreakStep};

use super::Lane;

/// A host that is reached again and again is noted so often.
const REACHED_NOTED_EVERY: Duration = Duration::from_secs(1);

/// The lane's part of its endpoint's streak.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// As the store said last; none when it has not said anything, or an outcome got lost.
    known: Option<Streak>,
    /// Failures that are not recorded yet.
    unrecorded: usize,
    limit: Option<StreakLimit>,
    /// The host that the latest failure was at, where nothing answered.
    unreachable_host: Option<u64>,
    reached_noted_at: Option<Millis>,
    /// A warning under way does not keep what comes after it waiting.
    under_way: Option<StreakStep>,
}

/// What is to be done about an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueStep {
    pub(crate) step: StreakStep,
    pub(crate) limit: StreakLimit,
    /// The host that the latest failure was at, where nothing answered.
    pub(crate) unreachable_host: Option<u64>,
}

impl Lane {
    /// An attempt succeeded: whether that ends a streak.
    pub(crate) fn count_success(&self) -> StreakChange {
        let failing = &self.state.lock().failing;
        let has_none = failing.unrecorded == 0 && failing.known.is_some_and(|streak| streak.failures == 0);
        if has_none { StreakChange::None } else { StreakChange::Ends }
    }

    /// An attempt failed, and that counts.
    pub(crate) fn count_failure(&self, limit: Option<StreakLimit>, unreachable_host: Option<u64>) -> StreakChange {
        let failing = &mut self.state.lock().failing;
        failing.unrecorded += 1;
        failing.limit = limit;
        failing.unreachable_host = unreachable_host;
        StreakChange::Grows
    }

    /// Since when its attempts fail on end, as far as is known.
    pub(crate) fn failing_since(&self) -> Option<Millis> {
        self.state.lock().failing.known?.since
    }

    /// Whether it is worth noting that its host was reached.
    pub(crate) fn note_reached(&self, now: Millis) -> bool {
        let failing = &mut self.state.lock().failing;
        let is_news = failing.reached_noted_at.is_none_or(|at| now.since(at) >= REACHED_NOTED_EVERY);
        if is_news {
            failing.reached_noted_at = Some(now);
        }
        is_news
    }

    pub(crate) fn note_unreachable(&self) {
        self.state.lock().failing.reached_noted_at = None;
    }

    /// The store counted an outcome.
    pub(crate) fn note_streak(&self, change: StreakChange, streak: Streak) {
        let failing = &mut self.state.lock().failing;
        failing.known = Some(streak);
        failing.forget(change);
    }

    /// An outcome was not recorded.
    pub(crate) fn lose_streak(&self, change: StreakChange) {
        let failing = &mut self.state.lock().failing;
        failing.known = None;
        failing.forget(change);
    }

    /// What is to be done after a failure that ended at `now`, unless that is under way.
    pub(crate) fn due_step(&self, now: Millis) -> Option<DueStep> {
        let failing = &self.state.lock().failing;
        let limit = failing.limit?;
        let step = failing.known?.step(limit, now);
        let is_due = step != StreakStep::None && failing.under_way != Some(step);
        is_due.then_some(DueStep { step, limit, unreachable_host: failing.unreachable_host })
    }

    pub(crate) fn begin_step(&self, step: StreakStep) {
        self.state.lock().failing.under_way = Some(step);
    }

    /// The store is asked anew what the streak is.
    pub(crate) fn end_step(&self) {
        let failing = &mut self.state.lock().failing;
        failing.under_way = None;
        failing.known = None;
    }
}

impl Failing {
    fn forget(&mut self, change: StreakChange) {
        if change == StreakChange::Grows {
            self.unrecorded = self.unrecorded.saturating_sub(1);
        }
    }
}
