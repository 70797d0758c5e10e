//! Operations: work on many deliveries or events, in steps, each in one transaction with how far it has come.
//!
//! Words: to *recover* is to send again what did not succeed in a span of time; to *erase* is to remove everything about one record. An
//! operation is *taken* by a lease: one node works on it at a time, and once that lease is revoked another one goes on where it was.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OperationId, OperationStatus, OrganizationId};
use uuid::Uuid;

use crate::error::Result;
use crate::model::{Event, LeaseNo, NewDelivery, PageOf, PageRequest, StoredAnswer};

/// Which record: its type and its id.
pub type Record = (String, String);

/// An operation as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its id: a UUIDv7 made at `created_at`.
    pub id: OperationId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What it is to do.
    pub work: Work,
    /// Where it stands.
    pub status: OperationStatus,
    /// Why it was given up.
    pub fail_reason: Option<String>,
    /// How much is done: deliveries that are sent again, or events that were erased.
    pub done: u64,
    /// How much there is to do; none while that is not known.
    pub total: Option<u64>,
    /// The last event that was looked at; none at the beginning.
    pub cursor: Option<Uuid>,
    /// What an erasure has removed.
    pub removed: Removed,
    /// When it was asked for.
    pub created_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
}

/// What an operation is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Send again what did not succeed.
    Recover(Recovery),
    /// Remove everything about a record. Once that is done, the operation does not know any more which it was.
    Erase {
        /// The record; none once the operation has ended.
        record: Option<Record>,
    },
}

/// What is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// To this endpoint.
    pub endpoint: EndpointId,
    /// Of events accepted at or after this moment.
    pub since: Millis,
    /// Of events accepted before this moment.
    pub until: Millis,
}

/// What an erasure has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Events, with their data.
    pub events: u64,
    /// Deliveries that were pending and are not sent.
    pub deliveries: u64,
    /// Attempts that lost their text: URL, headers, answer.
    pub attempts: u64,
}

/// What became of an event for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormerDelivery {
    /// It made no delivery for it.
    None,
    /// Its delivery failed.
    Failed(DeliveryId),
    /// Its delivery is pending, or succeeded.
    Other,
}

/// An event of a span, and what was made of it for the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recoverable {
    /// The event.
    pub event: Arc<Event>,
    /// What became of it.
    pub former: FormerDelivery,
}

/// A page of events, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoverablePage {
    /// The events, tests left out.
    pub events: Vec<Recoverable>,
    /// The last event that was looked at, to go on behind; none at the end.
    pub next: Option<Uuid>,
}

/// One step of a recovery.
#[derive(Clone, Debug)]
pub struct RecoverStep {
    /// Which operation.
    pub operation: OperationId,
    /// How far it had come when the step was made: another step since then makes this one stale.
    pub after: Option<Uuid>,
    /// The last event that the step covers.
    pub upto: Uuid,
    /// Failed deliveries, with their events: open again, their schedule from the beginning.
    pub reopen: Vec<(Uuid, DeliveryId)>,
    /// New deliveries, with their events. A delivery's id is a UUIDv7 made for the time at which its event was accepted.
    pub deliver: Vec<(Arc<Event>, NewDelivery)>,
    /// When all of them are due.
    pub now: Millis,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is done.
    Done {
        /// Deliveries that are open now; fewer than asked for where something is gone.
        made: Vec<DeliveryId>,
        /// Another lease holds the endpoint's lane: that node sends them.
        is_elsewhere: bool,
    },
    /// Somebody else went on with the operation, it has ended, or its endpoint is gone. Nothing was written.
    Stale,
}

/// How much of the endpoint's work waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Those of the deliveries asked about that are open and due. What was tried in vain is due later.
    pub untried: Vec<DeliveryId>,
    /// Open deliveries of the endpoint in all, counted up to [`Waiting::OPEN_COUNTED_MAX`].
    pub open: usize,
}

impl Waiting {
    /// More are not counted.
    pub const OPEN_COUNTED_MAX: usize = 10_000;
}

/// What an operation's keeper says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationNote {
    /// How much there is to do.
    Total(u64),
    /// All is done.
    Succeeded,
    /// It is given up, and why.
    Failed(String),
}

/// One step of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseStep {
    /// Which operation.
    pub operation: OperationId,
    /// What is erased: events about this record,
    pub record: Record,
    /// which were accepted up to this moment,
    pub upto: Millis,
    /// below this key, newest first; none at the beginning.
    pub below: Option<Uuid>,
    /// At most so many.
    pub limit: usize,
    /// The time.
    pub now: Millis,
}

/// What a step of an erasure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// What it removed.
    pub removed: Removed,
    /// Below which key the next step goes on; none when nothing is left.
    pub next: Option<Uuid>,
}

/// The part of a store that operations need.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Stores a new operation, with who asked for it. [`crate::StoreError::Exists`] when the same endpoint is being recovered already.
    async fn create_operation(&self, operation: &Operation, audit: &AuditEntry) -> Result<()>;
    /// One operation.
    async fn operation(&self, organization: &OrganizationId, id: OperationId) -> Result<Option<Operation>>;
    /// A page of operations, newest first.
    async fn operations(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Operation>>;
    /// Running operations that are the lease's or nobody's any more, oldest first; they are the lease's now.
    async fn take_operations(&self, lease: LeaseNo, limit: usize) -> Result<Vec<Operation>>;
    /// Notes something about a running operation of the lease; false when it is not that any more. One that ends forgets which record it
    /// erased.
    async fn note_operation(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        id: OperationId,
        note: &OperationNote,
        now: Millis,
    ) -> Result<bool>;

    /// Events of a recovery's span behind `after`, oldest first, at most `limit`.
    async fn recoverable(
        &self,
        organization: &OrganizationId,
        recovery: &Recovery,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<RecoverablePage>;
    /// Makes one step of a recovery, all or nothing: its deliveries are open, the operation has come further. The endpoint's lane, where free,
    /// is attached to the lease. What is gone by now is left out.
    async fn recover(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        endpoint: EndpointId,
        step: &RecoverStep,
    ) -> Result<Stepped>;
    /// How much of an endpoint's work waits at `now`.
    async fn waiting(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        of: &[DeliveryId],
        now: Millis,
    ) -> Result<Waiting>;

    /// How many events the index has about a record that were accepted up to `upto`, counted up to `at_most`.
    async fn count_about(
        &self,
        organization: &OrganizationId,
        record: &Record,
        upto: Millis,
        at_most: usize,
    ) -> Result<usize>;
    /// Makes one step of an erasure, all or nothing: the events are removed, their open deliveries fail as erased, their attempts lose their text,
    /// and every node is told that the organisation changed, so that it reads anew what its lanes hold. None when the operation is not the
    /// lease's any more.
    async fn erase(&self, lease: LeaseNo, organization: &OrganizationId, step: &EraseStep) -> Result<Option<Erased>>;
    /// Answers that are kept under idempotency keys, by key, behind `after`.
    async fn stored_answers(
        &self,
        organization: &OrganizationId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, StoredAnswer)>>;
    /// Forgets the answer under a key: the same request is a new one then.
    async fn forget_answer(&self, organization: &OrganizationId, key: &str) -> Result<()>;
}
