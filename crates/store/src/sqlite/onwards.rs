//! One endpoint's deliveries from the oldest to the newest, for a receiver that reads what it missed.

use postrider_domain::{EndpointId, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SqliteStore;
use super::claim::endpoint_no;
use super::delivery_rows::{DeliveryRow, ENDED_COLUMNS, OPEN_COLUMNS, enrich};
use super::reader::{Reader, uuid_at};
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{Delivery, PageOf};
use crate::rows::page_onwards;

pub(super) async fn list(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    after: Uuid,
    limit: usize,
) -> Result<PageOf<Delivery>> {
    let nothing = PageOf { rows: Vec::new(), next: None };
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(nothing) };
    let (org_no, limit) = (tenant.no, limit.min(PAGE_ROWS_MAX));
    let read = move |reader: &mut Reader| {
        let Some(endpoint_no) = endpoint_no(&reader.conn, org_no, endpoint)? else { return Ok(nothing) };
        let page = read_page(&reader.conn, org_no, endpoint_no, after, limit)?;
        let rows = page.rows.into_iter().map(|row| enrich(reader, org_no, row)).collect::<Result<_, _>>()?;
        Ok(PageOf { rows, next: page.next })
    };
    store.readers.read(read).await
}

fn read_page(
    conn: &Connection,
    org_no: i64,
    endpoint_no: i64,
    after: Uuid,
    limit: usize,
) -> Result<PageOf<DeliveryRow>, Fault> {
    let bound = bound(conn, org_no, endpoint_no, after)?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    // Of an endpoint with much open work the open ones are found by their ids among all of its organisation.
    let (by, no) = match bound {
        Some(_) => ("org_no = ?1 AND +endpoint_no", org_no),
        None => ("?1 > 0 AND endpoint_no", org_no),
    };
    let bound = bound.unwrap_or(Uuid::max());
    let open = format!(
        "SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE {by} = ?2 AND id > ?3 AND id <= ?4 AND test = 0 ORDER BY id LIMIT ?5"
    );
    let ended = format!(
        "SELECT {ENDED_COLUMNS} FROM deliveries WHERE endpoint_no = ? AND id > ? AND id <= ? AND test = 0 ORDER BY id LIMIT ?"
    );
    let mut found = Vec::new();
    let mut statement = conn.prepare_cached(&open)?;
    let mut rows = statement.query(params![no, endpoint_no, after.as_bytes(), bound.as_bytes(), most])?;
    while let Some(row) = rows.next()? {
        found.push(DeliveryRow::read_open(row)?);
    }
    let mut statement = conn.prepare_cached(&ended)?;
    let mut rows = statement.query(params![endpoint_no, after.as_bytes(), bound.as_bytes(), most])?;
    while let Some(row) = rows.next()? {
        found.push(DeliveryRow::read_ended(row)?);
    }
    Ok(page_onwards(found, limit, bound, |row| row.id))
}

/// How far open deliveries are looked through, of an endpoint that has many of them: they lie by due time, so that the organisation's are taken instead.
fn bound(conn: &Connection, org_no: i64, endpoint_no: i64, after: Uuid) -> Result<Option<Uuid>, Fault> {
    let most = i64::try_from(LIST_ROWS_EXAMINED_MAX).unwrap_or(i64::MAX);
    let count = "SELECT count(*) FROM (SELECT 1 FROM open_deliveries WHERE endpoint_no = ? LIMIT ?)";
    let count: i64 = conn.prepare_cached(count)?.query_row([endpoint_no, most], |row| row.get(0))?;
    if count < most {
        return Ok(None);
    }
    let sql = "SELECT id FROM open_deliveries WHERE org_no = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?";
    let values = params![org_no, after.as_bytes(), most - 1];
    Ok(Some(conn.prepare_cached(sql)?.query_row(values, |row| uuid_at(row, 0)).optional()?.unwrap_or(Uuid::max())))
}
