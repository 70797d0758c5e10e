//! Deliveries in order: of those about one record to one endpoint, one after another is due.
//!
//! A delivery of an ordered endpoint has a *turn* in the line of each record that its event is about: a number greater than those before it. It
//! *waits*, due at [`WAITING`], until no smaller turn is left in any of its lines. So what waits is never looked at by claims, however much it is: whoever
//! ends a delivery looks at the next one of each of its lines, and that is all.

use postrider_domain::{DeliveryId, Millis};
use rusqlite::{Connection, OptionalExtension, params};

use super::reader::uuid_at;
use super::writer::Fault;
use crate::error::Result;
use crate::model::{Event, WAITING};
use crate::rows::{damaged, record_hashes};

/// Where an open delivery stands.
pub(super) struct Place {
    pub(super) org_no: i64,
    pub(super) endpoint_no: i64,
    pub(super) turn: i64,
    /// Its lines.
    pub(super) records: Vec<i64>,
}

impl Place {
    /// Of a delivery whose event is at hand.
    pub(super) fn of(org_no: i64, endpoint_no: i64, turn: i64, event: &Event) -> Self {
        Place { org_no, endpoint_no, turn, records: record_hashes(org_no, event) }
    }
}

/// The records' hashes as a row holds them.
pub(super) fn put_records(records: &[i64]) -> Vec<u8> {
    records.iter().flat_map(|record| record.to_le_bytes()).collect()
}

fn records(bytes: &[u8]) -> Result<Vec<i64>> {
    let (chunks, []) = bytes.as_chunks::<8>() else { return Err(damaged("a delivery's records")) };
    Ok(chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect())
}

/// Gives a new delivery the next turn about these records, and says whether it has to wait for others.
pub(super) fn enter(
    conn: &Connection,
    endpoint_no: i64,
    records: &[i64],
    id: DeliveryId,
) -> Result<(i64, bool), Fault> {
    let mut before = 0;
    let mut waits = false;
    for record in records {
        let sql = "SELECT max(turn) FROM turns WHERE endpoint_no = ? AND record = ?";
        let last: Option<i64> = conn.prepare_cached(sql)?.query_row([endpoint_no, *record], |row| row.get(0))?;
        waits |= last.is_some();
        before = before.max(last.unwrap_or(0));
    }
    insert(conn, endpoint_no, records, before + 1, id)?;
    Ok((before + 1, waits))
}

/// Puts a delivery where it stood.
pub(super) fn insert(
    conn: &Connection,
    endpoint_no: i64,
    records: &[i64],
    turn: i64,
    id: DeliveryId,
) -> Result<(), Fault> {
    let sql = "INSERT INTO turns (endpoint_no, record, turn, delivery) VALUES (?, ?, ?, ?)";
    let mut statement = conn.prepare_cached(sql)?;
    for record in records {
        statement.execute(params![endpoint_no, record, turn, id.0.as_bytes()])?;
    }
    Ok(())
}

/// The delivery is not open any more: those that waited for it alone are due now.
pub(super) fn leave(conn: &Connection, place: &Place, now: Millis) -> Result<(), Fault> {
    forget(conn, place)?;
    call(conn, place, now)
}

/// Removes a delivery from its lines without looking at who comes next: its endpoint is gone.
pub(super) fn forget(conn: &Connection, place: &Place) -> Result<(), Fault> {
    let sql = "DELETE FROM turns WHERE endpoint_no = ? AND record = ? AND turn = ?";
    let mut statement = conn.prepare_cached(sql)?;
    for record in &place.records {
        statement.execute(params![place.endpoint_no, record, place.turn])?;
    }
    Ok(())
}

/// Makes the first of each of these lines due unless it waits for another line.
pub(super) fn call(conn: &Connection, place: &Place, now: Millis) -> Result<(), Fault> {
    let first = "SELECT delivery FROM turns WHERE endpoint_no = ? AND record = ? ORDER BY turn LIMIT 1";
    for record in &place.records {
        let key = params![place.endpoint_no, record];
        let found = conn.prepare_cached(first)?.query_row(key, |row| uuid_at(row, 0)).optional()?;
        if let Some(id) = found {
            make_due(conn, place, DeliveryId(id), now)?;
        }
    }
    Ok(())
}

/// Neither what is due already nor what waits for others changes. What a person hastened meanwhile goes on from now on when that fails.
fn make_due(conn: &Connection, place: &Place, id: DeliveryId, now: Millis) -> Result<(), Fault> {
    let find = "SELECT turn, records FROM open_deliveries
                WHERE org_no = ?1 AND id = ?2 AND (due_at = ?3 OR resume_at = ?3) AND turn IS NOT NULL";
    let key = params![place.org_no, id.0.as_bytes(), WAITING.0];
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Some((turn, lines)) = conn.prepare_cached(find)?.query_row(key, read).optional()? else { return Ok(()) };
    let smaller = "SELECT 1 FROM turns WHERE endpoint_no = ? AND record = ? AND turn < ?";
    for record in records(&lines)? {
        if conn.prepare_cached(smaller)?.exists([place.endpoint_no, record, turn])? {
            return Ok(());
        }
    }
    let update = "UPDATE open_deliveries SET due_at = iif(due_at = ?3, ?4, due_at), resume_at = iif(resume_at = ?3, ?4, resume_at)
                  WHERE org_no = ?1 AND id = ?2";
    conn.prepare_cached(update)?.execute(params![place.org_no, id.0.as_bytes(), WAITING.0, now.0])?;
    Ok(())
}

/// Where an open delivery stands that is about to go, unless it has no turn.
pub(super) fn place_of(conn: &Connection, org_no: i64, id: DeliveryId) -> Result<Option<Place>, Fault> {
    let sql = "SELECT endpoint_no, turn, records FROM open_deliveries WHERE org_no = ? AND id = ? AND turn IS NOT NULL";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?));
    let found = conn.prepare_cached(sql)?.query_row(params![org_no, id.0.as_bytes()], read).optional()?;
    let Some((endpoint_no, turn, lines)) = found else { return Ok(None) };
    Ok(Some(Place { org_no, endpoint_no, turn, records: records(&lines)? }))
}
