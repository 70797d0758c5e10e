//! Events that this node has committed or read a moment ago, in memory, bounded: under load an event is claimed once for each of its lanes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::limits::RECENT_EVENTS_BYTES_MAX;
use crate::model::Event;

/// An organisation's event.
type Key = (Uuid, Uuid);

/// Two generations: what is used moves to the younger one, and the elder one is dropped when the younger is full.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Arc<Event>>,
    young_bytes: usize,
    old: HashMap<Key, Arc<Event>>,
}

#[derive(Default)]
pub(super) struct RecentEvents(Mutex<Generations>);

/// About what an event takes.
fn bytes(event: &Event) -> usize {
    512 + event.data.len() + event.changes.as_ref().map_or(0, |text| text.len())
}

impl Generations {
    fn keep(&mut self, key: Key, event: Arc<Event>) {
        self.young_bytes += bytes(&event);
        if self.young_bytes > RECENT_EVENTS_BYTES_MAX / 2 {
            self.young_bytes = bytes(&event);
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, event);
    }
}

impl RecentEvents {
    pub(super) fn keep<'a>(&self, events: impl Iterator<Item = (Uuid, &'a Arc<Event>)>) {
        let mut recent = self.0.lock();
        for (org, event) in events {
            recent.keep((org, event.key), Arc::clone(event));
        }
    }

    /// Events that were erased.
    pub(super) fn forget(&self, org: Uuid, keys: &[Uuid]) {
        let mut recent = self.0.lock();
        for key in keys {
            recent.young.remove(&(org, *key));
            recent.old.remove(&(org, *key));
        }
    }

    /// Those of an organisation's events that are here.
    pub(super) fn find(&self, org: Uuid, keys: impl Iterator<Item = Uuid>) -> HashMap<Uuid, Arc<Event>> {
        let mut recent = self.0.lock();
        let mut found = HashMap::new();
        for key in keys {
            if let Some(event) = recent.young.get(&(org, key)) {
                found.insert(key, Arc::clone(event));
            } else if let Some(event) = recent.old.remove(&(org, key)) {
                recent.keep((org, key), Arc::clone(&event));
                found.insert(key, event);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_domain::{EventId, Millis};

    fn event(number: u128) -> Arc<Event> {
        let key = Uuid::from_u128(number);
        let data = "x".repeat(RECENT_EVENTS_BYTES_MAX / 16).into();
        let event_type = "deal.won".into();
        let (occurred_at, accepted_at) = (Millis(0), Millis(0));
        Arc::new(Event {
            id: EventId::made(key),
            key,
            event_type,
            occurred_at,
            accepted_at,
            resource: None,
            data,
            changes: None,
        })
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes_within_bounds() {
        let recent = RecentEvents::default();
        let (org, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let is_there = |org, number| !recent.find(org, std::iter::once(Uuid::from_u128(number))).is_empty();
        for number in 0..60 {
            recent.keep(std::iter::once((org, &event(number))));
            assert!(is_there(org, number) && !is_there(other, number));
            assert!(is_there(org, 0), "it is used all the time");
        }
        assert!(!is_there(org, 1));
        let kept = recent.0.lock();
        assert!(kept.young.len() + kept.old.len() <= 16);
    }
}
