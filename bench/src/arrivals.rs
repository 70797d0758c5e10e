//! What the receiver saw: how many, which, when.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::event::Stamp;

/// The longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Sequence numbers that are told apart for each endpoint; 8 MiB of bits.
const SEQUENCE_MAX: u64 = 64 * 1024 * 1024;
/// How often a wait looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A record of what arrived, written by the receiver's threads.
pub(crate) struct Arrivals {
    clock: Clock,
    received: AtomicU64,
    unique: AtomicU64,
    duplicates: AtomicU64,
    last_ns: AtomicU64,
    held: AtomicU64,
    latency_us: Mutex<Histogram<u64>>,
    /// One set of sequence numbers for each endpoint; empty when duplicates are not asked for.
    seen: Vec<Mutex<Bits>>,
}

#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Whether the number is new.
    fn insert(&mut self, number: u64) -> bool {
        let number = number.min(SEQUENCE_MAX);
        // Both fit: the number is bounded above.
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if word >= self.0.len() {
            self.0.resize((word + 1).next_power_of_two(), 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

impl Arrivals {
    /// A record that tells duplicates apart for that many endpoints; none are told apart with 0.
    pub(crate) fn new(clock: Clock, distinct_endpoints: usize) -> anyhow::Result<Self> {
        Ok(Arrivals {
            clock,
            received: AtomicU64::new(0),
            unique: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            last_ns: AtomicU64::new(0),
            held: AtomicU64::new(0),
            latency_us: Mutex::new(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?),
            seen: (0..distinct_endpoints).map(|_| Mutex::new(Bits::default())).collect(),
        })
    }

    /// A request arrived at that endpoint.
    pub(crate) fn add(&self, endpoint: usize, body: &[u8]) {
        let now_ns = self.clock.now_ns();
        let stamp = Stamp::find(body);
        if let Some(stamp) = stamp {
            let latency_us = now_ns.saturating_sub(stamp.sent_ns) / 1_000;
            self.latency_us.lock().saturating_record(latency_us.max(1));
        }
        let is_new = match (stamp, self.seen.get(endpoint)) {
            (Some(stamp), Some(seen)) => seen.lock().insert(stamp.sequence),
            _ => true,
        };
        self.last_ns.fetch_max(now_ns, Relaxed);
        if is_new {
            self.unique.fetch_add(1, Relaxed);
        } else {
            self.duplicates.fetch_add(1, Relaxed);
        }
        self.received.fetch_add(1, Relaxed);
    }

    /// A request is kept without an answer; call [`Arrivals::let_go`] at its end.
    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Relaxed);
    }

    pub(crate) fn let_go(&self) {
        self.held.fetch_sub(1, Relaxed);
    }

    /// Requests that arrived, duplicates included.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Requests that arrived for the first time.
    pub(crate) fn unique(&self) -> u64 {
        self.unique.load(Relaxed)
    }

    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates.load(Relaxed)
    }

    /// Requests kept without an answer at this moment.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// When the latest request arrived.
    pub(crate) fn last_ns(&self) -> u64 {
        self.last_ns.load(Relaxed)
    }

    /// The latencies since the last call, in microseconds.
    pub(crate) fn take_latency(&self) -> Histogram<u64> {
        let mut latency = self.latency_us.lock();
        let taken = latency.clone();
        latency.reset();
        taken
    }

    /// Waits until that holds, or the time is over; says whether it held.
    pub(crate) async fn wait(&self, within: Duration, holds: impl Fn(&Arrivals) -> bool) -> bool {
        let deadline = Instant::now() + within;
        while !holds(self) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        true
    }

    /// Waits until that many different requests arrived, giving up when none came for `quiet`; says whether they did.
    pub(crate) async fn wait_unique(&self, expected: u64, quiet: Duration) -> bool {
        loop {
            let before = self.unique();
            if before >= expected || !self.wait(quiet, |a| a.unique() > before).await {
                return self.unique() >= expected;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event_json;

    fn body(sequence: u64) -> Vec<u8> {
        event_json("deal.won", Stamp { sent_ns: 0, sequence }).into_bytes()
    }

    #[test]
    fn the_same_event_counts_once_for_each_endpoint() {
        let arrivals = Arrivals::new(Clock::start(), 2).unwrap();
        for (endpoint, sequence) in [(0, 7), (1, 7), (0, 7), (0, 900_000), (1, 0)] {
            arrivals.add(endpoint, &body(sequence));
        }
        assert_eq!((arrivals.received(), arrivals.unique(), arrivals.duplicates()), (5, 4, 1));
    }

    #[test]
    fn latencies_are_taken_once() {
        let arrivals = Arrivals::new(Clock::start(), 0).unwrap();
        arrivals.add(0, &body(1));
        arrivals.add(0, b"no stamp");
        assert_eq!(arrivals.take_latency().len(), 1);
        assert_eq!(arrivals.take_latency().len(), 0);
        assert_eq!(arrivals.received(), 2);
    }

    #[tokio::test]
    async fn waiting_ends_when_nothing_comes_any_more() {
        let arrivals = Arrivals::new(Clock::start(), 0).unwrap();
        arrivals.add(0, &body(1));
        assert!(arrivals.wait_unique(1, Duration::ZERO).await);
        assert!(!arrivals.wait_unique(2, Duration::from_millis(5)).await);
    }
}
