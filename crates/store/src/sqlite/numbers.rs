//! The small numbers that rows hold instead of ids: read once, kept in memory, bounded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postrider_domain::EndpointId;
use rusqlite::{Connection, OptionalExtension};

use super::writer::Fault;
use crate::error::StoreError;
use crate::limits::NUMBERS_CACHED;
use crate::model::RevisionId;

/// The numbers that the writer has read, and those that it gives next.
pub(super) struct Numbers {
    organizations: HashSet<i64>,
    endpoints: HashMap<EndpointId, EndpointNumbers>,
    words: HashMap<Arc<str>, i64>,
    revisions: HashMap<RevisionId, i64>,
    pub(super) next: NextNumbers,
}

/// An endpoint that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndpointNumbers {
    pub(super) no: i64,
    pub(super) org_no: i64,
}

/// Row numbers are given here, so that rows can name each other before they are written, and none is given twice even when the newest
/// rows were dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextNumbers {
    pub(super) event: i64,
    pub(super) delivery: i64,
    pub(super) attempt: i64,
}

impl NextNumbers {
    /// Where the last process stopped.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let next = |table: &str| -> rusqlite::Result<i64> {
            let sql = format!("SELECT ifnull(max(no), 0) FROM {table}");
            let newest: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            let name = format!("dropped {table}");
            let dropped = meta_number(conn, &name)?.unwrap_or(0);
            Ok(newest.max(dropped) + 1)
        };
        Ok(NextNumbers { event: next("events")?, delivery: next("deliveries")?, attempt: next("attempts")? })
    }

    /// Takes a number note in the transaction that drops rows of `table`.
    pub(super) fn note_dropped(conn: &Connection, table: &str, newest_no: i64) -> rusqlite::Result<()> {
        let name = format!("dropped {table}");
        if meta_number(conn, &name)?.is_none_or(|noted| noted < newest_no) {
            set_meta(conn, &name, &newest_no.to_le_bytes())?;
        }
        Ok(())
    }

    pub(super) fn event(&mut self) -> i64 {
        take(&mut self.event)
    }

    pub(super) fn delivery(&mut self) -> i64 {
        take(&mut self.delivery)
    }

    pub(super) fn attempt(&mut self) -> i64 {
        take(&mut self.attempt)
    }
}

fn take(next: &mut i64) -> i64 {
    let no = *next;
    *next += 1;
    no
}

impl Numbers {
    pub(super) fn new(next: NextNumbers) -> Self {
        Numbers {
            organizations: HashSet::new(),
            endpoints: HashMap::new(),
            words: HashMap::new(),
            revisions: HashMap::new(),
            next,
        }
    }

    /// Forgets what may have been undone. Numbers that were given are not given again.
    pub(super) fn forget(&mut self) {
        *self = Numbers::new(self.next);
    }

    pub(super) fn forget_organization(&mut self, org_no: i64) {
        self.organizations.remove(&org_no);
        self.endpoints.retain(|_, numbers| numbers.org_no != org_no);
    }

    pub(super) fn forget_endpoint(&mut self, id: EndpointId) {
        self.endpoints.remove(&id);
    }

    /// Fails when the organisation was deleted since its number was read.
    pub(super) fn require_organization(&mut self, conn: &Connection, org_no: i64) -> Result<(), Fault> {
        if self.organizations.contains(&org_no) {
            return Ok(());
        }
        let sql = "SELECT 1 FROM organizations WHERE no = ? AND deleted = 0";
        if !conn.prepare_cached(sql)?.exists([org_no])? {
            return Err(StoreError::NotFound { what: "the organization".to_owned() }.into());
        }
        if self.organizations.len() >= NUMBERS_CACHED {
            self.organizations.clear();
        }
        self.organizations.insert(org_no);
        Ok(())
    }

    /// An endpoint of this organisation; none when there is none any more.
    pub(super) fn endpoint(&mut self, conn: &Connection, org_no: i64, id: EndpointId) -> Result<Option<i64>, Fault> {
        if let Some(numbers) = self.endpoints.get(&id) {
            return Ok((numbers.org_no == org_no).then_some(numbers.no));
        }
        let sql = "SELECT no, org_no FROM endpoints WHERE id = ? AND deleted = 0";
        let read = |row: &rusqlite::Row<'_>| Ok(EndpointNumbers { no: row.get(0)?, org_no: row.get(1)? });
        let Some(numbers) = conn.prepare_cached(sql)?.query_row([id.0.as_bytes()], read).optional()? else {
            return Ok(None);
        };
        remember(&mut self.endpoints, id, numbers);
        Ok((numbers.org_no == org_no).then_some(numbers.no))
    }

    /// The number of a text, which gets one when it is new.
    pub(super) fn word(&mut self, conn: &Connection, text: &Arc<str>) -> Result<i64, Fault> {
        if let Some(no) = self.words.get(text) {
            return Ok(*no);
        }
        let find = "SELECT no FROM words WHERE text = ?";
        let found = conn.prepare_cached(find)?.query_row([&**text], |row| row.get(0)).optional()?;
        let no = match found {
            Some(no) => no,
            None => conn.prepare_cached("INSERT INTO words (text) VALUES (?)")?.insert([&**text])?,
        };
        remember(&mut self.words, Arc::clone(text), no);
        Ok(no)
    }

    /// The number of a contract revision that was saved.
    pub(super) fn revision(&mut self, conn: &Connection, id: RevisionId) -> Result<i64, Fault> {
        if let Some(no) = self.revisions.get(&id) {
            return Ok(*no);
        }
        let find = "SELECT no FROM contract_revisions WHERE hash = ?";
        let found = conn.prepare_cached(find)?.query_row([id.0], |row| row.get(0)).optional()?;
        let no = found.ok_or_else(|| StoreError::NotFound { what: "the contract revision".to_owned() })?;
        remember(&mut self.revisions, id, no);
        Ok(no)
    }
}

fn remember<K: std::hash::Hash + Eq, V>(cache: &mut HashMap<K, V>, key: K, value: V) {
    if cache.len() >= NUMBERS_CACHED {
        cache.clear();
    }
    cache.insert(key, value);
}

/// Reads a value about the database itself.
pub(super) fn meta(conn: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

/// Writes a value about the database itself.
pub(super) fn set_meta(conn: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    conn.prepare_cached(sql)?.execute((name, value)).map(|_| ())
}

fn meta_number(conn: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    Ok(meta(conn, name)?.and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes))
}
