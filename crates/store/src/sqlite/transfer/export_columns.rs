//! Rows of the large tables as an export reads them: a page at a time, each with the place behind which the next one begins.

use postrider_domain::{Millis, Progress};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::error::Result;
use crate::rows::EventRow;
use crate::sqlite::reader::uuid_at;
use crate::sqlite::rows::{EVENT_COLUMNS, event_row, millis_at, progress_at};
use crate::sqlite::writer::Fault;
use crate::transfer::CHUNK_BYTES;

/// Rows read at once.
const PAGE_ROWS: usize = 500;

/// Where to begin: behind nothing, in a list by number or, of one organisation, by id.
pub(super) fn start_of(org_no: Option<i64>) -> Value {
    if org_no.is_some() { Value::Blob(Vec::new()) } else { Value::Integer(i64::MIN) }
}

/// Rows behind `after`: some, and no more bytes than a chunk may have.
pub(super) fn page<T: Weighed>(
    conn: &Connection,
    sql: &str,
    after: &Value,
    org_no: Option<i64>,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    page_of(conn, sql, after, &org_no.map_or(Value::Null, Value::Integer), read)
}

pub(super) fn page_of<T: Weighed>(
    conn: &Connection,
    sql: &str,
    after: &Value,
    second: &Value,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let given: &[&dyn rusqlite::ToSql] = if statement.parameter_count() > 1 { &[after, second] } else { &[after] };
    let mut rows = statement.query(given)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < PAGE_ROWS
        && bytes < CHUNK_BYTES
        && let Some(row) = rows.next()?
    {
        let row = read(row)?;
        bytes += row.bytes();
        found.push(row);
    }
    Ok(found)
}

/// A row that knows about how many bytes it holds.
pub(super) trait Weighed {
    fn bytes(&self) -> usize;
}

pub(super) fn event_columns(place: &str) -> String {
    format!("{EVENT_COLUMNS}, org_no, test, deliveries, {place}")
}

pub(super) struct EventColumns {
    pub(super) event: EventRow,
    pub(super) type_no: i64,
    pub(super) org_no: i64,
    pub(super) test: bool,
    pub(super) deliveries: Vec<u8>,
    pub(super) place: Value,
}

impl EventColumns {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (type_no, event) = event_row(row)?;
        Ok(EventColumns {
            event,
            type_no,
            org_no: row.get(8)?,
            test: row.get(9)?,
            deliveries: row.get(10)?,
            place: row.get(11)?,
        })
    }
}

impl Weighed for EventColumns {
    fn bytes(&self) -> usize {
        self.event.sealed.len() + self.deliveries.len()
    }
}

pub(super) const COMMON_COLUMNS: &str =
    "org_no, endpoint_no, id, type_no, revision_no, test, created_at, attempts_count, slots_used,
    initial_failure_at, last_status_code, last_attempt_no";

/// What open and ended deliveries both have.
pub(super) struct CommonColumns {
    pub(super) org_no: i64,
    pub(super) endpoint_no: i64,
    pub(super) id: Uuid,
    pub(super) type_no: i64,
    pub(super) revision_no: i64,
    pub(super) test: bool,
    pub(super) created_at: Millis,
    pub(super) progress: Progress,
    pub(super) last_status_code: Option<u16>,
    pub(super) last_attempt_no: Option<i64>,
}

impl CommonColumns {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(CommonColumns {
            org_no: row.get(0)?,
            endpoint_no: row.get(1)?,
            id: uuid_at(row, 2)?,
            type_no: row.get(3)?,
            revision_no: row.get(4)?,
            test: row.get(5)?,
            created_at: millis_at(row, 6)?,
            progress: progress_at(row, 7)?,
            last_status_code: row.get(10)?,
            last_attempt_no: row.get(11)?,
        })
    }
}

pub(super) struct OpenColumns {
    pub(super) common: CommonColumns,
    pub(super) due_at: Millis,
    pub(super) resume: Option<i16>,
    pub(super) resume_at: Option<i64>,
    pub(super) event_no: i64,
    pub(super) turn: Option<i64>,
    pub(super) place: Value,
}

impl OpenColumns {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(OpenColumns {
            common: CommonColumns::read(row)?,
            due_at: millis_at(row, 12)?,
            resume: row.get(13)?,
            resume_at: row.get(14)?,
            event_no: row.get(15)?,
            turn: row.get(16)?,
            place: row.get(17)?,
        })
    }
}

impl Weighed for OpenColumns {
    fn bytes(&self) -> usize {
        256
    }
}

pub(super) struct EndedColumns {
    pub(super) common: CommonColumns,
    pub(super) ended_at: Millis,
    pub(super) fail_reason: i16,
    pub(super) event_key: Uuid,
    pub(super) event_id: Option<String>,
    pub(super) place: Value,
}

impl EndedColumns {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(EndedColumns {
            common: CommonColumns::read(row)?,
            ended_at: millis_at(row, 12)?,
            fail_reason: row.get(13)?,
            event_key: uuid_at(row, 14)?,
            event_id: row.get(15)?,
            place: row.get(16)?,
        })
    }
}

impl Weighed for EndedColumns {
    fn bytes(&self) -> usize {
        256
    }
}
