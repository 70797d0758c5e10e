//! Operational events: what happened to customers' endpoints, for the operator to receive as webhooks like any other.

use std::time::Duration;

use crate::event::EventId;
use crate::ids::{DeliveryId, EndpointId, OperationalEventId};
use crate::organization::OrganizationId;
use crate::time::Millis;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationalKind {
    /// An endpoint has failed half as often as disables it.
    EndpointFailing,
    /// An endpoint was disabled: it failed too often, or answered that it is gone for good (410).
    EndpointDisabled,
    /// Deliveries of an endpoint failed for good, since every attempt of their schedule did.
    DeliveryExhausted,
    /// An endpoint has a new signing secret.
    SecretRotated,
}

impl OperationalKind {
    /// Every kind.
    pub const ALL: [OperationalKind; 4] =
        [Self::EndpointFailing, Self::EndpointDisabled, Self::DeliveryExhausted, Self::SecretRotated];

    /// The event type, and the word in the store and the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OperationalKind::EndpointFailing => "endpoint.failing",
            OperationalKind::EndpointDisabled => "endpoint.disabled",
            OperationalKind::DeliveryExhausted => "delivery.exhausted",
            OperationalKind::SecretRotated => "secret.rotated",
        }
    }

    /// Reads what [`OperationalKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An operational event: ids and facts of the moment at which it was made, and nothing secret. What organisation and endpoint are called is looked up
/// when it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationalEvent {
    /// Its id: the same however often it is published.
    pub id: OperationalEventId,
    /// Whose endpoint it is about.
    pub organization: OrganizationId,
    /// Which endpoint it is about.
    pub endpoint: EndpointId,
    /// What happened.
    pub kind: OperationalKind,
    /// Of deliveries that are exhausted, how many; of an endpoint that fails or was disabled, its failures on end, 0 where only its answer counted; of a
    /// rotation, 1.
    pub count: u32,
    /// Why an endpoint was disabled, as its owner is told.
    pub reason: Option<String>,
    /// Of deliveries that are exhausted, the latest.
    pub delivery: Option<DeliveryId>,
    /// When it happened first.
    pub first_at: Millis,
    /// When it happened last.
    pub last_at: Millis,
}

impl OperationalEvent {
    /// For how long what befalls deliveries of one endpoint is gathered into one event, so that a mass failure brings one a minute.
    pub const GATHERED_FOR: Duration = Duration::from_secs(60);

    /// When it may be published.
    #[must_use]
    pub fn due_at(&self) -> Millis {
        match self.kind {
            OperationalKind::DeliveryExhausted => self.first_at + Self::GATHERED_FOR,
            _ => self.first_at,
        }
    }

    /// The id of the event as which it is published: always the same, so that it is stored once.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        EventId::told(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn of(kind: OperationalKind) -> OperationalEvent {
        OperationalEvent {
            id: OperationalEventId(Uuid::from_u128(7)),
            organization: "acme".parse().unwrap(),
            endpoint: EndpointId(Uuid::from_u128(8)),
            kind,
            count: 1,
            reason: None,
            delivery: None,
            first_at: Millis(1_000),
            last_at: Millis(2_000),
        }
    }

    #[test]
    fn only_what_befalls_deliveries_waits_to_be_gathered() {
        for kind in OperationalKind::ALL {
            assert_eq!(OperationalKind::parse(kind.as_str()), Some(kind));
            let waits = kind == OperationalKind::DeliveryExhausted;
            assert_eq!(of(kind).due_at(), Millis(if waits { 61_000 } else { 1_000 }));
        }
    }

    #[test]
    fn its_id_makes_the_id_that_it_is_published_under() {
        let event = of(OperationalKind::SecretRotated);
        assert_eq!(event.event_id().as_str(), event.id.to_string());
    }
}
