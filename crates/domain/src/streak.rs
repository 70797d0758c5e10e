//! Streaks: failed attempts of one endpoint on end, and what is to be done about them.
//!
//! "After 50 consecutive failures, the webhook is automatically disabled and you will receive an email notification" (document 000; contracts.md,
//! reading 8).

use std::time::Duration;

use crate::time::Millis;

/// Failed attempts of an endpoint since its last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// How many; tests and retries by hand are not among them.
    pub failures: u32,
    /// When the first of them failed; none when there are none.
    pub since: Option<Millis>,
    /// When its owner was last warned, also of an earlier streak.
    pub warned_at: Option<Millis>,
}

/// What an attempt does to its endpoint's streak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreakChange {
    /// Nothing: it does not count, or it succeeded where there is no streak.
    #[default]
    None,
    /// It failed.
    Grows,
    /// It succeeded.
    Ends,
}

/// How long a streak may become: both conditions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreakLimit {
    /// This many failures.
    pub failures_max: u32,
    /// And at least this long since the first of them.
    pub span_min: Duration,
}

/// What is to be done about a streak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreakStep {
    /// Nothing yet.
    None,
    /// Its owner is warned.
    Warn,
    /// The endpoint is disabled.
    Disable,
}

impl Streak {
    /// An owner is not warned more often than this of an endpoint that fails often and not always.
    pub const WARNED_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3_600);

    /// What is to be done after a failure at `now`: the warning comes at half of the limit.
    #[must_use]
    pub fn step(self, limit: StreakLimit, now: Millis) -> StreakStep {
        let lasts = self.since.map_or(Duration::ZERO, |since| now.since(since));
        let was_warned = self.warned_at.is_some_and(|at| at > self.unless_warned_after(now));
        if self.failures >= limit.failures_max && lasts >= limit.span_min {
            StreakStep::Disable
        } else if self.failures >= limit.failures_max.div_ceil(2) && lasts >= limit.span_min / 2 && !was_warned {
            StreakStep::Warn
        } else {
            StreakStep::None
        }
    }

    /// A warning after this moment is enough: one for a streak, and one a day.
    #[must_use]
    pub fn unless_warned_after(self, now: Millis) -> Millis {
        let before_the_streak = self.since.unwrap_or(now) - Duration::from_millis(1);
        before_the_streak.min(now - Self::WARNED_AGAIN_AFTER)
    }

    /// The streak after one more attempt that ended at `now`.
    #[must_use]
    pub fn after(self, change: StreakChange, now: Millis) -> Self {
        match change {
            StreakChange::None => self,
            StreakChange::Ends => Streak { failures: 0, since: None, ..self },
            StreakChange::Grows => {
                Streak { failures: self.failures.saturating_add(1), since: self.since.or(Some(now)), ..self }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn limit(failures_max: u32, span_min: Duration) -> StreakLimit {
        StreakLimit { failures_max, span_min }
    }

    /// The steps that failures at these moments bring, as the engine would take them.
    fn steps(limit: StreakLimit, failures_at: impl IntoIterator<Item = Millis>) -> Vec<(u32, StreakStep)> {
        let mut streak = Streak::default();
        let mut taken = vec![];
        for at in failures_at {
            streak = streak.after(StreakChange::Grows, at);
            let step = streak.step(limit, at);
            if step == StreakStep::Warn {
                streak.warned_at = Some(at);
            }
            if step != StreakStep::None {
                taken.push((streak.failures, step));
            }
        }
        taken
    }

    #[test]
    fn the_owner_is_warned_once_at_half_and_the_limit_disables() {
        let taken = steps(limit(50, Duration::ZERO), (1..=50).map(Millis));
        assert_eq!(taken, [(25, StreakStep::Warn), (50, StreakStep::Disable)]);
    }

    #[test]
    fn a_minimum_span_holds_both_back() {
        let hours = |h: i64| Millis(h * 3_600_000);
        let taken = steps(limit(10, 5 * DAY), (0..=120).step_by(4).map(hours));
        assert_eq!(taken, [(16, StreakStep::Warn), (31, StreakStep::Disable)]);
    }

    #[test]
    fn one_failure_alone_may_be_the_limit() {
        assert_eq!(steps(limit(1, Duration::ZERO), [Millis(5)]), [(1, StreakStep::Disable)]);
    }

    #[test]
    fn an_endpoint_that_fails_often_brings_one_warning_a_day() {
        let later = Millis(0) + DAY;
        let half = |since| Streak { failures: 25, since: Some(since), warned_at: Some(Millis(0)) };
        assert_eq!(half(Millis(7)).step(limit(50, Duration::ZERO), later - Duration::from_millis(1)), StreakStep::None);
        assert_eq!(half(Millis(7)).step(limit(50, Duration::ZERO), later), StreakStep::Warn);
        assert_eq!(half(Millis(0)).step(limit(50, Duration::ZERO), later), StreakStep::None, "the same streak");
    }

    proptest! {
        #[test]
        fn only_as_many_failures_on_end_as_the_limit_disable(
            changes in prop::collection::vec(prop_oneof![
                3 => Just(StreakChange::Grows), 1 => Just(StreakChange::Ends), 1 => Just(StreakChange::None)], 0..200),
            failures_max in 1u32..20,
        ) {
            let (mut streak, mut on_end) = (Streak::default(), 0);
            for (at, change) in (1..).zip(changes) {
                streak = streak.after(change, Millis(at));
                match change {
                    StreakChange::Grows => on_end += 1,
                    StreakChange::Ends => on_end = 0,
                    StreakChange::None => {}
                }
                let step = streak.step(limit(failures_max, Duration::ZERO), Millis(at));
                prop_assert_eq!(step == StreakStep::Disable, on_end >= failures_max);
                prop_assert_eq!(streak.since.is_some(), on_end > 0);
            }
        }
    }
}
