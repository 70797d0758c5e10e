//! Walks deliveries from the newest to the oldest, open and ended ones together, a chunk of each at a time.

use std::collections::VecDeque;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::delivery_rows::{DeliveryRow, ENDED_COLUMNS, OPEN_COLUMNS};
use super::writer::Fault;
use crate::error::Result;
use crate::limits::LIST_ROWS_EXAMINED_MAX;

/// Rows read at once.
const CHUNK_ROWS: usize = 128;

/// Where rows come from.
enum Source {
    OpenOfOrganization(i64),
    EndedOfOrganization(i64),
    EndedOfEndpoint(i64),
    /// All rows are in the buffer.
    Read,
}

/// Rows of one source, newest first.
pub(super) struct Scan {
    source: Source,
    buffer: VecDeque<DeliveryRow>,
    before: Uuid,
    lowest: Uuid,
    is_exhausted: bool,
}

impl Scan {
    /// Ended deliveries between two ids, both excluded.
    pub(super) fn ended(org_no: i64, endpoint_no: Option<i64>, lowest: Uuid, before: Uuid) -> Self {
        let source = endpoint_no.map_or(Source::EndedOfOrganization(org_no), Source::EndedOfEndpoint);
        Scan { source, buffer: VecDeque::new(), before, lowest, is_exhausted: false }
    }

    /// Open deliveries between two ids, both excluded. One endpoint's are ordered by due time: when they are few they are read and sorted,
    /// when they are many they are not rare among the organisation's.
    pub(super) fn open(
        conn: &Connection,
        org_no: i64,
        endpoint_no: Option<i64>,
        lowest: Uuid,
        before: Uuid,
    ) -> Result<Self, Fault> {
        let all = Scan {
            source: Source::OpenOfOrganization(org_no),
            buffer: VecDeque::new(),
            before,
            lowest,
            is_exhausted: false,
        };
        let Some(endpoint_no) = endpoint_no else { return Ok(all) };
        let most = i64::try_from(LIST_ROWS_EXAMINED_MAX).unwrap_or(i64::MAX);
        let count = "SELECT count(*) FROM (SELECT 1 FROM open_deliveries WHERE endpoint_no = ? LIMIT ?)";
        let count: i64 = conn.prepare_cached(count)?.query_row([endpoint_no, most], |row| row.get(0))?;
        if count == most {
            return Ok(all);
        }
        let sql = format!("SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE endpoint_no = ? AND id < ? AND id > ?");
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![endpoint_no, before.as_bytes(), lowest.as_bytes()])?;
        let mut read = Vec::new();
        while let Some(row) = rows.next()? {
            read.push(DeliveryRow::read_open(row)?);
        }
        read.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
        Ok(Scan { source: Source::Read, buffer: read.into(), before, lowest, is_exhausted: true })
    }

    fn newest(&mut self, conn: &Connection) -> Result<Option<Uuid>, Fault> {
        if self.buffer.is_empty() && !self.is_exhausted {
            self.fill(conn)?;
        }
        Ok(self.buffer.front().map(|row| row.id))
    }

    fn fill(&mut self, conn: &Connection) -> Result<(), Fault> {
        let (columns, rest, no) = match self.source {
            Source::OpenOfOrganization(no) => (OPEN_COLUMNS, "open_deliveries WHERE org_no", no),
            Source::EndedOfOrganization(no) => (ENDED_COLUMNS, "deliveries WHERE org_no", no),
            Source::EndedOfEndpoint(no) => (ENDED_COLUMNS, "deliveries WHERE endpoint_no", no),
            Source::Read => return Ok(()),
        };
        let sql = format!("SELECT {columns} FROM {rest} = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT {CHUNK_ROWS}");
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![no, self.before.as_bytes(), self.lowest.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let row = match self.source {
                Source::OpenOfOrganization(_) => DeliveryRow::read_open(row)?,
                _ => DeliveryRow::read_ended(row)?,
            };
            self.before = row.id;
            self.buffer.push_back(row);
        }
        self.is_exhausted = self.buffer.len() < CHUNK_ROWS;
        Ok(())
    }
}

/// The newest row of several sources.
pub(super) fn next_of(conn: &Connection, scans: &mut [Scan]) -> Result<Option<DeliveryRow>, Fault> {
    let mut newest: Option<(Uuid, usize)> = None;
    for (index, scan) in scans.iter_mut().enumerate() {
        let id = scan.newest(conn)?;
        newest = newest.max(id.map(|id| (id, index)));
    }
    Ok(newest.and_then(|(_, index)| scans[index].buffer.pop_front()))
}
