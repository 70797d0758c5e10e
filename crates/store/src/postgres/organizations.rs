//! Organisations.

use postrider_domain::{AuditEntry, EventValidation, Organization, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::changes::{count_from, tell_changed};
use super::master::key_owner;
use super::rows::millis_at;
use super::session::{Mode, Session};
use super::tenants::{Tenant, missing};
use super::{PostgresStore, audit};
use crate::edit::Edit;
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::rows::{damaged, origins, put_origins, seal_audit};

pub(super) const COLUMNS: &str =
    "id, name, contract, plan, owner_email, locale, event_validation, frame_ancestors, created_at, updated_at";

/// With its data key, all or nothing.
pub(super) async fn create(store: &PostgresStore, organization: &Organization, audit: &AuditEntry) -> Result<()> {
    let org = Uuid::new_v4();
    let (_, wrapped) = store.tenants.keys.make_data_key(key_owner(&org))?;
    let tenant = Tenant::open(&store.tenants.keys, org, wrapped.clone())?;
    let entry = seal_audit(tenant.sealer(), audit)?;
    let master_id = store.tenants.keys.current.id.0;
    let sql = concat!(
        "WITH changed AS (
             INSERT INTO organizations (org, id, name, contract, plan, owner_email, locale, event_validation, created_at, updated_at,
                 frame_ancestors)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $17) ON CONFLICT (id) WHERE NOT deleted DO NOTHING RETURNING org, id),
         keyed AS (INSERT INTO data_keys (org, master_id, wrapped) SELECT org, $11, $12 FROM changed),
         audited AS (INSERT INTO audit (org, id, action, object, sealed) SELECT org, $13, $14, $15, $16 FROM changed), ",
        tell_changed!()
    );
    let made = store
        .engine()
        .await?
        .query(
            sql,
            &[
                &org,
                &organization.id.as_str(),
                &organization.name,
                &organization.contract,
                &organization.plan,
                &organization.owner_email,
                &organization.locale,
                &organization.event_validation.as_str(),
                &organization.created_at.0,
                &organization.updated_at.0,
                &master_id.as_slice(),
                &wrapped,
                &entry.id,
                &entry.action,
                &entry.object,
                &entry.sealed,
                &put_origins(&organization.frame_ancestors),
            ],
        )
        .await?;
    match made.is_empty() {
        false => Ok(()),
        true => Err(StoreError::Exists { what: format!("organization {}", organization.id) }),
    }
}

pub(super) async fn update(store: &PostgresStore, organization: &Organization, edit: &Edit) -> Result<()> {
    let id = &organization.id;
    let (tenant, tx) = store.begin_of(id, Mode::Write).await?.ok_or_else(|| missing(id))?;
    if !count_from(&tx, tenant.org, edit.basis).await? {
        return Err(missing(id));
    }
    let sql = "UPDATE organizations SET name = $2, contract = $3, plan = $4, owner_email = $5, locale = $6, event_validation = $7,
               updated_at = $8, frame_ancestors = $9 WHERE org = $1";
    tx.execute(
        sql,
        &[
            &tenant.org,
            &organization.name,
            &organization.contract,
            &organization.plan,
            &organization.owner_email,
            &organization.locale,
            &organization.event_validation.as_str(),
            &organization.updated_at.0,
            &put_origins(&organization.frame_ancestors),
        ],
    )
    .await?;
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), &edit.audit)?).await?;
    tx.commit().await
}

pub(super) async fn get(store: &PostgresStore, id: &OrganizationId) -> Result<Option<Organization>> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE org = $1 AND NOT deleted");
    let Some((_, rows)) = store.read_of(id, &sql, &[]).await? else { return Ok(None) };
    rows.first().map(from_row).transpose()
}

pub(super) async fn list(
    store: &PostgresStore,
    after: Option<&OrganizationId>,
    limit: usize,
) -> Result<Vec<Organization>> {
    let limit = i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(i64::MAX);
    // The one to go on after may have been deleted meanwhile.
    let sql = format!(
        "SELECT {COLUMNS} FROM organizations WHERE NOT deleted AND ($1::text IS NULL OR no < coalesce(
             (SELECT no FROM organizations WHERE id = $1 AND NOT deleted),
             (SELECT max(no) FROM organizations WHERE id = $1), 0))
         ORDER BY no DESC LIMIT $2"
    );
    let rows = store.engine().await?.query(&sql, &[&after.map(OrganizationId::as_str), &limit]).await?;
    rows.iter().map(from_row).collect()
}

/// Reads [`COLUMNS`], which come first.
pub(super) fn from_row(row: &Row) -> Result<Organization> {
    let validation = EventValidation::parse(row.get(6));
    Ok(Organization {
        id: row.get::<_, &str>(0).parse().map_err(|_| damaged("an organization's id"))?,
        name: row.get(1),
        contract: row.get(2),
        plan: row.get(3),
        owner_email: row.get(4),
        locale: row.get(5),
        event_validation: validation.ok_or_else(|| damaged("an event validation"))?,
        frame_ancestors: origins(row.get(7)),
        created_at: millis_at(row, 8),
        updated_at: millis_at(row, 9),
    })
}

/// Its data key goes now, so that nothing of it can be read again; its rows are invisible from now on and go in retention's steps.
pub(super) async fn delete(store: &PostgresStore, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    let hide = "WITH changed AS (
             UPDATE organizations SET deleted = true, name = '', plan = NULL, owner_email = NULL, locale = NULL,
                 frame_ancestors = '', version = version + 1
             WHERE id = $1 AND NOT deleted RETURNING id, org),
         unkeyed AS (DELETE FROM data_keys WHERE org IN (SELECT org FROM changed)),
         noted AS (INSERT INTO changes (id) SELECT id FROM changed)
         SELECT org, pg_notify('postrider', 'changed:' || id) FROM changed";
    let rows = tx.query(hide, &[&id.as_str()]).await?;
    if let Some(row) = rows.first() {
        hide_what_it_owns(&tx, row.get(0)).await?;
        audit::insert_for_operator(store, &tx, audit).await?;
        tx.commit().await?;
    }
    store.tenants.forget(id);
    Ok(!rows.is_empty())
}

pub(super) async fn hide_what_it_owns(tx: &Session, org: Uuid) -> Result<()> {
    let statements = [
        "UPDATE endpoints SET deleted = true, sealed = NULL, description = NULL WHERE org = $1",
        "DELETE FROM api_keys WHERE org = $1",
        "DELETE FROM lanes WHERE org = $1",
        "DELETE FROM streaks WHERE org = $1",
        "DELETE FROM notices WHERE org = $1",
        "DELETE FROM operational_events WHERE org = $1",
        "INSERT INTO sweeps (org) VALUES ($1)",
    ];
    for sql in statements {
        tx.execute(sql, &[&org]).await?;
    }
    Ok(())
}
