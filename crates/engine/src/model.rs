//! What the floors above hand in and get back.

use postrider_domain::{DeliveryId, EventId, Millis, Resource};
use postrider_store::Attempt;

use crate::error::EventMistake;

/// An event as a CRM publishes it; JSON parts are text, byte for byte as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingEvent {
    /// The type, in the CRM's words or the receivers'.
    pub event_type: String,
    /// JSON text.
    pub data: Box<str>,
    /// The CRM's own id, to make publishing idempotent.
    pub id: Option<EventId>,
    /// When it happened; now when left out.
    pub occurred_at: Option<Millis>,
    /// What it is about.
    pub resource: Option<Resource>,
    /// JSON object of earlier values, from which `changes` are made.
    pub previous: Option<Box<str>>,
    /// JSON object `{"<field>":{"previous":…,"current":…}}`.
    pub changes: Option<Box<str>>,
}

/// An accepted event: it and its deliveries are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EventId,
    /// How many deliveries it made.
    pub deliveries_count: u32,
}

/// What became of events of which some may have been wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedSound {
    /// Those that were accepted, in order.
    pub accepted: Vec<Accepted>,
    /// What is wrong with the others; nothing of them was stored.
    pub mistakes: Vec<EventMistake>,
}

/// What became of a person's wish for one more attempt of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It is made now, whatever the status of its endpoint.
    Asked,
    /// There is no such delivery.
    UnknownDelivery,
    /// Its endpoint was deleted: there is nowhere to send it.
    EndpointDeleted,
    /// Its event is not kept any more, by retention or an erasure: there is nothing to send.
    EventGone,
}

/// What an endpoint missed, which a recovery would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Deliveries that failed.
    pub failed: u64,
    /// Events that made no delivery for the endpoint and would make one now.
    pub never_made: u64,
    /// Whether all of the span was counted; otherwise there may be more.
    pub is_complete: bool,
}

impl Default for Missed {
    fn default() -> Self {
        Missed { failed: 0, never_made: 0, is_complete: true }
    }
}

impl Missed {
    /// Both together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.failed + self.never_made
    }
}

/// How a test event went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// The delivery it is listed under.
    pub delivery: DeliveryId,
    /// Whether the receiver has it.
    pub succeeded: bool,
    /// The one attempt.
    pub attempt: Attempt,
}
