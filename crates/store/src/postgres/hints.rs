//! Hints.

use super::{PostgresStore, not_built};
use crate::error::Result;
use crate::model::{Hint, LeaseNo};

pub(super) async fn hear(_: &PostgresStore, _: LeaseNo) -> Result<Vec<Hint>> {
    Err(not_built())
}
