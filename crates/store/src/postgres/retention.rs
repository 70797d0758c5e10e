//! Retention.

use postrider_domain::Millis;

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::RetentionStep;

pub(super) async fn retain(_: &PostgresStore, _: Millis, _: Millis, _: usize) -> Result<RetentionStep> {
    Err(not_built())
}

pub(super) async fn check(_: &PostgresStore, _: Millis) -> Result<()> {
    Err(not_built())
}
