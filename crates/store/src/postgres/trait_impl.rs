//! [`Store`] for Postgres: each method stands in the module that it names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::{
    AuditEntry, DeliveryId, Endpoint, EndpointId, EventId, Key, KeyId, Millis, Organization, OrganizationId, Streak,
};
use uuid::Uuid;

use super::{
    PostgresStore, audit, claim, commit, config, configuration, deliveries, endpoints, events, failing, hearing,
    idempotency, lanes, leases, onwards, organizations, overview, record, repetitions, retention, retry, stats,
    tenants, test_event,
};
use crate::edit::{AuditFilter, Edit};
use crate::error::Result;
use crate::failing::{ClaimedNotice, FailingStep};
use crate::model::{
    Attempt, Basis, Committed, Configuration, ContractRevision, ContractUse, Delivery, DeliveryDetail, DeliveryFilter,
    EndpointLimits, Event, EventDetail, EventFilter, Granted, Hint, Idempotency, LaneDue, LaneId, LeaseNo, NewEvent,
    OpenDelivery, Outcome, PageOf, PageRequest, Recorded, Renewal, RetentionStep, Retried, RevisionId, StoreStats,
    StoredAnswer,
};
use crate::overview::Overview;
use crate::signing::Signing;
use crate::store::Store;

#[async_trait]
impl Store for PostgresStore {
    async fn create_organization(&self, organization: &Organization, audit: &AuditEntry) -> Result<()> {
        organizations::create(self, organization, audit).await
    }

    async fn update_organization(&self, organization: &Organization, edit: &Edit) -> Result<()> {
        organizations::update(self, organization, edit).await
    }

    async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>> {
        organizations::get(self, id).await
    }

    async fn organizations(&self, after: Option<&OrganizationId>, limit: usize) -> Result<Vec<Organization>> {
        organizations::list(self, after, limit).await
    }

    async fn delete_organization(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
        organizations::delete(self, id, audit).await
    }

    async fn configuration(&self, id: &OrganizationId) -> Result<Option<Configuration>> {
        configuration::read(self, id).await
    }

    async fn create_endpoint(&self, endpoint: &Endpoint, limits: &EndpointLimits, edit: &Edit) -> Result<()> {
        endpoints::create(self, endpoint, limits, edit).await
    }

    async fn update_endpoint(&self, endpoint: &Endpoint, edit: &Edit) -> Result<()> {
        endpoints::update(self, endpoint, edit).await
    }

    async fn endpoint(&self, organization: &OrganizationId, id: EndpointId) -> Result<Option<Endpoint>> {
        endpoints::get(self, organization, id).await
    }

    async fn endpoints(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Endpoint>> {
        endpoints::list(self, organization, page).await
    }

    async fn delete_endpoint(&self, organization: &OrganizationId, id: EndpointId, audit: &AuditEntry) -> Result<bool> {
        endpoints::delete(self, organization, id, audit).await
    }

    async fn streaks(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<(EndpointId, Streak)>> {
        failing::streaks(self, organization, endpoints).await
    }

    async fn take_failing_step(&self, step: &FailingStep) -> Result<bool> {
        failing::take_step(self, step).await
    }

    async fn claim_notices(&self, now: Millis, until: Millis, limit: usize) -> Result<Vec<ClaimedNotice>> {
        failing::claim_notices(self, now, until, limit).await
    }

    async fn settle_notice(&self, claimed: &ClaimedNotice, again_at: Option<Millis>) -> Result<()> {
        failing::settle_notice(self, claimed, again_at).await
    }

    async fn create_key(&self, key: &Key, hash: [u8; 32], keys_max: u32, audit: &AuditEntry) -> Result<()> {
        config::create_key(self, key, hash, keys_max, audit).await
    }

    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<Option<Key>> {
        config::key_by_hash(self, hash).await
    }

    async fn keys(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Key>> {
        config::keys(self, organization, page).await
    }

    async fn delete_key(&self, organization: &OrganizationId, id: KeyId, audit: &AuditEntry) -> Result<bool> {
        config::delete_key(self, organization, id, audit).await
    }

    async fn operator_key_hash(&self) -> Result<Option<[u8; 32]>> {
        config::operator_key_hash(self).await
    }

    async fn settle_operator_key_hash(&self, hash: [u8; 32]) -> Result<[u8; 32]> {
        config::settle_operator_key_hash(self, hash).await
    }

    async fn set_operator_key_hash(&self, hash: [u8; 32], audit: &AuditEntry) -> Result<()> {
        config::set_operator_key_hash(self, hash, audit).await
    }

    async fn audit(
        &self,
        organization: Option<&OrganizationId>,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<PageOf<AuditEntry>> {
        audit::list(self, organization, filter, page).await
    }

    async fn tell(&self, organization: &OrganizationId, audit: &AuditEntry) -> Result<()> {
        audit::tell(self, organization, audit).await
    }

    async fn retain_audit(&self, before: Millis, rows_max: usize) -> Result<usize> {
        audit::retain(self, before, rows_max).await
    }

    async fn save_contract_revision(&self, revision: &ContractRevision) -> Result<()> {
        config::save_revision(self, revision).await
    }

    async fn contract_revision(&self, id: RevisionId) -> Result<Option<ContractRevision>> {
        config::revision_by_id(self, id).await
    }

    async fn contracts_in_use(&self) -> Result<Vec<ContractUse>> {
        config::contracts_in_use(self).await
    }

    async fn grant_lease(&self, node: &str, lasts: Duration) -> Result<Granted> {
        leases::grant(self, node, lasts).await
    }

    async fn renew_lease(&self, lease: LeaseNo, lasts: Duration) -> Result<Renewal> {
        leases::renew(self, lease, lasts).await
    }

    async fn revoke_lease(&self, lease: LeaseNo) -> Result<()> {
        leases::revoke(self, lease).await
    }

    async fn revoke_expired_leases(&self, lasts: Duration) -> Result<u32> {
        leases::revoke_expired(self, lasts).await
    }

    async fn take_lanes(&self, lease: LeaseNo, due_before: Millis, limit: usize) -> Result<Vec<LaneDue>> {
        lanes::take(self, lease, due_before, limit).await
    }

    async fn release_lanes(&self, lease: LeaseNo, lanes: Vec<LaneId>) -> Result<()> {
        lanes::release(self, lease, lanes).await
    }

    async fn lanes_due(&self, lease: LeaseNo, after: Option<EndpointId>, limit: usize) -> Result<Vec<LaneDue>> {
        lanes::due(self, lease, after, limit).await
    }

    async fn hear(&self, lease: LeaseNo) -> Result<Vec<Hint>> {
        hearing::hear(self, lease).await
    }

    async fn commit_events(
        &self,
        basis: Basis,
        organization: &OrganizationId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Committed>> {
        commit::commit_events(self, basis, organization, events).await
    }

    async fn lane_due(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: Millis,
    ) -> Result<Option<Millis>> {
        claim::lane_due(self, organization, endpoint, after).await
    }

    async fn claim_due(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        endpoint: EndpointId,
        now: Millis,
        limit: usize,
        held: Vec<DeliveryId>,
    ) -> Result<Vec<OpenDelivery>> {
        claim::claim_due(self, lease, organization, endpoint, now, limit, held).await
    }

    async fn record_outcomes(&self, outcomes: &[Outcome]) -> Result<Vec<Recorded>> {
        record::record_outcomes(self, outcomes).await
    }

    async fn retry_delivery(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        id: DeliveryId,
        now: Millis,
        audit: &AuditEntry,
    ) -> Result<Option<Retried>> {
        retry::retry_delivery(self, lease, organization, id, now, audit).await
    }

    async fn record_test(&self, event: NewEvent, outcome: &Outcome, audit: &AuditEntry) -> Result<Recorded> {
        test_event::record_test(self, event, outcome, audit).await
    }

    async fn events(
        &self,
        organization: &OrganizationId,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<PageOf<Arc<EventDetail>>> {
        events::list(self, organization, filter, page).await
    }

    async fn repetitions(
        &self,
        organization: &OrganizationId,
        events: &[(EventId, [u8; 32])],
        now: Millis,
    ) -> Result<Vec<bool>> {
        repetitions::find(self, organization, events, now).await
    }

    async fn event(&self, organization: &OrganizationId, id: &EventId) -> Result<Option<EventDetail>> {
        events::get(self, organization, id).await
    }

    async fn deliveries(
        &self,
        organization: &OrganizationId,
        filter: &DeliveryFilter,
        page: PageRequest,
    ) -> Result<PageOf<Delivery>> {
        deliveries::list(self, organization, filter, page).await
    }

    async fn deliveries_after(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: Uuid,
        limit: usize,
    ) -> Result<PageOf<Delivery>> {
        onwards::list(self, organization, endpoint, after, limit).await
    }

    async fn delivery(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<DeliveryDetail>> {
        deliveries::get(self, organization, id).await
    }

    async fn last_attempts(
        &self,
        organization: &OrganizationId,
        deliveries: &[(DeliveryId, EndpointId)],
    ) -> Result<Vec<(DeliveryId, Attempt)>> {
        deliveries::last_attempts(self, organization, deliveries).await
    }

    async fn event_of(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<Arc<Event>>> {
        deliveries::event_of(self, organization, id).await
    }

    async fn begin_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        request_hash: [u8; 32],
        now: Millis,
    ) -> Result<Idempotency> {
        idempotency::begin(self, organization, key, request_hash, now).await
    }

    async fn finish_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        answer: StoredAnswer,
    ) -> Result<()> {
        idempotency::finish(self, organization, key, answer).await
    }

    async fn abandon_idempotent(&self, organization: Option<&OrganizationId>, key: &str) -> Result<()> {
        idempotency::abandon(self, organization, key).await
    }

    async fn retain(&self, now: Millis, before: Millis, rows_max: usize) -> Result<RetentionStep> {
        retention::retain(self, now, before, rows_max).await
    }

    async fn check(&self, now: Millis) -> Result<()> {
        retention::check(self, now).await
    }

    async fn rewrap(&self) -> Result<u64> {
        tenants::rewrap(self).await
    }

    fn signing(&self, purpose: &str) -> Result<Signing> {
        Signing::new(&self.tenants.keys, self.tenants.operator().sealer().key, purpose)
    }

    async fn overview(&self, now: Millis) -> Result<Overview> {
        overview::read(self, now).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        stats::stats(self).await
    }

    async fn close(&self) -> Result<()> {
        PostgresStore::close(self).await
    }
}
