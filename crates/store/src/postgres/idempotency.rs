//! Answers to idempotent requests.

use postrider_domain::{Millis, OrganizationId};

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{Idempotency, StoredAnswer};

pub(super) async fn begin(
    _: &PostgresStore,
    _: Option<&OrganizationId>,
    _: &str,
    _: [u8; 32],
    _: Millis,
) -> Result<Idempotency> {
    Err(not_built())
}

pub(super) async fn finish(_: &PostgresStore, _: Option<&OrganizationId>, _: &str, _: StoredAnswer) -> Result<()> {
    Err(not_built())
}

pub(super) async fn abandon(_: &PostgresStore, _: Option<&OrganizationId>, _: &str) -> Result<()> {
    Err(not_built())
}
