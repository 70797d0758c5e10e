//! Statistics are taken and forgotten, and no operational events are made: no test here asks for them.

use async_trait::async_trait;
use postrider_domain::{Buckets, EndpointId, Millis, OrganizationId};
use postrider_store::{ClaimedOperationalEvent, EndpointHour, OperationalEvents, Statistics, StoreError};

use super::store::NodeStore;

#[async_trait]
impl Statistics for NodeStore {
    async fn add_hours(&self, _: &[EndpointHour]) -> Result<(), StoreError> {
        self.reach().map(|_| ())
    }

    async fn hours(&self, _: &OrganizationId, _: &[EndpointId], _: Buckets) -> Result<Vec<EndpointHour>, StoreError> {
        self.reach().map(|_| vec![])
    }
}

#[async_trait]
impl OperationalEvents for NodeStore {
    fn operational_for(&self, _: Option<OrganizationId>) {}

    async fn claim_operational_events(
        &self,
        _: Millis,
        _: Millis,
        _: usize,
    ) -> Result<Vec<ClaimedOperationalEvent>, StoreError> {
        self.reach().map(|_| vec![])
    }

    async fn settle_operational_event(&self, _: &ClaimedOperationalEvent, _: Option<Millis>) -> Result<(), StoreError> {
        self.reach().map(|_| ())
    }
}
