//! Organisations.

use postrider_domain::{AuditEntry, EventValidation, Organization, OrganizationId};
use rusqlite::{OptionalExtension, Row, params};

use super::SqliteStore;
use super::audit;
use super::endpoints::require_basis;
use super::reader::Reader;
use super::rows::millis_at;
use super::tenants;
use super::writer::{Fault, WriteTx};
use crate::edit::Edit;
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::rows::{Sealer, damaged, origins, put_origins, seal_audit};

/// About what one writes.
const ORGANIZATION_BYTES: usize = 1_024;
pub(super) const COLUMNS: &str =
    "id, name, contract, plan, owner_email, locale, event_validation, frame_ancestors, created_at, updated_at";

pub(super) async fn create(store: &SqliteStore, organization: &Organization, audit: &AuditEntry) -> Result<()> {
    let (organization, keys, entry) = (organization.clone(), store.tenants.keys.clone(), audit.clone());
    let write = move |tx: &mut WriteTx<'_>| {
        let org = &organization;
        let find = "SELECT 1 FROM organizations WHERE id = ? AND deleted = 0";
        if tx.conn.prepare_cached(find)?.exists([org.id.as_str()])? {
            return Err(StoreError::Exists { what: format!("organization {}", org.id) }.into());
        }
        let sql =
            "INSERT INTO organizations (id, name, contract, plan, owner_email, locale, event_validation, frame_ancestors,
                   created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let org_no = tx.conn.prepare_cached(sql)?.insert(params![
            org.id.as_str(),
            org.name,
            org.contract,
            org.plan,
            org.owner_email,
            org.locale,
            org.event_validation.as_str(),
            put_origins(&org.frame_ancestors),
            org.created_at.0,
            org.updated_at.0,
        ])?;
        let key = tenants::create_key(tx.conn, &keys, org_no).map_err(tenants::as_sql)?;
        let row = seal_audit(Sealer { owner: org_no, key: &key }, &entry).map_err(tenants::as_sql)?;
        audit::insert(tx, org_no, &row)
    };
    store.writer.write(ORGANIZATION_BYTES, write).await
}

pub(super) async fn update(store: &SqliteStore, organization: &Organization, edit: &Edit) -> Result<()> {
    let tenant = store.tenants.require(&store.readers, &organization.id).await?;
    let (organization, basis) = (organization.clone(), edit.basis);
    let entry = seal_audit(tenant.sealer(), &edit.audit)?;
    let write = move |tx: &mut WriteTx<'_>| {
        require_basis(tx, tenant.no, basis)?;
        let org = &organization;
        let sql = "UPDATE organizations SET name = ?, contract = ?, plan = ?, owner_email = ?, locale = ?,
                   event_validation = ?, frame_ancestors = ?, updated_at = ?, version = version + 1 WHERE no = ? AND deleted = 0";
        let updated = tx.conn.prepare_cached(sql)?.execute(params![
            org.name,
            org.contract,
            org.plan,
            org.owner_email,
            org.locale,
            org.event_validation.as_str(),
            put_origins(&org.frame_ancestors),
            org.updated_at.0,
            tenant.no,
        ])?;
        if updated == 0 {
            return Err(StoreError::NotFound { what: format!("organization {}", org.id) }.into());
        }
        audit::insert(tx, tenant.no, &entry)
    };
    store.writer.write(ORGANIZATION_BYTES, write).await
}

pub(super) async fn get(store: &SqliteStore, id: &OrganizationId) -> Result<Option<Organization>> {
    let id = id.clone();
    let read = move |reader: &mut Reader| {
        let sql = format!("SELECT {COLUMNS} FROM organizations WHERE id = ? AND deleted = 0");
        let found = reader.conn.prepare_cached(&sql)?.query_row([id.as_str()], |row| Ok(from_row(row))).optional()?;
        found.transpose()
    };
    store.readers.read(read).await
}

pub(super) async fn list(
    store: &SqliteStore,
    after: Option<&OrganizationId>,
    limit: usize,
) -> Result<Vec<Organization>> {
    let after = after.map(|id| id.as_str().to_owned());
    let limit = i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(i64::MAX);
    let read = move |reader: &mut Reader| {
        // The one to go on after may have been deleted meanwhile.
        let sql = format!(
            "SELECT {COLUMNS} FROM organizations
            WHERE deleted = 0 AND (?1 IS NULL OR no < coalesce(
                (SELECT no FROM organizations WHERE id = ?1 AND deleted = 0),
                (SELECT max(no) FROM organizations WHERE id = ?1), 0))
            ORDER BY no DESC LIMIT ?2"
        );
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![after, limit])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(from_row(row)?);
        }
        Ok(found)
    };
    store.readers.read(read).await
}

pub(super) fn from_row(row: &Row<'_>) -> Result<Organization, Fault> {
    let validation: String = row.get(6)?;
    Ok(Organization {
        id: row.get::<_, String>(0)?.parse().map_err(|_| damaged("an organization's id"))?,
        name: row.get(1)?,
        contract: row.get(2)?,
        plan: row.get(3)?,
        owner_email: row.get(4)?,
        locale: row.get(5)?,
        event_validation: EventValidation::parse(&validation).ok_or_else(|| damaged("an event validation"))?,
        frame_ancestors: origins(&row.get::<_, String>(7)?),
        created_at: millis_at(row, 8)?,
        updated_at: millis_at(row, 9)?,
    })
}

/// Its data key goes now, so that nothing of it can be read again; its rows are invisible from now on and go in retention's steps.
pub(super) async fn delete(store: &SqliteStore, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
    let (wanted, entry) = (id.clone(), audit::seal_for_operator(store, audit)?);
    let write = move |tx: &mut WriteTx<'_>| {
        let find = "SELECT no FROM organizations WHERE id = ? AND deleted = 0";
        let found = tx.conn.prepare_cached(find)?.query_row([wanted.as_str()], |row| row.get(0)).optional()?;
        let Some(org_no): Option<i64> = found else { return Ok(false) };
        bury(tx, org_no)?;
        audit::insert_for_operator(tx, &entry)?;
        Ok(true)
    };
    let deleted = store.writer.write(ORGANIZATION_BYTES, write).await?;
    store.tenants.forget(id);
    Ok(deleted)
}

/// Hides an organisation, and leaves what it owned to retention.
pub(super) fn bury(tx: &mut WriteTx<'_>, org_no: i64) -> Result<(), Fault> {
    tenants::delete_key(tx.conn, org_no)?;
    let hide =
        "UPDATE organizations SET deleted = 1, name = '', plan = NULL, owner_email = NULL, locale = NULL, frame_ancestors = ''
         WHERE no = ?";
    tx.conn.prepare_cached(hide)?.execute([org_no])?;
    tx.conn.prepare_cached("UPDATE endpoints SET deleted = 1, sealed = NULL WHERE org_no = ?")?.execute([org_no])?;
    for table in ["api_keys", "streaks", "notices", "operational_events"] {
        tx.conn.prepare_cached(&format!("DELETE FROM {table} WHERE org_no = ?"))?.execute([org_no])?;
    }
    tx.conn.prepare_cached("INSERT INTO sweeps (org_no) VALUES (?)")?.execute([org_no])?;
    tx.numbers.forget_organization(org_no);
    Ok(())
}
