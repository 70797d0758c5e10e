//! Claims.

use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId};

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{LeaseNo, OpenDelivery};

pub(super) async fn lane_due(
    _: &PostgresStore,
    _: &OrganizationId,
    _: EndpointId,
    _: Millis,
) -> Result<Option<Millis>> {
    Err(not_built())
}

pub(super) async fn claim_due(
    _: &PostgresStore,
    _: LeaseNo,
    _: &OrganizationId,
    _: EndpointId,
    _: Millis,
    _: usize,
    _: Vec<DeliveryId>,
) -> Result<Vec<OpenDelivery>> {
    Err(not_built())
}
