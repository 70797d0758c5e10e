//! A store with the lease under which a case works.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{DeliveryId, Endpoint, EndpointId, Key, KeyId, Millis, Organization, OrganizationId};

use super::samples::{edit, entry};

use crate::error::Result;
use crate::model::{Basis, Committed, EndpointLimits, LaneDue, LeaseNo, NewEvent, OpenDelivery, Outcome, Recorded};
use crate::store::Store;

/// Longer than any case takes.
pub(super) const LASTS: Duration = Duration::from_secs(600);

/// A store as one node uses it: what takes a lease is asked under this node's.
#[derive(Clone)]
pub struct Leased {
    store: Arc<dyn Store>,
    pub(super) lease: LeaseNo,
}

impl Deref for Leased {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}

impl Leased {
    /// The store as a node sees it that has just come.
    ///
    /// # Panics
    /// When the store grants no lease.
    pub async fn new(store: Arc<dyn Store>) -> Self {
        let lease = store.grant_lease("conformance", LASTS).await.unwrap().lease;
        Leased { store, lease }
    }

    /// Under which it works.
    #[must_use]
    pub fn lease(&self) -> LeaseNo {
        self.lease
    }

    pub(super) fn basis(&self) -> Basis {
        Basis { lease: self.lease, version: None }
    }

    pub(super) async fn commit_events(&self, org: &OrganizationId, events: Vec<NewEvent>) -> Result<Vec<Committed>> {
        self.store.commit_events(self.basis(), org, events).await
    }

    pub(super) async fn lanes_due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<LaneDue>> {
        self.store.lanes_due(self.lease, after, limit).await
    }

    pub(super) async fn claim_due(
        &self,
        org: &OrganizationId,
        endpoint: EndpointId,
        now: Millis,
        limit: usize,
        held: Vec<DeliveryId>,
    ) -> Result<Vec<OpenDelivery>> {
        self.store.claim_due(self.lease, org, endpoint, now, limit, held).await
    }

    pub(super) async fn record_outcomes(&self, outcomes: &[Outcome]) -> Result<Vec<Recorded>> {
        let ours: Vec<_> = outcomes.iter().map(|outcome| Outcome { lease: self.lease, ..outcome.clone() }).collect();
        self.store.record_outcomes(&ours).await
    }

    pub(super) async fn retry_delivery(
        &self,
        org: &OrganizationId,
        id: DeliveryId,
        now: Millis,
    ) -> Result<Option<OpenDelivery>> {
        let retried = self.store.retry_delivery(self.lease, org, id, now, &entry()).await?;
        Ok(retried.map(|retried| retried.delivery))
    }
}

/// Changes of which a case does not ask what the audit trail tells.
impl Leased {
    pub(super) async fn create_organization(&self, organization: &Organization) -> Result<()> {
        self.store.create_organization(organization, &entry()).await
    }

    pub(super) async fn update_organization(&self, organization: &Organization) -> Result<()> {
        self.store.update_organization(organization, &edit()).await
    }

    pub(super) async fn delete_organization(&self, id: &OrganizationId) -> Result<bool> {
        self.store.delete_organization(id, &entry()).await
    }

    pub(super) async fn create_endpoint(&self, endpoint: &Endpoint, limits: &EndpointLimits) -> Result<()> {
        self.store.create_endpoint(endpoint, limits, &edit()).await
    }

    pub(super) async fn update_endpoint(&self, endpoint: &Endpoint) -> Result<()> {
        self.store.update_endpoint(endpoint, &edit()).await
    }

    pub(super) async fn delete_endpoint(&self, org: &OrganizationId, id: EndpointId) -> Result<bool> {
        self.store.delete_endpoint(org, id, &entry()).await
    }

    pub(super) async fn create_key(&self, key: &Key, hash: [u8; 32]) -> Result<()> {
        self.create_key_within(key, hash, u32::MAX).await
    }

    pub(super) async fn create_key_within(&self, key: &Key, hash: [u8; 32], keys_max: u32) -> Result<()> {
        self.store.create_key(key, hash, keys_max, &entry()).await
    }

    pub(super) async fn delete_key(&self, org: &OrganizationId, id: KeyId) -> Result<bool> {
        self.store.delete_key(org, id, &entry()).await
    }

    pub(super) async fn set_operator_key_hash(&self, hash: [u8; 32]) -> Result<()> {
        self.store.set_operator_key_hash(hash, &entry()).await
    }

    pub(super) async fn record_test(&self, event: NewEvent, outcome: &Outcome) -> Result<Recorded> {
        self.store.record_test(event, outcome, &entry()).await
    }
}
