//! Derived events: what an event also is, by the organisation's contract (docs/contracts.md, "Derived types").
//!
//! A *derived* event is an event of its own, committed in the same transaction as the *original* that was published: the same data, changes,
//! resource and time under another type. Its id follows from the original's and the type, so that a repeated publication makes none twice.
//! Nothing is derived from what is derived.

use std::sync::Arc;

use postrider_contract::FilterEvent;
use postrider_store::Event;

use crate::accept::Made;
use crate::directory::OrganizationView;
use crate::engine::Inner;

/// An event as filters see it. Nothing of it is read before one asks.
pub(crate) fn filter_event(event: &Event) -> FilterEvent<'_> {
    FilterEvent::new(&event.data, event.changes.as_deref(), event.resource.as_ref(), event.occurred_at)
}

impl Inner {
    /// What an event also is.
    pub(crate) fn derive(&self, view: &OrganizationView, original: &Made, facts: &FilterEvent<'_>) -> Vec<Made> {
        let types = view.contract.derived_types(&original.event.event_type, facts);
        types.map(|event_type| self.derived(original, event_type)).collect()
    }

    fn derived(&self, original: &Made, event_type: &str) -> Made {
        let from = &original.event;
        let event = Arc::new(Event {
            id: from.id.derived(event_type),
            key: self.ids.next(from.accepted_at),
            event_type: event_type.into(),
            ..Event::clone(from)
        });
        let fingerprint = original.fingerprint.map(|fingerprint| {
            let mut context = ring::digest::Context::new(&ring::digest::SHA256);
            context.update(&fingerprint);
            context.update(event_type.as_bytes());
            let mut hash = [0; 32];
            hash.copy_from_slice(context.finish().as_ref());
            hash
        });
        Made { event, fingerprint, is_repetition: original.is_repetition }
    }
}
