//! Numbers for metrics.

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::StoreStats;

pub(super) async fn stats(_: &PostgresStore) -> Result<StoreStats> {
    Err(not_built())
}
