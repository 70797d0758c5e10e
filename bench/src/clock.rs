//! One time for load and receiver: nanoseconds since the run began.

use std::time::{Duration, Instant};

/// The run's time; a copy tells the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { start: Instant::now() }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.ns(Instant::now())
    }

    /// That moment; the run's beginning when it was before.
    pub(crate) fn ns(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The span between two moments of the clock, none when they are the wrong way round.
pub(crate) fn span(from_ns: u64, until_ns: u64) -> Duration {
    Duration::from_nanos(until_ns.saturating_sub(from_ns))
}
