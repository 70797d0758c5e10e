//! Where time comes from.

#[cfg(any(test, feature = "test-clock"))]
mod movable;
mod store;

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::Millis;
use tokio::time::Instant;

#[cfg(any(test, feature = "test-clock"))]
pub use movable::MovableClock;
pub use store::StoreClock;

/// The time, and waiting for it. Everything that has to do with schedules, signatures and retention asks this clock.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Millis;
    /// Returns at `at`, or at once when that has passed.
    async fn sleep_until(&self, at: Millis);
    /// The store says that it was `now` at the moment `at`; a clock with a time of its own does not listen.
    fn told(&self, now: Millis, at: Instant) {
        let _ = (now, at);
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The longest single wait: a machine's clock may be set while we wait, so it is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's time is read")]
    fn now(&self) -> Millis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, at: Millis) {
        loop {
            let wait = at.since(self.now());
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait.min(SLEEP_MAX)).await;
        }
    }
}
