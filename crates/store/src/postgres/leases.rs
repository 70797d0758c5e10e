//! Leases.

use std::time::Duration;

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{Granted, LeaseNo, Renewal};

pub(super) async fn grant(_: &PostgresStore, _: &str, _: Duration) -> Result<Granted> {
    Err(not_built())
}

pub(super) async fn renew(_: &PostgresStore, _: LeaseNo, _: Duration) -> Result<Renewal> {
    Err(not_built())
}

pub(super) async fn revoke(_: &PostgresStore, _: LeaseNo) -> Result<()> {
    Err(not_built())
}

pub(super) async fn revoke_expired(_: &PostgresStore, _: Duration) -> Result<u32> {
    Err(not_built())
}
