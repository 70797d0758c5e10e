//! What goes into a store and comes out of it. Everything here is in the clear; the store seals what must not lie in plain text.

use std::sync::Arc;

use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EventId, FailReason, Millis,
    Organization, OrganizationId, Progress, Resource, Streak, StreakChange, Transition, Trigger,
};
use uuid::Uuid;

/// The content hash (SHA-256) that names a contract file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevisionId(pub [u8; 32]);

/// A contract's text as it was when deliveries were made under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractRevision {
    /// The hash of `text`.
    pub id: RevisionId,
    /// The contract's name.
    pub name: String,
    /// The file.
    pub text: String,
}

/// A contract's name with organisations that use it (themselves or through an endpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractUse {
    /// The contract.
    pub name: String,
    /// Organisations, at most [`ContractUse::ORGANIZATIONS_MAX`] of them.
    pub organizations: Vec<OrganizationId>,
}

impl ContractUse {
    /// How many organisations are named.
    pub const ORGANIZATIONS_MAX: usize = 20;
}

/// An event as it was published. `data` and `changes` are the JSON text that came in, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id the API shows.
    pub id: EventId,
    /// The UUIDv7 it is ordered by, made at `accepted_at`: lists are sought by the time in it, give or take a minute.
    pub key: Uuid,
    /// The type in the CRM's words.
    pub event_type: Arc<str>,
    /// When it happened in the CRM.
    pub occurred_at: Millis,
    /// When it was accepted.
    pub accepted_at: Millis,
    /// What it is about.
    pub resource: Option<Resource>,
    /// JSON text.
    pub data: Box<str>,
    /// JSON text: `{"<field>":{"previous":…,"current":…}}`.
    pub changes: Option<Box<str>>,
}

/// An event to commit with its deliveries.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event; shared with the lanes that send it.
    pub event: Arc<Event>,
    /// Set when the caller chose the id: the hash of what was published, to tell a repetition from another event.
    pub fingerprint: Option<[u8; 32]>,
    /// A test event: kept out of the events list, its delivery marked as a test.
    pub test: bool,
    /// Made of the latest event before it in the commit that is not: nothing of it is stored when that one repeats another.
    pub is_derived: bool,
    /// One for each endpoint that wants it.
    pub deliveries: Vec<NewDelivery>,
}

/// When an open delivery is due that waits until those before it about the same records have ended. Whoever ends them makes it due.
pub const WAITING: Millis = Millis(i64::MAX);

/// A delivery to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id: a UUIDv7 made when its event was accepted; lists are sought by the time in it, give or take a minute.
    pub id: DeliveryId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The type in the receiver's words.
    pub event_type: Arc<str>,
    /// The contract text it is made under, for good.
    pub revision: RevisionId,
    /// When its first attempt is due.
    pub due_at: Millis,
    /// It waits until those to the same endpoint about the same records, committed before and in order, have ended. Of an event about no record it
    /// means nothing.
    pub in_order: bool,
}

/// The number of a lease: it grows with every grant and never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseNo(pub i64);

/// A lease that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its number.
    pub lease: LeaseNo,
    /// The store's time; none when it has no time of its own and the host's counts.
    pub now: Option<Millis>,
}

/// What became of a lease that was to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It lasts on.
    Renewed(Standing),
    /// It was revoked, and its lanes with it; nothing can be committed or recorded under it any more.
    Lost,
}

/// How the cluster stands at a renewal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The store's time; none when it has no time of its own and the host's counts.
    pub now: Option<Millis>,
    /// Leases that have not run out, this one included.
    pub nodes: u32,
    /// Lanes that are attached to any lease.
    pub lanes: u64,
    /// Organisations that changed (themselves or an endpoint) since the last renewal, on whichever node.
    pub changed: Vec<OrganizationId>,
}

/// What other nodes tell this one. Nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There is new work for a lane of this node.
    Work(LaneId),
    /// Lanes with open work became free.
    FreeLanes,
    /// An organisation changed.
    Changed(OrganizationId),
    /// Hints may have been lost.
    Missed,
}

/// Which lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneId {
    /// Whose endpoint it is.
    pub organization: OrganizationId,
    /// The endpoint.
    pub endpoint: EndpointId,
}

/// Grows with every change of an organisation or of one of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub i64);

/// An organisation with all its endpoints, as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Which moment.
    pub version: Version,
    /// The organisation.
    pub organization: Organization,
    /// Its endpoints, by id.
    pub endpoints: Vec<Endpoint>,
}

/// What a commit rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The lease that takes the deliveries' lanes.
    pub lease: LeaseNo,
    /// The configuration that the deliveries were made from; none when it does not matter.
    pub version: Option<Version>,
}

/// What became of one event of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Stored now.
    Stored {
        /// Endpoints whose lanes another lease holds: their deliveries are for that node to send. All others are the caller's.
        elsewhere: Vec<EndpointId>,
    },
    /// The same id with the same content was stored within 72 hours; nothing new was stored.
    Repeated {
        /// How many deliveries the first made.
        deliveries_count: u32,
    },
}

/// An open delivery, with all that an attempt needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The type in the receiver's words.
    pub event_type: Arc<str>,
    /// The contract text it is made under.
    pub revision: RevisionId,
    /// Whether it is a test.
    pub test: bool,
    /// When the delivery was made.
    pub created_at: Millis,
    /// When the next attempt is due.
    pub due_at: Millis,
    /// How far it has come.
    pub progress: Progress,
    /// Who asked for the next attempt.
    pub trigger: Trigger,
    /// Which turn it has among those about its records, where it is one of an order.
    pub turn: Option<i64>,
    /// What it delivers.
    pub event: Arc<Event>,
}

/// A lane with open work, and when the first of it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDue {
    /// Which one.
    pub lane: LaneId,
    /// The earliest due time of its open deliveries.
    pub due_at: Millis,
}

/// One HTTP request of a delivery, as it was sent and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// When it began.
    pub started_at: Millis,
    /// How long until it was over, in milliseconds.
    pub response_time_ms: u32,
    /// Whether a person asked for it.
    pub by_hand: bool,
    /// The URL requested; empty once the attempt's text was removed.
    pub url: String,
    /// The headers sent, secrets masked.
    pub request_headers: Vec<(String, String)>,
    /// The answer, where one came.
    pub response: Option<Response>,
    /// Why it failed, unless it succeeded.
    pub failure: Option<AttemptFailure>,
    /// The request before, where there were two: the receiver refused it during a rotation's overlap, and the same attempt was sent once more at
    /// once with the secrets swapped (contracts.md, reading 6). Everything above is about the second, but for `started_at` and
    /// `response_time_ms`, which are about both together.
    pub refused_first: Option<Box<RefusedExchange>>,
}

/// A request that a receiver refused, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedExchange {
    /// The headers sent, secrets masked.
    pub request_headers: Vec<(String, String)>,
    /// How long until it was answered, in milliseconds.
    pub response_time_ms: u32,
    /// The answer.
    pub response: Response,
}

impl Attempt {
    /// What stands for a failure's words once they were removed.
    pub const ERASED: &'static str = "what was sent and answered was removed, with its endpoint or by an erasure";

    /// Whether its URL, headers and body were removed, with its endpoint or by an erasure. Nothing is ever sent to an empty URL.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.url.is_empty()
    }
}

/// What a receiver answered, bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, as it came.
    pub status_code: u16,
    /// Headers in order, bytes as they came.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The first bytes of the body, as they came.
    pub body: Vec<u8>,
    /// What was cut or went wrong after the status line, in words.
    pub note: Option<String>,
}

/// An attempt to record, with what it made of its delivery.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The lease that held the delivery's lane when the attempt began.
    pub lease: LeaseNo,
    /// The delivery as it was claimed (or committed).
    pub delivery: Arc<OpenDelivery>,
    /// The attempt.
    pub attempt: Attempt,
    /// How far the delivery has come now.
    pub progress: Progress,
    /// What becomes of it.
    pub transition: Transition,
    /// When the attempt ended.
    pub ended_at: Millis,
    /// What it does to its endpoint's streak.
    pub streak: StreakChange,
}

/// Whether an outcome was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    Recorded,
    /// It was, and this is its endpoint's streak now: with it, or also with what was recorded in the same moment.
    Counted(Streak),
    /// The delivery is no longer open (deleted, expired), or its lane is no longer the lease's; nothing changed.
    Stale,
}

/// A delivery that a person wants sent once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried {
    /// It, open and due.
    pub delivery: OpenDelivery,
    /// Another lease holds its lane: that node sends it.
    pub is_elsewhere: bool,
}

/// A delivery as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's id.
    pub event: EventId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The type in the receiver's words.
    pub event_type: Arc<str>,
    /// What the event is about; none once the event's retention has ended.
    pub resource: Option<Resource>,
    /// The contract text it was made under.
    pub revision: RevisionId,
    /// Whether it is a test.
    pub test: bool,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it failed for good.
    pub fail_reason: Option<FailReason>,
    /// When it was made.
    pub created_at: Millis,
    /// When the next attempt is due; none once it has ended, and while it waits for others about the same record.
    pub next_attempt_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Attempts made.
    pub attempts_count: u32,
    /// The last answer's status code.
    pub last_status_code: Option<u16>,
}

/// A delivery with its event and attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryDetail {
    /// The row.
    pub delivery: Delivery,
    /// The event; none once its retention has ended.
    pub event: Option<Arc<Event>>,
    /// Its attempts, oldest first, at most [`DeliveryDetail::ATTEMPTS_MAX`] of the newest.
    pub attempts: Vec<Attempt>,
}

impl DeliveryDetail {
    /// How many attempts are shown.
    pub const ATTEMPTS_MAX: usize = 100;
}

/// An event with the number of deliveries it made at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDetail {
    /// The event.
    pub event: Arc<Event>,
    /// Deliveries made when it was committed.
    pub deliveries_count: u32,
}

/// Which deliveries a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Of this type, in the receiver's words.
    pub event_type: Option<String>,
    /// In this state.
    pub status: Option<DeliveryStatus>,
    /// About this record: type and id.
    pub resource: Option<(String, String)>,
    /// Made at or after.
    pub since: Option<Millis>,
    /// Made before.
    pub until: Option<Millis>,
    /// Tests alone, or none of them.
    pub test: Option<bool>,
    /// With this status code as the last answer's.
    pub status_code: Option<u16>,
}

/// Which events a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this type, in the CRM's words.
    pub event_type: Option<String>,
    /// About this record: type and id.
    pub resource: Option<(String, String)>,
    /// Accepted at or after.
    pub since: Option<Millis>,
    /// Accepted before.
    pub until: Option<Millis>,
}

/// A page of a list, newest first. It may hold fewer rows than asked for, even none, and still have a next one: each page looks at a bounded
/// number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOf<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What to give as `before` for the next page; none at the end.
    pub next: Option<Uuid>,
}

/// Which page of a list that is ordered by UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many rows.
    pub limit: usize,
    /// Rows older than this one alone.
    pub before: Option<Uuid>,
}

/// How many endpoints an organisation may have; counted in the transaction that makes one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointLimits {
    /// In all; none for no limit.
    pub endpoints_max: Option<u32>,
}

/// Where a request made under an `Idempotency-Key` stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The caller is the first: do it, then finish or abandon.
    Started,
    /// The first is still at it.
    Running,
    /// The first answered this.
    Done(StoredAnswer),
    /// The key was used for another request.
    Differs,
}

/// An answer kept for 24 hours, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Vec<u8>,
}

/// What one step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionStep {
    /// Open deliveries that failed as `expired`.
    pub deliveries_expired: u64,
    /// History rows dropped.
    pub rows_dropped: u64,
    /// Whether there is more to do now.
    pub more: bool,
}

/// Numbers for metrics and readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Open deliveries.
    pub open_deliveries: u64,
    /// Bytes the store takes on disk.
    pub bytes: u64,
}
