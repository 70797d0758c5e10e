//! The shared store as one node sees it; the node can be cut off from it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::{
    AuditEntry, DeliveryId, Endpoint, EndpointId, EventId, Key, KeyId, Millis, Organization, OrganizationId, Streak,
};
use postrider_engine::{Clock, SystemClock};
use postrider_store::*;

use super::Cluster;

pub(super) type Result<T> = std::result::Result<T, StoreError>;

pub struct NodeStore {
    pub cluster: Arc<Cluster>,
    pub is_cut: AtomicBool,
    /// Renewals that this node was refused.
    pub renewals_refused: AtomicU32,
}

impl NodeStore {
    /// The shared store, unless the node is cut off.
    pub(super) fn reach(&self) -> Result<&Cluster> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { reason: "cut off".to_owned() });
        }
        Ok(&self.cluster)
    }
    pub(super) fn reach_under(&self, lease: LeaseNo) -> Result<&Cluster> {
        let cluster = self.reach()?;
        if cluster.is_alive(lease) { Ok(cluster) } else { Err(StoreError::LeaseLost) }
    }
}

impl Deref for NodeStore {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

#[async_trait]
impl Store for NodeStore {
    async fn grant_lease(&self, node: &str, _: Duration) -> Result<Granted> {
        Ok(Granted { lease: self.reach()?.grant(node), now: Some(SystemClock.now()) })
    }

    async fn renew_lease(&self, lease: LeaseNo, _: Duration) -> Result<Renewal> {
        let cluster = self.reach().inspect_err(|_| {
            self.renewals_refused.fetch_add(1, Ordering::SeqCst);
            self.cluster.changed.notify_waiters();
        })?;
        Ok(match cluster.renew(lease) {
            Some(standing) => Renewal::Renewed(Standing { now: Some(SystemClock.now()), ..standing }),
            None => Renewal::Lost,
        })
    }

    async fn revoke_lease(&self, lease: LeaseNo) -> Result<()> {
        let cluster = self.reach()?;
        let node = cluster.state.lock().leases.get(&lease).map(|lease| lease.node.clone());
        if let Some(node) = node {
            cluster.revoke(|lease| lease.node == node).await;
        }
        Ok(())
    }

    async fn revoke_expired_leases(&self, _: Duration) -> Result<u32> {
        Ok(self.reach()?.revoke(|lease| lease.has_run_out).await)
    }

    async fn take_lanes(&self, lease: LeaseNo, due_before: Millis, limit: usize) -> Result<Vec<LaneDue>> {
        let _fence = self.fence.read().await;
        let cluster = self.reach_under(lease)?;
        let mut free = cluster.with_work(None).await;
        free.retain(|due| due.due_at < due_before);
        free.truncate(limit);
        free.retain(|due| cluster.attach(lease, &due.lane.organization, due.lane.endpoint));
        Ok(free)
    }

    async fn release_lanes(&self, lease: LeaseNo, lanes: Vec<LaneId>) -> Result<()> {
        self.reach_under(lease)?.release(lease, &lanes).await;
        if self.loses_an_answer.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable { reason: "the answer got lost".to_owned() });
        }
        Ok(())
    }

    async fn lanes_due(&self, lease: LeaseNo, after: Option<EndpointId>, limit: usize) -> Result<Vec<LaneDue>> {
        let mut due = self.reach_under(lease)?.with_work(Some(lease)).await;
        due.retain(|due| after.is_none_or(|after| due.lane.endpoint > after));
        due.truncate(limit);
        Ok(due)
    }

    async fn hear(&self, lease: LeaseNo) -> Result<Vec<Hint>> {
        let hints = self.reach_under(lease)?.state.lock().leases.get(&lease).map(|lease| Arc::clone(&lease.hints));
        let Some(hints) = hints else { return Err(StoreError::LeaseLost) };
        match hints.lock().await.recv().await {
            Some(hint) => Ok(vec![hint]),
            None => Err(StoreError::LeaseLost),
        }
    }

    async fn commit_events(
        &self,
        basis: Basis,
        organization: &OrganizationId,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Committed>> {
        self.commits_begun.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        let _gate = self.gate.read().await;
        let _fence = self.fence.read().await;
        let cluster = self.reach_under(basis.lease)?;
        let is_positive = |count: u32| count.checked_sub(1);
        if self.outdated_next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_positive).is_ok() {
            return Err(StoreError::Outdated);
        }
        let endpoints: Vec<Vec<EndpointId>> =
            events.iter().map(|event| event.deliveries.iter().map(|delivery| delivery.endpoint).collect()).collect();
        // Nobody finds the work in a lane that is still free.
        let all = endpoints.iter().flatten().copied();
        let attached: Vec<_> =
            all.filter(|endpoint| cluster.attach_free(basis.lease, organization, *endpoint)).collect();
        let inner = Basis { lease: cluster.lease, ..basis };
        let committed = match cluster.sqlite.commit_events(inner, organization, events).await {
            Ok(committed) => committed,
            Err(error) => {
                cluster.detach(basis.lease, &attached);
                return Err(error);
            }
        };
        let place = |(committed, endpoints): (Committed, Vec<EndpointId>)| match committed {
            Committed::Stored { .. } => {
                let is_elsewhere = |endpoint: &EndpointId| !cluster.attach(basis.lease, organization, *endpoint);
                Committed::Stored { elsewhere: endpoints.into_iter().filter(is_elsewhere).collect() }
            }
            repeated @ Committed::Repeated { .. } => repeated,
        };
        Ok(committed.into_iter().zip(endpoints).map(place).collect())
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
        let cluster = self.reach_under(lease)?;
        if cluster.holder(endpoint) != Some(lease) {
            return Ok(Vec::new());
        }
        cluster.sqlite.claim_due(cluster.lease, organization, endpoint, now, limit, held).await
    }

    async fn record_outcomes(&self, outcomes: &[Outcome]) -> Result<Vec<Recorded>> {
        let _fence = self.fence.read().await;
        let cluster = self.reach()?;
        let is_ours = |outcome: &Outcome| cluster.holder(outcome.delivery.endpoint) == Some(outcome.lease);
        // A lease that the embedded store never gave is one that was revoked.
        let lease = |outcome: &Outcome| if is_ours(outcome) { cluster.lease } else { LeaseNo(-1) };
        let fenced: Vec<_> =
            outcomes.iter().map(|outcome| Outcome { lease: lease(outcome), ..outcome.clone() }).collect();
        let recorded = cluster.sqlite.record_outcomes(&fenced).await?;
        let stale_count = recorded.iter().filter(|recorded| **recorded == Recorded::Stale).count() as u64;
        self.stale_count.fetch_add(stale_count, Ordering::SeqCst);
        self.changed.notify_waiters();
        Ok(recorded)
    }

    async fn retry_delivery(
        &self,
        lease: LeaseNo,
        organization: &OrganizationId,
        id: DeliveryId,
        now: Millis,
        audit: &AuditEntry,
    ) -> Result<Option<Retried>> {
        let _fence = self.fence.read().await;
        let cluster = self.reach_under(lease)?;
        let retried = cluster.sqlite.retry_delivery(cluster.lease, organization, id, now, audit).await?;
        Ok(retried.map(|Retried { delivery, .. }| {
            let is_elsewhere = !cluster.attach(lease, organization, delivery.endpoint);
            Retried { delivery, is_elsewhere }
        }))
    }

    async fn create_organization(&self, organization: &Organization, audit: &AuditEntry) -> Result<()> {
        self.reach()?.sqlite.create_organization(organization, audit).await
    }

    async fn update_organization(&self, organization: &Organization, edit: &Edit) -> Result<()> {
        self.reach()?.sqlite.update_organization(organization, edit).await?;
        self.note_change(&organization.id);
        Ok(())
    }

    async fn create_endpoint(&self, endpoint: &Endpoint, limits: &EndpointLimits, edit: &Edit) -> Result<()> {
        self.reach()?.sqlite.create_endpoint(endpoint, limits, edit).await?;
        self.note_change(&endpoint.organization);
        Ok(())
    }

    async fn update_endpoint(&self, endpoint: &Endpoint, edit: &Edit) -> Result<()> {
        self.reach()?.sqlite.update_endpoint(endpoint, edit).await?;
        self.note_change(&endpoint.organization);
        Ok(())
    }

    async fn delete_endpoint(&self, organization: &OrganizationId, id: EndpointId, audit: &AuditEntry) -> Result<bool> {
        let deleted = self.reach()?.sqlite.delete_endpoint(organization, id, audit).await?;
        self.note_change(organization);
        Ok(deleted)
    }

    // Everything else is the embedded store's.

    async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>> {
        self.reach()?.sqlite.organization(id).await
    }

    async fn organizations(&self, after: Option<&OrganizationId>, limit: usize) -> Result<Vec<Organization>> {
        self.reach()?.sqlite.organizations(after, limit).await
    }

    async fn delete_organization(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
        self.reach()?.sqlite.delete_organization(id, audit).await
    }

    async fn configuration(&self, id: &OrganizationId) -> Result<Option<Configuration>> {
        self.reach()?.sqlite.configuration(id).await
    }

    async fn endpoint(&self, organization: &OrganizationId, id: EndpointId) -> Result<Option<Endpoint>> {
        self.reach()?.sqlite.endpoint(organization, id).await
    }

    async fn endpoints(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Endpoint>> {
        self.reach()?.sqlite.endpoints(organization, page).await
    }

    async fn streaks(&self, org: &OrganizationId, endpoints: &[EndpointId]) -> Result<Vec<(EndpointId, Streak)>> {
        self.reach()?.sqlite.streaks(org, endpoints).await
    }

    async fn take_failing_step(&self, step: &FailingStep) -> Result<bool> {
        let is_taken = self.reach()?.sqlite.take_failing_step(step).await?;
        self.note_change(&step.organization);
        Ok(is_taken)
    }

    async fn claim_notices(&self, now: Millis, until: Millis, limit: usize) -> Result<Vec<ClaimedNotice>> {
        self.reach()?.sqlite.claim_notices(now, until, limit).await
    }

    async fn settle_notice(&self, claimed: &ClaimedNotice, again_at: Option<Millis>) -> Result<()> {
        self.reach()?.sqlite.settle_notice(claimed, again_at).await
    }

    async fn create_key(&self, key: &Key, hash: [u8; 32], keys_max: u32, audit: &AuditEntry) -> Result<()> {
        self.reach()?.sqlite.create_key(key, hash, keys_max, audit).await
    }

    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<Option<Key>> {
        self.reach()?.sqlite.key_by_hash(hash).await
    }

    async fn keys(&self, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Key>> {
        self.reach()?.sqlite.keys(organization, page).await
    }

    async fn delete_key(&self, organization: &OrganizationId, id: KeyId, audit: &AuditEntry) -> Result<bool> {
        self.reach()?.sqlite.delete_key(organization, id, audit).await
    }

    async fn operator_key_hash(&self) -> Result<Option<[u8; 32]>> {
        self.reach()?.sqlite.operator_key_hash().await
    }

    async fn settle_operator_key_hash(&self, hash: [u8; 32]) -> Result<[u8; 32]> {
        self.reach()?.sqlite.settle_operator_key_hash(hash).await
    }

    async fn set_operator_key_hash(&self, hash: [u8; 32], audit: &AuditEntry) -> Result<()> {
        self.reach()?.sqlite.set_operator_key_hash(hash, audit).await
    }

    async fn audit(
        &self,
        organization: Option<&OrganizationId>,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<PageOf<AuditEntry>> {
        self.reach()?.sqlite.audit(organization, filter, page).await
    }

    async fn tell(&self, organization: &OrganizationId, audit: &AuditEntry) -> Result<()> {
        self.reach()?.sqlite.tell(organization, audit).await
    }

    async fn retain_audit(&self, before: Millis, rows_max: usize) -> Result<usize> {
        self.reach()?.sqlite.retain_audit(before, rows_max).await
    }

    async fn save_contract_revision(&self, revision: &ContractRevision) -> Result<()> {
        self.reach()?.sqlite.save_contract_revision(revision).await
    }

    async fn contract_revision(&self, id: RevisionId) -> Result<Option<ContractRevision>> {
        self.reach()?.sqlite.contract_revision(id).await
    }

    async fn contracts_in_use(&self) -> Result<Vec<ContractUse>> {
        self.reach()?.sqlite.contracts_in_use().await
    }

    async fn lane_due(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: Millis,
    ) -> Result<Option<Millis>> {
        self.reach()?.sqlite.lane_due(organization, endpoint, after).await
    }

    async fn record_test(&self, event: NewEvent, outcome: &Outcome, audit: &AuditEntry) -> Result<Recorded> {
        self.reach()?.sqlite.record_test(event, outcome, audit).await
    }

    async fn events(
        &self,
        organization: &OrganizationId,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<PageOf<Arc<EventDetail>>> {
        self.reach()?.sqlite.events(organization, filter, page).await
    }

    async fn repetitions(
        &self,
        organization: &OrganizationId,
        events: &[(EventId, [u8; 32])],
        now: Millis,
    ) -> Result<Vec<bool>> {
        self.reach()?.sqlite.repetitions(organization, events, now).await
    }

    async fn event(&self, organization: &OrganizationId, id: &EventId) -> Result<Option<EventDetail>> {
        self.reach()?.sqlite.event(organization, id).await
    }

    async fn deliveries(
        &self,
        organization: &OrganizationId,
        filter: &DeliveryFilter,
        page: PageRequest,
    ) -> Result<PageOf<Delivery>> {
        self.reach()?.sqlite.deliveries(organization, filter, page).await
    }

    async fn deliveries_after(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        after: uuid::Uuid,
        limit: usize,
    ) -> Result<PageOf<Delivery>> {
        self.reach()?.sqlite.deliveries_after(organization, endpoint, after, limit).await
    }

    async fn delivery(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<DeliveryDetail>> {
        self.reach()?.sqlite.delivery(organization, id).await
    }

    async fn last_attempts(
        &self,
        organization: &OrganizationId,
        deliveries: &[(DeliveryId, EndpointId)],
    ) -> Result<Vec<(DeliveryId, Attempt)>> {
        self.reach()?.sqlite.last_attempts(organization, deliveries).await
    }

    async fn event_of(&self, organization: &OrganizationId, id: DeliveryId) -> Result<Option<Arc<Event>>> {
        self.reach()?.sqlite.event_of(organization, id).await
    }

    async fn begin_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        request_hash: [u8; 32],
        now: Millis,
    ) -> Result<Idempotency> {
        self.reach()?.sqlite.begin_idempotent(organization, key, request_hash, now).await
    }

    async fn finish_idempotent(
        &self,
        organization: Option<&OrganizationId>,
        key: &str,
        answer: StoredAnswer,
    ) -> Result<()> {
        self.reach()?.sqlite.finish_idempotent(organization, key, answer).await
    }

    async fn abandon_idempotent(&self, organization: Option<&OrganizationId>, key: &str) -> Result<()> {
        self.reach()?.sqlite.abandon_idempotent(organization, key).await
    }

    async fn retain(&self, now: Millis, before: Millis, rows_max: usize) -> Result<RetentionStep> {
        self.reach()?.sqlite.retain(now, before, rows_max).await
    }

    async fn check(&self, now: Millis) -> Result<()> {
        self.reach()?.sqlite.check(now).await
    }

    async fn rewrap(&self) -> Result<u64> {
        Store::rewrap(&self.reach()?.sqlite).await
    }

    fn signing(&self, purpose: &str) -> Result<Signing> {
        self.reach()?.sqlite.signing(purpose)
    }

    async fn overview(&self, now: Millis) -> Result<Overview> {
        Store::overview(&self.reach()?.sqlite, now).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        Store::stats(&self.reach()?.sqlite).await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
