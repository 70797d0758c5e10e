//! How rows are read here: columns into what both stores share.

use std::sync::Arc;

use postrider_domain::{EndpointId, Millis, Progress};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::rows::{AttemptRow, EndpointRow, EventRow};

/// A time column.
pub(super) fn millis_at(row: &Row, column: usize) -> Millis {
    Millis(row.get(column))
}

/// A time column that may be empty.
pub(super) fn opt_millis_at(row: &Row, column: usize) -> Option<Millis> {
    row.get::<_, Option<i64>>(column).map(Millis)
}

/// A count; none is ever negative.
pub(super) fn count_at(row: &Row, column: usize) -> u32 {
    row.get::<_, i32>(column).unsigned_abs()
}

/// A status code that may be missing.
pub(super) fn status_code_at(row: &Row, column: usize) -> Option<u16> {
    row.get::<_, Option<i16>>(column).map(i16::unsigned_abs)
}

/// Three columns from `column` on: attempts made, slots used, initial failure.
pub(super) fn progress_at(row: &Row, column: usize) -> Progress {
    Progress {
        attempts_count: count_at(row, column),
        slots_used: count_at(row, column + 1),
        initial_failure_at: opt_millis_at(row, column + 2),
    }
}

/// The events of organisation $1 with the keys $2, of which the least is $3 and the greatest $4. Each is looked up by its whole key, whatever
/// the planner believes of a day's partition that has no statistics yet, and only in the partitions of the days between.
pub(super) const EVENTS_OF_KEYS: &str = "(SELECT e.* FROM unnest($2::uuid[]) AS wanted(key)
    JOIN events e ON e.org = $1 AND e.key = wanted.key AND e.key BETWEEN $3 AND $4) AS events";

/// The least and the greatest of some keys.
pub(super) fn span(keys: &[Uuid]) -> (Uuid, Uuid) {
    let least = keys.iter().min().copied().unwrap_or_default();
    (least, keys.iter().max().copied().unwrap_or_default())
}

pub(super) const EVENT_COLUMNS: &str =
    "key, id, event_type, occurred_at, accepted_at, deliveries_count, resource, sealed";

/// Reads [`EVENT_COLUMNS`], which begin at `column`.
pub(super) fn event_row(row: &Row, column: usize) -> EventRow {
    EventRow {
        key: row.get(column),
        id: row.get(column + 1),
        event_type: Arc::from(row.get::<_, &str>(column + 2)),
        occurred_at: millis_at(row, column + 3),
        accepted_at: millis_at(row, column + 4),
        deliveries_count: count_at(row, column + 5),
        resource: row.get(column + 6),
        sealed: row.get(column + 7),
    }
}

pub(super) const ATTEMPT_COLUMNS: &str = "id, started_at, response_time_ms, by_hand, status_code, failure, sealed";

/// Reads [`ATTEMPT_COLUMNS`].
pub(super) fn attempt_row(row: &Row) -> AttemptRow {
    AttemptRow {
        id: row.get(0),
        started_at: millis_at(row, 1),
        response_time_ms: row.get::<_, i32>(2).cast_unsigned(),
        by_hand: row.get(3),
        status_code: status_code_at(row, 4),
        failure: row.get(5),
        sealed: row.get(6),
    }
}

pub(super) const ENDPOINT_COLUMNS: &str = "id, name, description, events, contract, system, status, disabled_reason, created_at, updated_at, resumed_at, sealed";

/// Reads [`ENDPOINT_COLUMNS`], which begin at `column`.
pub(super) fn endpoint_row(row: &Row, column: usize) -> EndpointRow {
    EndpointRow {
        id: EndpointId(row.get(column)),
        name: row.get(column + 1),
        description: row.get(column + 2),
        events: row.get(column + 3),
        contract: row.get(column + 4),
        system: row.get(column + 5),
        status: row.get(column + 6),
        disabled_reason: row.get(column + 7),
        created_at: millis_at(row, column + 8),
        updated_at: millis_at(row, column + 9),
        resumed_at: opt_millis_at(row, column + 10),
        sealed: row.get(column + 11),
    }
}
