//! Makes ids: UUIDv7s (RFC 9562, section 5.7) that ascend within one process even inside one millisecond.

use parking_lot::Mutex;
use postrider_domain::Millis;
use uuid::{ContextV7, Timestamp, Uuid};

/// The one maker of ids of a process.
#[derive(Debug)]
pub struct Ids {
    context: Mutex<ContextV7>,
}

impl Default for Ids {
    fn default() -> Self {
        Ids { context: Mutex::new(ContextV7::new()) }
    }
}

impl Ids {
    /// A fresh id for this moment.
    pub fn next(&self, now: Millis) -> Uuid {
        let ms = u64::try_from(now.0).unwrap_or(0);
        let nanos = u32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(&*self.context.lock(), ms / 1000, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_ascend() {
        let ids = Ids::default();
        let made: Vec<_> = (0..10_000).map(|_| ids.next(Millis(1_700_000_000_000))).collect();
        assert!(made.is_sorted());
        assert!(made.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
