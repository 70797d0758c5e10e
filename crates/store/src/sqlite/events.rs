//! Lists of events, and one of them.

use std::sync::Arc;

use postrider_domain::{EventId, OrganizationId, decode_id};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SqliteStore;
use super::reader::{Reader, uuid_at};
use super::resources::keys_about;
use super::rows::{EVENT_COLUMNS, event_row, millis_at};
use super::tenants::Tenant;
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{EVENTS_PAGE_BYTES_MAX, LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{EventDetail, EventFilter, PageOf, PageRequest};
use crate::rows::{EventRow, is_about, is_within, key_range, record_hash};

/// Events of a record that are looked up at once.
const CHUNK_KEYS: usize = 256;

pub(super) async fn list(
    store: &SqliteStore,
    organization: &OrganizationId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<PageOf<Arc<EventDetail>>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (org_no, filter) = (tenant.no, filter.clone());
    let found = store.readers.read(move |reader| read_page(reader, org_no, &filter, page)).await?;
    let rows = found.rows.into_iter().map(|row| detail(row, &tenant).map(Arc::new)).collect::<Result<_>>()?;
    Ok(PageOf { rows, next: found.next })
}

fn detail(row: EventRow, tenant: &Tenant) -> Result<EventDetail> {
    let deliveries_count = row.deliveries_count;
    Ok(EventDetail { event: Arc::new(row.open(tenant.sealer())?), deliveries_count })
}

/// The number of a type that some row has; none when no row can have it.
pub(super) fn word_no(conn: &Connection, text: &str) -> Result<Option<i64>, Fault> {
    let sql = "SELECT no FROM words WHERE text = ?";
    Ok(conn.prepare_cached(sql)?.query_row([text], |row| row.get(0)).optional()?)
}

fn read_page(
    reader: &mut Reader,
    org_no: i64,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<PageOf<EventRow>, Fault> {
    let type_no = match &filter.event_type {
        None => None,
        Some(text) => match word_no(&reader.conn, text)? {
            Some(no) => Some(no),
            None => return Ok(PageOf { rows: Vec::new(), next: None }),
        },
    };
    let found = find_page(&reader.conn, org_no, filter, type_no, page)?;
    let mut rows = Vec::with_capacity(found.rows.len());
    let mut bytes = 0;
    for (event_no, key) in &found.rows {
        let sql = format!("SELECT {} FROM events WHERE no = ?", EVENT_COLUMNS);
        let (type_no, mut row) = reader.conn.prepare_cached(&sql)?.query_row([event_no], event_row)?;
        row.event_type = reader.word(type_no)?;
        bytes += row.sealed.len();
        rows.push(row);
        if bytes >= EVENTS_PAGE_BYTES_MAX {
            let is_last = found.next.is_none() && rows.len() == found.rows.len();
            return Ok(PageOf { rows, next: if is_last { None } else { Some(*key) } });
        }
    }
    Ok(PageOf { rows, next: found.next })
}

/// Which events are on the page, by number and key.
fn find_page(
    conn: &Connection,
    org_no: i64,
    filter: &EventFilter,
    type_no: Option<i64>,
    page: PageRequest,
) -> Result<PageOf<(i64, Uuid)>, Fault> {
    let (lowest, before) = key_range(filter.since, filter.until, page.before);
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let mut pick = Pick { filter, type_no, limit, found: Vec::new(), examined: 0 };
    if let Some((kind, id)) = &filter.resource {
        let hash = record_hash(org_no, kind, id);
        let mut below = before;
        loop {
            let keys = keys_about(conn, hash, lowest, below, CHUNK_KEYS)?;
            let Some(oldest) = keys.last() else { return Ok(pick.end(None)) };
            below = *oldest;
            let sql = "SELECT no, key, type_no, accepted_at, test, resource FROM events WHERE org_no = ? AND key = ?";
            let mut statement = conn.prepare_cached(sql)?;
            for key in keys {
                let mut rows = statement.query(params![org_no, key.as_bytes()])?;
                if let Some(row) = rows.next()?
                    && pick.is_full_with(row)?
                {
                    return Ok(pick.end(Some(key)));
                }
            }
        }
    }
    let sql = "SELECT no, key, type_no, accepted_at, test FROM events
               WHERE org_no = ? AND key < ? AND key > ? ORDER BY key DESC";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![org_no, before.as_bytes(), lowest.as_bytes()])?;
    while let Some(row) = rows.next()? {
        if pick.is_full_with(row)? {
            let key = uuid_at(row, 1)?;
            return Ok(pick.end(Some(key)));
        }
    }
    Ok(pick.end(None))
}

/// The page while it is picked.
struct Pick<'a> {
    filter: &'a EventFilter,
    type_no: Option<i64>,
    limit: usize,
    found: Vec<(i64, Uuid)>,
    examined: usize,
}

impl Pick<'_> {
    /// Takes a row if it passes: number, key, type, time, test, and the resource where that is asked for. True when nothing more fits or
    /// enough was examined.
    fn is_full_with(&mut self, row: &rusqlite::Row<'_>) -> Result<bool, Fault> {
        let filter = self.filter;
        let passes = self.type_no.is_none_or(|no| row.get(2) == Ok(no))
            && is_within(millis_at(row, 3)?, filter.since, filter.until)
            && !row.get::<_, bool>(4)?;
        let passes = match &filter.resource {
            Some(about) if passes => is_about(row.get::<_, Option<Vec<u8>>>(5)?.as_deref(), about)?,
            _ => passes,
        };
        if passes && self.found.len() == self.limit {
            return Ok(true);
        }
        if passes {
            self.found.push((row.get(0)?, uuid_at(row, 1)?));
        }
        self.examined += 1;
        Ok(self.examined == LIST_ROWS_EXAMINED_MAX)
    }

    /// The page, when it ended at this key, or at the end of all.
    fn end(self, at: Option<Uuid>) -> PageOf<(i64, Uuid)> {
        let is_cut = self.examined < LIST_ROWS_EXAMINED_MAX;
        let last = self.found.last().map(|(_, key)| *key);
        let next = at.and_then(|at| if is_cut { last } else { Some(at) });
        PageOf { rows: self.found, next }
    }
}

pub(super) async fn get(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: &EventId,
) -> Result<Option<EventDetail>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let (org_no, id) = (tenant.no, id.clone());
    let read = move |reader: &mut Reader| match key_of(&reader.conn, org_no, &id)? {
        Some(key) => by_key(reader, org_no, key),
        None => Ok(None),
    };
    store.readers.read(read).await?.map(|row| detail(row, &tenant)).transpose()
}

/// The key that an id stands for: what a caller's choice names, else the key inside. There may be no such event.
pub(super) fn key_of(conn: &Connection, org_no: i64, id: &EventId) -> Result<Option<Uuid>, Fault> {
    let sql = "SELECT key FROM event_ids WHERE org_no = ? AND id = ?";
    let mut statement = conn.prepare_cached(sql)?;
    let chosen = statement.query_row(params![org_no, id.as_str()], |row| uuid_at(row, 0)).optional()?;
    Ok(chosen.or_else(|| decode_id("evt", id.as_str()).ok()))
}

/// The event with this key.
pub(super) fn by_key(reader: &mut Reader, org_no: i64, key: Uuid) -> Result<Option<EventRow>, Fault> {
    let sql = format!("SELECT {} FROM events WHERE org_no = ? AND key = ?", EVENT_COLUMNS);
    let mut statement = reader.conn.prepare_cached(&sql)?;
    let found = statement.query_row(params![org_no, key.as_bytes()], event_row).optional()?;
    drop(statement);
    let Some((type_no, mut row)) = found else { return Ok(None) };
    row.event_type = reader.word(type_no)?;
    Ok(Some(row))
}
