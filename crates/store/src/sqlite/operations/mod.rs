//! Operations: kept, taken, and made step by step. One process has the directory, so that every running one is its lease's.

mod answers;
mod erase;
mod recover;
mod trait_impl;

use postrider_domain::{AuditEntry, Millis, OperationId, OrganizationId};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::reader::{Reader, uuid_at};
use super::writer::{Fault, WriteTx};
use super::{SqliteStore, audit};
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{PageOf, PageRequest};
use crate::operations::{Operation, OperationNote, Work};
use crate::rows::{OperationRow, WorkColumns, count_column, page_of, seal_audit};

/// About what one writes.
const OPERATION_BYTES: usize = 512;

fn opt_uuid_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// Reads [`OperationRow::COLUMNS`].
pub(super) fn operation_row(row: &Row<'_>) -> rusqlite::Result<OperationRow> {
    Ok(OperationRow {
        id: uuid_at(row, 0)?,
        kind: row.get(1)?,
        endpoint: opt_uuid_at(row, 2)?,
        since_at: row.get(3)?,
        until_at: row.get(4)?,
        sealed: row.get(5)?,
        status: row.get(6)?,
        fail_reason: row.get(7)?,
        done: row.get(8)?,
        total: row.get(9)?,
        cursor: opt_uuid_at(row, 10)?,
        deliveries_removed: row.get(11)?,
        attempts_removed: row.get(12)?,
        created_at: row.get(13)?,
        ended_at: row.get(14)?,
    })
}

async fn create(store: &SqliteStore, operation: &Operation, audit: &AuditEntry) -> Result<()> {
    let tenant = store.tenants.require(&store.readers, &operation.organization).await?;
    let columns = WorkColumns::of(tenant.sealer(), operation)?;
    let (operation, entry) = (operation.clone(), seal_audit(tenant.sealer(), audit)?);
    let write = move |tx: &mut WriteTx<'_>| {
        tx.numbers.require_organization(tx.conn, tenant.no)?;
        if let Work::Recover(recovery) = &operation.work {
            let running = "SELECT 1 FROM operations WHERE endpoint = ? AND status = 'running' AND kind = 'recover'";
            if tx.conn.prepare_cached(running)?.exists([recovery.endpoint.0.as_bytes()])? {
                return Err(StoreError::Exists { what: format!("a recovery of endpoint {}", recovery.endpoint) }.into());
            }
        }
        insert(tx, tenant.no, &operation, &columns)?;
        audit::insert(tx, tenant.no, &entry)
    };
    store.writer.write(OPERATION_BYTES, write).await
}

/// One as it stands, whether it has just been made or was imported.
pub(super) fn insert(tx: &WriteTx<'_>, org_no: i64, operation: &Operation, columns: &WorkColumns) -> Result<(), Fault> {
    let sql = "INSERT INTO operations (org_no, id, kind, endpoint, since_at, until_at, sealed, status, fail_reason, done, total,
               cursor, deliveries_removed, attempts_removed, created_at, ended_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    tx.conn.prepare_cached(sql)?.execute(params![
        org_no,
        operation.id.0.as_bytes(),
        columns.kind,
        columns.endpoint.as_ref().map(Uuid::as_bytes),
        columns.since_at,
        columns.until_at,
        columns.sealed,
        operation.status.as_str(),
        operation.fail_reason,
        count_column(operation.done),
        operation.total.map(count_column),
        operation.cursor.as_ref().map(Uuid::as_bytes),
        count_column(operation.removed.deliveries),
        count_column(operation.removed.attempts),
        operation.created_at.0,
        operation.ended_at.map(|at| at.0),
    ])?;
    Ok(())
}

async fn get(store: &SqliteStore, organization: &OrganizationId, id: OperationId) -> Result<Option<Operation>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let org_no = tenant.no;
    let read = move |reader: &mut Reader| {
        let sql = format!("SELECT {} FROM operations WHERE org_no = ? AND id = ?", OperationRow::COLUMNS);
        let key = params![org_no, id.0.as_bytes()];
        Ok(reader.conn.prepare_cached(&sql)?.query_row(key, operation_row).optional()?)
    };
    store.readers.read(read).await?.map(|row| row.open(tenant.sealer(), organization)).transpose()
}

async fn list(store: &SqliteStore, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Operation>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (org_no, limit) = (tenant.no, page.limit.min(PAGE_ROWS_MAX));
    let before = page.before.unwrap_or(Uuid::max());
    let read = move |reader: &mut Reader| {
        let sql = format!(
            "SELECT {} FROM operations WHERE org_no = ? AND id < ? ORDER BY id DESC LIMIT ?",
            OperationRow::COLUMNS
        );
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let key = params![org_no, before.as_bytes(), i64::try_from(limit + 1).unwrap_or(i64::MAX)];
        Ok(statement.query_map(key, operation_row)?.collect::<rusqlite::Result<Vec<_>>>()?)
    };
    let found = store.readers.read(read).await?;
    let rows = found.into_iter().map(|row| row.open(tenant.sealer(), organization)).collect::<Result<Vec<_>>>()?;
    Ok(page_of(rows, limit, |operation| operation.id.0))
}

async fn running(store: &SqliteStore, limit: usize) -> Result<Vec<Operation>> {
    let read = move |reader: &mut Reader| {
        let columns = OperationRow::COLUMNS.replace("id, kind", "p.id, kind").replace("created_at", "p.created_at");
        let sql = format!(
            "SELECT {columns}, o.id FROM operations p JOIN organizations o ON o.no = p.org_no AND o.deleted = 0
             WHERE p.status = 'running' ORDER BY p.no LIMIT ?"
        );
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((operation_row(row)?, row.get::<_, String>(15)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    };
    let mut running = Vec::new();
    for (row, organization) in store.readers.read(read).await? {
        let organization: OrganizationId =
            organization.parse().map_err(|_| crate::rows::damaged("an organization's id"))?;
        let Some(tenant) = store.tenants.find(&store.readers, &organization).await? else { continue };
        running.push(row.open(tenant.sealer(), &organization)?);
    }
    Ok(running)
}

async fn note(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: OperationId,
    note: &OperationNote,
    now: Millis,
) -> Result<bool> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(false) };
    let (org_no, note) = (tenant.no, note.clone());
    let is_over = !matches!(note, OperationNote::Total(_));
    let write = move |tx: &mut WriteTx<'_>| {
        let (org_no, id) = (org_no, id.0.as_bytes());
        let noted = match &note {
            OperationNote::Total(total) => {
                let sql = "UPDATE operations SET total = ? WHERE org_no = ? AND id = ? AND status = 'running'";
                tx.conn.prepare_cached(sql)?.execute(params![count_column(*total), org_no, id])?
            }
            OperationNote::Succeeded => {
                wipe(tx, org_no, id)?;
                let sql = "UPDATE operations SET status = 'succeeded', total = done, ended_at = ?, sealed = NULL
                           WHERE org_no = ? AND id = ? AND status = 'running'";
                tx.conn.prepare_cached(sql)?.execute(params![now.0, org_no, id])?
            }
            OperationNote::Failed(reason) => {
                wipe(tx, org_no, id)?;
                let sql = "UPDATE operations SET status = 'failed', fail_reason = ?, ended_at = ?, sealed = NULL
                           WHERE org_no = ? AND id = ? AND status = 'running'";
                tx.conn.prepare_cached(sql)?.execute(params![reason, now.0, org_no, id])?
            }
        };
        Ok(noted == 1)
    };
    let noted = store.writer.write(OPERATION_BYTES, write).await?;
    if noted && is_over {
        store.writer.empty_log();
    }
    Ok(noted)
}

/// So that what the record was does not stay behind in a free part of its page.
fn wipe(tx: &WriteTx<'_>, org_no: i64, id: &[u8; 16]) -> rusqlite::Result<()> {
    let sql =
        "UPDATE operations SET sealed = zeroblob(length(sealed)) WHERE org_no = ? AND id = ? AND sealed IS NOT NULL";
    tx.conn.prepare_cached(sql)?.execute(params![org_no, id])?;
    Ok(())
}

/// Whether an operation is running, and how far it has come; none when it has ended.
fn cursor(tx: &WriteTx<'_>, org_no: i64, id: OperationId) -> Result<Option<Option<Uuid>>, Fault> {
    let sql = "SELECT cursor FROM operations WHERE org_no = ? AND id = ? AND status = 'running'";
    let key = params![org_no, id.0.as_bytes()];
    Ok(tx.conn.prepare_cached(sql)?.query_row(key, |row| opt_uuid_at(row, 0)).optional()?)
}
