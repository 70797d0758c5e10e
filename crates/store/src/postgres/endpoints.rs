//! Endpoints. Each change locks the organisation's row first, so that changes of one organisation happen one after the other.

use postrider_domain::{AuditEntry, Endpoint, EndpointId, OrganizationId};
use uuid::Uuid;

use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use super::session::{Mode, Session};
use super::tenants::missing;
use super::{PostgresStore, audit, changes, operational};
use crate::edit::Edit;
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{EndpointLimits, PageOf, PageRequest};
use crate::rows::{disabled_reason, events_text, overlap_ends_at, page_of, seal_audit, seal_endpoint};

/// It was disabled, and who changes it to this status has not resumed it at this moment: that is from before.
macro_rules! stays_disabled {
    ($status:expr, $resumed_at:expr) => {
        concat!(
            "e.status = 'disabled' AND ",
            $status,
            "::text = 'active' AND e.resumed_at IS NOT DISTINCT FROM ",
            $resumed_at,
            "::bigint"
        )
    };
}

pub(super) async fn create(
    store: &PostgresStore,
    endpoint: &Endpoint,
    limits: &EndpointLimits,
    edit: &Edit,
) -> Result<()> {
    let id = &endpoint.organization;
    let (tenant, tx) = store.begin_of(id, Mode::Write).await?.ok_or_else(|| missing(id))?;
    if !changes::count_from(&tx, tenant.org, edit.basis).await? {
        return Err(missing(id));
    }
    require_room(&tx, tenant.org, limits).await?;
    let sql = "INSERT INTO endpoints (org, id, name, description, events, contract, system, status, disabled_reason, created_at,
                   updated_at, resumed_at, overlap_ends_at, sealed)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING";
    let made = tx
        .execute(
            sql,
            &[
                &tenant.org,
                &endpoint.id.0,
                &endpoint.name,
                &endpoint.description,
                &events_text(endpoint),
                &endpoint.contract,
                &endpoint.system,
                &endpoint.status.as_str(),
                &disabled_reason(endpoint),
                &endpoint.created_at.0,
                &endpoint.updated_at.0,
                &endpoint.resumed_at.map(|at| at.0),
                &overlap_ends_at(endpoint),
                &seal_endpoint(tenant.sealer(), endpoint)?,
            ],
        )
        .await?;
    if made == 0 {
        return Err(StoreError::Exists { what: format!("endpoint {}", endpoint.id) });
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), &edit.audit)?).await?;
    tx.commit().await
}

/// Counted while the organisation's row is locked: two that are made at once do not pass the limit together.
async fn require_room(tx: &Session, org: Uuid, limits: &EndpointLimits) -> Result<()> {
    let Some(max) = limits.endpoints_max else { return Ok(()) };
    let sql = "SELECT count(*) FROM endpoints WHERE org = $1 AND NOT deleted";
    let rows = tx.query(sql, &[&org]).await?;
    let count: i64 = rows.first().map_or(0, |row| row.get(0));
    if count >= i64::from(max) {
        let limit = "endpoints per organization".to_owned();
        return Err(StoreError::LimitReached { limit, max: u64::from(max) });
    }
    Ok(())
}

pub(super) async fn update(store: &PostgresStore, endpoint: &Endpoint, edit: &Edit) -> Result<()> {
    let id = &endpoint.organization;
    let (tenant, tx) = store.begin_of(id, Mode::Write).await?.ok_or_else(|| missing(id))?;
    if !changes::count_from(&tx, tenant.org, edit.basis).await? {
        return Err(missing(id));
    }
    let (status, resumed_at) = (endpoint.status.as_str(), endpoint.resumed_at.map(|at| at.0));
    let leave = concat!(
        "DELETE FROM streaks s USING endpoints e WHERE s.org = $1 AND s.endpoint = $2 AND e.org = $1 AND e.id = $2
         AND e.status = 'disabled' AND $3 <> 'disabled' AND NOT (",
        stays_disabled!("$3", "$4"),
        ")"
    );
    tx.execute(leave, &[&tenant.org, &endpoint.id.0, &status, &resumed_at]).await?;
    let sql = concat!(
        "UPDATE endpoints e SET name = $3, description = $4, events = $5, contract = $6, system = $7,
             status = CASE WHEN ",
        stays_disabled!("$8", "$11"),
        " THEN e.status ELSE $8 END,
             disabled_reason = CASE WHEN ",
        stays_disabled!("$8", "$11"),
        " THEN e.disabled_reason ELSE $9 END,
             updated_at = $10, resumed_at = $11, overlap_ends_at = $12, sealed = $13
         WHERE org = $1 AND id = $2 AND NOT deleted"
    );
    let updated = tx
        .execute(
            sql,
            &[
                &tenant.org,
                &endpoint.id.0,
                &endpoint.name,
                &endpoint.description,
                &events_text(endpoint),
                &endpoint.contract,
                &endpoint.system,
                &status,
                &disabled_reason(endpoint),
                &endpoint.updated_at.0,
                &resumed_at,
                &overlap_ends_at(endpoint),
                &seal_endpoint(tenant.sealer(), endpoint)?,
            ],
        )
        .await?;
    if updated == 0 {
        return Err(StoreError::NotFound { what: format!("endpoint {}", endpoint.id) });
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), &edit.audit)?).await?;
    if let Some(told) = store.operational_for.of_change(id, endpoint.id, &edit.audit) {
        operational::insert(&tx, tenant.org, &told).await?;
    }
    tx.commit().await
}

pub(super) async fn get(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: EndpointId,
) -> Result<Option<Endpoint>> {
    let sql = format!("SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE org = $1 AND id = $2 AND NOT deleted");
    let Some((tenant, rows)) = store.read_of(organization, &sql, &[&id.0]).await? else { return Ok(None) };
    rows.first().map(|row| endpoint_row(row, 0).open(tenant.sealer(), organization)).transpose()
}

pub(super) async fn list(
    store: &PostgresStore,
    organization: &OrganizationId,
    page: PageRequest,
) -> Result<PageOf<Endpoint>> {
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE org = $1 AND id < $2 AND NOT deleted ORDER BY id DESC LIMIT $3"
    );
    let before = page.before.unwrap_or(Uuid::max());
    let Some((tenant, rows)) = store.read_of(organization, &sql, &[&before, &most]).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let rows = rows.iter().map(|row| endpoint_row(row, 0).open(tenant.sealer(), organization));
    Ok(page_of(rows.collect::<Result<_>>()?, limit, |endpoint: &Endpoint| endpoint.id.0))
}

/// Its secrets go now; its open deliveries and the text of its attempts are invisible from now on and go in retention's steps, together
/// with what a commit that was under way still adds.
pub(super) async fn delete(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: EndpointId,
    audit: &AuditEntry,
) -> Result<bool> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Write).await? else { return Ok(false) };
    if !changes::count(&tx, tenant.org).await? {
        return Ok(false);
    }
    let sql = "WITH hidden AS (
                   UPDATE endpoints SET deleted = true, sealed = NULL, description = NULL, overlap_ends_at = NULL
                   WHERE org = $1 AND id = $2 AND NOT deleted RETURNING id),
               freed AS (DELETE FROM lanes WHERE org = $1 AND endpoint IN (SELECT id FROM hidden)),
               ended AS (DELETE FROM streaks WHERE org = $1 AND endpoint IN (SELECT id FROM hidden)),
               untold AS (DELETE FROM notices WHERE org = $1 AND endpoint IN (SELECT id FROM hidden))
               INSERT INTO sweeps (org, endpoint) SELECT $1, id FROM hidden";
    if tx.execute(sql, &[&tenant.org, &id.0]).await? == 0 {
        return Ok(false);
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), audit)?).await?;
    tx.commit().await?;
    Ok(true)
}
