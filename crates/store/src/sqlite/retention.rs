//! Retention, in steps so small that commits hardly wait: what is old lies at the left end of each table.

use postrider_domain::{FailReason, Hour, Millis};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::SqliteStore;
use super::delivery_rows::is_deleted;
use super::ending::Place;
use super::numbers::NextNumbers;
use super::reader::uuid_at;
use super::related::split;
use super::writer::{Fault, WriteTx};
use super::{ending, overlaps, resources, sweep};
use crate::error::Result;
use crate::limits::{
    CHOSEN_ID_MS, IDEMPOTENCY_MS, RETENTION_LOOKUPS_A_ROW, RETENTION_UNIT_ROWS, RETENTION_WINDOW_ROWS,
};
use crate::model::RetentionStep;
use crate::rows::{record_hash, resource};

/// About what one row's removal writes.
const ROW_BYTES: usize = 512;
/// What a delivery's id takes in its event's row.
const DELIVERY_ID_BYTES: usize = 16;

pub(super) async fn retain(store: &SqliteStore, now: Millis, before: Millis, rows_max: usize) -> Result<RetentionStep> {
    store.running.expire(now);
    overlaps::end(store, now).await?;
    let mut done = RetentionStep::default();
    let mut rows_left = rows_max;
    // Several units instead of one, so that other callers' writes go between them.
    while rows_left > 0 {
        let rows = rows_left.min(RETENTION_UNIT_ROWS);
        let after = store.sweeps_seen.load(std::sync::atomic::Ordering::Relaxed);
        let write = move |tx: &mut WriteTx<'_>| {
            let mut unit = Unit { now, before, rows_left: rows, done: RetentionStep::default(), sweeps_seen: after };
            unit.run(tx)?;
            Ok((unit.done, unit.sweeps_seen))
        };
        let (step, seen) = store.writer.write(rows * ROW_BYTES, write).await?;
        store.sweeps_seen.store(seen, std::sync::atomic::Ordering::Relaxed);
        done.deliveries_expired += step.deliveries_expired;
        done.rows_dropped += step.rows_dropped;
        done.more = step.more;
        if !step.more {
            break;
        }
        rows_left -= rows;
    }
    Ok(done)
}

/// One unit's work and what it may still do.
pub(super) struct Unit {
    pub(super) now: Millis,
    before: Millis,
    pub(super) rows_left: usize,
    pub(super) done: RetentionStep,
    /// The last tombstone that was looked at, so that the next step looks at others.
    pub(super) sweeps_seen: i64,
}

impl Unit {
    /// Counts a dropped row.
    pub(super) fn dropped(&mut self) {
        self.done.rows_dropped += 1;
        self.rows_left = self.rows_left.saturating_sub(1);
    }

    /// Counts rows that were changed.
    pub(super) fn used(&mut self, rows: usize) {
        self.rows_left = self.rows_left.saturating_sub(rows);
    }

    /// Counts what a dropped event had written elsewhere, or had looked up: a unit is as small with many records or deliveries an event.
    fn had(&mut self, event: &OldEvent, records: usize) {
        let looked_up = event.deliveries.len() / DELIVERY_ID_BYTES / RETENTION_LOOKUPS_A_ROW;
        self.rows_left = self.rows_left.saturating_sub(records + looked_up);
    }

    fn run(&mut self, tx: &mut WriteTx<'_>) -> Result<(), Fault> {
        self.drop_events(tx)?;
        self.drop_aged(tx, "deliveries", "ended_at", self.before)?;
        self.drop_aged(tx, "attempts", "started_at", self.before)?;
        self.drop_aged(tx, "answers", "created_at", Millis(self.now.0.saturating_sub(IDEMPOTENCY_MS)))?;
        self.drop_late_ids(tx)?;
        self.drop_operations(tx)?;
        self.drop_hours(tx)?;
        sweep::run(self, tx)?;
        self.done.more = self.rows_left == 0;
        Ok(())
    }

    /// Rows of a table in which age is order. A few with a wrong time among them do not hide what lies behind them.
    fn drop_aged(&mut self, tx: &WriteTx<'_>, table: &str, column: &str, before: Millis) -> Result<(), Fault> {
        if self.rows_left == 0 {
            return Ok(());
        }
        let find = format!("SELECT no, {column} FROM {table} ORDER BY no LIMIT {RETENTION_WINDOW_ROWS}");
        let mut statement = tx.conn.prepare_cached(&find)?;
        let mut rows = statement.query([])?;
        let mut old = Vec::new();
        while old.len() < self.rows_left
            && let Some(row) = rows.next()?
        {
            if row.get::<_, i64>(1)? < before.0 {
                old.push(row.get::<_, i64>(0)?);
            }
        }
        let mut delete = tx.conn.prepare_cached(&format!("DELETE FROM {table} WHERE no = ?"))?;
        for no in &old {
            delete.execute([no])?;
            self.dropped();
        }
        if let Some(newest) = old.last() {
            NextNumbers::note_dropped(tx.conn, table, *newest)?;
        }
        Ok(())
    }

    /// An event goes once none of its deliveries is open; those that are too old fail first.
    fn drop_events(&mut self, tx: &mut WriteTx<'_>) -> Result<(), Fault> {
        let find = format!("SELECT {} FROM events ORDER BY no LIMIT {RETENTION_WINDOW_ROWS}", OldEvent::COLUMNS);
        let mut old = Vec::new();
        {
            let mut statement = tx.conn.prepare_cached(&find)?;
            let mut rows = statement.query([])?;
            while old.len() < self.rows_left
                && let Some(row) = rows.next()?
            {
                if row.get::<_, i64>(4)? < self.before.0 {
                    old.push(OldEvent::read(row)?);
                }
            }
        }
        for event in &old {
            // Rows are left here: an event counts what it had only once it is gone, so that each unit gets on.
            self.expire(tx, event)?;
            if self.rows_left == 0 {
                break;
            }
            self.drop_event(tx, event)?;
        }
        Ok(())
    }

    /// Removes an event.
    pub(super) fn drop_event(&mut self, tx: &WriteTx<'_>, event: &OldEvent) -> Result<(), Fault> {
        let records = event.drop(tx, self.now)?;
        NextNumbers::note_dropped(tx.conn, "events", event.no)?;
        self.dropped();
        self.had(event, records);
        Ok(())
    }

    /// Moves an event's open deliveries into history as failed.
    fn expire(&mut self, tx: &mut WriteTx<'_>, event: &OldEvent) -> Result<(), Fault> {
        for id in split(&event.deliveries) {
            let find = "SELECT endpoint_no, due_at FROM open_deliveries WHERE org_no = ? AND id = ?";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let key = params![event.org_no, id.as_bytes()];
            let found: Option<(i64, i64)> = tx.conn.prepare_cached(find)?.query_row(key, read).optional()?;
            let Some((endpoint_no, due_at)) = found else { continue };
            if self.rows_left == 0 {
                return Ok(());
            }
            let place = Place { org_no: event.org_no, endpoint_no, due_at, id };
            let reason =
                if is_deleted(tx.conn, endpoint_no)? { FailReason::EndpointDeleted } else { FailReason::Expired };
            self.done.deliveries_expired += u64::from(reason == FailReason::Expired);
            ending::fail(tx, place, reason, self.now)?;
            self.rows_left -= 1;
        }
        Ok(())
    }

    /// Operations that ended before retention.
    fn drop_operations(&mut self, tx: &WriteTx<'_>) -> Result<(), Fault> {
        let sql = "DELETE FROM operations WHERE no IN (SELECT no FROM operations WHERE ended_at < ? ORDER BY ended_at LIMIT ?)";
        let most = i64::try_from(self.rows_left).unwrap_or(i64::MAX);
        for _ in 0..tx.conn.prepare_cached(sql)?.execute([self.before.0, most])? {
            self.dropped();
        }
        Ok(())
    }

    /// What was counted in hours that were over by then.
    fn drop_hours(&mut self, tx: &WriteTx<'_>) -> Result<(), Fault> {
        let key = "org_no, endpoint_no, hour";
        let sql = format!(
            "DELETE FROM endpoint_hours WHERE ({key}) IN (
                 SELECT {key} FROM endpoint_hours WHERE hour < ? ORDER BY hour LIMIT ?)"
        );
        let most = i64::try_from(self.rows_left).unwrap_or(i64::MAX);
        for _ in 0..tx.conn.prepare_cached(&sql)?.execute([i64::from(Hour::of(self.before).0), most])? {
            self.dropped();
        }
        Ok(())
    }

    fn drop_late_ids(&mut self, tx: &WriteTx<'_>) -> Result<(), Fault> {
        let forgotten_at = self.now.0.saturating_sub(CHOSEN_ID_MS);
        while self.rows_left > 0 {
            let find = "SELECT no, org_no, id, key, accepted_at FROM event_ids_late ORDER BY no LIMIT 1";
            let read = |row: &rusqlite::Row<'_>| {
                let id: String = row.get(2)?;
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, id, uuid_at(row, 3)?, row.get::<_, i64>(4)?))
            };
            let found = tx.conn.prepare_cached(find)?.query_row([], read).optional()?;
            let Some((no, org_no, id, key, accepted_at)) = found else { return Ok(()) };
            if accepted_at > forgotten_at {
                return Ok(());
            }
            forget_id(tx, org_no, &id, key)?;
            tx.conn.prepare_cached("DELETE FROM event_ids_late WHERE no = ?")?.execute([no])?;
            self.dropped();
        }
        Ok(())
    }
}

/// Forgets a chosen id, unless it names a newer event by now.
fn forget_id(tx: &WriteTx<'_>, org_no: i64, id: &str, key: Uuid) -> Result<(), Fault> {
    let sql = "DELETE FROM event_ids WHERE org_no = ? AND id = ? AND key = ?";
    tx.conn.prepare_cached(sql)?.execute(params![org_no, id, key.as_bytes()])?;
    Ok(())
}

/// An event that is to be dropped.
pub(super) struct OldEvent {
    pub(super) no: i64,
    org_no: i64,
    key: Uuid,
    id: Option<String>,
    pub(super) accepted_at: i64,
    pub(super) deliveries: Vec<u8>,
    pub(super) resource: Option<Vec<u8>>,
}

impl OldEvent {
    pub(super) const COLUMNS: &'static str = "no, org_no, key, id, accepted_at, deliveries, resource";

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(OldEvent {
            no: row.get(0)?,
            org_no: row.get(1)?,
            key: uuid_at(row, 2)?,
            id: row.get(3)?,
            accepted_at: row.get(4)?,
            deliveries: row.get(5)?,
            resource: row.get(6)?,
        })
    }

    /// Removes it with what points at it, and returns with how many records it was indexed. An id chosen less than 72 hours ago is still
    /// remembered.
    pub(super) fn drop(&self, tx: &WriteTx<'_>, now: Millis) -> Result<usize, Fault> {
        if let Some(id) = &self.id {
            if self.accepted_at > now.0.saturating_sub(CHOSEN_ID_MS) {
                let sql = "INSERT INTO event_ids_late (org_no, id, key, accepted_at) VALUES (?, ?, ?, ?)";
                let values = params![self.org_no, id, self.key.as_bytes(), self.accepted_at];
                tx.conn.prepare_cached(sql)?.execute(values)?;
            } else {
                forget_id(tx, self.org_no, id, self.key)?;
            }
        }
        let records = self.forget_records(tx)?;
        tx.conn.prepare_cached("DELETE FROM events WHERE no = ?")?.execute([self.no])?;
        Ok(records)
    }

    /// Returns how many. An event whose record is damaged goes all the same, or nothing behind it ever would. What then stays in the index finds no event.
    fn forget_records(&self, tx: &WriteTx<'_>) -> Result<usize, Fault> {
        let Some(about) = self.resource.as_deref() else { return Ok(0) };
        let about = match resource(about) {
            Ok(about) => about,
            Err(error) => {
                tracing::warn!(event_no = self.no, %error, "an event is dropped without the index entries of its record");
                return Ok(0);
            }
        };
        for id in &about.ids {
            resources::forget(tx.conn, record_hash(self.org_no, &about.kind, id), self.no, self.key)?;
        }
        Ok(about.ids.len())
    }
}
