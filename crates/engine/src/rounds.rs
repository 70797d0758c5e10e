//! Work that is done in rounds: every so often, and sooner when somebody says that there is something to do.

use std::time::Duration;

use postrider_domain::Millis;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::Inner;

/// When the next round begins.
pub(crate) struct Rounds<'a> {
    clock: &'a dyn Clock,
    stopping: &'a CancellationToken,
    /// Whoever notifies it wants a round now.
    wanted: &'a Notify,
    every: Duration,
    next_at: Millis,
}

impl Inner {
    /// Rounds that begin now.
    pub(crate) fn rounds<'a>(&'a self, every: Duration, wanted: &'a Notify) -> Rounds<'a> {
        Rounds::new(self.clock.as_ref(), &self.stopping, wanted, every)
    }
}

impl<'a> Rounds<'a> {
    fn new(clock: &'a dyn Clock, stopping: &'a CancellationToken, wanted: &'a Notify, every: Duration) -> Self {
        Rounds { clock, stopping, wanted, every, next_at: clock.now() }
    }

    /// Waits for the next round; false once the engine stops.
    ///
    /// The one after it is counted from its beginning: time that passes during a round, however suddenly, is not lost to the schedule.
    pub(crate) async fn begin(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => return false,
            () = self.wanted.notified() => {}
            () = self.clock.sleep_until(self.next_at) => {}
        }
        self.next_at = self.clock.now() + self.every;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MovableClock;

    const EVERY: Duration = Duration::from_secs(60);
    const BOUND: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_round_during_which_its_time_comes_again_is_followed_by_another() {
        let (clock, stopping, wanted) = (MovableClock::default(), CancellationToken::new(), Notify::new());
        let mut rounds = Rounds::new(&clock, &stopping, &wanted, EVERY);
        assert!(tokio::time::timeout(BOUND, rounds.begin()).await.unwrap());
        clock.advance(2 * EVERY);
        assert!(tokio::time::timeout(BOUND, rounds.begin()).await.unwrap());
    }

    #[tokio::test]
    async fn somebody_may_want_a_round_and_none_begins_once_the_engine_stops() {
        let (clock, stopping, wanted) = (MovableClock::default(), CancellationToken::new(), Notify::new());
        let mut rounds = Rounds::new(&clock, &stopping, &wanted, EVERY * 1_000_000);
        assert!(rounds.begin().await);
        wanted.notify_one();
        assert!(tokio::time::timeout(BOUND, rounds.begin()).await.unwrap());
        wanted.notify_one();
        stopping.cancel();
        assert!(!rounds.begin().await);
    }
}
