//! Applies an export chunk by chunk.
//!
//! Numbers of rows are given in the order of age, because retention takes rows from the low end. But what still has open work comes first in an export and
//! is younger than the history that comes after it. So an import reserves two ranges of numbers, one above the other: history takes from the
//! lower one. (Attempts follow their deliveries, which come in the order in which they ended: retention is late for them by a delivery's life.)

use rusqlite::{Connection, OptionalExtension, params};

use super::IMPORTING;
use super::import_rows::apply;
use crate::error::{Result, StoreError};
use crate::sqlite::SqliteStore;
use crate::sqlite::config::OPERATOR_KEY;
use crate::sqlite::numbers::{NextNumbers, meta, set_meta};
use crate::sqlite::organizations;
use crate::sqlite::reader::Reader;
use crate::sqlite::writer::{Fault, WriteTx};
use crate::transfer::{ExportId, ImportState, Portable};

/// The import that is not finished: its export's id and [`ImportNumbers`].
const UNFINISHED: &str = "import";
/// The operator key's hash that an import brings; it counts once the import is finished.
pub(super) const OPERATOR_KEY_BROUGHT: &str = "import operator key hash";
/// Numbers in each range that an import reserves.
const RESERVED: i64 = 1 << 40;
/// About what finishing an import writes.
const FINISH_BYTES: usize = 4_096;

fn finished(export: ExportId) -> String {
    format!("imported {}", export.0)
}

/// How far an import has come: chunks, and the numbers of rows that are next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ImportNumbers {
    chunks: i64,
    events: i64,
    open_events: i64,
    deliveries: i64,
    attempts: i64,
    open_attempts: i64,
}

impl ImportNumbers {
    /// Reserves the ranges: nobody else is given a number of them, in this process or a later one.
    fn reserve(tx: &mut WriteTx<'_>) -> Result<Self, Fault> {
        let next = &mut tx.numbers.next;
        let numbers = ImportNumbers {
            chunks: 0,
            events: next.event,
            open_events: next.event + RESERVED,
            deliveries: next.delivery,
            attempts: next.attempt,
            open_attempts: next.attempt + RESERVED,
        };
        next.event += 2 * RESERVED;
        next.delivery += RESERVED;
        next.attempt += 2 * RESERVED;
        let (event, delivery, attempt) = (next.event, next.delivery, next.attempt);
        NextNumbers::note_dropped(tx.conn, "events", event - 1)?;
        NextNumbers::note_dropped(tx.conn, "deliveries", delivery - 1)?;
        NextNumbers::note_dropped(tx.conn, "attempts", attempt - 1)?;
        Ok(numbers)
    }

    pub(super) fn event(&mut self, is_open: bool) -> i64 {
        take(if is_open { &mut self.open_events } else { &mut self.events })
    }

    pub(super) fn delivery(&mut self) -> i64 {
        take(&mut self.deliveries)
    }

    pub(super) fn attempt(&mut self, is_open: bool) -> i64 {
        take(if is_open { &mut self.open_attempts } else { &mut self.attempts })
    }

    fn bytes(self) -> Vec<u8> {
        let ImportNumbers { chunks, events, open_events, deliveries, attempts, open_attempts } = self;
        [chunks, events, open_events, deliveries, attempts, open_attempts].map(i64::to_le_bytes).concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let numbers: Vec<_> = bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let [chunks, events, open_events, deliveries, attempts, open_attempts] = numbers.try_into().ok()?;
        Some(ImportNumbers { chunks, events, open_events, deliveries, attempts, open_attempts })
    }
}

fn take(next: &mut i64) -> i64 {
    let no = *next;
    *next += 1;
    no
}

/// The import that is not finished.
fn unfinished(conn: &Connection) -> Result<Option<(ExportId, ImportNumbers)>, Fault> {
    let Some(value) = meta(conn, UNFINISHED)? else { return Ok(None) };
    let read = value
        .split_first_chunk::<16>()
        .and_then(|(id, rest)| Some((ExportId(uuid::Uuid::from_bytes(*id)), ImportNumbers::read(rest)?)));
    Ok(Some(read.ok_or_else(|| crate::rows::damaged("the import's state"))?))
}

fn note_unfinished(conn: &Connection, export: ExportId, numbers: ImportNumbers) -> rusqlite::Result<()> {
    set_meta(conn, UNFINISHED, &[export.0.as_bytes().as_slice(), &numbers.bytes()].concat())
}

pub(super) async fn state(store: &SqliteStore, export: ExportId) -> Result<ImportState> {
    let read = move |reader: &mut Reader| {
        if meta(&reader.conn, &finished(export))?.is_some() {
            return Ok(ImportState::Finished);
        }
        match unfinished(&reader.conn)? {
            None => Ok(ImportState::Applied(0)),
            Some((id, numbers)) if id == export => Ok(ImportState::Applied(numbers.chunks.unsigned_abs())),
            Some((id, _)) => Err(another(id).into()),
        }
    };
    store.readers.read(read).await
}

/// The sentence for an import in the way of another.
fn another(export: ExportId) -> StoreError {
    let what = format!(
        "an unfinished import (of export {}); run it again to its end, or give it up with `postrider import --discard`; it",
        export.0
    );
    StoreError::Exists { what }
}

pub(super) async fn import(store: &SqliteStore, export: ExportId, number: u64, chunk: Vec<Portable>) -> Result<()> {
    let bytes = chunk.iter().map(Portable::bytes).sum();
    let keys = store.tenants.keys.clone();
    let write = move |tx: &mut WriteTx<'_>| {
        let mut numbers = match unfinished(tx.conn)? {
            Some((id, numbers)) if id == export => numbers,
            Some((id, _)) => return Err(another(id).into()),
            None if number == 0 => ImportNumbers::reserve(tx)?,
            None => ImportNumbers::default(),
        };
        if numbers.chunks.unsigned_abs() != number {
            let reason = format!("part {number} of the import does not follow part {}", numbers.chunks);
            return Err(StoreError::Unavailable { reason }.into());
        }
        apply(tx, &keys, &mut numbers, &chunk)?;
        numbers.chunks += 1;
        Ok(note_unfinished(tx.conn, export, numbers)?)
    };
    store.writer.write(bytes, write).await
}

pub(super) async fn finish(store: &SqliteStore, export: ExportId) -> Result<bool> {
    let write = move |tx: &mut WriteTx<'_>| {
        match unfinished(tx.conn)? {
            Some((id, _)) if id == export => {}
            Some((id, _)) => return Err(another(id).into()),
            None if meta(tx.conn, &finished(export))?.is_some() => return Ok(true),
            // An export without rows.
            None => {}
        }
        refuse_taken_ids(tx)?;
        let show = "UPDATE organizations SET deleted = 0 WHERE deleted = ?";
        tx.conn.prepare_cached(show)?.execute([IMPORTING])?;
        let is_key_taken = take_operator_key(tx)?;
        forget_unfinished(tx)?;
        set_meta(tx.conn, &finished(export), &[])?;
        Ok(is_key_taken)
    };
    store.writer.write(FINISH_BYTES, write).await
}

/// Another organisation may have come under the same id since.
fn refuse_taken_ids(tx: &WriteTx<'_>) -> Result<(), Fault> {
    let sql = "SELECT i.id FROM organizations i JOIN organizations o ON o.id = i.id AND o.deleted = 0 WHERE i.deleted = ? LIMIT 1";
    let taken: Option<String> = tx.conn.prepare_cached(sql)?.query_row([IMPORTING], |row| row.get(0)).optional()?;
    taken.map_or(Ok(()), |id| Err(StoreError::Exists { what: format!("organization {id}") }.into()))
}

/// The operator key comes along unless there is one already. Whether the one that counts now is the one that came.
fn take_operator_key(tx: &WriteTx<'_>) -> Result<bool, Fault> {
    let Some(brought) = meta(tx.conn, OPERATOR_KEY_BROUGHT)? else { return Ok(true) };
    match meta(tx.conn, OPERATOR_KEY)? {
        Some(kept) => Ok(kept == brought),
        None => set_meta(tx.conn, OPERATOR_KEY, &brought).map(|()| true).map_err(Fault::Sql),
    }
}

fn forget_unfinished(tx: &WriteTx<'_>) -> rusqlite::Result<()> {
    let forget = "DELETE FROM meta WHERE name IN (?, ?)";
    tx.conn.prepare_cached(forget)?.execute([UNFINISHED, OPERATOR_KEY_BROUGHT])?;
    Ok(())
}

/// What came so far is as if its organisations had been deleted.
pub(super) async fn discard(store: &SqliteStore) -> Result<bool> {
    let write = move |tx: &mut WriteTx<'_>| {
        if unfinished(tx.conn)?.is_none() {
            return Ok(false);
        }
        loop {
            let find = "SELECT no FROM organizations WHERE deleted = ? LIMIT 1";
            let found = tx.conn.prepare_cached(find)?.query_row([IMPORTING], |row| row.get(0)).optional()?;
            let Some(org_no) = found else { break };
            organizations::bury(tx, org_no)?;
        }
        forget_unfinished(tx)?;
        Ok(true)
    };
    store.writer.write(FINISH_BYTES, write).await
}

/// Notes a hash that counts once the import is finished.
pub(super) fn bring_operator_key(tx: &WriteTx<'_>, hash: &[u8; 32]) -> rusqlite::Result<()> {
    set_meta(tx.conn, OPERATOR_KEY_BROUGHT, hash)
}

/// The number of an organisation that this import made.
pub(super) fn org_no(tx: &WriteTx<'_>, id: &str) -> Result<Option<i64>, Fault> {
    let sql = "SELECT no FROM organizations WHERE id = ? AND deleted = ?";
    Ok(tx.conn.prepare_cached(sql)?.query_row(params![id, IMPORTING], |row| row.get(0)).optional()?)
}
