//! Commits events with their deliveries.

use postrider_domain::OrganizationId;

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{Basis, Committed, NewEvent};

pub(super) async fn commit_events(
    _: &PostgresStore,
    _: Basis,
    _: &OrganizationId,
    _: Vec<NewEvent>,
) -> Result<Vec<Committed>> {
    Err(not_built())
}
