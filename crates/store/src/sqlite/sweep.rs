//! Drops what deleted organisations and endpoints left. A *sweep* is one of them with what is still to be dropped.

use postrider_domain::FailReason;
use rusqlite::{OptionalExtension, params};

use super::ending::{self, Place};
use super::numbers::NextNumbers;
use super::reader::uuid_at;
use super::retention::{OldEvent, Unit};
use super::writer::{Fault, WriteTx};
use crate::error::Result;
use crate::limits::SWEEPS_A_STEP;

struct Sweep {
    no: i64,
    org_no: Option<i64>,
    endpoint_no: Option<i64>,
    after: Vec<u8>,
    is_waiting: bool,
}

/// Goes on with the sweeps as far as the unit may.
pub(super) fn run(unit: &mut Unit, tx: &mut WriteTx<'_>) -> Result<(), Fault> {
    let mut has_wrapped = unit.sweeps_seen == 0;
    for _ in 0..SWEEPS_A_STEP {
        if unit.rows_left == 0 {
            return Ok(());
        }
        let sql = "SELECT no, org_no, endpoint_no, after, is_waiting FROM sweeps WHERE no > ? ORDER BY no LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Sweep {
                no: row.get(0)?,
                org_no: row.get(1)?,
                endpoint_no: row.get(2)?,
                after: row.get(3)?,
                is_waiting: row.get(4)?,
            })
        };
        let Some(sweep) = tx.conn.prepare_cached(sql)?.query_row([unit.sweeps_seen], read).optional()? else {
            unit.sweeps_seen = 0;
            if has_wrapped {
                return Ok(());
            }
            has_wrapped = true;
            continue;
        };
        match (sweep.org_no, sweep.endpoint_no) {
            (Some(org_no), _) => organization(unit, tx, &sweep, org_no)?,
            (None, Some(endpoint_no)) => endpoint(unit, tx, &sweep, endpoint_no)?,
            (None, None) => finish(tx, &sweep)?,
        }
        if unit.rows_left > 0 {
            unit.sweeps_seen = sweep.no;
        }
    }
    Ok(())
}

fn finish(tx: &WriteTx<'_>, sweep: &Sweep) -> Result<(), Fault> {
    tx.conn.prepare_cached("DELETE FROM sweeps WHERE no = ?")?.execute([sweep.no])?;
    Ok(())
}

/// Open deliveries fail, attempts lose their text, and, once time has taken its history, the endpoint itself goes.
fn endpoint(unit: &mut Unit, tx: &mut WriteTx<'_>, sweep: &Sweep, endpoint_no: i64) -> Result<(), Fault> {
    if !sweep.is_waiting {
        ending::overwrite_deleted(tx.conn, true)?;
        let wiped = fail_open(unit, tx, endpoint_no).and_then(|()| texts_of_history(unit, tx, sweep, endpoint_no));
        ending::overwrite_deleted(tx.conn, false)?;
        wiped?;
        hours(unit, tx, endpoint_no)?;
        if unit.rows_left == 0 {
            return Ok(());
        }
        tx.conn.prepare_cached("UPDATE sweeps SET is_waiting = 1 WHERE no = ?")?.execute([sweep.no])?;
    }
    let sql = "SELECT 1 FROM deliveries WHERE endpoint_no = ?";
    if tx.conn.prepare_cached(sql)?.exists([endpoint_no])? {
        return Ok(());
    }
    tx.conn.prepare_cached("DELETE FROM endpoints WHERE no = ?")?.execute([endpoint_no])?;
    unit.dropped();
    finish(tx, sweep)
}

/// Open deliveries of an endpoint: none of them will be sent.
fn fail_open(unit: &mut Unit, tx: &mut WriteTx<'_>, endpoint_no: i64) -> Result<(), Fault> {
    let find = "SELECT org_no, due_at, id, last_attempt_no FROM open_deliveries WHERE endpoint_no = ? LIMIT 1";
    while unit.rows_left > 0 {
        let read = |row: &rusqlite::Row<'_>| {
            let place = Place { org_no: row.get(0)?, endpoint_no, due_at: row.get(1)?, id: uuid_at(row, 2)? };
            Ok((place, row.get(3)?))
        };
        let found = tx.conn.prepare_cached(find)?.query_row([endpoint_no], read).optional()?;
        let Some((place, last_no)) = found else { return Ok(()) };
        let wiped = ending::wipe_attempts(tx.conn, last_no)?;
        ending::fail(tx, place, FailReason::EndpointDeleted, unit.now)?;
        unit.used(1 + wiped);
    }
    Ok(())
}

/// What was counted of an endpoint.
fn hours(unit: &mut Unit, tx: &WriteTx<'_>, endpoint_no: i64) -> Result<(), Fault> {
    let sql = "DELETE FROM endpoint_hours WHERE (org_no, endpoint_no, hour) IN (
                   SELECT h.org_no, h.endpoint_no, h.hour FROM endpoints e
                   JOIN endpoint_hours h ON h.org_no = e.org_no AND h.endpoint_no = e.no WHERE e.no = ? LIMIT ?)";
    let most = i64::try_from(unit.rows_left).unwrap_or(i64::MAX);
    for _ in 0..tx.conn.prepare_cached(sql)?.execute([endpoint_no, most])? {
        unit.dropped();
    }
    Ok(())
}

/// Open deliveries of an organisation, with their attempts.
fn open_deliveries(unit: &mut Unit, tx: &mut WriteTx<'_>, org_no: i64) -> Result<(), Fault> {
    let find = "SELECT endpoint_no, due_at, id, last_attempt_no FROM open_deliveries WHERE org_no = ? LIMIT 1";
    while unit.rows_left > 0 {
        let read = |row: &rusqlite::Row<'_>| {
            let place = Place { org_no, endpoint_no: row.get(0)?, due_at: row.get(1)?, id: uuid_at(row, 2)? };
            Ok((place, row.get::<_, Option<i64>>(3)?))
        };
        let found = tx.conn.prepare_cached(find)?.query_row([org_no], read).optional()?;
        let Some((place, last_no)) = found else { return Ok(()) };
        attempts(unit, tx, last_no)?;
        ending::drop_open(tx, place)?;
        unit.dropped();
    }
    Ok(())
}

/// A delivery's attempts, from the last one backwards.
fn attempts(unit: &mut Unit, tx: &WriteTx<'_>, last_no: Option<i64>) -> Result<(), Fault> {
    let mut next_no = last_no;
    while let Some(no) = next_no {
        let find = "SELECT prev_no FROM attempts WHERE no = ?";
        let Some(prev_no) = tx.conn.prepare_cached(find)?.query_row([no], |row| row.get(0)).optional()? else {
            return Ok(());
        };
        tx.conn.prepare_cached("DELETE FROM attempts WHERE no = ?")?.execute([no])?;
        NextNumbers::note_dropped(tx.conn, "attempts", no)?;
        unit.dropped();
        next_no = prev_no;
    }
    Ok(())
}

/// The text of an endpoint's attempts; its history stays.
fn texts_of_history(unit: &mut Unit, tx: &WriteTx<'_>, sweep: &Sweep, endpoint_no: i64) -> Result<(), Fault> {
    let mut after = sweep.after.clone();
    while unit.rows_left > 0 {
        let find = "SELECT id, last_attempt_no FROM deliveries WHERE endpoint_no = ? AND id > ? ORDER BY id LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found = tx.conn.prepare_cached(find)?.query_row(params![endpoint_no, after], read).optional()?;
        let Some((id, last_no)): Option<(Vec<u8>, Option<i64>)> = found else { break };
        unit.used(1 + ending::wipe_attempts(tx.conn, last_no)?);
        after = id;
    }
    tx.conn.prepare_cached("UPDATE sweeps SET after = ? WHERE no = ?")?.execute(params![after, sweep.no])?;
    Ok(())
}

/// Everything that has the organisation's number, and the organisation last.
fn organization(unit: &mut Unit, tx: &mut WriteTx<'_>, sweep: &Sweep, org_no: i64) -> Result<(), Fault> {
    open_deliveries(unit, tx, org_no)?;
    history(unit, tx, org_no)?;
    events(unit, tx, org_no)?;
    for table in ["answers", "audit", "operations", "endpoint_hours", "event_ids_late", "event_ids", "endpoints"] {
        rest(unit, tx, table, org_no)?;
    }
    if unit.rows_left == 0 {
        return Ok(());
    }
    let endpoints = "DELETE FROM sweeps WHERE endpoint_no IN (SELECT no FROM endpoints WHERE org_no = ?)";
    tx.conn.prepare_cached(endpoints)?.execute([org_no])?;
    tx.conn.prepare_cached("DELETE FROM organizations WHERE no = ?")?.execute([org_no])?;
    unit.dropped();
    finish(tx, sweep)
}

fn history(unit: &mut Unit, tx: &WriteTx<'_>, org_no: i64) -> Result<(), Fault> {
    while unit.rows_left > 0 {
        let find = "SELECT no, last_attempt_no FROM deliveries WHERE org_no = ? LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(i64, Option<i64>)> = tx.conn.prepare_cached(find)?.query_row([org_no], read).optional()?;
        let Some((no, last_no)) = found else { return Ok(()) };
        attempts(unit, tx, last_no)?;
        tx.conn.prepare_cached("DELETE FROM deliveries WHERE no = ?")?.execute([no])?;
        NextNumbers::note_dropped(tx.conn, "deliveries", no)?;
        unit.dropped();
    }
    Ok(())
}

fn events(unit: &mut Unit, tx: &WriteTx<'_>, org_no: i64) -> Result<(), Fault> {
    while unit.rows_left > 0 {
        let find = format!("SELECT {} FROM events WHERE org_no = ? LIMIT 1", OldEvent::COLUMNS);
        let found = tx.conn.prepare_cached(&find)?.query_row([org_no], OldEvent::read).optional()?;
        let Some(event) = found else { return Ok(()) };
        unit.drop_event(tx, &event)?;
    }
    Ok(())
}

/// Rows of a table that are looked up by the organisation's number first.
fn rest(unit: &mut Unit, tx: &WriteTx<'_>, table: &str, org_no: i64) -> Result<(), Fault> {
    if unit.rows_left == 0 {
        return Ok(());
    }
    let key = match table {
        "event_ids" | "audit" => "org_no, id",
        "endpoint_hours" => "org_no, endpoint_no, hour",
        _ => "no",
    };
    let sql = format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE org_no = ? LIMIT ?)");
    let most = i64::try_from(unit.rows_left).unwrap_or(i64::MAX);
    let dropped = tx.conn.prepare_cached(&sql)?.execute([org_no, most])?;
    for _ in 0..dropped {
        unit.dropped();
    }
    Ok(())
}
