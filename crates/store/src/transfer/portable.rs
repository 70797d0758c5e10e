//! What an export consists of: plain values, in the clear in memory alone.

use std::sync::Arc;

use postrider_domain::{
    AuditEntry, DeliveryId, Endpoint, EndpointId, EventId, FailReason, Key, Millis, Organization, OrganizationId,
    Progress, Resource, Trigger,
};
use uuid::Uuid;

use crate::error::Result;
use crate::failing::{PortableNotice, PortableStreak};
use crate::model::{Attempt, ContractRevision, Event, RevisionId, StoredAnswer, Version};
use crate::operational::PortableOperationalEvent;
use crate::operations::Operation;
use crate::rows::resource;
use crate::statistics::EndpointHour;

/// One row, independent of the store that it lies in.
#[derive(Clone, Debug, PartialEq)]
pub enum Portable {
    /// A contract's text.
    Revision(ContractRevision),
    /// The operator key's SHA-256.
    OperatorKey([u8; 32]),
    /// An organisation, with the version of its configuration.
    Organization(Organization, Version),
    /// A key and its SHA-256.
    Key(Key, [u8; 32]),
    /// An endpoint with its secrets.
    Endpoint(Endpoint),
    /// One that was deleted and still has history.
    DeletedEndpoint(DeletedEndpoint),
    /// An id that a caller chose.
    ChosenId(ChosenId),
    /// An event.
    Event(PortableEvent),
    /// A delivery with its attempts.
    Delivery(PortableDelivery),
    /// An answer to an idempotent request.
    Answer(PortableAnswer),
    /// An endpoint's streak of failures.
    Streak(PortableStreak),
    /// What an owner is to be told.
    Notice(PortableNotice),
    /// What the operator is to be told.
    OperationalEvent(PortableOperationalEvent),
    /// An operation, running or ended. It comes behind the history that it goes through.
    Operation(Operation),
    /// What was counted of an endpoint in an hour.
    Hour(EndpointHour),
    /// Everything that work needs has come; what follows is history.
    Ready,
    /// An entry of an organisation's audit trail; none for the operator's own.
    Audit(Option<OrganizationId>, AuditEntry),
}

/// An endpoint that was deleted: what lists still show of it is its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedEndpoint {
    /// Whose it was.
    pub organization: OrganizationId,
    /// Its id.
    pub id: EndpointId,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// An event id that a caller chose, remembered for 72 hours and as long as the event is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenId {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The id.
    pub id: EventId,
    /// The newest event under it.
    pub key: Uuid,
    /// When that was accepted.
    pub accepted_at: Millis,
    /// What tells a repetition from another event.
    pub fingerprint: [u8; 32],
    /// Deliveries made at once.
    pub deliveries_count: u32,
    /// Whether the event itself is still there.
    pub is_event_kept: bool,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct PortableEvent {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The event.
    pub event: Arc<Event>,
    /// Whether it is a test.
    pub test: bool,
    /// Deliveries made when it was committed, as it was answered.
    pub deliveries_count: u32,
    /// Those that were stored.
    pub deliveries: Vec<DeliveryId>,
    /// Whether one of them is open.
    pub is_open: bool,
}

/// A delivery, open or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PortableDelivery {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The key of its event.
    pub event_key: Uuid,
    /// The type in the receiver's words.
    pub event_type: Arc<str>,
    /// The contract text it was made under.
    pub revision: RevisionId,
    /// Whether it is a test.
    pub test: bool,
    /// When it was made.
    pub created_at: Millis,
    /// How far it has come.
    pub progress: Progress,
    /// The last answer's status code.
    pub last_status_code: Option<u16>,
    /// Where it stands.
    pub state: PortableState,
    /// Its attempts, oldest first: the newest [`crate::DeliveryDetail::ATTEMPTS_MAX`], which are all that any store shows.
    pub attempts: Vec<Attempt>,
}

/// A delivery's turn among those to its endpoint about the same records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableTurn {
    /// Smaller ones come first.
    pub number: i64,
    /// What its event is about.
    pub about: Resource,
}

/// The turn of a delivery whose event's row holds this about its records.
pub(crate) fn portable_turn(number: Option<i64>, about: Option<&[u8]>) -> Result<Option<PortableTurn>> {
    match (number, about) {
        (Some(number), Some(about)) => Ok(Some(PortableTurn { number, about: resource(about)? })),
        _ => Ok(None),
    }
}

/// What differs between open and ended deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableState {
    /// Pending.
    Open {
        /// When its next attempt is due.
        due_at: Millis,
        /// Who asked for that.
        trigger: Trigger,
        /// Its turn, where it is one of an order.
        turn: Option<PortableTurn>,
    },
    /// History.
    Ended {
        /// When it ended.
        ended_at: Millis,
        /// Why it failed; none when it succeeded.
        reason: Option<FailReason>,
        /// Its event's id: the event itself may be gone.
        event: EventId,
    },
}

/// An answer to an idempotent request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableAnswer {
    /// Whose request it was; none for the operator's own.
    pub organization: Option<OrganizationId>,
    /// The request's key.
    pub key: String,
    /// What tells another request under the same key.
    pub request_hash: [u8; 32],
    /// When the request came.
    pub created_at: Millis,
    /// The answer.
    pub answer: StoredAnswer,
}

/// How many rows of each kind an export has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Organisations.
    pub organizations: u64,
    /// Endpoints, deleted ones not counted.
    pub endpoints: u64,
    /// Organisations' keys.
    pub keys: u64,
    /// Events.
    pub events: u64,
    /// Deliveries that are pending.
    pub open_deliveries: u64,
    /// Deliveries that have ended.
    pub ended_deliveries: u64,
    /// Attempts of both.
    pub attempts: u64,
    /// Everything else.
    pub others: u64,
}

impl Counts {
    /// Counts a row.
    pub fn add(&mut self, row: &Portable) {
        let kind = match row {
            Portable::Organization(..) => &mut self.organizations,
            Portable::Endpoint(_) => &mut self.endpoints,
            Portable::Key(..) => &mut self.keys,
            Portable::Event(_) => &mut self.events,
            Portable::Delivery(delivery) => {
                self.attempts += delivery.attempts.len() as u64;
                match delivery.state {
                    PortableState::Open { .. } => &mut self.open_deliveries,
                    PortableState::Ended { .. } => &mut self.ended_deliveries,
                }
            }
            _ => &mut self.others,
        };
        *kind += 1;
    }

    /// All of them, in the order of the fields.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("organizations", self.organizations),
            ("endpoints", self.endpoints),
            ("keys", self.keys),
            ("events", self.events),
            ("open_deliveries", self.open_deliveries),
            ("ended_deliveries", self.ended_deliveries),
            ("attempts", self.attempts),
            ("others", self.others),
        ]
    }

    pub(super) fn of(numbers: [u64; 8]) -> Self {
        let [organizations, endpoints, keys, events, open_deliveries, ended_deliveries, attempts, others] = numbers;
        Counts { organizations, endpoints, keys, events, open_deliveries, ended_deliveries, attempts, others }
    }
}

impl Portable {
    /// About how many bytes it takes, so that chunks are bounded.
    pub(crate) fn bytes(&self) -> usize {
        let of_attempt = |attempt: &Attempt| {
            let refused = attempt.refused_first.as_deref();
            let responses = attempt.response.iter().chain(refused.map(|refused| &refused.response));
            let responses = responses.map(|response| {
                let headers = response.headers.iter().map(|(name, value)| name.len() + value.len() + 8);
                response.body.len() + headers.sum::<usize>()
            });
            let requests = attempt.request_headers.iter().chain(refused.iter().flat_map(|r| &r.request_headers));
            let requests = requests.map(|(name, value)| name.len() + value.len() + 8);
            128 + attempt.url.len() + requests.sum::<usize>() + responses.sum::<usize>()
        };
        match self {
            Portable::Revision(revision) => 128 + revision.text.len(),
            Portable::Event(row) => {
                let changes = row.event.changes.as_ref().map_or(0, |text| text.len());
                256 + row.event.data.len() + changes + 16 * row.deliveries.len()
            }
            Portable::Delivery(delivery) => 256 + delivery.attempts.iter().map(of_attempt).sum::<usize>(),
            Portable::Answer(row) => 128 + row.answer.body.len(),
            Portable::Endpoint(_) | Portable::Audit(..) => 1_024,
            _ => 256,
        }
    }
}
