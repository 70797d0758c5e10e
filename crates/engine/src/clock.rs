//! Where time comes from.

use async_trait::async_trait;
use postrider_domain::Millis;

/// The time, and waiting for it. Everything that has to do with schedules, signatures and retention asks this clock.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Millis;
    /// Returns at `at`, or at once when that has passed.
    async fn sleep_until(&self, at: Millis);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's time is read")]
    fn read() -> Millis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The longest single wait: a machine's clock may be set while we wait, so it is looked at again.
const SLEEP_MAX: std::time::Duration = std::time::Duration::from_secs(60);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Millis {
        Self::read()
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

/// The machine's clock plus an offset that a test moves: it lives through two days in milliseconds.
#[cfg(any(test, feature = "test-clock"))]
#[derive(Debug)]
pub struct MovableClock {
    offset_ms: tokio::sync::watch::Sender<i64>,
}

#[cfg(any(test, feature = "test-clock"))]
impl Default for MovableClock {
    fn default() -> Self {
        MovableClock { offset_ms: tokio::sync::watch::Sender::new(0) }
    }
}

#[cfg(any(test, feature = "test-clock"))]
impl MovableClock {
    /// Moves the clock forward and wakes everyone whose time has come.
    pub fn advance(&self, by: std::time::Duration) {
        self.offset_ms.send_modify(|offset| *offset += i64::try_from(by.as_millis()).unwrap_or(0));
    }
}

#[cfg(any(test, feature = "test-clock"))]
#[async_trait]
impl Clock for MovableClock {
    fn now(&self) -> Millis {
        Millis(SystemClock::read().0 + *self.offset_ms.borrow())
    }

    async fn sleep_until(&self, at: Millis) {
        let mut moved = self.offset_ms.subscribe();
        loop {
            let wait = at.since(self.now());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(SLEEP_MAX)) => {}
                _ = moved.changed() => {}
            }
        }
    }
}
