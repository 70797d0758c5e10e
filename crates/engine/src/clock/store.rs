//! The store's time, where the store has one: told at every renewal of the lease, and carried on by the monotonic clock in between.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use postrider_domain::Millis;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Clock, SLEEP_MAX};

/// A correction back by no more than this many milliseconds is waited out: the clock holds still until the store's time has come up with it.
/// What is more is no drift but another time, and is taken over at once.
const HELD_STILL_MS: i64 = 10_000;

/// The clock of a node of many. Every node has the same time, whatever its host's clock says: that is never asked.
///
/// Until it is told the time for the first time, it counts from the Unix epoch; an engine is told while it starts.
#[derive(Debug)]
pub struct StoreClock {
    began: Instant,
    /// The store's time less the milliseconds since `began`.
    offset_ms: AtomicI64,
    /// Time does not go back behind this.
    floor_ms: AtomicI64,
    /// One correction at a time; whether there was one.
    is_told: Mutex<bool>,
    corrected: watch::Sender<()>,
}

impl Default for StoreClock {
    fn default() -> Self {
        StoreClock {
            began: Instant::now(),
            offset_ms: AtomicI64::new(0),
            floor_ms: AtomicI64::new(0),
            is_told: Mutex::new(false),
            corrected: watch::Sender::new(()),
        }
    }
}

impl StoreClock {
    fn since_began_ms(&self, moment: Instant) -> i64 {
        i64::try_from(moment.saturating_duration_since(self.began).as_millis()).unwrap_or(i64::MAX)
    }
}

#[async_trait]
impl Clock for StoreClock {
    fn now(&self) -> Millis {
        let offset = self.offset_ms.load(Ordering::Acquire);
        let now = self.since_began_ms(Instant::now()).saturating_add(offset);
        Millis(now.max(self.floor_ms.load(Ordering::Acquire)))
    }

    async fn sleep_until(&self, at: Millis) {
        let mut corrected = self.corrected.subscribe();
        loop {
            let wait = at.since(self.now());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(SLEEP_MAX)) => {}
                _ = corrected.changed() => {}
            }
        }
    }

    fn told(&self, now: Millis, at: Instant) {
        let mut is_told = self.is_told.lock();
        let offset = now.0.saturating_sub(self.since_began_ms(at));
        let back_ms = self.offset_ms.load(Ordering::Acquire).saturating_sub(offset);
        let is_small = *is_told && back_ms <= HELD_STILL_MS;
        if back_ms == 0 {
            return;
        }
        // The floor first: whoever reads in between sees the time before the correction.
        let floor = if is_small { self.now().0 } else { 0 };
        self.floor_ms.store(floor, Ordering::Release);
        self.offset_ms.store(offset, Ordering::Release);
        *is_told = true;
        drop(is_told);
        self.corrected.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    const T0: Millis = Millis(1_800_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn told_now(clock: &StoreClock, now: Millis) {
        clock.told(now, Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_from_what_it_was_told() {
        let clock = StoreClock::default();
        tokio::time::advance(SECOND * 5).await;
        let at = Instant::now();
        tokio::time::advance(SECOND).await;
        clock.told(T0, at);
        assert_eq!(clock.now(), T0 + SECOND);
        tokio::time::advance(SECOND * 3).await;
        assert_eq!(clock.now(), T0 + SECOND * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_correction_back_is_waited_out_and_one_forward_is_taken() {
        let clock = StoreClock::default();
        told_now(&clock, T0);
        tokio::time::advance(SECOND * 5).await;
        told_now(&clock, T0 + SECOND * 3);
        assert_eq!(clock.now(), T0 + SECOND * 5);
        tokio::time::advance(SECOND).await;
        assert_eq!(clock.now(), T0 + SECOND * 5, "it holds still");
        tokio::time::advance(SECOND * 2).await;
        assert_eq!(clock.now(), T0 + SECOND * 6);
        told_now(&clock, T0 + SECOND * 9);
        assert_eq!(clock.now(), T0 + SECOND * 9);
    }

    #[tokio::test(start_paused = true)]
    async fn another_time_altogether_is_taken_over() {
        let clock = StoreClock::default();
        told_now(&clock, T0);
        told_now(&clock, T0 - SECOND * 3_600);
        assert_eq!(clock.now(), T0 - SECOND * 3_600);
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_wakes_when_the_time_is_corrected_past_it() {
        let clock = Arc::new(StoreClock::default());
        told_now(&clock, T0);
        let began = Instant::now();
        let sleeper = Arc::clone(&clock);
        let sleep = tokio::spawn(async move { sleeper.sleep_until(T0 + SECOND * 50).await });
        tokio::time::advance(SECOND).await;
        told_now(&clock, T0 + SECOND * 100);
        sleep.await.unwrap();
        assert_eq!(began.elapsed(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_moved_rests_on_the_stores() {
        let store = Arc::new(StoreClock::default());
        let clock = Arc::new(super::super::MovableClock::over(store));
        clock.told(T0, Instant::now());
        clock.advance(SECOND * 60);
        assert_eq!(clock.now(), T0 + SECOND * 60);
        let wake_at = T0 + SECOND * 130;
        let began = Instant::now();
        let sleeper = Arc::clone(&clock);
        let sleep = tokio::spawn(async move { sleeper.sleep_until(wake_at).await });
        tokio::time::advance(SECOND).await;
        clock.advance(SECOND * 60);
        sleep.await.unwrap();
        assert_eq!((clock.now(), began.elapsed()), (wake_at, SECOND * 10));
    }
}
