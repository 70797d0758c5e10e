//! Paces new connections: an origin that closes after every answer, or never takes one, is not flooded with handshakes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::Limits;

/// A virtual schedule per origin: each connection takes one interval, and a second's worth may be taken at once.
pub(crate) struct Pace {
    limits: Arc<Limits>,
    /// When the origin's schedule would be empty again.
    busy_until: Mutex<HashMap<Arc<str>, Instant>>,
}

const BURST: Duration = Duration::from_secs(1);

impl Pace {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, busy_until: Mutex::default() }
    }

    /// When a new connection to `origin` may begin, if that is before `deadline`; then its place is taken.
    pub(crate) fn reserve(&self, origin: &Arc<str>, now: Instant, deadline: Instant) -> Option<Instant> {
        let interval = BURST / self.limits.new_connections_per_origin_per_s_max.max(1);
        let mut busy_until = self.busy_until.lock();
        if busy_until.len() >= self.limits.paced_origins_max && !busy_until.contains_key(origin) {
            make_room(&mut busy_until, now);
        }
        let end = busy_until.get(origin).map_or(now, |end| *end).max(now) + interval;
        let start = end.checked_sub(BURST).map_or(now, |start| start.max(now));
        if start >= deadline {
            return None;
        }
        busy_until.insert(Arc::clone(origin), end);
        Some(start)
    }
}

/// Forgets origins whose schedule is empty, or else the one that is the closest to it.
fn make_room(busy_until: &mut HashMap<Arc<str>, Instant>, now: Instant) {
    busy_until.retain(|_, end| *end > now);
    let soonest = busy_until.iter().min_by_key(|(_, end)| **end).map(|(origin, _)| Arc::clone(origin));
    if let Some(soonest) = soonest {
        busy_until.remove(&soonest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: u32) -> Pace {
        let limits = Limits { new_connections_per_origin_per_s_max: rate, paced_origins_max: 2, ..Limits::default() };
        Pace::new(Arc::new(limits))
    }

    #[test]
    fn a_burst_goes_at_once_and_what_follows_waits_its_turn() {
        let (pace, now) = (pace(10), Instant::now());
        let deadline = now + Duration::from_secs(30);
        let origin = Arc::from("https://a:443");
        for _ in 0..10 {
            assert_eq!(pace.reserve(&origin, now, deadline), Some(now));
        }
        assert_eq!(pace.reserve(&origin, now, deadline), Some(now + Duration::from_millis(100)));
        assert_eq!(pace.reserve(&Arc::from("https://b:443"), now, deadline), Some(now));
    }

    #[test]
    fn a_turn_after_the_deadline_is_not_taken() {
        let (pace, now) = (pace(1), Instant::now());
        let origin = Arc::from("https://a:443");
        assert!(pace.reserve(&origin, now, now + Duration::from_secs(9)).is_some());
        for _ in 0..100 {
            assert!(pace.reserve(&origin, now, now + Duration::from_millis(500)).is_none());
        }
        assert!(pace.reserve(&origin, now, now + Duration::from_secs(2)).is_some());
    }

    #[test]
    fn origins_are_forgotten_so_that_memory_stays_bounded() {
        let (pace, now) = (pace(10), Instant::now());
        for n in 0..1_000 {
            let origin = Arc::from(format!("https://h{n}:443"));
            assert!(pace.reserve(&origin, now, now + Duration::from_secs(9)).is_some());
        }
        assert!(pace.busy_until.lock().len() <= 2);
    }
}
