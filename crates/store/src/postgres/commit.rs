//! Commits events with their deliveries: what is done in the caller's own task. The rest is [`super::commit_group`]'s.

use std::sync::Arc;
use std::time::Instant;

use postrider_domain::OrganizationId;
use tokio::sync::oneshot;

use super::PostgresStore;
use super::attached::Lane;
use super::tenants::Tenant;
use crate::error::{Result, StoreError};
use crate::model::{Basis, Committed, NewEvent};
use crate::rows::{chosen_id, put_resource, record_hashes, seal_event};

/// About what a delivery takes in a group.
const DELIVERY_BYTES: usize = 200;

/// An event whose data is sealed already.
pub(super) struct SealedEvent {
    pub(super) new: NewEvent,
    pub(super) sealed: Vec<u8>,
    pub(super) resource: Option<Vec<u8>>,
    /// Of the records that it is about, each once.
    pub(super) record_hashes: Vec<i64>,
}

impl SealedEvent {
    /// The id where the caller chose it.
    pub(super) fn chosen_id(&self) -> Option<&str> {
        chosen_id(&self.new.event.id, self.new.event.key)
    }

    /// About what it takes in a group.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.len() + self.new.deliveries.len() * DELIVERY_BYTES
    }
}

/// What one caller wants committed.
pub(super) struct CommitUnit {
    pub(super) basis: Basis,
    pub(super) organization: OrganizationId,
    pub(super) tenant: Arc<Tenant>,
    pub(super) events: Vec<SealedEvent>,
    pub(super) asked: Instant,
    pub(super) reply: oneshot::Sender<Result<Vec<Committed>>>,
}

impl CommitUnit {
    /// The lanes of its deliveries; one may come several times.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        let org = self.tenant.org;
        let deliveries = self.events.iter().flat_map(|event| &event.new.deliveries);
        deliveries.map(move |delivery| Lane { org, endpoint: delivery.endpoint.0 })
    }
}

pub(super) async fn commit_events(
    store: &PostgresStore,
    basis: Basis,
    organization: &OrganizationId,
    events: Vec<NewEvent>,
) -> Result<Vec<Committed>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = store.tenants.require(store, organization).await?;
    let events = events.into_iter().map(|new| seal(&tenant, new)).collect::<Result<Vec<_>>>()?;
    let bytes = events.iter().map(SealedEvent::bytes).sum();
    let unit =
        |reply| CommitUnit { basis, organization: organization.clone(), tenant, events, asked: Instant::now(), reply };
    let answer = store.writers.commit(bytes, unit).await;
    if matches!(answer, Err(StoreError::NotFound { .. })) {
        // There may be a new one under the same id, made on another node a moment ago.
        store.tenants.forget(organization);
    }
    answer
}

pub(super) fn seal(tenant: &Tenant, new: NewEvent) -> Result<SealedEvent> {
    let sealed = seal_event(tenant.sealer(), &new.event)?;
    let record_hashes = record_hashes(tenant.owner(), &new.event);
    let resource = new.event.resource.as_ref().map(put_resource);
    Ok(SealedEvent { new, sealed, resource, record_hashes })
}
