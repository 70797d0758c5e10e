//! The trait that both stores are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::{
    AuditEntry, DeliveryId, Endpoint, EndpointId, EventId, Key, KeyId, Millis, Organization, OrganizationId, Streak,
};
use uuid::Uuid;

use crate::edit::{AuditFilter, Edit};
use crate::error::Result;
use crate::failing::{ClaimedNotice, FailingStep};
use crate::model::{
    Attempt, Basis, Committed, Configuration, ContractRevision, ContractUse, Delivery, DeliveryDetail, DeliveryFilter,
    EndpointLimits, Event, EventDetail, EventFilter, Granted, Hint, Idempotency, LaneDue, LaneId, LeaseNo, NewEvent,
    OpenDelivery, Outcome, PageOf, PageRequest, Recorded, Renewal, RetentionStep, Retried, RevisionId, StoreStats,
    StoredAnswer,
};
use crate::operational::OperationalEvents;
use crate::operations::Operations;
use crate::overview::Overview;
use crate::signing::Signing;
use crate::statistics::Statistics;

/// A durable store, in whole steps of an event's way, so that an implementation can batch what is waiting.
///
/// When a method that writes returns `Ok`, what it wrote survives `kill -9` and a power cut. Concurrent calls may share one commit.
/// Every method about an organisation takes it; another organisation's objects are like those that do not exist.
/// What a person changes, or the server by itself, takes an entry of the audit trail, which is written in the same transaction when the change is made.
#[async_trait]
pub trait Store: Operations + OperationalEvents + Statistics + Send + Sync + 'static {
    // Organisations.

    /// Stores a new organisation with a fresh data key; [`crate::StoreError::Exists`] when the id is taken.
    async fn create_organization(&self, organization: &Organization, audit: &AuditEntry) -> Result<()>;
    /// Replaces an organisation's fields except its id and `created_at`.
    async fn update_organization(&self, organization: &Organization, edit: &Edit) -> Result<()>;
    /// One organisation.
    async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>>;
    /// Organisations, newest first, that were made before `after`.
    async fn organizations(&self, after: Option<&OrganizationId>, limit: usize) -> Result<Vec<Organization>>;
    /// Removes an organisation with everything it owns; its data key first, so that nothing of it can be read again. Large histories
    /// may be dropped in later retention steps. False when there was none. The entry stays, in the operator's own trail.
    async fn delete_organization(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool>;

    /// An organisation with its endpoints, read at one moment.
    async fn configuration(&self, id: &OrganizationId) -> Result<Option<Configuration>>;

    // Endpoints.

    /// Stores a new endpoint; [`crate::StoreError::LimitReached`] when that would pass a limit.
    async fn create_endpoint(&self, endpoint: &Endpoint, limits: &EndpointLimits, edit: &Edit) -> Result<()>;
    /// Replaces an endpoint's fields except its id, organisation and `created_at`. One that is disabled stays so unless it is paused or resumed
    /// (`resumed_at` differs), since whoever changed something else may not have known; its streak ends with that.
    async fn update_endpoint(&self, endpoint: &Endpoint, edit: &Edit) -> Result<()>;
    /// One endpoint.
    async fn endpoint(&self, organization: &OrganizationId, id: EndpointId) -> Result<Option<Endpoint>>;
    /// A page of endpoints, newest first.
    async fn endpoints(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Endpoint>>;
    /// Removes an endpoint with its secrets, its open deliveries and the stored bodies of its attempts. False when there was none.
    async fn delete_endpoint(&self, organization: &OrganizationId, id: EndpointId, audit: &AuditEntry) -> Result<bool>;

    // Endpoints that keep failing.

    /// The streaks of endpoints; one that never failed is left out.
    async fn streaks(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<(EndpointId, Streak)>>;
    /// Takes a step against an active endpoint with its notice, in one transaction. False, and nothing changes, when the endpoint is not active any
    /// more, its streak is shorter by now, or its owner was warned already.
    async fn take_failing_step(&self, step: &FailingStep) -> Result<bool>;
    /// Notices that are due, of all organisations: the caller's to send until `until`, after which others may.
    async fn claim_notices(&self, now: Millis, until: Millis, limit: usize) -> Result<Vec<ClaimedNotice>>;
    /// Forgets a notice, or has it sent at `again_at`; nothing happens when it is another's by now.
    async fn settle_notice(&self, claimed: &ClaimedNotice, again_at: Option<Millis>) -> Result<()>;

    // Keys.

    /// Stores a key under the SHA-256 of its text; [`crate::StoreError::LimitReached`] when its organisation has `keys_max` already, expired ones
    /// included.
    async fn create_key(&self, key: &Key, hash: [u8; 32], keys_max: u32, audit: &AuditEntry) -> Result<()>;
    /// The key with this hash, expired or not.
    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<Option<Key>>;
    /// A page of an organisation's keys, newest first.
    async fn keys(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Key>>;
    /// Removes a key. False when there was none.
    async fn delete_key(&self, organization: &OrganizationId, id: KeyId, audit: &AuditEntry) -> Result<bool>;
    /// The SHA-256 of the operator key, once one was set.
    async fn operator_key_hash(&self) -> Result<Option<[u8; 32]>>;
    /// Keeps this hash of the operator key unless one is there, and returns the one that is kept: of two nodes that start for the first time at
    /// the same moment, both get the same.
    async fn settle_operator_key_hash(&self, hash: [u8; 32]) -> Result<[u8; 32]>;
    /// Replaces the operator key's hash; the entry goes into the operator's own trail.
    async fn set_operator_key_hash(&self, hash: [u8; 32], audit: &AuditEntry) -> Result<()>;

    // The audit trail.

    /// A page of an organisation's trail, or of the operator's own, newest first.
    async fn audit(
        &self,
        organization: Option<&OrganizationId>,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<PageOf<AuditEntry>>;
    /// Writes an entry by itself: of what a person asked for and need not be changed any more. Nothing happens when there is no such organisation.
    async fn tell(&self, organization: &OrganizationId, audit: &AuditEntry) -> Result<()>;
    /// Drops entries from before `before`, at most `rows_max`, and returns how many.
    async fn retain_audit(&self, before: Millis, rows_max: usize) -> Result<usize>;

    // Contracts.

    /// Keeps a contract's text under its hash; does nothing when it is there.
    async fn save_contract_revision(&self, revision: &ContractRevision) -> Result<()>;
    /// A contract's text as it was.
    async fn contract_revision(&self, id: RevisionId) -> Result<Option<ContractRevision>>;
    /// Every contract that an organisation or endpoint names.
    async fn contracts_in_use(&self) -> Result<Vec<ContractUse>>;

    // Leases. A store that only one node can use holds every lane under that node's newest lease.

    /// Grants `node` (a name for people to read) a lease for `lasts`, in the store's time.
    async fn grant_lease(&self, node: &str, lasts: Duration) -> Result<Granted>;
    /// Makes a lease last `lasts` from now on, even when it had run out and nobody has revoked it.
    async fn renew_lease(&self, lease: LeaseNo, lasts: Duration) -> Result<Renewal>;
    /// Ends a lease: its lanes are free. What was committed and not recorded is sent by whoever takes them.
    async fn revoke_lease(&self, lease: LeaseNo) -> Result<()>;
    /// Revokes every lease that has run out, except while its holder has a transaction under way or `lasts` has not passed since the store
    /// itself started. Returns how many were revoked.
    async fn revoke_expired_leases(&self, lasts: Duration) -> Result<u32>;
    /// Attaches free lanes that have work due before `due_before` to the lease, at most `limit`, and returns them. Nobody waits for
    /// another who is taking lanes at the same moment.
    async fn take_lanes(&self, lease: LeaseNo, due_before: Millis, limit: usize) -> Result<Vec<LaneDue>>;
    /// Frees lanes of the lease, and tells the other nodes when they have open work. The caller holds nothing of them any more.
    async fn release_lanes(&self, lease: LeaseNo, lanes: Vec<LaneId>) -> Result<()>;
    /// Lanes of the lease that have open work, by endpoint id, after `after`.
    async fn lanes_due(&self, lease: LeaseNo, after: Option<EndpointId>, limit: usize) -> Result<Vec<LaneDue>>;
    /// Waits for what other nodes tell this one; may be dropped at any time.
    async fn hear(&self, lease: LeaseNo) -> Result<Vec<Hint>>;

    // An event's way.

    /// Commits events with their deliveries, all or none, synced to disk before it returns. One answer an event, in order. Free lanes of the
    /// deliveries' endpoints are attached to the lease. [`crate::StoreError::EventDiffers`] when a chosen id was used within 72 hours with
    /// another fingerprint, [`crate::StoreError::Outdated`] and [`crate::StoreError::LeaseLost`] when the basis does not hold. A delivery to an
    /// endpoint that was deleted meanwhile is left out; a contract revision that was never saved is [`crate::StoreError::NotFound`].
    async fn commit_events(
        &self,
        basis: Basis,
        organization: &OrganizationId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Committed>>;
    /// Which of these events were committed under ids that their publisher chose, with these fingerprints and within 72 hours before `now`; in order.
    async fn repetitions(
        &self,
        organization: &OrganizationId,
        events: &[(EventId, [u8; 32])],
        now: Millis,
    ) -> Result<Vec<bool>>;
    /// When the earliest open delivery of an endpoint that is due after `after` is due.
    async fn lane_due(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: Millis,
    ) -> Result<Option<Millis>>;
    /// Open deliveries of one endpoint that are due at `now`, earliest first, without those `held` by the caller (at most 10,000);
    /// none when the lane is not the lease's. Claiming writes nothing: whoever has the lane is the only one who asks.
    async fn claim_due(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        endpoint: EndpointId,
        now: Millis,
        limit: usize,
        held: Vec<DeliveryId>,
    ) -> Result<Vec<OpenDelivery>>;
    /// Records attempts and moves their deliveries on: to a later due time, or from open work into history. One answer an outcome, in order.
    /// An outcome is stale, too, when another attempt was recorded since its delivery was claimed (`progress.attempts_count` differs), and when its
    /// lease was revoked.
    async fn record_outcomes(&self, outcomes: &[Outcome]) -> Result<Vec<Recorded>>;
    /// Makes one more attempt of a delivery due now (open again when it had ended) and returns it; the schedule is kept. Its lane, where free, is attached to the lease. None when there is no such
    /// delivery, or its event's retention has ended.
    async fn retry_delivery(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        id: DeliveryId,
        now: Millis,
        audit: &AuditEntry,
    ) -> Result<Option<Retried>>;

    /// Stores a test event with its one delivery, ended, and the attempt that was made of it, in one transaction. No lane is asked and none is
    /// taken: the outcome's lease does not count. Stale, and nothing is stored, when the organisation or the endpoint is gone.
    async fn record_test(&self, event: NewEvent, outcome: &Outcome, audit: &AuditEntry) -> Result<Recorded>;

    // Reading.

    /// A page of events, newest first, tests left out.
    async fn events(
        &self,
        organization: &OrganizationId,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<PageOf<Arc<EventDetail>>>;
    /// One event.
    async fn event(&self, organization: &OrganizationId, id: &EventId) -> Result<Option<EventDetail>>;
    /// A page of deliveries, open and ended, newest first. By an event or a record they are found as long as the event is kept.
    async fn deliveries(
        &self,
        organization: &OrganizationId,
        filter: &DeliveryFilter,
        page: PageRequest,
    ) -> Result<PageOf<Delivery>>;
    /// Deliveries to one endpoint whose ids are greater than `after`, oldest first, open and ended, tests left out; `next` is what to give as `after` for
    /// those behind them. One that is still being committed comes later, though its id may be smaller.
    async fn deliveries_after(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: Uuid,
        limit: usize,
    ) -> Result<PageOf<Delivery>>;
    /// One delivery with its attempts.
    async fn delivery(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<DeliveryDetail>>;
    /// The last attempt of each of these deliveries, which are named with their endpoints; one without an attempt is left out.
    async fn last_attempts(
        &self,
        organization: &OrganizationId,
        deliveries: &[(DeliveryId, EndpointId)],
    ) -> Result<Vec<(DeliveryId, Attempt)>>;

    /// The event of a delivery, without its attempts; none once its retention has ended.
    async fn event_of(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<Arc<Event>>>;

    // Idempotency keys, 24 hours.

    /// Takes `key` for a request with this hash, or says what is there. `organization` is none for the operator's own requests.
    async fn begin_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        request_hash: [u8; 32],
        now: Millis,
    ) -> Result<Idempotency>;
    /// Keeps the answer.
    async fn finish_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        answer: StoredAnswer,
    ) -> Result<()>;
    /// Lets the key go: the request failed in a way that asking again may mend.
    async fn abandon_idempotent(&self, organization: Option<&OrganizationId>, key: &str) -> Result<()>;

    // Upkeep.

    /// One small step of retention: open deliveries made before `before` fail as `expired`; events and attempts from before it, history that
    /// ended before it, what deleted organisations left, and replaced secrets whose overlap is over are dropped; ids and idempotency keys past their time too. At most `rows_max` rows.
    async fn retain(&self, now: Millis, before: Millis, rows_max: usize) -> Result<RetentionStep>;
    /// Whether a commit would work now: writes and syncs a small row.
    async fn check(&self, now: Millis) -> Result<()>;
    /// Wraps with the current master key every data key that another wrapped, and returns how many those were. What the data keys sealed
    /// stays as it is. When it returns `Ok`, the other master keys are needed no more.
    async fn rewrap(&self) -> Result<u64>;
    /// What all nodes of this store sign with for a purpose, now and after a restart: derived from the master keys and the store's own data key, and kept
    /// nowhere. What was signed under a master key is not known any more once that key is given to no node.
    fn signing(&self, purpose: &str) -> Result<Signing>;
    /// The nodes and what waits at `now`, for people who look: asked as often as they do, so it looks at a bounded number of rows.
    async fn overview(&self, now: Millis) -> Result<Overview>;
    /// Numbers for metrics.
    async fn stats(&self) -> Result<StoreStats>;
    /// Finishes what is waiting and closes the files.
    async fn close(&self) -> Result<()>;
}
