//! How rows are read here: columns into what both stores share.

use std::sync::Arc;

use postrider_domain::{EndpointId, Millis, Progress};
use rusqlite::Row;

use super::reader::uuid_at;
use super::tenants::Tenant;
use crate::rows::{AttemptRow, EndpointRow, EventRow, Sealer};

impl Tenant {
    /// What seals and opens its values.
    pub(super) fn sealer(&self) -> Sealer<'_> {
        Sealer { owner: self.no, key: &self.key }
    }
}

/// A time column.
pub(super) fn millis_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Millis> {
    row.get(column).map(Millis)
}

/// A time column that may be empty.
pub(super) fn opt_millis_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Millis>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Millis))
}

pub(super) const EVENT_COLUMNS: &str = "key, id, type_no, occurred_at, accepted_at, deliveries_count, resource, sealed";

/// Reads [`EVENT_COLUMNS`]: the number of the event's type, whose word the caller fills in, and the rest.
pub(super) fn event_row(row: &Row<'_>) -> rusqlite::Result<(i64, EventRow)> {
    let event = EventRow {
        key: uuid_at(row, 0)?,
        id: row.get(1)?,
        event_type: Arc::from(""),
        occurred_at: millis_at(row, 3)?,
        accepted_at: millis_at(row, 4)?,
        deliveries_count: row.get(5)?,
        resource: row.get(6)?,
        sealed: row.get(7)?,
    };
    Ok((row.get(2)?, event))
}

pub(super) const ATTEMPT_COLUMNS: &str =
    "prev_no, id, started_at, response_time_ms, by_hand, status_code, failure, sealed";

/// Reads [`ATTEMPT_COLUMNS`]: the number of the attempt before, and the rest.
pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<(Option<i64>, AttemptRow)> {
    let attempt = AttemptRow {
        id: uuid_at(row, 1)?,
        started_at: millis_at(row, 2)?,
        response_time_ms: row.get(3)?,
        by_hand: row.get(4)?,
        status_code: row.get(5)?,
        failure: row.get(6)?,
        sealed: row.get(7)?,
    };
    Ok((row.get(0)?, attempt))
}

pub(super) const ENDPOINT_COLUMNS: &str = "id, name, description, events, contract, system, status, disabled_reason, created_at, updated_at, resumed_at, sealed";

/// Reads [`ENDPOINT_COLUMNS`].
pub(super) fn endpoint_row(row: &Row<'_>) -> rusqlite::Result<EndpointRow> {
    Ok(EndpointRow {
        id: EndpointId(uuid_at(row, 0)?),
        name: row.get(1)?,
        description: row.get(2)?,
        events: row.get(3)?,
        contract: row.get(4)?,
        system: row.get(5)?,
        status: row.get(6)?,
        disabled_reason: row.get(7)?,
        created_at: millis_at(row, 8)?,
        updated_at: millis_at(row, 9)?,
        resumed_at: opt_millis_at(row, 10)?,
        sealed: row.get(11)?,
    })
}

/// Three columns from `column` on: attempts made, slots used, initial failure.
pub(super) fn progress_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Progress> {
    Ok(Progress {
        attempts_count: row.get(column)?,
        slots_used: row.get(column + 1)?,
        initial_failure_at: opt_millis_at(row, column + 2)?,
    })
}
