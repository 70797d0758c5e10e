//! Deliveries' rows, open and ended, as lists need them.

use postrider_domain::{DeliveryId, DeliveryStatus, FailReason, Millis};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::reader::{Reader, uuid_at};
use super::rows::millis_at;
use super::writer::Fault;
use crate::error::Result;
use crate::model::Delivery;
use crate::rows::{event_id, fail_reason, resource, shown_due};

/// A delivery's row as it was read.
pub(super) struct DeliveryRow {
    pub(super) id: Uuid,
    pub(super) endpoint_no: i64,
    pub(super) type_no: i64,
    revision_no: i64,
    pub(super) test: bool,
    pub(super) created_at: Millis,
    attempts_count: u32,
    pub(super) last_status_code: Option<u16>,
    pub(super) last_attempt_no: Option<i64>,
    pub(super) state: RowState,
}

/// What differs between open and ended ones.
pub(super) enum RowState {
    Open { due_at: Millis, event_no: i64 },
    Ended { ended_at: Millis, reason: Option<FailReason>, event_key: Uuid, event_id: Option<String> },
}

impl RowState {
    pub(super) fn status(&self) -> DeliveryStatus {
        match self {
            RowState::Open { .. } => DeliveryStatus::Pending,
            RowState::Ended { reason: None, .. } => DeliveryStatus::Succeeded,
            RowState::Ended { reason: Some(_), .. } => DeliveryStatus::Failed,
        }
    }
}

pub(super) const OPEN_COLUMNS: &str =
    "id, endpoint_no, type_no, revision_no, test, created_at, attempts_count, last_status_code,
    last_attempt_no, due_at, event_no";
pub(super) const ENDED_COLUMNS: &str =
    "id, endpoint_no, type_no, revision_no, test, created_at, attempts_count, last_status_code,
    last_attempt_no, ended_at, fail_reason, event_key, event_id";

impl DeliveryRow {
    fn read(row: &Row<'_>, state: RowState) -> rusqlite::Result<Self> {
        Ok(DeliveryRow {
            id: uuid_at(row, 0)?,
            endpoint_no: row.get(1)?,
            type_no: row.get(2)?,
            revision_no: row.get(3)?,
            test: row.get(4)?,
            created_at: millis_at(row, 5)?,
            attempts_count: row.get(6)?,
            last_status_code: row.get(7)?,
            last_attempt_no: row.get(8)?,
            state,
        })
    }

    /// Reads [`OPEN_COLUMNS`].
    pub(super) fn read_open(row: &Row<'_>) -> Result<Self, Fault> {
        let state = RowState::Open { due_at: millis_at(row, 9)?, event_no: row.get(10)? };
        Ok(Self::read(row, state)?)
    }

    /// Reads [`ENDED_COLUMNS`].
    pub(super) fn read_ended(row: &Row<'_>) -> Result<Self, Fault> {
        let state = RowState::Ended {
            ended_at: millis_at(row, 9)?,
            reason: fail_reason(row.get(10)?)?,
            event_key: uuid_at(row, 11)?,
            event_id: row.get(12)?,
        };
        Ok(Self::read(row, state)?)
    }
}

/// One delivery, wherever it is; not when it is open and its endpoint was deleted.
pub(super) fn by_id(conn: &Connection, org_no: i64, id: Uuid) -> Result<Option<DeliveryRow>, Fault> {
    let key = params![org_no, id.as_bytes()];
    let sql = format!("SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE org_no = ? AND id = ?");
    let mut statement = conn.prepare_cached(&sql)?;
    if let Some(row) = statement.query_row(key, |row| Ok(DeliveryRow::read_open(row))).optional()? {
        let row = row?;
        return Ok((!is_deleted(conn, row.endpoint_no)?).then_some(row));
    }
    let sql = format!("SELECT {ENDED_COLUMNS} FROM deliveries WHERE org_no = ? AND id = ?");
    let mut statement = conn.prepare_cached(&sql)?;
    statement.query_row(key, |row| Ok(DeliveryRow::read_ended(row))).optional()?.transpose()
}

/// Whether an endpoint was deleted: its open deliveries and the text of its attempts are as gone, though their rows go later.
pub(super) fn is_deleted(conn: &Connection, endpoint_no: i64) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM endpoints WHERE no = ? AND deleted = 0";
    Ok(!conn.prepare_cached(sql)?.exists([endpoint_no])?)
}

/// What of an event a list of deliveries shows.
struct About {
    key: Uuid,
    id: Option<String>,
    resource: Option<Vec<u8>>,
}

/// Adds what the row names by number.
pub(super) fn enrich(reader: &mut Reader, org_no: i64, row: DeliveryRow) -> Result<Delivery, Fault> {
    let status = row.state.status();
    let (about, next_attempt_at, ended_at, reason) = match row.state {
        RowState::Open { due_at, event_no } => (about_open(&reader.conn, event_no)?, shown_due(due_at), None, None),
        RowState::Ended { ended_at, reason, event_key, event_id } => {
            let resource = resource_by_key(&reader.conn, org_no, event_key)?;
            (About { key: event_key, id: event_id, resource }, None, Some(ended_at), reason)
        }
    };
    Ok(Delivery {
        id: DeliveryId(row.id),
        event: event_id(about.id, about.key)?,
        endpoint: reader.endpoint(row.endpoint_no)?,
        event_type: reader.word(row.type_no)?,
        resource: about.resource.as_deref().map(resource).transpose()?,
        revision: reader.revision(row.revision_no)?,
        test: row.test,
        status,
        fail_reason: reason,
        created_at: row.created_at,
        next_attempt_at,
        ended_at,
        attempts_count: row.attempts_count,
        last_status_code: row.last_status_code,
    })
}

fn about_open(conn: &Connection, event_no: i64) -> Result<About, Fault> {
    let sql = "SELECT key, id, resource FROM events WHERE no = ?";
    let read = |row: &Row<'_>| Ok(About { key: uuid_at(row, 0)?, id: row.get(1)?, resource: row.get(2)? });
    Ok(conn.prepare_cached(sql)?.query_row([event_no], read)?)
}

fn resource_by_key(conn: &Connection, org_no: i64, key: Uuid) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT resource FROM events WHERE org_no = ? AND key = ?";
    let found = conn.prepare_cached(sql)?.query_row(params![org_no, key.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}

/// The key of a delivery's event.
pub(super) fn event_key(conn: &Connection, state: &RowState) -> Result<Uuid, Fault> {
    match state {
        RowState::Open { event_no, .. } => Ok(about_open(conn, *event_no)?.key),
        RowState::Ended { event_key, .. } => Ok(*event_key),
    }
}
