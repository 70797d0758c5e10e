//! Operations: kept, taken by a lease, and made step by step in transactions of that lease.

mod answers;
mod erase;
mod recover;
mod trait_impl;

use postrider_domain::{AuditEntry, Millis, OperationId, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::lanes;
use super::session::{Mode, Session};
use super::tenants::missing;
use super::{PostgresStore, audit};
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{LeaseNo, PageOf, PageRequest};
use crate::operations::{Operation, OperationNote};
use crate::rows::{OperationRow, WorkColumns, count_column, damaged, page_of, seal_audit};

/// Reads [`OperationRow::COLUMNS`], which come first.
pub(super) fn operation_row(row: &Row) -> OperationRow {
    OperationRow {
        id: row.get(0),
        kind: row.get(1),
        endpoint: row.get(2),
        since_at: row.get(3),
        until_at: row.get(4),
        sealed: row.get(5),
        status: row.get(6),
        fail_reason: row.get(7),
        done: row.get(8),
        total: row.get(9),
        cursor: row.get(10),
        deliveries_removed: row.get(11),
        attempts_removed: row.get(12),
        created_at: row.get(13),
        ended_at: row.get(14),
    }
}

async fn create(store: &PostgresStore, operation: &Operation, audit: &AuditEntry) -> Result<()> {
    let id = &operation.organization;
    let (tenant, tx) = store.begin_of(id, Mode::Write).await?.ok_or_else(|| missing(id))?;
    let columns = WorkColumns::of(tenant.sealer(), operation)?;
    if insert(&tx, tenant.org, operation, &columns).await? == 0 {
        let what =
            columns.endpoint.map_or_else(|| "an operation".to_owned(), |_| "a recovery of this endpoint".to_owned());
        return Err(StoreError::Exists { what });
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), audit)?).await?;
    tx.commit().await
}

/// One as it stands, whether it has just been made or was imported.
pub(super) async fn insert(tx: &Session, org: Uuid, operation: &Operation, columns: &WorkColumns) -> Result<u64> {
    let sql = "INSERT INTO operations (org, id, kind, endpoint, since_at, until_at, sealed, status, fail_reason, done, total, cursor,
                   deliveries_removed, attempts_removed, created_at, ended_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING";
    tx.execute(
        sql,
        &[
            &org,
            &operation.id.0,
            &columns.kind,
            &columns.endpoint,
            &columns.since_at,
            &columns.until_at,
            &columns.sealed,
            &operation.status.as_str(),
            &operation.fail_reason,
            &count_column(operation.done),
            &operation.total.map(count_column),
            &operation.cursor,
            &count_column(operation.removed.deliveries),
            &count_column(operation.removed.attempts),
            &operation.created_at.0,
            &operation.ended_at.map(|at| at.0),
        ],
    )
    .await
}

async fn get(store: &PostgresStore, organization: &OrganizationId, id: OperationId) -> Result<Option<Operation>> {
    let sql = format!("SELECT {} FROM operations WHERE org = $1 AND id = $2", OperationRow::COLUMNS);
    let Some((tenant, rows)) = store.read_of(organization, &sql, &[&id.0]).await? else { return Ok(None) };
    rows.first().map(|row| operation_row(row).open(tenant.sealer(), organization)).transpose()
}

async fn list(store: &PostgresStore, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Operation>> {
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {} FROM operations WHERE org = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        OperationRow::COLUMNS
    );
    let before = page.before.unwrap_or(Uuid::max());
    let Some((tenant, rows)) = store.read_of(organization, &sql, &[&before, &most]).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let rows = rows.iter().map(|row| operation_row(row).open(tenant.sealer(), organization));
    Ok(page_of(rows.collect::<Result<_>>()?, limit, |operation: &Operation| operation.id.0))
}

/// Those that are free are taken first; whoever else takes some at this moment is not waited for.
async fn take(store: &PostgresStore, lease: LeaseNo, limit: usize) -> Result<Vec<Operation>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tx = lanes::begin(store, lease).await?;
    let free = "UPDATE operations p SET lease = $1
                FROM (SELECT org, id FROM operations f WHERE f.status = 'running' AND f.lease IS DISTINCT FROM $1
                      AND NOT EXISTS (SELECT FROM leases l WHERE l.no = f.lease AND NOT l.revoked)
                      ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) free
                WHERE p.org = free.org AND p.id = free.id";
    tx.execute(free, &[&lease.0, &limit]).await?;
    let columns = OperationRow::COLUMNS.replace("id, kind", "p.id, kind").replace("created_at", "p.created_at");
    let ours = format!(
        "SELECT {columns}, o.id FROM operations p JOIN organizations o ON o.org = p.org AND NOT o.deleted
         WHERE p.status = 'running' AND p.lease = $1 ORDER BY p.id LIMIT $2"
    );
    let rows = tx.query(&ours, &[&lease.0, &limit]).await?;
    tx.commit().await?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        let organization: OrganizationId =
            row.get::<_, &str>(15).parse().map_err(|_| damaged("an organization's id"))?;
        let Some(tenant) = store.tenants.find(store, &organization).await? else { continue };
        taken.push(operation_row(row).open(tenant.sealer(), &organization)?);
    }
    Ok(taken)
}

async fn note(
    store: &PostgresStore,
    lease: LeaseNo,
    organization: &OrganizationId,
    id: OperationId,
    note: &OperationNote,
    now: Millis,
) -> Result<bool> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(false) };
    let tx = lanes::begin(store, lease).await?;
    let ours = "WHERE org = $1 AND id = $2 AND lease = $3 AND status = 'running'";
    let noted = match note {
        OperationNote::Total(total) => {
            let sql = format!("UPDATE operations SET total = $4 {ours}");
            tx.execute(&sql, &[&tenant.org, &id.0, &lease.0, &count_column(*total)]).await?
        }
        OperationNote::Succeeded => {
            let sql = format!(
                "UPDATE operations SET status = 'succeeded', total = done, ended_at = $4, sealed = NULL {ours}"
            );
            tx.execute(&sql, &[&tenant.org, &id.0, &lease.0, &now.0]).await?
        }
        OperationNote::Failed(reason) => {
            let sql = format!(
                "UPDATE operations SET status = 'failed', fail_reason = $5, ended_at = $4, sealed = NULL {ours}"
            );
            tx.execute(&sql, &[&tenant.org, &id.0, &lease.0, &now.0, reason]).await?
        }
    };
    tx.commit().await?;
    Ok(noted == 1)
}

/// Locks an operation of the lease and tells how far it has come; none when it has ended, or is another's.
async fn cursor(tx: &Session, org: Uuid, id: OperationId, lease: LeaseNo) -> Result<Option<Option<Uuid>>> {
    let sql =
        "SELECT cursor FROM operations WHERE org = $1 AND id = $2 AND lease = $3 AND status = 'running' FOR UPDATE";
    Ok(tx.query(sql, &[&org, &id.0, &lease.0]).await?.first().map(|row| row.get(0)))
}
