//! What lanes hold in memory, counted in bytes, each for itself and all together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postrider_domain::DeliveryId;
use postrider_store::Event;

/// What a held delivery counts for, in bytes: its event's text and a fixed share for the rest.
pub(crate) fn held_bytes(event: &Event) -> usize {
    const FIXED_BYTES: usize = 512;
    FIXED_BYTES + event.data.len() + event.changes.as_ref().map_or(0, |text| text.len())
}

/// The bytes that all lanes hold together.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    now: AtomicUsize,
    max: usize,
}

impl HeldBytes {
    pub(crate) fn new(max: usize) -> Self {
        HeldBytes { now: AtomicUsize::new(0), max }
    }
}

/// What one lane has reserved, queued, under way, or sent and not yet recorded: never claimed from the store.
#[derive(Debug)]
pub(crate) struct Held {
    bytes_of: HashMap<DeliveryId, usize>,
    bytes: usize,
    of_all_lanes: Arc<HeldBytes>,
}

impl Held {
    /// Deliveries that a lane may hold however much the others do.
    pub(crate) const ALWAYS: usize = 4;

    pub(crate) fn new(of_all_lanes: Arc<HeldBytes>) -> Self {
        Held { bytes_of: HashMap::new(), bytes: 0, of_all_lanes }
    }

    /// False when it is held already.
    pub(crate) fn insert(&mut self, id: DeliveryId, bytes: usize) -> bool {
        let is_new = self.bytes_of.insert(id, bytes).is_none();
        if is_new {
            self.bytes += bytes;
            self.of_all_lanes.now.fetch_add(bytes, Ordering::Relaxed);
        }
        is_new
    }

    pub(crate) fn remove(&mut self, id: DeliveryId) {
        if let Some(bytes) = self.bytes_of.remove(&id) {
            self.bytes -= bytes;
            self.of_all_lanes.now.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn contains(&self, id: DeliveryId) -> bool {
        self.bytes_of.contains_key(&id)
    }

    pub(crate) fn ids(&self) -> Vec<DeliveryId> {
        self.bytes_of.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes_of.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes_of.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_full_everywhere(&self) -> bool {
        self.of_all_lanes.now.load(Ordering::Relaxed) >= self.of_all_lanes.max
    }
}
