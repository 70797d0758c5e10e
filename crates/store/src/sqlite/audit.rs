//! The audit trail: an entry is inserted by the unit that makes the change.

use postrider_domain::{AuditEntry, Millis, OrganizationId};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::SqliteStore;
use super::reader::{Reader, uuid_at};
use super::tenants::OPERATOR_NO;
use super::writer::{Fault, WriteTx};
use crate::edit::AuditFilter;
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{PageOf, PageRequest};
use crate::rows::{AuditRow, audit_examined_max, audit_page, key_range, seal_audit};

/// About what one row's removal writes.
const ROW_BYTES: usize = 512;

pub(super) fn insert(tx: &WriteTx<'_>, org_no: i64, row: &AuditRow) -> Result<(), Fault> {
    let sql = "INSERT INTO audit (org_no, id, action, object, sealed) VALUES (?, ?, ?, ?, ?)";
    let values = params![org_no, row.id.as_bytes(), row.action, row.object, row.sealed];
    tx.conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Into the operator's own trail.
pub(super) fn insert_for_operator(tx: &WriteTx<'_>, row: &AuditRow) -> Result<(), Fault> {
    insert(tx, OPERATOR_NO, row)
}

/// Sealed for the operator's own trail.
pub(super) fn seal_for_operator(store: &SqliteStore, entry: &AuditEntry) -> Result<AuditRow> {
    seal_audit(store.tenants.operator().sealer(), entry)
}

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow { id: uuid_at(row, 0)?, action: row.get(1)?, object: row.get(2)?, sealed: row.get(3)? })
}

pub(super) async fn list(
    store: &SqliteStore,
    organization: Option<&OrganizationId>,
    filter: &AuditFilter,
    page: PageRequest,
) -> Result<PageOf<AuditEntry>> {
    let tenant = match organization {
        None => Some(store.tenants.operator()),
        Some(id) => store.tenants.find(&store.readers, id).await?,
    };
    let Some(tenant) = tenant else { return Ok(PageOf { rows: Vec::new(), next: None }) };
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let examined_max = audit_examined_max(filter, limit);
    let (lowest, highest) = key_range(filter.since, filter.until, page.before);
    let (org_no, action, object) = (tenant.no, filter.action.clone(), filter.object.clone());
    let read = move |reader: &mut Reader| {
        let sql = "SELECT id, action, object, sealed FROM audit
                   WHERE org_no = ?1 AND id >= ?2 AND id < ?3 AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR object = ?5)
                   ORDER BY id DESC LIMIT ?6";
        let most = i64::try_from(examined_max + 1).unwrap_or(i64::MAX);
        let values = params![org_no, lowest.as_bytes(), highest.as_bytes(), action, object, most];
        let mut statement = reader.conn.prepare_cached(sql)?;
        Ok(statement.query_map(values, from_row)?.collect::<rusqlite::Result<Vec<_>>>()?)
    };
    let found = store.readers.read(read).await?;
    audit_page(tenant.sealer(), filter, found, examined_max, limit)
}

pub(super) async fn tell(store: &SqliteStore, organization: &OrganizationId, entry: &AuditEntry) -> Result<()> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(()) };
    let row = seal_audit(tenant.sealer(), entry)?;
    let write = move |tx: &mut WriteTx<'_>| {
        tx.numbers.require_organization(tx.conn, tenant.no)?;
        insert(tx, tenant.no, &row)
    };
    match store.writer.write(ROW_BYTES, write).await {
        Err(StoreError::NotFound { .. }) => Ok(()),
        written => written,
    }
}

pub(super) async fn retain(store: &SqliteStore, before: Millis, rows_max: usize) -> Result<usize> {
    let (_, upto) = key_range(None, Some(before), None);
    let write = move |tx: &mut WriteTx<'_>| drop_before(tx, upto, rows_max);
    store.writer.write(rows_max * ROW_BYTES, write).await
}

fn drop_before(tx: &WriteTx<'_>, upto: Uuid, rows_max: usize) -> Result<usize, Fault> {
    let sql = "DELETE FROM audit WHERE (org_no, id) IN (SELECT org_no, id FROM audit WHERE id < ? ORDER BY id LIMIT ?)";
    let most = i64::try_from(rows_max).unwrap_or(i64::MAX);
    Ok(tx.conn.prepare_cached(sql)?.execute(params![upto.as_bytes(), most])?)
}
