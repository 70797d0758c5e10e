//! Lists of deliveries, open and ended, and one of them with its attempts.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{DeliveryId, DeliveryStatus, EndpointId, Millis, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SqliteStore;
use super::delivery_rows::{DeliveryRow, RowState, by_id, enrich, event_key, is_deleted};
use super::events::{by_key, word_no};
use super::reader::Reader;
use super::related::related;
use super::rows::{ATTEMPT_COLUMNS, attempt_row};
use super::scan::{Scan, next_of};
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{Attempt, Delivery, DeliveryDetail, DeliveryFilter, Event, PageOf, PageRequest};
use crate::rows::{AttemptRow, is_within, key_range};

pub(super) async fn list(
    store: &SqliteStore,
    organization: &OrganizationId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<PageOf<Delivery>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (org_no, filter) = (tenant.no, filter.clone());
    store.readers.read(move |reader| read_page(reader, org_no, &filter, page)).await
}

fn read_page(
    reader: &mut Reader,
    org_no: i64,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<PageOf<Delivery>, Fault> {
    let conn = &reader.conn;
    let Some(mut wanted) = Wanted::new(conn, org_no, filter)? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (lowest, before) = key_range(filter.since, filter.until, page.before);
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let found = if filter.event.is_some() || filter.resource.is_some() {
        let related = related(conn, org_no, filter, before, limit)?;
        let mut ids = related.ids.into_iter().filter(|id| *id > lowest);
        let mut found = wanted.page(conn, limit, || next_by_id(conn, org_no, &mut ids))?;
        found.next = found.next.or(related.more_before);
        found
    } else {
        let mut scans = Vec::with_capacity(2);
        if filter.status.is_none_or(|status| status == DeliveryStatus::Pending) {
            scans.push(Scan::open(conn, org_no, wanted.endpoint_no, lowest, before)?);
        }
        if filter.status != Some(DeliveryStatus::Pending) {
            scans.push(Scan::ended(org_no, wanted.endpoint_no, lowest, before));
        }
        wanted.page(conn, limit, || next_of(conn, &mut scans))?
    };
    let rows = found.rows.into_iter().map(|row| enrich(reader, org_no, row)).collect::<Result<_, _>>()?;
    Ok(PageOf { rows, next: found.next })
}

/// The next of these ids that there is.
fn next_by_id(
    conn: &Connection,
    org_no: i64,
    ids: &mut impl Iterator<Item = Uuid>,
) -> Result<Option<DeliveryRow>, Fault> {
    for id in ids {
        if let Some(row) = by_id(conn, org_no, id)? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// A filter in the numbers that rows hold.
struct Wanted {
    endpoint_no: Option<i64>,
    type_no: Option<i64>,
    status: Option<DeliveryStatus>,
    since: Option<Millis>,
    until: Option<Millis>,
    test: Option<bool>,
    status_code: Option<u16>,
    /// Which of the endpoints met on the way were deleted.
    deleted: HashMap<i64, bool>,
}

impl Wanted {
    /// None when no row can pass.
    fn new(conn: &Connection, org_no: i64, filter: &DeliveryFilter) -> Result<Option<Self>, Fault> {
        let mut wanted = Wanted {
            endpoint_no: None,
            type_no: None,
            status: filter.status,
            since: filter.since,
            until: filter.until,
            test: filter.test,
            status_code: filter.status_code,
            deleted: HashMap::new(),
        };
        if let Some(id) = filter.endpoint {
            // A deleted endpoint's history is still shown.
            let sql = "SELECT no FROM endpoints WHERE id = ? AND org_no = ?";
            let key = params![id.0.as_bytes(), org_no];
            wanted.endpoint_no = conn.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
            if wanted.endpoint_no.is_none() {
                return Ok(None);
            }
        }
        if let Some(text) = &filter.event_type {
            wanted.type_no = word_no(conn, text)?;
            if wanted.type_no.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(wanted))
    }

    fn accepts(&mut self, conn: &Connection, row: &DeliveryRow) -> Result<bool, Fault> {
        let passes = self.endpoint_no.is_none_or(|no| no == row.endpoint_no)
            && self.type_no.is_none_or(|no| no == row.type_no)
            && self.status.is_none_or(|status| status == row.state.status())
            && self.test.is_none_or(|test| test == row.test)
            && self.status_code.is_none_or(|code| Some(code) == row.last_status_code)
            && is_within(row.created_at, self.since, self.until);
        if !passes || matches!(row.state, RowState::Ended { .. }) {
            return Ok(passes);
        }
        if let Some(deleted) = self.deleted.get(&row.endpoint_no) {
            return Ok(!deleted);
        }
        let deleted = is_deleted(conn, row.endpoint_no)?;
        self.deleted.insert(row.endpoint_no, deleted);
        Ok(!deleted)
    }

    /// Takes rows, newest first, until the page is full or enough of them were examined.
    fn page(
        &mut self,
        conn: &Connection,
        limit: usize,
        mut next: impl FnMut() -> Result<Option<DeliveryRow>, Fault>,
    ) -> Result<PageOf<DeliveryRow>, Fault> {
        let mut rows: Vec<DeliveryRow> = Vec::new();
        for _ in 0..LIST_ROWS_EXAMINED_MAX - 1 {
            let Some(row) = next()? else { return Ok(PageOf { rows, next: None }) };
            if !self.accepts(conn, &row)? {
                continue;
            }
            if rows.len() == limit {
                let next = rows.last().map(|row| row.id);
                return Ok(PageOf { rows, next });
            }
            rows.push(row);
        }
        let Some(last) = next()? else { return Ok(PageOf { rows, next: None }) };
        let next = Some(last.id);
        if rows.len() < limit && self.accepts(conn, &last)? {
            rows.push(last);
            return Ok(PageOf { rows, next });
        }
        let next = if rows.len() == limit { rows.last().map(|row| row.id) } else { next };
        Ok(PageOf { rows, next })
    }
}

pub(super) async fn get(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: DeliveryId,
) -> Result<Option<DeliveryDetail>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let org_no = tenant.no;
    let read = move |reader: &mut Reader| {
        let Some(row) = by_id(&reader.conn, org_no, id.0)? else { return Ok(None) };
        let key = event_key(&reader.conn, &row.state)?;
        let event = by_key(reader, org_no, key)?;
        let attempts = match row.last_attempt_no {
            Some(last_no) => shown_attempts(&reader.conn, row.endpoint_no, last_no)?,
            None => Vec::new(),
        };
        Ok(Some((enrich(reader, org_no, row)?, event, attempts)))
    };
    let Some((delivery, event, attempts)) = store.readers.read(read).await? else { return Ok(None) };
    Ok(Some(DeliveryDetail {
        delivery,
        event: event.map(|row| row.open(tenant.sealer()).map(Arc::new)).transpose()?,
        attempts: attempts.into_iter().rev().map(|row| row.open(tenant.sealer())).collect::<Result<_>>()?,
    }))
}

pub(super) async fn last_attempts(
    store: &SqliteStore,
    organization: &OrganizationId,
    deliveries: &[(DeliveryId, EndpointId)],
) -> Result<Vec<(DeliveryId, Attempt)>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Vec::new()) };
    let (org_no, ids): (_, Vec<_>) = (tenant.no, deliveries.iter().map(|(id, _)| *id).collect());
    let read = move |reader: &mut Reader| {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(row) = by_id(&reader.conn, org_no, id.0)? else { continue };
            let Some(no) = row.last_attempt_no else { continue };
            found.extend(last_attempt(&reader.conn, row.endpoint_no, no)?.map(|attempt| (id, attempt)));
        }
        Ok(found)
    };
    let found = store.readers.read(read).await?;
    found.into_iter().map(|(id, row)| Ok((id, row.open(tenant.sealer())?))).collect()
}

fn last_attempt(conn: &Connection, endpoint_no: i64, no: i64) -> Result<Option<AttemptRow>, Fault> {
    let sql = format!("SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE no = ?");
    let found = conn.prepare_cached(&sql)?.query_row([no], attempt_row).optional()?;
    let Some((_, row)) = found else { return Ok(None) };
    Ok(Some(if is_deleted(conn, endpoint_no)? { row.erased() } else { row }))
}

pub(super) async fn event_of(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: DeliveryId,
) -> Result<Option<Arc<Event>>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let org_no = tenant.no;
    let read = move |reader: &mut Reader| {
        let Some(row) = by_id(&reader.conn, org_no, id.0)? else { return Ok(None) };
        let key = event_key(&reader.conn, &row.state)?;
        by_key(reader, org_no, key)
    };
    store.readers.read(read).await?.map(|row| row.open(tenant.sealer()).map(Arc::new)).transpose()
}

/// Those of a deleted endpoint have no text any more.
pub(super) fn shown_attempts(conn: &Connection, endpoint_no: i64, last_no: i64) -> Result<Vec<AttemptRow>, Fault> {
    let found = attempts(conn, last_no)?;
    if is_deleted(conn, endpoint_no)? { Ok(found.into_iter().map(AttemptRow::erased).collect()) } else { Ok(found) }
}

/// Attempts from the last one backwards; those before retention's end are no more.
fn attempts(conn: &Connection, last_no: i64) -> Result<Vec<AttemptRow>, Fault> {
    let sql = format!("SELECT {} FROM attempts WHERE no = ?", ATTEMPT_COLUMNS);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    let mut next_no = Some(last_no);
    while let Some(no) = next_no
        && found.len() < DeliveryDetail::ATTEMPTS_MAX
        && let Some((prev_no, row)) = statement.query_row([no], attempt_row).optional()?
    {
        next_no = prev_no;
        found.push(row);
    }
    Ok(found)
}
