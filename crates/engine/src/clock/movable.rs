//! A clock that tests move.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::Millis;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Clock, SystemClock};

/// Another clock plus an offset that a test moves: it lives through two days in milliseconds.
pub struct MovableClock {
    base: Arc<dyn Clock>,
    offset_ms: watch::Sender<i64>,
}

impl std::fmt::Debug for MovableClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MovableClock").field("offset_ms", &*self.offset_ms.borrow()).finish_non_exhaustive()
    }
}

impl Default for MovableClock {
    /// On top of the machine's clock.
    fn default() -> Self {
        MovableClock::over(Arc::new(SystemClock))
    }
}

impl MovableClock {
    /// On top of another clock, e.g. the store's.
    #[must_use]
    pub fn over(base: Arc<dyn Clock>) -> Self {
        MovableClock { base, offset_ms: watch::Sender::new(0) }
    }

    /// Moves the clock forward and wakes everyone whose time has come.
    pub fn advance(&self, by: Duration) {
        self.offset_ms.send_modify(|offset| *offset += i64::try_from(by.as_millis()).unwrap_or(0));
    }
}

#[async_trait]
impl Clock for MovableClock {
    fn now(&self) -> Millis {
        Millis(self.base.now().0.saturating_add(*self.offset_ms.borrow()))
    }

    async fn sleep_until(&self, at: Millis) {
        let mut moved = self.offset_ms.subscribe();
        loop {
            let offset = *moved.borrow_and_update();
            tokio::select! {
                () = self.base.sleep_until(Millis(at.0.saturating_sub(offset))) => return,
                _ = moved.changed() => {}
            }
        }
    }

    fn told(&self, now: Millis, at: Instant) {
        self.base.told(now, at);
    }
}
