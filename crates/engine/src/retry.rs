//! One more attempt of a delivery, because a person wants it.

use std::sync::Arc;

use postrider_domain::{AuditEntry, DeliveryId, EndpointId, OrganizationId};
use postrider_store::{Retried, StoreError};
use tokio::time::Instant;

use crate::engine::Inner;
use crate::error::EngineError;
use crate::held::held_bytes;
use crate::lane::{Asked, Lane, Reservation};
use crate::model::Retry;
use crate::to_its_end::to_its_end;

/// What a delivery counts for whose event is not known.
const UNKNOWN_EVENT_BYTES: usize = 1024;

impl Inner {
    pub(crate) async fn retry(
        self: &Arc<Self>,
        organization: &OrganizationId,
        delivery: DeliveryId,
        audit: AuditEntry,
    ) -> Result<Retry, EngineError> {
        let Some(detail) = self.store.delivery(organization, delivery).await? else {
            return Ok(Retry::UnknownDelivery);
        };
        let endpoint = detail.delivery.endpoint;
        let bytes = detail.event.as_deref().map_or(UNKNOWN_EVENT_BYTES, held_bytes);
        if to_its_end(Arc::clone(self).make_due(organization.clone(), endpoint, delivery, bytes, audit)).await? {
            return Ok(Retry::Asked);
        }
        // What keeps it from being sent does not pass, so that it is there to be seen now.
        let is_there = self.store.endpoint(organization, endpoint).await?.is_some();
        Ok(if is_there { Retry::EventGone } else { Retry::EndpointDeleted })
    }

    async fn make_due(
        self: Arc<Self>,
        organization: OrganizationId,
        endpoint: EndpointId,
        delivery: DeliveryId,
        bytes: usize,
        audit: AuditEntry,
    ) -> Result<bool, EngineError> {
        let give_up_at = Instant::now() + self.limits.lease_wait_max;
        loop {
            let lane = self.lanes.lane(&organization, endpoint, &self.limits);
            let wait = give_up_at.saturating_duration_since(Instant::now());
            let is_held = match lane.ask_again(delivery, bytes, &audit) {
                Asked::Noted => return Ok(true),
                Asked::WillSend => {
                    self.store.tell(&organization, &audit).await?;
                    return Ok(true);
                }
                Asked::ToMake(Reservation::Held) => true,
                Asked::ToMake(Reservation::Full) => false,
                Asked::ToMake(Reservation::Closed) => continue,
                Asked::ToMake(Reservation::Leaving) if self.lanes.until_left(&lane, wait).await => continue,
                Asked::ToMake(Reservation::Leaving) => return Err(busy("its lane is being given to another node")),
            };
            match self.store.retry_delivery(lane.lease, &organization, delivery, self.clock.now(), &audit).await {
                Ok(retried) => {
                    let is_there = retried.is_some();
                    if let Some(asked_since) = self.hand_over_retried(&lane, delivery, is_held, retried) {
                        self.store.tell(&organization, &asked_since).await?;
                    }
                    return Ok(is_there);
                }
                Err(error) => {
                    let start = lane.let_go(delivery, is_held);
                    self.start(&lane, start);
                    let is_lost = matches!(error, StoreError::LeaseLost);
                    if !is_lost || !self.has_another_lease(&lane, give_up_at).await {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    async fn has_another_lease(&self, lane: &Lane, give_up_at: Instant) -> bool {
        self.wait_for_another(lane.lease, give_up_at).await.is_ok()
    }

    /// What is to be told of whoever asked meanwhile.
    fn hand_over_retried(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        id: DeliveryId,
        is_held: bool,
        retried: Option<Retried>,
    ) -> Option<AuditEntry> {
        let (start, asked_since) = match retried {
            None => (lane.let_go(id, is_held), None),
            Some(Retried { is_elsewhere: true, .. }) => (lane.leave_elsewhere(id, is_held), None),
            Some(Retried { delivery, .. }) if is_held => lane.push_first(Arc::new(delivery)),
            Some(_) => (lane.push_unheld(id), None),
        };
        self.start(lane, start);
        asked_since
    }
}

fn busy(reason: &str) -> EngineError {
    EngineError::Store(StoreError::Unavailable { reason: reason.to_owned() })
}
