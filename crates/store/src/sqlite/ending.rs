//! Ends open deliveries that will not be sent: from open work into history, without an attempt; and removes the text of attempts.

use postrider_domain::{DeliveryId, FailReason, Millis};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::turns;
use super::writer::{Fault, WriteTx};
use crate::rows::fail_code;

/// Where an open delivery lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) org_no: i64,
    pub(super) endpoint_no: i64,
    pub(super) due_at: i64,
    pub(super) id: Uuid,
}

/// Moves an open delivery into history as failed; who waited for it alone is due then. One whose event is gone belongs to nothing and just goes.
pub(super) fn fail(tx: &mut WriteTx<'_>, place: Place, reason: FailReason, now: Millis) -> Result<(), Fault> {
    let stood = turns::place_of(tx.conn, place.org_no, DeliveryId(place.id))?;
    let sql = "INSERT INTO deliveries (no, org_no, endpoint_no, id, event_key, event_id, type_no, revision_no, test, created_at,
               ended_at, fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code, last_attempt_no)
               SELECT ?, d.org_no, d.endpoint_no, d.id, e.key, e.id, d.type_no, d.revision_no, d.test, d.created_at, ?, ?,
               d.attempts_count, d.slots_used, d.initial_failure_at, d.last_status_code, d.last_attempt_no
               FROM open_deliveries d JOIN events e ON e.no = d.event_no
               WHERE d.endpoint_no = ? AND d.due_at = ? AND d.id = ?";
    let no = tx.numbers.next.delivery();
    let code = fail_code(Some(reason));
    let values = params![no, now.0, code, place.endpoint_no, place.due_at, place.id.as_bytes()];
    tx.conn.prepare_cached(sql)?.execute(values)?;
    remove(tx, place)?;
    stood.map_or(Ok(()), |stood| turns::leave(tx.conn, &stood, now))
}

/// Removes an open delivery of an organisation that is gone.
pub(super) fn drop_open(tx: &mut WriteTx<'_>, place: Place) -> Result<(), Fault> {
    if let Some(stood) = turns::place_of(tx.conn, place.org_no, DeliveryId(place.id))? {
        turns::forget(tx.conn, &stood)?;
    }
    remove(tx, place)
}

fn remove(tx: &mut WriteTx<'_>, place: Place) -> Result<(), Fault> {
    let sql = "DELETE FROM open_deliveries WHERE endpoint_no = ? AND due_at = ? AND id = ?";
    let values = params![place.endpoint_no, place.due_at, place.id.as_bytes()];
    tx.conn.prepare_cached(sql)?.execute(values)?;
    tx.open_added -= 1;
    Ok(())
}

/// Removes the text of a delivery's attempts, from the last one backwards; that they were made, when, and how they ended stays. Returns how
/// many had one.
pub(super) fn wipe_attempts(conn: &Connection, last_no: Option<i64>) -> Result<usize, Fault> {
    let (mut next_no, mut wiped) = (last_no, 0);
    while let Some(no) = next_no {
        let find = "SELECT prev_no FROM attempts WHERE no = ?";
        let Some(prev_no) = conn.prepare_cached(find)?.query_row([no], |row| row.get(0)).optional()? else { break };
        let wipe = "UPDATE attempts SET sealed = x'' WHERE no = ? AND sealed <> x''";
        wiped += conn.prepare_cached(wipe)?.execute([no])?;
        next_no = prev_no;
    }
    Ok(wiped)
}

/// Overwrites what this connection deletes from now on until it is told otherwise: freed pages and the free parts of others
/// (<https://www.sqlite.org/pragma.html#pragma_secure_delete>).
pub(super) fn overwrite_deleted(conn: &Connection, is_on: bool) -> rusqlite::Result<()> {
    conn.pragma_update(None, "secure_delete", is_on)
}
