//! The bounded cache in front of a resolver.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{Resolve, ResolveError};
use crate::limits::{Limits, ms_after, whole_ms};

type Outcome = Result<Arc<[IpAddr]>, ResolveError>;

struct Entry {
    outcome: Outcome,
    until: Instant,
}

struct Entries {
    by_name: HashMap<Arc<str>, Entry>,
    swept: Instant,
}

/// Answers for their TTL, clamped; failures for a moment; one look-up at a time for a name.
pub(crate) struct NameCache {
    resolver: Arc<dyn Resolve>,
    limits: Arc<Limits>,
    entries: Mutex<Entries>,
    in_flight: Mutex<HashMap<Arc<str>, Arc<tokio::sync::Mutex<()>>>>,
}

/// Sweeping a full cache of names that are all fresh is pointless more often than this.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl NameCache {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, limits: Arc<Limits>) -> Self {
        let entries = Entries { by_name: HashMap::new(), swept: Instant::now() };
        Self { resolver, limits, entries: Mutex::new(entries), in_flight: Mutex::default() }
    }

    /// The addresses of `name`, from the cache or the resolver, within the look-up's own limit and `deadline`.
    pub(crate) async fn look_up(&self, name: &Arc<str>, deadline: Instant) -> Outcome {
        if let Some(outcome) = self.cached(name) {
            return outcome;
        }
        let flight = Flight::board(self, name);
        let own_limit = ms_after(Instant::now(), self.limits.dns_ms_max);
        let until = deadline.min(own_limit);
        let Ok(_alone) = timeout_at(until, flight.turn.lock()).await else {
            return Err(ResolveError::Timeout);
        };
        // Whoever held the flight before may have brought the answer.
        if let Some(outcome) = self.cached(name) {
            return outcome;
        }
        let answer = match timeout_at(until, self.resolver.resolve(name)).await {
            Ok(answer) => answer,
            // An impatient attempt says nothing about the name.
            Err(_elapsed) if until < own_limit => return Err(ResolveError::Timeout),
            Err(_elapsed) => Err(ResolveError::Timeout),
        };
        let (outcome, kept_ms) = match answer {
            Ok(answer) if answer.addresses.is_empty() => (Err(ResolveError::NoAddress), self.limits.dns_failure_ttl_ms),
            Ok(answer) => {
                let ttl_ms = whole_ms(answer.ttl).min(self.limits.dns_ttl_ms_max).max(self.limits.dns_ttl_ms_min);
                (Ok(self.bounded(answer.addresses)), ttl_ms)
            }
            Err(error) => (Err(error), self.limits.dns_failure_ttl_ms),
        };
        self.keep(name, outcome.clone(), kept_ms);
        outcome
    }

    /// One more than the limit is kept, so that the guard sees that there were too many.
    fn bounded(&self, mut addresses: Vec<IpAddr>) -> Arc<[IpAddr]> {
        addresses.truncate(self.limits.dns_addresses_max.saturating_add(1));
        addresses.into()
    }

    fn cached(&self, name: &str) -> Option<Outcome> {
        let entries = self.entries.lock();
        let entry = entries.by_name.get(name)?;
        (entry.until > Instant::now()).then(|| entry.outcome.clone())
    }

    fn keep(&self, name: &Arc<str>, outcome: Outcome, ttl_ms: u64) {
        let now = Instant::now();
        let mut entries = self.entries.lock();
        if entries.by_name.len() >= self.limits.dns_names_max && !entries.by_name.contains_key(name) {
            entries.make_room(now);
        }
        entries.by_name.insert(Arc::clone(name), Entry { outcome, until: ms_after(now, ttl_ms) });
    }
}

/// The look-up of one name that several attempts wait for. Leaves no trace when the last of them goes, answered or not.
struct Flight<'a> {
    cache: &'a NameCache,
    name: &'a Arc<str>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Flight<'a> {
    fn board(cache: &'a NameCache, name: &'a Arc<str>) -> Self {
        let turn = Arc::clone(cache.in_flight.lock().entry(Arc::clone(name)).or_default());
        Self { cache, name, turn }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.cache.in_flight.lock();
        // One count is this flight's, one the map's.
        if Arc::strong_count(&self.turn) <= 2 {
            in_flight.remove(self.name);
        }
    }
}

impl Entries {
    fn make_room(&mut self, now: Instant) {
        if now >= self.swept + SWEEP_INTERVAL {
            self.swept = now;
            self.by_name.retain(|_, entry| entry.until > now);
            return;
        }
        let any = self.by_name.keys().next().cloned();
        if let Some(any) = any {
            self.by_name.remove(&any);
        }
    }
}
