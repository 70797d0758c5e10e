//! Erasing: events about a record with all that was made of them, overwritten where they lay.

use postrider_domain::{FailReason, Millis, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::cursor;
use crate::error::Result;
use crate::operations::{EraseStep, Erased, Record, Removed};
use crate::rows::{count_column, is_about, key_range, record_hash};
use crate::sqlite::SqliteStore;
use crate::sqlite::ending::{self, Place};
use crate::sqlite::numbers::NextNumbers;
use crate::sqlite::reader::Reader;
use crate::sqlite::related::split;
use crate::sqlite::resources::keys_about;
use crate::sqlite::retention::OldEvent;
use crate::sqlite::writer::{Fault, WriteTx};

/// About what one event's removal writes.
const EVENT_BYTES: usize = 4_096;

/// The first key behind what was accepted up to a moment; what lies between is judged by its own time.
fn end_of(upto: Millis) -> Uuid {
    key_range(None, Some(upto), None).1
}

pub(super) async fn count(
    store: &SqliteStore,
    organization: &OrganizationId,
    (kind, id): &Record,
    upto: Millis,
    at_most: usize,
) -> Result<usize> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(0) };
    let hash = record_hash(tenant.no, kind, id);
    let read = move |reader: &mut Reader| Ok(keys_about(&reader.conn, hash, Uuid::nil(), end_of(upto), at_most)?.len());
    store.readers.read(read).await
}

pub(super) async fn step(
    store: &SqliteStore,
    organization: &OrganizationId,
    step: &EraseStep,
) -> Result<Option<Erased>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let (org_no, bytes, step) = (tenant.no, step.limit * EVENT_BYTES, step.clone());
    let write = move |tx: &mut WriteTx<'_>| {
        if cursor(tx, org_no, step.operation)?.is_none() {
            return Ok(None);
        }
        ending::overwrite_deleted(tx.conn, true)?;
        let erased = apply(tx, org_no, &step);
        ending::overwrite_deleted(tx.conn, false)?;
        erased.map(Some)
    };
    store.writer.write(bytes, write).await
}

fn apply(tx: &mut WriteTx<'_>, org_no: i64, step: &EraseStep) -> Result<Erased, Fault> {
    let hash = record_hash(org_no, &step.record.0, &step.record.1);
    let below = step.below.unwrap_or(Uuid::max()).min(end_of(step.upto));
    let keys = keys_about(tx.conn, hash, Uuid::nil(), below, step.limit)?;
    let mut removed = Removed::default();
    for key in &keys {
        let sql = format!("SELECT {} FROM events WHERE org_no = ? AND key = ?", OldEvent::COLUMNS);
        let found =
            tx.conn.prepare_cached(&sql)?.query_row(params![org_no, key.as_bytes()], OldEvent::read).optional()?;
        let Some(event) = found else { continue };
        if event.accepted_at <= step.upto.0 && is_about(event.resource.as_deref(), &step.record)? {
            erase_event(tx, org_no, &event, step.now, &mut removed)?;
        }
    }
    let note = "UPDATE operations SET done = done + ?, deliveries_removed = deliveries_removed + ?,
                attempts_removed = attempts_removed + ? WHERE org_no = ? AND id = ?";
    let Removed { events, deliveries, attempts } = removed;
    let counts = [events, deliveries, attempts].map(count_column);
    let id = step.operation.0.as_bytes();
    tx.conn.prepare_cached(note)?.execute(params![counts[0], counts[1], counts[2], org_no, id])?;
    let is_full = keys.len() >= step.limit;
    Ok(Erased { removed, next: keys.last().copied().filter(|_| is_full) })
}

fn erase_event(
    tx: &mut WriteTx<'_>,
    org_no: i64,
    event: &OldEvent,
    now: Millis,
    removed: &mut Removed,
) -> Result<(), Fault> {
    for id in split(&event.deliveries) {
        let wiped = if let Some((place, last_no)) = open_delivery(tx.conn, org_no, id)? {
            removed.deliveries += 1;
            let wiped = ending::wipe_attempts(tx.conn, last_no)?;
            ending::fail(tx, place, FailReason::Erased, now)?;
            wiped
        } else {
            let sql = "SELECT last_attempt_no FROM deliveries WHERE org_no = ? AND id = ?";
            let key = params![org_no, id.as_bytes()];
            let last_no = tx.conn.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
            ending::wipe_attempts(tx.conn, last_no.flatten())?
        };
        removed.attempts += wiped as u64;
    }
    event.drop(tx, now)?;
    NextNumbers::note_dropped(tx.conn, "events", event.no)?;
    removed.events += 1;
    Ok(())
}

fn open_delivery(conn: &Connection, org_no: i64, id: Uuid) -> Result<Option<(Place, Option<i64>)>, Fault> {
    let sql = "SELECT endpoint_no, due_at, last_attempt_no FROM open_deliveries WHERE org_no = ? AND id = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok((Place { org_no, endpoint_no: row.get(0)?, due_at: row.get(1)?, id }, row.get::<_, Option<i64>>(2)?))
    };
    Ok(conn.prepare_cached(sql)?.query_row(params![org_no, id.as_bytes()], read).optional()?)
}
