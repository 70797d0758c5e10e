//! Lanes.

use postrider_domain::{EndpointId, Millis};

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{LaneDue, LaneId, LeaseNo};

pub(super) async fn take(_: &PostgresStore, _: LeaseNo, _: Millis, _: usize) -> Result<Vec<LaneDue>> {
    Err(not_built())
}

pub(super) async fn release(_: &PostgresStore, _: LeaseNo, _: Vec<LaneId>) -> Result<()> {
    Err(not_built())
}

pub(super) async fn due(_: &PostgresStore, _: LeaseNo, _: Option<EndpointId>, _: usize) -> Result<Vec<LaneDue>> {
    Err(not_built())
}
