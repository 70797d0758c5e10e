//! Makes one more attempt of a delivery due now, because a person asked.

use postrider_domain::{DeliveryId, Millis, OrganizationId};

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{LeaseNo, Retried};

pub(super) async fn retry_delivery(
    _: &PostgresStore,
    _: LeaseNo,
    _: &OrganizationId,
    _: DeliveryId,
    _: Millis,
) -> Result<Option<Retried>> {
    Err(not_built())
}
