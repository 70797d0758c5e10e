//! One thing after another, at an even pace.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

/// Turns from 0 on. One that comes late is not made up for.
pub(super) struct Pace {
    ticks: Interval,
    next: u64,
}

impl Pace {
    /// So many turns a second.
    pub(super) fn of(rate_per_s: f64) -> Self {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate_per_s));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pace { ticks, next: 0 }
    }

    /// The next turn's number, when it is time for it.
    pub(super) async fn turn(&mut self) -> u64 {
        self.ticks.tick().await;
        let turn = self.next;
        self.next += 1;
        turn
    }
}
