//! The audit trail: an entry is inserted by the transaction that makes the change.

use postrider_domain::{AuditEntry, Millis, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::session::{Mode, Session, Values};
use crate::edit::AuditFilter;
use crate::error::Result;
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{PageOf, PageRequest};
use crate::rows::{AuditRow, audit_examined_max, audit_page, key_range, seal_audit};

/// What inserts an entry into the trail of $1.
const INSERT: &str = "INSERT INTO audit (org, id, action, object, sealed) VALUES ($1, $2, $3, $4, $5)";

pub(super) async fn insert(tx: &Session, org: Uuid, row: &AuditRow) -> Result<()> {
    tx.execute(INSERT, &[&org, &row.id, &row.action, &row.object, &row.sealed]).await.map(|_| ())
}

/// Into the operator's own trail.
pub(super) async fn insert_for_operator(store: &PostgresStore, tx: &Session, entry: &AuditEntry) -> Result<()> {
    let operator = store.tenants.operator();
    let row = seal_audit(operator.sealer(), entry)?;
    insert(tx, operator.org, &row).await
}

/// Reads `id, action, object, sealed`.
pub(super) fn from_row(row: &Row) -> AuditRow {
    AuditRow { id: row.get(0), action: row.get(1), object: row.get(2), sealed: row.get(3) }
}

pub(super) async fn list(
    store: &PostgresStore,
    organization: Option<&OrganizationId>,
    filter: &AuditFilter,
    page: PageRequest,
) -> Result<PageOf<AuditEntry>> {
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let examined_max = audit_examined_max(filter, limit);
    let (lowest, highest) = key_range(filter.since, filter.until, page.before);
    let sql = "SELECT id, action, object, sealed FROM audit
               WHERE org = $1 AND id >= $2 AND id < $3 AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR object = $5)
               ORDER BY id DESC LIMIT $6";
    let most = i64::try_from(examined_max + 1).unwrap_or(i64::MAX);
    let values: Values<'_> = &[&lowest, &highest, &filter.action, &filter.object, &most];
    let (tenant, rows) = match organization {
        Some(id) => match store.read_of(id, sql, values).await? {
            Some(found) => found,
            None => return Ok(PageOf { rows: Vec::new(), next: None }),
        },
        None => {
            let operator = store.tenants.operator();
            let all: Vec<_> = [&operator.org as &(dyn tokio_postgres::types::ToSql + Sync)]
                .into_iter()
                .chain(values.iter().copied())
                .collect();
            let rows = store.tenant().await?.query_as(operator.org, sql, &all).await?;
            (operator, rows)
        }
    };
    let found = rows.iter().map(from_row).collect();
    audit_page(tenant.sealer(), filter, found, examined_max, limit)
}

pub(super) async fn tell(store: &PostgresStore, organization: &OrganizationId, entry: &AuditEntry) -> Result<()> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Write).await? else { return Ok(()) };
    let lock = "SELECT 1 FROM organizations WHERE org = $1 AND NOT deleted FOR SHARE";
    if tx.query(lock, &[&tenant.org]).await?.is_empty() {
        return Ok(());
    }
    insert(&tx, tenant.org, &seal_audit(tenant.sealer(), entry)?).await?;
    tx.commit().await
}

pub(super) async fn retain(store: &PostgresStore, before: Millis, rows_max: usize) -> Result<usize> {
    let (_, upto) = key_range(None, Some(before), None);
    let most = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let sql = "DELETE FROM audit WHERE (org, id) IN (
                   SELECT org, id FROM audit WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let dropped = store.engine().await?.execute(sql, &[&upto, &most]).await?;
    Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
}
