//! Which events are about which record.
//!
//! Records come in no order, so that an index by record has each event change a page of its own, which costs more than the event itself. New
//! entries are therefore *fresh* first, in the order of events, and merged into the index many at a time, sorted, a few with each group: then
//! one page takes several. Looking up a record looks through both.

use std::collections::VecDeque;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::reader::uuid_at;
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{
    FRESH_RESOURCES_CROWDED, FRESH_RESOURCES_MAX, MERGED_A_GROUP_CROWDED_SHARE, MERGED_A_GROUP_MAX, MERGED_A_GROUP_MIN,
};

/// Keys of events that may be about a record, newest first, between two keys, both excluded.
pub(super) fn keys_about(
    conn: &Connection,
    hash: i64,
    above: Uuid,
    below: Uuid,
    limit: usize,
) -> Result<Vec<Uuid>, Fault> {
    let sql = "SELECT key FROM (SELECT key FROM event_resources WHERE hash = ?1 AND key > ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4)
               UNION
               SELECT key FROM (SELECT key FROM fresh_resources WHERE hash = ?1 AND key > ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4)
               ORDER BY 1 DESC LIMIT ?4";
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(sql)?;
    let values = params![hash, above.as_bytes(), below.as_bytes(), most];
    let keys = statement.query_map(values, |row| uuid_at(row, 0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Forgets that an event is about a record.
pub(super) fn forget(conn: &Connection, hash: i64, event_no: i64, key: Uuid) -> rusqlite::Result<()> {
    let merged = "DELETE FROM event_resources WHERE hash = ? AND key = ?";
    conn.prepare_cached(merged)?.execute(params![hash, key.as_bytes()])?;
    let fresh = "DELETE FROM fresh_resources WHERE event_no = ? AND hash = ?";
    conn.prepare_cached(fresh)?.execute([event_no, hash])?;
    Ok(())
}

/// One entry by hash and event, sorted so.
type Entry = (i64, i64);

/// Entries to be merged or removed for each one that is added. Each entry is merged once and removed once, so that a merge ends after half as
/// many new ones have come as it began with: what is fresh never grows from merge to merge.
const OWED_AN_ENTRY: usize = 4;

/// The writer's memory of what is fresh, and how far a merge has come.
#[derive(Default)]
pub(super) struct FreshResources {
    fresh: Vec<Entry>,
    /// Sorted; what was merged already has left the front.
    merging: VecDeque<Entry>,
    /// How many entries the merge began with.
    merging_count: usize,
    /// Entries up to this event are merged and still among the fresh.
    merged_upto: Option<i64>,
    /// Entries added since the last group.
    added: usize,
    /// What a merge owes after groups that added more than one group may merge.
    owed: usize,
    /// How many were fresh when the group began; none once the group has merged.
    before_group: Option<usize>,
}

impl FreshResources {
    /// Reads what an earlier process, or a transaction that was undone, left.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut statement = conn.prepare_cached("SELECT hash, event_no FROM fresh_resources ORDER BY event_no")?;
        let entries = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(FreshResources { fresh: entries.collect::<rusqlite::Result<_>>()?, ..FreshResources::default() })
    }

    /// Notes what there is when a transaction begins.
    pub(super) fn begin_group(&mut self) {
        self.before_group = Some(self.fresh.len());
    }

    /// Goes back to what there was when the transaction began, now that it is undone. A merge goes on where it was: it would begin anew,
    /// and never end, if every undone group took it back.
    pub(super) fn undo_group(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        match self.before_group {
            Some(count) => {
                self.fresh.truncate(count);
                self.added = 0;
            }
            None => *self = FreshResources::read(conn)?,
        }
        Ok(())
    }

    pub(super) fn add(&mut self, conn: &Connection, hash: i64, event_no: i64, key: Uuid) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO fresh_resources (event_no, hash, key) VALUES (?, ?, ?)";
        conn.prepare_cached(sql)?.execute(params![event_no, hash, key.as_bytes()])?;
        self.fresh.push((hash, event_no));
        self.added += 1;
        Ok(())
    }

    /// Merges a few entries, or removes a few that are merged, in step with those that are added.
    pub(super) fn merge_some(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.before_group = None;
        let added = std::mem::take(&mut self.added);
        if self.merged_upto.is_none() && self.merging.is_empty() {
            if self.fresh.len() >= FRESH_RESOURCES_MAX {
                self.fresh.sort_unstable();
                self.merging = std::mem::take(&mut self.fresh).into();
                self.merging_count = self.merging.len();
                self.owed = 0;
            }
            return Ok(());
        }
        let some = self.share_of_group(added);
        match self.merged_upto {
            Some(upto) => self.remove_merged(conn, upto, some),
            None => self.merge(conn, some),
        }
    }

    /// How many entries this group merges or removes. What one group does not manage, the next ones do.
    fn share_of_group(&mut self, added: usize) -> usize {
        self.owed += OWED_AN_ENTRY * added;
        // No load is so heavy for so long that a merge does not catch up with it.
        let crowded = self.merging_count.saturating_sub(FRESH_RESOURCES_CROWDED) / MERGED_A_GROUP_CROWDED_SHARE;
        let some = self.owed.clamp(MERGED_A_GROUP_MIN, MERGED_A_GROUP_MAX).max(crowded);
        self.owed = self.owed.saturating_sub(some);
        some
    }

    fn remove_merged(&mut self, conn: &Connection, upto: i64, some: usize) -> rusqlite::Result<()> {
        let sql = "DELETE FROM fresh_resources WHERE (event_no, hash) IN
                   (SELECT event_no, hash FROM fresh_resources WHERE event_no <= ? ORDER BY event_no, hash LIMIT ?)";
        let most = i64::try_from(some).unwrap_or(i64::MAX);
        if conn.prepare_cached(sql)?.execute([upto, most])? < some {
            self.merged_upto = None;
        }
        Ok(())
    }

    fn merge(&mut self, conn: &Connection, some: usize) -> rusqlite::Result<()> {
        // An event may have been dropped since: then it is no longer among the fresh, and must not come back.
        let sql = "INSERT OR IGNORE INTO event_resources (hash, key)
                   SELECT hash, key FROM fresh_resources WHERE event_no = ?2 AND hash = ?1";
        let mut statement = conn.prepare_cached(sql)?;
        for entry in self.merging.drain(..some.min(self.merging.len())) {
            statement.execute(entry)?;
        }
        if self.merging.is_empty() {
            self.merged_upto = self.newest_merged(conn)?;
        }
        Ok(())
    }

    /// The newest event that was merged: the one before the first that was added since.
    fn newest_merged(&self, conn: &Connection) -> rusqlite::Result<Option<i64>> {
        if let Some((_, event_no)) = self.fresh.first() {
            return Ok(Some(event_no - 1));
        }
        conn.prepare_cached("SELECT max(event_no) FROM fresh_resources")?.query_row([], |row| row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema/001.sql")).unwrap();
        conn
    }

    fn count(conn: &Connection, table: &str) -> usize {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u32>(0)).unwrap() as usize
    }

    #[test]
    fn every_entry_is_found_at_every_moment_of_a_merge() {
        let conn = tables();
        let mut fresh = FreshResources::default();
        let key = |i: i64| Uuid::from_u128(u128::from(i.unsigned_abs()));
        let last = i64::try_from(FRESH_RESOURCES_MAX + 5_000).unwrap();
        for event_no in 1..=last {
            fresh.add(&conn, event_no % 7, event_no, key(event_no)).unwrap();
            if event_no % 100 == 0 {
                fresh.merge_some(&conn).unwrap();
            }
            if event_no % 3_000 == 0 {
                let found = keys_about(&conn, 3, Uuid::nil(), Uuid::max(), 100_000).unwrap();
                let expected: Vec<_> = (1..=event_no).rev().filter(|i| i % 7 == 3).map(key).collect();
                assert_eq!(found, expected);
            }
        }
        for _ in 0..1_000 {
            fresh.merge_some(&conn).unwrap();
        }
        let (merged, still_fresh) = (count(&conn, "event_resources"), count(&conn, "fresh_resources"));
        assert_eq!(merged + still_fresh, usize::try_from(last).unwrap());
        assert!(still_fresh < FRESH_RESOURCES_MAX, "{still_fresh}");
    }

    #[test]
    fn an_entry_dropped_in_the_middle_of_a_merge_does_not_come_back() {
        let conn = tables();
        let mut fresh = FreshResources::default();
        for event_no in 1..=i64::try_from(FRESH_RESOURCES_MAX + 1).unwrap() {
            fresh.add(&conn, -event_no, event_no, Uuid::from_u128(9)).unwrap();
        }
        fresh.merge_some(&conn).unwrap();
        forget(&conn, -5, 5, Uuid::from_u128(9)).unwrap();
        let mut again = FreshResources::read(&conn).unwrap();
        for _ in 0..10_000 {
            again.merge_some(&conn).unwrap();
        }
        assert_eq!(count(&conn, "event_resources"), FRESH_RESOURCES_MAX);
        assert!(keys_about(&conn, -5, Uuid::nil(), Uuid::max(), 9).unwrap().is_empty());
    }

    /// Drives groups of so many events, every `every`th with a record; the most that were fresh, and the most that one group merged.
    fn most_fresh(groups: impl Iterator<Item = usize>, every: i64) -> (usize, usize) {
        let conn = tables();
        let mut fresh = FreshResources::default();
        let (mut event_no, mut fresh_max, mut merged_max, mut merged) = (0, 0, 0, 0);
        for events in groups {
            fresh.begin_group();
            for _ in 0..events {
                event_no += 1;
                if event_no % every == 0 {
                    let hash = event_no.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
                    fresh.add(&conn, hash, event_no, Uuid::from_u128(u128::from(event_no.unsigned_abs()))).unwrap();
                }
            }
            fresh.merge_some(&conn).unwrap();
            let merged_before = std::mem::replace(&mut merged, count(&conn, "event_resources"));
            merged_max = merged_max.max(merged - merged_before);
            fresh_max = fresh_max.max(count(&conn, "fresh_resources"));
        }
        (fresh_max, merged_max)
    }

    #[test]
    fn what_is_fresh_stays_bounded_when_half_of_the_events_have_a_record() {
        let (fresh_max, _) = most_fresh(std::iter::repeat_n(2_000, 200), 2);
        assert!(fresh_max < 2 * FRESH_RESOURCES_MAX, "{fresh_max}");
    }

    #[test]
    fn what_is_fresh_stays_bounded_in_bursts_and_no_group_merges_all_of_it() {
        let bursts = (0..400).map(|group| if group % 20 == 0 { 10_000 } else { 50 });
        let (fresh_max, merged_max) = most_fresh(bursts, 1);
        assert!(fresh_max < 3 * FRESH_RESOURCES_MAX, "{fresh_max}");
        assert!(merged_max <= MERGED_A_GROUP_MAX, "{merged_max}");
    }

    #[test]
    fn a_load_above_what_a_group_usually_merges_is_caught_up_with() {
        let mut fresh = FreshResources { merging_count: FRESH_RESOURCES_CROWDED, ..FreshResources::default() };
        assert_eq!(fresh.share_of_group(1_000_000), MERGED_A_GROUP_MAX);
        fresh.merging_count += 1_000_000;
        assert!(fresh.share_of_group(0) > MERGED_A_GROUP_MAX);
    }

    #[test]
    fn an_undone_group_does_not_take_a_merge_back() {
        let conn = tables();
        let mut fresh = FreshResources::default();
        for event_no in 1..=i64::try_from(FRESH_RESOURCES_MAX).unwrap() {
            fresh.add(&conn, -event_no, event_no, Uuid::from_u128(9)).unwrap();
        }
        for round in 0..2_000 {
            fresh.begin_group();
            fresh.merge_some(&conn).unwrap();
            fresh.begin_group();
            conn.execute_batch("BEGIN").unwrap();
            fresh.add(&conn, 1, i64::from(1_000_000 + round), Uuid::from_u128(8)).unwrap();
            conn.execute_batch("ROLLBACK").unwrap();
            fresh.undo_group(&conn).unwrap();
        }
        assert_eq!((count(&conn, "fresh_resources"), count(&conn, "event_resources")), (0, FRESH_RESOURCES_MAX));
    }
}
